"""The encoder for one row: a closure for each column, which writes into a vector of doubles.

Each does for one cell what its plan does for a column, by the same operations in the same order,
so that both give the same bits. A plan without a closure here makes a column of one cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.tasks.tabular.encode.columns import (
    FAR,
    LARGEST,
    SMALLEST,
    BooleanPlan,
    CategoryPlan,
    DatePlan,
    NumberPlan,
)
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.encode.target import TargetPlan
from assay.tasks.tabular.encode.text import TextPlan
from assay.tasks.tabular.engine.words import TextCell

Vector = NDArray[np.float64]
Write = Callable[[Any, Vector], None]
"""Takes a cell, in the form of `Predictor.row`, and writes its columns."""

_NAN = float("nan")
_HOUR, _DAY = 3_600_000_000, 86_400_000_000
_TINY, _HUGE = SMALLEST, LARGEST


class RowEncoder:
    """An encoder's view of one row."""

    def __init__(self, encoder: Encoder, view: str, names: Sequence[str]) -> None:
        place = {name: i for i, name in enumerate(names)}
        self._writers: list[tuple[int, Write]] = []
        bins: list[tuple[int, int, float, float]] = []
        start = 0
        for plan in encoder.plans:
            make = _WRITERS.get((type(plan), view), _any_plan(view))
            self._writers.append((place[plan.name], make(plan, start)))
            bins += _bins(plan, start) if view == "spline" else []
            start += getattr(plan, f"{view}_width")
        self._width = start
        self._bins = [np.array(part) for part in zip(*bins, strict=True)]

    def __call__(self, cells: Sequence[object]) -> Vector:
        """Return the (1, columns) view of a row."""
        out = np.zeros(self._width)
        self._write(cells, out)
        return out.reshape(1, -1)

    def many(self, rows: Sequence[Sequence[object]]) -> Vector:
        """Return the (n, columns) view of n rows."""
        found = np.zeros((len(rows), self._width))
        for cells, out in zip(rows, found, strict=True):
            self._write(cells, out)
        return found

    def _write(self, cells: Sequence[object], out: Vector) -> None:
        for place, write in self._writers:
            write(cells[place], out)
        if self._bins:
            scaled, places, lows, slopes = self._bins
            through = (out[scaled] - lows) * slopes
            out[places] = np.minimum(np.maximum(through, 0.0), 1.0)


def _bins(plan: Any, start: int) -> list[tuple[int, int, float, float]]:
    """Return for each bin of a plan: the scaled number's place, its own, its low end and slope."""
    match plan:
        case NumberPlan(knots=knots) | DatePlan(seconds=NumberPlan(knots=knots)):
            first = start + plan.linear_width
            return [
                (start, first + i, low, 1.0 / (high - low))
                for i, (low, high) in enumerate(pairwise(knots))
            ]
        case _:
            return []


def tame(x: float) -> float:
    """Do `columns.tame` for one number."""
    if -_TINY <= x <= _TINY:
        return 0.0
    if x > _HUGE:
        return _HUGE
    return -_HUGE if x < -_HUGE else x


def _number_tree(plan: NumberPlan, start: int) -> Write:  # noqa: ARG001
    def write(x: float, out: Vector) -> None:
        out[start] = 0.0 if -_TINY <= x <= _TINY else _HUGE if x > _HUGE else max(x, -_HUGE)

    return write


def _scaled(plan: NumberPlan) -> Callable[[float], float]:
    """Return the function from a tame, known number to the standardised one."""
    spread, shift = plan.spread, plan.center / plan.spread
    heavy, low, high, mean, std = plan.heavy, plan.low, plan.high, plan.mean, plan.std

    def scale(x: float) -> float:
        z = min(max(x / spread - shift, -_HUGE), _HUGE)
        if heavy:
            z = float(np.arcsinh(z))
        return (min(max(z, low), high) - mean) / std

    return scale


def _number_linear(plan: NumberPlan, start: int) -> Write:
    scale, center, missing = _scaled(plan), plan.center, plan.missing

    def write(x: float, out: Vector) -> None:
        if x != x:
            out[start] = scale(center)
            if missing:
                out[start + 1] = 1.0
        else:
            out[start] = scale(tame(x))

    return write


def _category_tree(plan: CategoryPlan, start: int) -> Write:
    codes: dict[str | None, float] = {level: float(i) for i, level in enumerate(plan.levels)}
    codes[None], unseen = _NAN, float(len(plan.levels))
    if plan.tree_width == 1:

        def write(x: str | None, out: Vector) -> None:
            out[start] = codes.get(x, unseen)

        return write
    logs = np.log1p(np.array([*plan.counts, 0], dtype=np.float64)).tolist()
    counts: dict[str | None, float] = dict(zip([*plan.levels, None], logs, strict=True))

    def write_both(x: str | None, out: Vector) -> None:
        out[start], out[start + 1] = codes.get(x, unseen), counts.get(x, 0.0)

    return write_both


