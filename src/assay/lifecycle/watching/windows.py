"""Windows of a prediction log: which rows belong together, and when no more can come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import polars as pl

from assay.lifecycle.watching.tally import Columns, Tally, tally_of
from assay.records.spec import WatchSection
from assay.serve.log.columns import CHANCE, FEATURE

ANSWER = "prediction"
"""The name of what is answered, in a profile as in a file of answers."""
MOST_OPEN = 32
"""Windows by time that may be open at once; the oldest is closed before there are more."""

Lookup = Callable[[int], Columns | None]
"""Version → what of it is counted, None for one that has no profile."""


@dataclass
class Window:
    """Rows that are judged together: the live ones of each version, counted.

    `begin` is when a window by time begins, seconds since 1970. `first` and `last` are the times of
    its rows. `shadows` counts rows that a version answered for nobody, `uncounted` those of
    versions without a profile. `gap` is the longest time between two rows.
    """

    begin: float | None = None
    tallies: dict[int, Tally] = field(default_factory=dict)
    uncounted: dict[int, int] = field(default_factory=dict)
    shadows: dict[int, int] = field(default_factory=dict)
    first: float = np.inf
    last: float = -np.inf
    gap: float = 0.0

    @property
    def rows(self) -> int:
        """Return how many live rows it has."""
        return sum(t.rows for t in self.tallies.values()) + sum(self.uncounted.values())

    @property
    def version(self) -> int | None:
        """Return the version that answered most of it, None where none did that has a profile."""
        return max(self.tallies, key=lambda v: (self.tallies[v].rows, v), default=None)

    @property
    def versions(self) -> dict[str, int]:
        """Return how many rows each version answered; what a shadow answered stands by itself."""
        live = {v: t.rows for v, t in self.tallies.items()} | self.uncounted
        found = {str(version): rows for version, rows in sorted(live.items())}
        return found | {f"{version} (shadow)": n for version, n in sorted(self.shadows.items())}

    def add(self, rows: pl.DataFrame, lookup: Lookup) -> None:
        """Count rows of the log, which are in order of time."""
        shadow = rows["shadow"]
        if shadow.any():
            for version, part in _by_version(rows.filter(shadow)):
                self.shadows[version] = self.shadows.get(version, 0) + part.height
            rows = rows.filter(~shadow)
        if rows.is_empty():
            return
        times = rows["at"].cast(pl.Int64).to_numpy() / 1e6
        known = [] if self.last == -np.inf else [self.last]
        self.gap = max(self.gap, float(np.diff(np.concatenate([known, times])).max(initial=0.0)))
        self.first = min(self.first, float(times.min()))
        self.last = max(self.last, float(times.max()))
        for version, part in _by_version(rows):
            columns = lookup(version)
            if columns is None:
                self.uncounted[version] = self.uncounted.get(version, 0) + part.height
            else:
                found = counted(columns, part)
                self.tallies[version] = self.tallies.get(version, Tally()) + found

    def __add__(self, other: Window) -> Window:
        """Return both as one window, `other` being the later one."""
        made = Window(self.begin, dict(self.tallies))
        for version, tally in other.tallies.items():
            made.tallies[version] = made.tallies.get(version, Tally()) + tally
        for mine, one, two in (
            (made.uncounted, self.uncounted, other.uncounted),
            (made.shadows, self.shadows, other.shadows),
        ):
            mine |= {v: one.get(v, 0) + two.get(v, 0) for v in one | two}
        made.first, made.last = min(self.first, other.first), max(self.last, other.last)
        between = max(0.0, other.first - self.last) if self.rows and other.rows else 0.0
        made.gap = max(self.gap, other.gap, between)
        return made


def counted(columns: Columns, rows: pl.DataFrame) -> Tally:
    """Return the tally of rows of one version, as the log has them."""
    features = features_of(rows)
    keys = rows.select(pl.struct("request", "row").hash(seed=7)).to_series().to_numpy()
    found = tally_of(columns, features, answers_of(rows), rows, keys)
    found.warned = int(rows["warned"].sum())
    return found


def features_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the features of rows of the log under their own names."""
    return rows.select(
        pl.col(name).alias(name.removeprefix(FEATURE))
        for name in rows.columns
        if name.startswith(FEATURE)
    )


def answers_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what was answered, under the names that a profile has."""
    answer = "label" if "label" in rows.columns else "value"
    chances = [name for name in rows.columns if name.startswith(CHANCE)]
    return rows.select(pl.col(answer).alias(ANSWER), *chances)


class Cutter:
    """Puts rows into windows, by their number or by their own times, and says which are over.

    A row that comes after the window of its time was closed counts in the oldest that is open.
    """

    def __init__(self, open_: list[Window] | None = None, closed: float = -np.inf) -> None:
        self.open = open_ or []
        self.closed = closed
        """End of the last window by time that was closed."""

    def add(self, rows: pl.DataFrame, section: WatchSection, lookup: Lookup) -> None:
        """Take rows of the log, in any order."""
        rows = rows.sort("at")
        if section.rows is not None:
            self._by_count(rows, section.rows, lookup)
            return
        ahead = (time.time() // section.window + 1) * section.window
        self.closed = min(self.closed, ahead)  # a clock that was far ahead, and went back
        times = rows["at"].cast(pl.Int64).to_numpy() / 1e6
        begins = np.maximum(np.floor(times / section.window) * section.window, self.closed)
        for begin, part in _runs(begins, rows):
            self._of(begin).add(part, lookup)

    def whole(self) -> Window:
        """Return all that is open as one window, and open none."""
        made = Window()
        for window in self.open:
            made = made + window
        self.open = []
        return made

    def over(self, section: WatchSection, horizon: float) -> Iterator[Window]:
        """Take out the windows of which no row can come any more, the oldest first.

        `horizon` is the time up to which all rows were read.
        """
        self.open.sort(key=lambda window: -np.inf if window.begin is None else window.begin)
        while self.open and self._is_over(section, horizon):
            window = self.open.pop(0)
            if window.begin is not None:
                self.closed = max(self.closed, window.begin + section.window)
            if window.rows or window.shadows:
                yield window

    def _is_over(self, section: WatchSection, horizon: float) -> bool:
        window = self.open[0]
        if section.rows is not None:
            return window.rows >= section.rows
        end = (window.begin if window.begin is not None else window.first) + section.window
        return end <= horizon or len(self.open) > MOST_OPEN

    def _by_count(self, rows: pl.DataFrame, size: int, lookup: Lookup) -> None:
        live = (~rows["shadow"]).cum_sum().to_numpy()
        start = 0
        while start < rows.height:
            if not self.open or self.open[-1].rows >= size:
                self.open.append(Window())
            window = self.open[-1]
            done = int(live[start - 1]) if start else 0
            end = int(np.searchsorted(live, done + size - window.rows, "left")) + 1
            window.add(rows[start:end], lookup)
            start = end

    def _of(self, begin: float) -> Window:
        for window in self.open:
            if window.begin == begin:
                return window
        self.open.append(Window(begin))
        return self.open[-1]


def _runs(begins: np.ndarray, rows: pl.DataFrame) -> Iterator[tuple[float, pl.DataFrame]]:
    """Yield the rows of each window; `begins` ascends."""
    cuts = [0, *(np.flatnonzero(np.diff(begins)) + 1).tolist(), len(begins)]
    for start, end in pairwise(cuts):
        if end > start:
            yield float(begins[start]), rows[start:end]


def _by_version(rows: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    versions = rows["version"].unique().sort().to_list()
    for version in versions:
        yield version, rows if len(versions) == 1 else rows.filter(pl.col("version") == version)
