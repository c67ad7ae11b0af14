"""What the test rows said: estimates with intervals, comparisons, slices, curves and parity."""

from __future__ import annotations

from typing import Any, Literal

from assay.records.base import Record


class Estimate(Record, frozen=True, kw_only=True, tag="estimate@1"):
    """A number with its 95 % interval, the rows it rests on, and the method of the interval."""

    value: float
    low: float
    high: float
    n: int
    method: str = ""


class Comparison(Record, frozen=True, kw_only=True, tag="comparison@1"):
    """Champion against baseline, or against the model that was live, on the same test rows.

    `difference` is champion minus the other, turned so that more is better. `p_adjusted` allows
    for the comparisons made beside it (Holm).
    """

    metric: str
    champion: str
    baseline: str
    difference: Estimate
    p_value: float
    p_adjusted: float | None = None
    against: Literal["baseline", "champion"] = "baseline"


class SliceResult(Record, frozen=True, kw_only=True, tag="slice@1"):
    """The metrics of one value of one column."""

    column: str
    value: str
    rows: int
    metrics: dict[str, Estimate]
    note: str = ""


class Curve(Record, frozen=True, kw_only=True, tag="curve@1"):
    """Data of one plot: named series of equal length, and what the axes mean.

    `kind` is one of roc, precision_recall, calibration, confusion, residuals, importance,
    learning, predicted_actual, score_histogram; `data` holds plain lists.
    """

    kind: str
    title: str
    data: dict[str, Any]
    note: str = ""


class Parity(Record, frozen=True, kw_only=True, tag="parity@1"):
    """Exported against trained model, over test rows and over rows made to be nasty."""

    rows: int
    nasty_rows: int
    max_abs_diff: float
    label_flips: int
    tolerance: float
    worst: str = ""

    @property
    def holds(self) -> bool:
        """Return True when no label flipped and no number is off by more than the tolerance."""
        return self.label_flips == 0 and self.max_abs_diff <= self.tolerance


class Scores(Record, frozen=True, kw_only=True, tag="scores@1"):
    """A model's name and its metrics on the test rows."""

    name: str
    metrics: dict[str, Estimate]


class Examination(Record, frozen=True, kw_only=True, tag="examination@1"):
    """One look at the champion: what was asked, the numbers, and what they mean.

    `reading` and `advice` are for people who know no statistics. A gate can ask for `numbers` by
    name. `tables` maps a title to lines, each from a heading to a plain value.
    """

    name: str
    title: str
    reading: str
    concern: Literal["none", "look", "serious"] = "none"
    advice: str = ""
    numbers: dict[str, Estimate] = {}
    tables: dict[str, tuple[dict[str, Any], ...]] = {}
    curves: tuple[Curve, ...] = ()


class Report(Record, frozen=True, kw_only=True, tag="report@1"):
    """Everything that the one reading of the test rows gave.

    `test` names the test rows: the digest of their places and answers. `latency_ms` has the
    milliseconds of a one-row prediction of the exported model: `p50`, `p99`. `package_bytes` is
    the size of the model's own files, without cards and manifest. `looks` counts the seals under
    which these test rows have been read, this one included.
    """

    seal: str
    test: str
    rows: int
    champion: Scores
    baseline: Scores
    comparison: Comparison
    slices: tuple[SliceResult, ...]
    curves: tuple[Curve, ...]
    parity: Parity
    latency_ms: dict[str, Estimate]
    package_bytes: int
    comparisons: tuple[Comparison, ...] = ()
    examinations: tuple[Examination, ...] = ()
    looks: int = 1
