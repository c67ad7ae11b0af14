"""What every examination is given: the champion, the test rows, and what training knew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.metrics import Metric
from assay.metrics.base import Truth
from assay.records.fitted import Leaderboard, Operating
from assay.records.report import Curve
from assay.records.seal import Seal
from assay.records.snapshot import Problem


@dataclass(frozen=True)
class Sample:
    """Rows of the table: all its columns, the target as codes or numbers, and places in the file.

    `table` is (n, columns), `truth` (n,), `places` (n,) from 0.
    """

    table: pl.DataFrame
    truth: Truth
    places: NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """The frozen input of every examination.

    `metrics` are those reported, the headline first. `champion`, `baseline` and, as it was before
    calibration and thresholds, `raw` answer the `test` rows. `predict` asks the exported champion,
    calibrated, about any rows with the feature columns. `train` are the training rows and `oof`
    the champion's predictions of them, out of fold and calibrated (NaN where no fold made one).
    `groups` (n,) codes test rows that belong together, `times` (n,) orders them, where the split
    says so. `learning` is the learning curve, `looks` how often these test rows were looked at.
    """

    problem: Problem
    seal: Seal
    metrics: tuple[Metric, ...]
    test: Sample
    train: Sample
    champion: Predictions
    raw: Predictions
    baseline: Predictions
    oof: Predictions
    operating: Operating
    leaderboard: Leaderboard
    learning: Curve
    predict: Callable[[pl.DataFrame], Predictions]
    groups: NDArray[Any] | None = None
    times: NDArray[Any] | None = None
    looks: int = 1
    seed: int = 0

    @property
    def primary(self) -> Metric:
        """Return the headline metric."""
        return self.metrics[0]

    @cached_property
    def features(self) -> pl.DataFrame:
        """Return the feature columns of the test rows."""
        return self.test.table[list(self.problem.features)]
