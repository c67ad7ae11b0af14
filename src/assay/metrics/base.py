"""What a metric is: a formula together with its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError
from assay.kernel.family import Predictions
from assay.metrics.weighted import Floats, Rows, Weighted

Takes = Literal["score", "label", "probabilities", "number", "measured", "examined"]
Interval = Literal[
    "delong",
    "wilson",
    "log-odds",
    "skewness-corrected",
    "order",
    "debiased",
    "bootstrap",
    "measured",
]
Need = Literal["both", "positive", "negative", "every", "nonzero", "spread"]
Truth = NDArray[np.int64] | NDArray[np.float64]

TASKS = ("binary", "multiclass", "regression")

_NEEDS: dict[Need, str] = {
    "both": "only one class occurs",
    "positive": "no row is of the positive class",
    "negative": "every row is of the positive class",
    "every": "not every class occurs",
    "nonzero": "some true values are zero",
    "spread": "all true values are equal",
}


@dataclass(frozen=True)
class Metric:
    """A metric with its direction, unit, range, format and interval method.

    `counts` is a formula over confusion matrices (labels), `weighted` one over weighted rows; a
    measured metric has neither. `low` and `high` bound its values. `needs` says what the true
    values must offer for it to mean anything.
    """

    name: str
    title: str
    tasks: frozenset[str]
    higher_is_better: bool
    takes: Takes
    interval: Interval
    unit: Literal["", "ms", "bytes", "target"] = ""
    low: float = 0.0
    high: float = 1.0
    digits: int = 3
    needs: Need | None = None
    counts: Callable[[Floats, int], Floats] | None = None
    weighted: Callable[[Weighted], Floats] | None = None

    @property
    def operational(self) -> bool:
        """Return True for what is no formula of predictions.

        It is measured on the package, or found by an examination.
        """
        return self.takes in ("measured", "examined")

    def unfit(self, truth: Truth, classes: int = 0, positive_code: int = 0) -> str:
        """Return why these true values (n,) leave the metric undefined, or "" when they do not."""
        if len(truth) == 0:
            return "there are no rows"
        positives = int((truth == positive_code).sum())
        broken: dict[Need, bool] = {
            "both": positives in (0, len(truth)),
            "positive": positives == 0,
            "negative": positives == len(truth),
            "every": len(np.unique(truth)) != classes,
            "nonzero": bool((truth == 0).any()),
            "spread": bool(truth.var() <= 1e-18 * np.square(truth).max()),
        }
        return _NEEDS[self.needs] if self.needs is not None and broken[self.needs] else ""

    def values(self, sample: Weighted) -> Floats:
        """Return the metric under each of the r weightings, (r,); NaN where it is undefined."""
        if self.counts is not None:
            return self.counts(sample.confusion, sample.rows.positive_code)
        if self.weighted is None:
            raise DataError(
                "METRIC-MEASURED",
                f"{self.name} is measured on the package and has no value on predictions",
                where=self.name,
                hint="read it from the report's latency_ms or package_bytes",
            )
        return self.weighted(sample)

    def compute(self, truth: Truth, predictions: Predictions, positive_code: int = 0) -> float:
        """Return the metric of these rows.

        `truth` is (n,) int64 class codes or float64 numbers; `predictions.values` is (n, k)
        probabilities or (n,) numbers.

        Raises:
            DataError: METRIC-UNDEFINED when the rows leave it undefined (one class only, say).
        """
        rows = Rows.of(truth, predictions, positive_code)
        reason = self.unfit(truth, rows.classes, positive_code)
        if not reason and not np.isfinite(predictions.values).all():
            reason = "a prediction is not a finite number"
        value = 0.0 if reason else float(self.values(Weighted(rows, np.ones((1, rows.n))))[0])
        if not reason and not np.isfinite(value):
            reason = "it is too large for a number"
        if reason:
            raise DataError(
                "METRIC-UNDEFINED",
                f"{self.name} has no value on {rows.n:,} rows: {reason}",
                where=self.name,
                hint="choose another metric, or a split that puts every case into the test rows",
            )
        return value

    def format(self, value: float) -> str:
        """Return the value as a person reads it, with its unit."""
        if self.unit == "bytes":
            return _format_bytes(value)
        if self.unit == "target":
            return _significant(value)
        return f"{value:,.{self.digits}f}" + (f" {self.unit}" if self.unit else "")

    def better(self, a: float, b: float) -> bool:
        """Return True when `a` is strictly better than `b`."""
        return a > b if self.higher_is_better else a < b


def _significant(value: float) -> str:
    """Return four significant digits, all of a whole part, and commas between thousands."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    digits = 3 - int(np.floor(np.log10(abs(value))))
    return f"{value:,.{max(digits, 0)}f}" if digits <= 8 else f"{value:.3e}"


def _format_bytes(value: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if abs(value) < 1000:
            return f"{value:.0f} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
