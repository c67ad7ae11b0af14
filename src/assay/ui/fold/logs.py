"""How much was asked when, and how long answers took: read off the files of the log, not its rows.

A file never changes, so each is looked at once: a segment's metadata says how many rows lie between
which times, and a small sample of its rows how long their answers took.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Signal
from threading import Thread

import polars as pl

from assay.serve.log.shelf import LOG, UNREADABLE, LogWarning, Shelf, log_of, read_unit, segment_at

SAMPLE = 2_000
"""Rows of a file whose latency is looked at."""

PERIOD = 5.0
BUCKETS = 60
LEAST = 1.0
"""Seconds that a bar of traffic is long, at least."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one file, from `first` to `last` (seconds since 1970); latency in micros."""

    first: float
    last: float
    rows: int
    version: int
    p50: float | None = None
    p99: float | None = None
    covers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Bucket:
    """The rows answered from `start` to `end`, and their latency in microseconds."""

    start: float
    end: float
    rows: float
    p50: float | None = None
    p99: float | None = None


class Logs:
    """The pieces of every model's log, looked for again every few seconds on a thread."""

    def __init__(self, root: Path) -> None:
        self._root = root / LOG
        self._pieces: dict[str, dict[str, Piece | None]] = {}
        self._stop = Signal()
        self._thread = Thread(target=self._run, name="logs", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End after the file that is being read."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def pieces(self, model: str) -> list[Piece]:
        """Return what was found of a model so far; a file that a segment covers is left out."""
        found = dict(self._pieces.get(log_of(self._root, model).path.name, {}))
        covered = {name for piece in found.values() if piece for name in piece.covers}
        return [p for name, p in found.items() if p is not None and name not in covered]

    def look(self) -> None:
        """Look at every file that is new, and forget those that are gone."""
        for folder in _folders(self._root):
            known = self._pieces.setdefault(folder.name, {})
            shelf = Shelf(folder)
            there = {path.name: path for path in _files(shelf)}
            for name in known.keys() - there.keys():
                del known[name]
            for name in there.keys() - known.keys():
                if self._stop.is_set():
                    return
                known[name] = _piece(there[name])

    def _run(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LogWarning)  # whoever reads the log is told
            while not self._stop.is_set():
                self.look()
                self._stop.wait(PERIOD)


def buckets(pieces: Sequence[Piece], count: int = BUCKETS) -> list[Bucket]:
    """Return the traffic in stretches of equal length; a file's rows are spread over its time."""
    if not pieces:
        return []
    start, end = min(p.first for p in pieces), max(p.last for p in pieces)
    length = max((end - start) / count, LEAST)
    rows = [0.0] * count
    latest: dict[int, Piece] = {}
    for piece in pieces:
        first, last = (
            min(int((at - start) / length), count - 1) for at in (piece.first, piece.last)
        )
        for place in range(first, last + 1):
            rows[place] += piece.rows / (last + 1 - first)
            if piece.p50 is not None:
                latest[place] = piece
    return [
        Bucket(
            start + i * length,
            start + (i + 1) * length,
            rows[i],
            latest[i].p50 if i in latest else None,
            latest[i].p99 if i in latest else None,
        )
        for i in range(count)
        if start + i * length <= end
    ]


def _folders(root: Path) -> list[Path]:
    try:
        return [path for path in root.iterdir() if path.is_dir()]
    except OSError:
        return []


def _files(shelf: Shelf) -> Iterable[Path]:
    for folder in (shelf.segments, shelf.open):
        try:
            yield from (path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError:
            continue


def _piece(path: Path) -> Piece | None:
    """Return what a file says of its rows; None for one that is torn, foreign, or gone."""
    try:
        if path.suffix == ".parquet":
            return _of_segment(path)
        table = read_unit(path)
        return None if table is None or table.is_empty() else _of_rows(table)
    except UNREADABLE:
        return None


def _of_segment(path: Path) -> Piece | None:
    segment = segment_at(path)
    if segment is None:
        return None
    sample = pl.scan_parquet(path).select("micros").head(SAMPLE).collect()["micros"]
    return Piece(
        segment.first / 1e6,
        segment.last / 1e6,
        sum(cover.rows for cover in segment.covers),
        segment.version,
        *_quantiles(sample),
        covers=frozenset(cover.name for cover in segment.covers),
    )


def _of_rows(table: pl.DataFrame) -> Piece:
    at = table["at"].dt.timestamp("us")
    first, last = float(at.min() or 0) / 1e6, float(at.max() or 0) / 1e6  # type: ignore[arg-type]
    return Piece(first, last, table.height, table["version"][0], *_quantiles(table["micros"]))


def _quantiles(micros: pl.Series) -> tuple[float | None, float | None]:
    return micros.quantile(0.5), micros.quantile(0.99)
