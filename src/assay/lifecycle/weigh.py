"""Weights of the training rows under which groups are treated alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.fairness.groups import joined
from assay.evaluate.fairness.mitigation import enough, reweighing
from assay.evaluate.slices import MISSING, OTHER, bins
from assay.kernel.family import Rows
from assay.kernel.loader import load
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.material import Material, write_array
from assay.records.fitted import Candidate, Weighting
from assay.records.snapshot import DataSnapshot
from assay.records.spec import FairnessSection
from assay.records.split import Split

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

CONSTRAINED = "assay.evaluate.fairness.reduce:constrained"
WEIGHED = ("reweigh", "constrain")
ROUNDS = 60
"""Iterations of each of the many fits of constrained training, where they can be chosen."""


def weigh(inputs: Inputs, context: Context) -> Weighting:
    """Run the stage: weights when `fairness.mitigate` asks for them, else none.

    Constrained training fits the family's best guess; raises MissingExtra as `row_weights` does.
    """
    fairness = take(inputs, "spec.fairness", FairnessSection)
    if fairness.mitigate not in WEIGHED:
        return Weighting()
    material = Material.open(inputs, context.store)
    split = take(inputs, "split", Split)
    columns = take(inputs, "snapshot", DataSnapshot).columns
    candidate = material.family.candidates(material.problem, columns, split.train)[0]
    context.notify(Note("weigh", f"weights of the rows, by {' and '.join(fairness.columns)}"))
    found = row_weights(material, fairness, candidate, split.seed, context.executor.threads)
    return Weighting() if found is None else Weighting(rows=context.store.put(write_array(found)))


def row_weights(
    material: Material, fairness: FairnessSection, candidate: Candidate, seed: int, threads: int
) -> Floats | None:
    """Return a weight for each of `material.train_index`, mean 1; None where all count alike.

    `candidate` is what constrained training fits again and again. Groups are those of all the
    fairness columns together; the small ones are taken as one.

    Raises:
        MissingExtra: constrained training is wanted, and fairlearn is not installed.
    """
    if fairness.mitigate not in WEIGHED:
        return None
    rows = material.rows(material.train_index)
    positive = rows.truth == material.problem.positive_code
    groups = _groups(material, fairness, positive)
    if fairness.mitigate == "reweigh":
        return reweighing(groups, positive.astype(np.int64))
    learn = _learner(material, rows, candidate, seed, threads)
    found: Floats = load(CONSTRAINED)(learn, positive, groups, fairness.definition, seed)
    return found


def _groups(material: Material, fairness: FairnessSection, positive: Mask) -> NDArray[np.str_]:
    table = material.table[material.train_index]
    words = {n: [MISSING if v is None else v for v in bins(table[n])] for n in fairness.columns}
    *_, (_, labels) = joined(words)
    names, place = np.unique(np.array(labels, dtype=str), return_inverse=True)
    counts, hits = np.bincount(place), np.bincount(place, positive)
    large = [enough(int(n), int(k)) for n, k in zip(counts, hits, strict=True)]
    return np.where(large, names, OTHER)[place]


def _learner(
    material: Material, rows: Rows, candidate: Candidate, seed: int, threads: int
) -> Callable[[Codes, Codes, Floats], Callable[[Codes], Mask]]:
    """Return a fit of the family on some of the rows, with labels (1 is positive) and weights."""
    family, problem = material.family, material.problem
    code = problem.positive_code

    def learn(index: Codes, labels: Codes, weight: Floats) -> Callable[[Codes], Mask]:
        known = weight > 0
        target = np.where(labels == 1, code, 1 - code)[known]
        part = Rows(rows.frame[index[known]], target, weight[known])
        model = family.fit(candidate, problem, part, None, ROUNDS, seed, threads)

        def called(asked: Codes) -> Mask:
            found: Mask = model.predict(rows.frame[asked]).codes(code) == code
            return found

        return called

    return learn