def _category_linear(plan: CategoryPlan, start: int) -> Write:
    place: dict[str | None, int] = {level: start + i for i, level in enumerate(plan.levels)}
    place = {level: min(at, start + plan.hot) for level, at in place.items()}
    place[None], others, end = start + plan.hot + 1, start + plan.hot, start + plan.linear_width

    def write(x: str | None, out: Vector) -> None:
        at = place.get(x, others)
        if at < end:
            out[at] = 1.0

    return write


def _target_tree(plan: TargetPlan, start: int) -> Write:
    stop = start + plan.tree_width
    *rows, unseen, missing = list(plan.table)
    table: dict[str | None, Vector] = dict(zip(plan.category.levels, rows, strict=True))
    table[None] = missing

    def write(x: str | None, out: Vector) -> None:
        out[start:stop] = table.get(x, unseen)

    return write


def _target_linear(plan: TargetPlan, start: int) -> Write:
    return _category_linear(plan.category, start)


def _boolean_tree(plan: BooleanPlan, start: int) -> Write:  # noqa: ARG001
    def write(x: bool | None, out: Vector) -> None:
        out[start] = _NAN if x is None else x

    return write


def _boolean_linear(plan: BooleanPlan, start: int) -> Write:
    missing = plan.missing

    def write(x: bool | None, out: Vector) -> None:
        if x is not None:
            out[start] = x - 0.5
        elif missing:
            out[start + 1] = 1.0

    return write


def _date_tree(plan: DatePlan, start: int) -> Write:
    width = plan.tree_width

    def write(x: int | None, out: Vector) -> None:
        out[start : start + width] = _NAN if x is None else date_parts(x)[:width]

    return write


def _date_linear(plan: DatePlan, start: int) -> Write:
    seconds = _number_linear(plan.seconds, start)
    places = range(start + plan.seconds.linear_width, start + plan.linear_width, 2)
    cycles = [
        (place, part, 2 * np.pi / period)
        for place, part, period in zip(places, (2, 4, 5), (12, 7, 24), strict=False)
    ]

    def write(x: int | None, out: Vector) -> None:
        if x is None:
            seconds(_NAN, out)
            return
        parts = date_parts(x)
        seconds(parts[0], out)
        for place, part, turn in cycles:
            angle = parts[part] * turn
            out[place], out[place + 1] = np.sin(angle), np.cos(angle)

    return write


def date_parts(microseconds: int) -> tuple[float, int, int, int, int, int]:
    """Return seconds since 1970, year, month, day, weekday (Monday is 1) and hour, in UTC.

    Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
    """
    moment = min(max(microseconds, -FAR), FAR)
    days, time = divmod(moment, _DAY)
    era, of_era = divmod(days + 719_468, 146_097)
    years = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    day = of_year - (153 * shifted + 2) // 5 + 1
    year = years + era * 400 + (month <= 2)
    return moment / 1e6, year, month, day, (days + 3) % 7 + 1, time // _HOUR


def _text(view: str) -> Callable[[TextPlan, int], Write]:
    def make(plan: TextPlan, start: int) -> Write:
        quick = getattr(TextCell(plan, start), "tree" if view == "tree" else "linear")
        slow = _any_plan(view)(plan, start)

        def write(x: str | None, out: Vector) -> None:
            if x is None or x.isascii():
                quick(x, out)
            else:
                slow(x, out)

        return write

    return make


def _any_plan(view: str) -> Callable[[Any, int], Write]:
    def make(plan: Any, start: int) -> Write:
        stop = start + getattr(plan, f"{view}_width")
        encode = getattr(plan, view)

        def write(x: object, out: Vector) -> None:
            column = pl.Series(plan.name, [x], dtype=pl.String)
            encode(column, out[start:stop].reshape(1, -1))

        return write

    return make


_WRITERS: dict[tuple[type, str], Callable[[Any, int], Write]] = {
    (NumberPlan, "tree"): _number_tree,
    (NumberPlan, "linear"): _number_linear,
    (NumberPlan, "spline"): _number_linear,
    (CategoryPlan, "tree"): _category_tree,
    (CategoryPlan, "linear"): _category_linear,
    (CategoryPlan, "spline"): _category_linear,
    (TargetPlan, "tree"): _target_tree,
    (TargetPlan, "linear"): _target_linear,
    (TargetPlan, "spline"): _target_linear,
    (TextPlan, "tree"): _text("tree"),
    (TextPlan, "linear"): _text("linear"),
    (TextPlan, "spline"): _text("spline"),
    (BooleanPlan, "tree"): _boolean_tree,
    (BooleanPlan, "linear"): _boolean_linear,
    (BooleanPlan, "spline"): _boolean_linear,
    (DatePlan, "tree"): _date_tree,
    (DatePlan, "linear"): _date_linear,
    (DatePlan, "spline"): _date_linear,
}
