"""Columns that were scaled, turned or filled in over all rows of the file, the test rows included.

The tell-tale is precision: over all rows the mean of such a column is 0 to many digits, over the
training rows alone it is not. That an estimate made before the split biases the test is shown by
Moscovich and Rosset, "On the cross-validation bias due to unsupervised preprocessing" (Journal of
the Royal Statistical Society B 84, 2022); most often the harm is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.data.audit.rows.chance import Bools
from assay.data.audit.score import LARGEST, Floats
from assay.data.audit.subject import Subject, records, show
from assay.records.audit import Finding

EXACT, ROUNDED = 1e-9, 1e-4
"""Deviations by which a prepared mean, and a prepared spread, may miss."""
AWAY = 20
"""Times by which the training rows alone must miss by more."""
FEWEST_VALUES = 20
FEWEST_FILLED = 5
FILLED = 0.02
"""Share of rows with one value from which it may be a filling."""
COMMONEST = 8
"""Values of a column that are tried as fillings."""
CLOSER = 0.01
"""Part of the way from the statistic of all rows to that of the training rows."""
SHOWN = 5


@dataclass(frozen=True)
class _Sign:
    """What gives a column away: the statistic over all rows, and over the training rows."""

    column: str
    how: str
    everywhere: float
    training: float


def prepared(subject: Subject) -> Iterator[Finding]:
    """Find numbers that were prepared with statistics of all rows."""
    if not len(subject.test) or not len(subject.train):
        return
    train = subject.parts >= 0
    numbers = {
        name: array
        for name in subject.features
        if subject.table[name].dtype.is_numeric()
        for array in (_array(subject.table[name]),)
        if min(np.isfinite(part).sum() for part in (array, array[train])) >= FEWEST_VALUES
    }
    scaled = [sign for name, v in numbers.items() if (sign := _scaled(name, v, train))]
    scaled += _to_range(numbers, train)
    if scaled:
        yield _scaling(subject, scaled, turned=_turned([s.column for s in scaled], numbers, train))
    filled = [sign for name in numbers if (sign := _filled(subject, name, train))]
    if filled:
        yield _filling(subject, filled)


def _array(values: pl.Series) -> Floats:
    """Return numbers, NaN where missing or so large that a mean would overflow."""
    array = values.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.where(np.abs(array) < LARGEST, array, np.nan)


def _scaled(name: str, values: Floats, train: Bools) -> _Sign | None:
    """Return the sign of a column with mean 0 over all rows, or nearly so with a spread of 1.

    Whole numbers, such as -1 and 1, may have that by themselves.
    """
    spread = float(np.nanstd(values))
    if not np.isfinite(spread) or spread == 0 or np.array_equal(values, np.round(values)):
        return None
    mean, of_train = (float(np.nanmean(v)) / spread for v in (values, values[train]))
    rows = int(np.isfinite(values).sum())
    unit = min(abs(spread - 1), abs(spread * np.sqrt(rows / (rows - 1)) - 1)) < ROUNDED
    near = abs(mean) < EXACT or (unit and abs(mean) < ROUNDED)
    if not near or abs(of_train) < AWAY * max(abs(mean), EXACT):
        return None
    return _Sign(name, "mean", mean * spread, of_train * spread)


def _to_range(numbers: dict[str, Floats], train: Bools) -> list[_Sign]:
    """Return the signs of columns brought to 0 … 1 where an end is reached by a test row only.

    One such column may be a share; several, each with a single row at either end, are not.
    """
    ends = {}
    for name, values in numbers.items():
        low, high = (values == 0), (values == 1)
        inside = np.nanmin(values) == 0 and np.nanmax(values) == 1
        if inside and low.sum() <= 2 and high.sum() <= 2:
            ends[name] = bool(low[train].any() and high[train].any())
    if len(ends) < 2 or all(ends.values()):
        return []
    return [
        _Sign(name, "range", 1.0, float(np.nanmax(numbers[name][train])))
        if not np.any(numbers[name][train] == 1)
        else _Sign(name, "lowest", 0.0, float(np.nanmin(numbers[name][train])))
        for name, both in ends.items()
        if not both
    ]


def _turned(names: list[str], numbers: dict[str, Floats], train: Bools) -> bool:
    """Return True when the columns are uncorrelated over all rows, but not over the training rows.

    That is what principal components of all rows are.
    """
    if len(names) < 3:
        return False
    values = np.stack([numbers[name] for name in names])
    if not np.isfinite(values).all():
        return False
    largest = [
        np.abs(np.corrcoef(part) - np.eye(len(names))).max() for part in (values, values[:, train])
    ]
    return bool(largest[0] < 1e-6 and largest[1] > AWAY * 1e-6)


def _filled(subject: Subject, name: str, train: Bools) -> _Sign | None:
    """Return the sign of a column with one value that is the mean or median of all the others."""
    if subject.snapshot.column(name).unique <= FEWEST_VALUES:
        return None
    seen = subject.sampled[name].drop_nulls().alias("cell")
    counts = seen.value_counts(name="rows").sort("rows", descending=True).head(COMMONEST)
    rows = counts["rows"].to_numpy()
    often = max(FEWEST_FILLED, FILLED * len(subject.sampled))
    array = _array(subject.table[name]) if rows.max(initial=0) >= often else np.zeros(0)
    for place in np.flatnonzero(rows >= often):
        value = float(counts[int(place), 0])
        rest = array[np.isfinite(array) & (array != value)]
        of_train = array[train & np.isfinite(array) & (array != value)]
        if min(len(rest), len(of_train)) < FEWEST_VALUES:
            continue
        if _is_of_all(value, float(rest.mean()), float(of_train.mean())):
            return _Sign(name, "mean", value, float(of_train.mean()))
        if place == 0 and rows[0] >= 2 * rows[1]:
            middle, of_train_middle = (_middle(part, value) for part in (rest, of_train))
            if _is_of_all(value, middle, of_train_middle):
                return _Sign(name, "median", value, of_train_middle)
    return None


def _is_of_all(value: float, everywhere: float, training: float) -> bool:
    """Return True for a value that is a statistic of all rows rather than of the training rows."""
    miss = abs(training - everywhere)
    return miss > 0 and abs(value - everywhere) <= CLOSER * miss


def _middle(rest: Floats, value: float) -> float:
    """Return the median; the middle one of an odd number of cells is among those filled in."""
    return float(np.median(np.append(rest, value) if len(rest) % 2 == 0 else rest))


def _scaling(subject: Subject, signs: list[_Sign], *, turned: bool) -> Finding:
    names = ", ".join(show(sign.column) for sign in signs[:SHOWN])
    more = f" and {len(signs) - SHOWN} more" if len(signs) > SHOWN else ""
    what = "turned into components and scaled" if turned else "scaled"
    return Finding(
        code="PREPARED-ON-ALL",
        severity="warning",
        where=", ".join(sign.column for sign in signs[:SHOWN]),
        message=f"{names}{more} seem to have been {what} with the test rows included: the mean or "
        "range is exact over all rows, not over the training rows. The test looks a little better "
        "than it is.",
        evidence={"rows": subject.table.height, "columns": _lines(signs), "components": turned},
        hint="bring the columns as they were measured: what a model needs is fitted on training "
        "rows only",
    )


def _filling(subject: Subject, signs: list[_Sign]) -> Finding:
    names = ", ".join(show(sign.column) for sign in signs[:SHOWN])
    return Finding(
        code="PREPARED-ON-ALL",
        severity="warning",
        where=", ".join(sign.column for sign in signs[:SHOWN]),
        message=f"Gaps of {names} seem to have been filled in with the {signs[0].how} of all rows, "
        "the test rows included: the test looks a little better than it is, and that a cell was "
        "missing is lost.",
        evidence={"rows": subject.table.height, "columns": _lines(signs)},
        hint="leave the gaps as they are: models here fill them in from training rows only, and "
        "may learn from the gap itself",
    )


def _lines(signs: list[_Sign]) -> list[dict[str, object]]:
    header = ["column", "statistic", "over all rows", "over training rows"]
    lines = [(s.column, s.how, s.everywhere, s.training) for s in signs]
    return records(header, lines[: 2 * SHOWN])
