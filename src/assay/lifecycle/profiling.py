"""What monitoring compares with later: the profile that goes into the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.content import read_raw_table
from assay.kernel.family import Predictions
from assay.kernel.stage import Context, Inputs, take
from assay.lifecycle.answered import Answered, read_answers
from assay.lifecycle.material import TEST, Material
from assay.lifecycle.operate import out_of_fold
from assay.lifecycle.pack import raw_signature
from assay.metrics.operate import operate
from assay.records.fitted import Field, Fitted, Leaderboard, Members
from assay.records.package import Profiled
from assay.records.report import Examination, Report
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot, Problem
from assay.watch.columns.build import profile_columns, recounted
from assay.watch.columns.count import codes
from assay.watch.columns.form import ColumnProfile
from assay.watch.drift.joint import build_joint
from assay.watch.performance.known import Known, build_known
from assay.watch.profile import Profile, write_profile

MOST, MOST_CELLS = 50_000, 10_000_000
"""Training rows, and test rows, that say how columns go together and how right the model is; fewer
of a wide table."""
AS_NOW = 100
"""Declared test rows from which on they say how rows come, in place of the training rows: these may
hold older ones, as those of a retraining do, which are not what comes next."""
MOST_CLASSES = 20
"""Classes whose probability is profiled, the most frequent first."""
PREDICTION, PROBABILITY = "prediction", "probability_"


@dataclass(frozen=True)
class _Watched:
    """The columns that monitoring looks at, for every row of the table."""

    fields: tuple[Field, ...]
    table: pl.DataFrame

    def rows(self, index: NDArray[np.int64]) -> pl.DataFrame:
        return self.table[index]


def profile(inputs: Inputs, context: Context) -> Profiled:
    """Run the stage: training rows as they come in, and test rows as the champion answered them.

    The answers are those that the evaluation kept, so the test rows are not asked about again.
    """
    material = Material.open(inputs, context.store)
    problem, seal = material.problem, take(inputs, "seal", Seal)
    report = take(inputs, "evaluate", Report)
    answered = read_answers(context.store.get(report.answers), problem.classes)
    watched = _watched(inputs, context, material)
    train, test = material.train_index, np.flatnonzero(material.parts == TEST)
    columns = _mattering(profile_columns(watched.rows(train), watched.fields), report.examinations)
    some = _some(train, len(columns), seal.split.seed)
    cells = together = codes(columns, watched.rows(some))
    if take(inputs, "snapshot", DataSnapshot).test_rows >= AS_NOW:
        columns = recounted(columns, watched.rows(test))
        newest = _some(test, len(columns), seal.split.seed)
        together = codes(columns, watched.rows(newest))
    found = Profile(
        rows=train.size,
        test_rows=test.size,
        columns=columns,
        answers=profile_columns(*answer_columns(problem, answered.answers)),
        target=profile_columns(*target_column(problem, answered))[0],
        joint=build_joint(columns, together),
        known=_known(inputs, context, material, columns, some, cells, answered, watched),
        primary=seal.primary,
        metrics=report.champion.metrics,
        gates=seal.gates,
        slices=report.slices,
    )
    data = write_profile(found)
    return Profiled(
        profile=context.store.put(data), bytes=len(data), rows=train.size, columns=len(columns)
    )


def answer_columns(problem: Problem, answers: Predictions) -> tuple[pl.DataFrame, list[Field]]:
    """Return `prediction` and, for classes, the probabilities that say more: columns and types.

    Of two classes that is the positive one's.
    """
    values = answers.values
    if not problem.classes:
        return pl.DataFrame({PREDICTION: values}), [_field(PREDICTION, "number")]
    chosen = answers.codes(problem.positive_code if problem.positive is not None else None)
    labels = pl.Series(problem.classes, dtype=pl.String).gather(chosen)
    frequent = np.argsort(-np.bincount(chosen, minlength=len(problem.classes)), kind="stable")
    told = [problem.positive_code] if problem.positive is not None else frequent[:MOST_CLASSES]
    columns = {f"{PROBABILITY}{problem.classes[i]}": values[:, i] for i in sorted(told)}
    fields = [_field(PREDICTION, "category"), *(_field(name, "number") for name in columns)]
    return pl.DataFrame({PREDICTION: labels, **columns}), fields


def target_column(problem: Problem, answered: Answered) -> tuple[pl.DataFrame, list[Field]]:
    """Return the true answers as a column and its type."""
    name, truth = problem.target, answered.truth
    if not problem.classes:
        return pl.DataFrame({name: truth}), [_field(name, "number")]
    labels = pl.Series(problem.classes, dtype=pl.String).gather(truth)
    return pl.DataFrame({name: labels}), [_field(name, "category")]


def _field(name: str, kind: str) -> Field:
    return Field(name=name, type=kind, missing=False)


def _watched(inputs: Inputs, context: Context, material: Material) -> _Watched:
    """Return what monitoring looks at: the columns that a caller sends, in the family's words."""
    snapshot = take(inputs, "snapshot", DataSnapshot)
    signature = raw_signature(take(inputs, "fit", Fitted).signature, snapshot)
    table = read_raw_table(snapshot, context.store)
    sent = table.select(field.name for field in signature.inputs)
    return _Watched(*material.family.profile_for_watch(signature.inputs, sent))


def _mattering(
    columns: Sequence[ColumnProfile], examinations: Sequence[Examination]
) -> tuple[ColumnProfile, ...]:
    """Return the profiles with what the explanations say of how much each column matters."""
    curves = (c.data for e in examinations for c in e.curves if c.kind == "importance")
    data: Mapping[str, Any] = next(curves, {"columns": [], "mean": []})
    means = np.maximum(0.0, data["mean"]).tolist()
    growth = dict[str, float](zip(data["columns"], means, strict=True))
    total = sum(growth.values())
    if not total:
        return tuple(columns)
    return tuple(
        msgspec.structs.replace(c, matters=growth[c.of] / total) if c.of in growth else c
        for c in columns
    )


def _some(index: NDArray[np.int64], columns: int, seed: int) -> NDArray[np.int64]:
    """Return at most `MOST` of these rows, drawn at random, in order."""
    most = min(MOST, MOST_CELLS // max(1, columns))
    if index.size <= most:
        return index
    return np.sort(np.random.default_rng(seed).choice(index, most, replace=False))


def _known(
    inputs: Inputs,
    context: Context,
    material: Material,
    columns: Sequence[ColumnProfile],
    some: NDArray[np.int64],
    cells: NDArray[np.int32],
    answered: Answered,
    watched: _Watched,
) -> Known:
    """Return how right the champion was where: on training rows out of fold, and on test rows."""
    problem, fitted = material.problem, take(inputs, "fit", Fitted)
    scores = out_of_fold(
        take(inputs, "search", Leaderboard), take(inputs, "members", Members), context.store
    )[np.searchsorted(material.train_index, some)]
    rows = material.rows(some)
    before = operate(
        fitted.signature.operating,
        Predictions(scores, problem.classes),
        rows.frame,
        problem.positive_code,
    )
    test = np.flatnonzero(material.parts == TEST)
    tested = _some(test, len(columns), take(inputs, "seal", Seal).split.seed)
    place = np.searchsorted(test, tested)
    return build_known(
        problem,
        columns,
        cells,
        before,
        rows.truth,
        codes(columns, watched.rows(tested)),
        answered.answers.take(place),
        answered.truth[place],
    )
