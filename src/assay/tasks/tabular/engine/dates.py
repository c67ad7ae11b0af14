"""Dates as ONNX nodes: the parts of a moment by whole numbers alone.

Source of the calendar: Howard Hinnant, "chrono-compatible low-level date algorithms" (2013),
`civil_from_days`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from assay.tasks.tabular.encode.columns import FAR
from assay.tasks.tabular.engine.graph import Graph

MISSING = np.iinfo(np.int64).min
"""Stands for a missing date in a column of whole microseconds."""
_ERA = 146_097
"""Days in 400 years; a multiple of seven."""
_ERAS = 20
"""So many eras are added first: whole numbers are divided towards zero."""
_HOUR, _DAY = 3_600_000_000, 86_400_000_000


@dataclass(frozen=True)
class Calendar:
    """Tensors (rows, dates) of the parts of moments; any value where one is missing."""

    missing: str
    seconds: str
    year: str
    month: str
    day: str
    weekday: str
    hour: str

    @property
    def tree(self) -> tuple[str, ...]:
        """Return the parts in the order of the tree view."""
        return self.seconds, self.year, self.month, self.day, self.weekday, self.hour


def calendar(graph: Graph, moments: str) -> Calendar:
    """Take (rows, dates) microseconds since 1970 apart, UTC, clipped to ±`FAR`."""

    def number(value: int) -> str:
        return graph.constant(np.array([[value]], dtype=np.int64))

    def op(operator: str, x: str, y: int | str) -> str:
        return graph.add(operator, x, number(y) if isinstance(y, int) else y)

    missing = op("Equal", moments, int(MISSING))
    known = graph.add("Where", missing, number(0), moments)
    known = op("Min", op("Max", known, -FAR), FAR)
    seconds = graph.add(
        "Div", graph.cast(known, TensorProto.DOUBLE), graph.constant(np.array([[1e6]]))
    )
    time = op("Add", known, _ERA * _ERAS * _DAY)
    days = op("Div", time, _DAY)
    hour = op("Div", op("Sub", time, op("Mul", days, _DAY)), _HOUR)
    weekday = op("Add", op("Mod", op("Add", days, 3), 7), 1)
    z = op("Add", days, 719_468)
    era = op("Div", z, _ERA)
    of_era = op("Sub", z, op("Mul", era, _ERA))
    leaps = op("Sub", op("Div", of_era, 36_524), op("Div", of_era, 1_460))
    leaps = op("Sub", leaps, op("Div", of_era, 146_096))
    year = op("Div", op("Add", of_era, leaps), 365)
    before = op("Sub", op("Add", op("Mul", year, 365), op("Div", year, 4)), op("Div", year, 100))
    of_year = op("Sub", of_era, before)  # from 1 March
    shifted = op("Div", op("Add", op("Mul", of_year, 5), 2), 153)
    passed = op("Div", op("Add", op("Mul", shifted, 153), 2), 5)
    day = op("Add", op("Sub", of_year, passed), 1)
    late = op("Less", shifted, 10)
    month = graph.add("Where", late, op("Add", shifted, 3), op("Sub", shifted, 9))
    year = op("Add", year, op("Mul", op("Sub", era, _ERAS), 400))
    year = op("Add", year, graph.cast(op("LessOrEqual", month, 2), TensorProto.INT64))
    return Calendar(missing, seconds, year, month, day, weekday, hour)


def cycles(
    graph: Graph, parts: Calendar, timed: Sequence[bool]
) -> Iterator[tuple[str, NDArray[np.int64], int]]:
    """Return sines and cosines of month, weekday and hour, looked up in tables of their own.

    Each comes with the dates that have it, and its place after the seconds of the linear view.
    """
    every, hourly = np.arange(len(timed)), np.flatnonzero(timed)
    for i, (part, period) in enumerate(((parts.month, 12), (parts.weekday, 7), (parts.hour, 24))):
        which = hourly if period == 24 else every
        if not len(which):
            continue
        angle = np.arange(period + 1, dtype=np.float64) * (2 * np.pi / period)
        blank = graph.constant(np.array([[period + 1]], dtype=np.int64))
        at = graph.add("Where", parts.missing, blank, part)
        at = graph.add("Gather", at, graph.constant(which.astype(np.int64)), axis=1)
        for j, wave in enumerate((np.sin, np.cos)):
            table = graph.constant(np.append(wave(angle), 0.0))
            yield graph.add("Gather", table, at, axis=0), which, 2 * i + j
