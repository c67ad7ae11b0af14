"""What the examinations are given, gathered from the records of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.evaluate.case import Case, Sample
from assay.kernel.family import Predictions, Rows
from assay.kernel.stage import Context, Inputs, take
from assay.lifecycle.material import Material, target_codes
from assay.lifecycle.operate import out_of_fold
from assay.metrics import Metric
from assay.metrics.operate import operate
from assay.package.load import Operated
from assay.records.fitted import Fitted, Leaderboard, Members
from assay.records.report import Curve
from assay.records.seal import Seal


@dataclass(frozen=True)
class Answers:
    """The test rows, their places in the table, and what champion and baseline say of them.

    `raw` is the champion before calibration and thresholds, `test` names the rows, `groups` and
    `times` (n,) are those of the split's policy.
    """

    rows: Rows
    index: NDArray[np.int64]
    test: str
    champion: Predictions
    raw: Predictions
    baseline: Predictions
    groups: NDArray[np.int64] | None
    times: NDArray[np.float64] | None


def build_case(
    inputs: Inputs,
    context: Context,
    material: Material,
    predictor: Operated,
    given: Answers,
    metrics: Sequence[Metric],
    looks: int,
) -> Case:
    """Return the frozen input of every examination."""
    fitted, seal = take(inputs, "fit", Fitted), take(inputs, "seal", Seal)
    board = take(inputs, "search", Leaderboard)
    operating = fitted.signature.operating
    train = sample(material, material.train_index)
    known = out_of_fold(board, take(inputs, "members", Members), context.store)
    oof = operate(
        operating,
        Predictions(known, material.problem.classes),
        train.table,
        material.problem.positive_code,
    )
    return Case(
        problem=material.problem,
        seal=seal,
        metrics=tuple(metrics),
        test=sample(material, given.index),
        train=train,
        champion=given.champion,
        raw=given.raw,
        baseline=given.baseline,
        oof=oof,
        operating=operating,
        leaderboard=board,
        learning=take(inputs, "learning", Curve),
        predict=predictor.predict,
        groups=given.groups,
        times=given.times,
        looks=looks,
        seed=seal.split.seed,
    )


def sample(material: Material, index: NDArray[np.int64]) -> Sample:
    """Return rows of the table with all its columns, once the door has been opened for them."""
    table = material.table[index]
    truth = target_codes(table[material.problem.target], material.problem)
    return Sample(table=table, truth=truth, places=index)


def groups_of(material: Material, seal: Seal, index: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return a code per test row for rows that belong together, when the split says so."""
    policy = seal.split
    column = policy.group_on or (policy.group_time_on[0] if policy.group_time_on else None)
    if column is None:
        return None
    return material.table[column][index].rank("dense").cast(pl.Int64).to_numpy()


def times_of(
    material: Material, seal: Seal, index: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return the time of each test row, when the split is made in time without groups."""
    if seal.split.time_on is None:
        return None
    column = material.table[seal.split.time_on][index]
    return column.to_physical().cast(pl.Float64).to_numpy()
