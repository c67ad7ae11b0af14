"""What the columns that the audit stops at are worth: a first model with and without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.material import Material
from assay.lifecycle.search.fold import fit_rows
from assay.metrics import get
from assay.metrics.intervals.estimates import estimates
from assay.records.audit import Audit
from assay.records.report import Estimate
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.split import Split

MOST_ROWS = 20_000
"""Rows of a fold that the first model learns from, and as many that it answers."""


@dataclass(frozen=True)
class Quarantined:
    """The headline metric of a first model, out of fold, without some columns."""

    without: tuple[str, ...]
    metric: str
    score: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON envelope."""
        return {
            "without": list(self.without),
            "metric": self.metric,
            "score": msgspec.to_builtins(self.score),
        }


def suspects(audit: Audit, problem: Problem) -> tuple[str, ...]:
    """Return the features that findings name which stop the run, in the order of the table."""
    named: set[str] = set()
    for finding in audit.blocking:
        named |= {finding.where, *finding.evidence.get("columns", ())}
    return tuple(name for name in problem.features if name in named)


def without_suspects(inputs: Inputs, context: Context) -> Iterator[Quarantined]:
    """Yield the score with every column, without each suspect, and without all of them.

    The family's first candidate is cross-validated on the training rows; no test row is read.
    Nothing is yielded when no column is suspected, or when none would be left.
    """
    material = Material.open(inputs, context.store)
    problem = material.problem
    found = suspects(take(inputs, "audit", Audit), problem)
    if not found or len(found) == len(problem.features):
        return
    sets = [(), *((name,) for name in found), *([found] if len(found) > 1 else [])]
    seed = take(inputs, "split", Split).seed
    snapshot = take(inputs, "snapshot", DataSnapshot)
    for place, without in enumerate(sets):
        text = f"a first model without {', '.join(without)}" if without else "a first model"
        context.notify(Note("quarantine", text, place + 1, len(sets)))
        score = _score(material, snapshot, without, seed)
        if score is not None:
            yield Quarantined(without, problem.primary, score)


def _score(
    material: Material, snapshot: DataSnapshot, without: Sequence[str], seed: int
) -> Estimate | None:
    """Return the first candidate's headline metric out of fold, None when it cannot be fitted."""
    features = tuple(name for name in material.problem.features if name not in without)
    problem = msgspec.structs.replace(material.problem, features=features)
    part = replace(material, problem=problem)
    columns = [column for column in snapshot.columns if column.name in features]
    candidate = part.family.candidates(problem, columns, part.train_index.size)[0]
    truths: list[NDArray[Any]] = []
    answers: list[NDArray[np.float64]] = []
    for fold in part.folds:
        train, valid = (part.rows(_some(index, seed)) for index in part.fold(fold))
        answer = fit_rows(
            candidate, problem, train, valid, ordered=part.ordered, seed=seed, threads=1
        )
        if answer.values is None:
            return None
        truths.append(valid.truth)
        answers.append(answer.values)
    predictions = Predictions(np.concatenate(answers), problem.classes)
    metric = get(problem.primary)
    return estimates(
        [metric],
        np.concatenate(truths),
        predictions,
        positive_code=problem.positive_code,
        seed=seed,
    )[metric.name]


def _some(index: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the rows, or in their order as many of them as the first model takes."""
    if index.size <= MOST_ROWS:
        return index
    return np.sort(np.random.default_rng(seed).choice(index, MOST_ROWS, replace=False))
