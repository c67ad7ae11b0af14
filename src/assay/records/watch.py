"""What monitoring says of a window of answered rows: what moved, how good it was, what broke."""

from __future__ import annotations

from typing import Literal

from assay.records.base import Record

Outcome = Literal["steady", "drift", "degraded", "unknown"]
"""`degraded`: a sealed gate is broken by measured or estimated performance, or an objective of the
service is; `drift`: something moved; `unknown`: too few rows to say."""

MovedKind = Literal["input", "prediction", "label", "joint"]
Standing = Literal["kept", "broken", "unclear", "unsaid"]
"""`unclear`: the interval holds the threshold; `unsaid`: nobody can say, and `reason` says why."""


class Moved(Record, frozen=True, kw_only=True, tag="moved@1"):
    """How far one column lies from the profile, and whether that is more than chance.

    `effect` is the Jensen-Shannon distance (base 2, 0 to 1) without what chance alone adds; `p` is
    already corrected for the columns, the scales and the looks beside it. `scale` is how many
    windows, this one the last, were taken together. `matters` is the share of the change of the
    answers that goes with this column, None where it is not known. `counts` are the window's,
    as `watch.form.ColumnProfile.counts`.
    """

    column: str
    kind: MovedKind = "input"
    effect: float
    p: float
    flagged: bool
    scale: int = 1
    matters: float | None = None
    reading: str = ""
    counts: tuple[int, ...] = ()


class Measured(Record, frozen=True, kw_only=True, tag="measured@1"):
    """A metric on the window with its 95 % interval, measured with labels or estimated without.

    `slice` is `COLUMN=VALUE`, "" for all rows. `threshold` is that of the sealed gate, if one asks
    for the metric. `value`, `low` and `high` are None where `standing` is `unsaid`.
    """

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    estimated: bool
    slice: str = ""
    threshold: float | None = None
    standing: Standing = "kept"
    reason: str = ""


class Broken(Record, frozen=True, kw_only=True, tag="broken@1"):
    """Something wrong with the rows themselves; `code` is one of `watch.quality.CODES`."""

    code: str
    column: str
    severity: Literal["warning", "error"]
    message: str
    rows: int = 0
    since: str = ""


class Objective(Record, frozen=True, kw_only=True, tag="objective@1"):
    """A promise of the service over `days`, and how fast its error budget is used up.

    `target` is the share of good answers that is promised, `good` of `total` were good. `burn` is
    how many times faster than allowed the budget went in the `long` and `short` windows of an
    alert (multi-window burn rates, Google SRE workbook, chapter 5).
    """

    name: str
    target: float
    good: int
    total: int
    days: float
    left: float
    burn: tuple[float, float]
    standing: Standing = "kept"


class WatchVerdict(Record, frozen=True, kw_only=True, tag="watch_verdict@1"):
    """The verdict on one window of one model.

    `window` counts from 0 for each model; `since` and `until` are the times of its first and last
    row (UTC, ISO 8601), "" where rows have none. `version` and `package` are those that answered
    most of it. `labelled` is how many rows the measured performance rests on. `alpha` is the chance
    of a false alarm that this window was given.
    """

    model: str
    version: int
    package: str
    window: int
    rows: int
    labelled: int = 0
    since: str = ""
    until: str = ""
    verdict: Outcome
    reason: str
    drift: tuple[Moved, ...] = ()
    performance: tuple[Measured, ...] = ()
    quality: tuple[Broken, ...] = ()
    objectives: tuple[Objective, ...] = ()
    versions: dict[str, int] = {}
    alpha: float = 0.0
    seconds: float = 0.0
