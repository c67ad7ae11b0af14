"""Merging: the small files of a shelf become segments, in a process of its own.

    python -m assay.serve.log.merge SHELF BYTES SECONDS

merges what is open into segments of about BYTES and deletes segments whose newest row is older
than SECONDS. One process merges a shelf at a time. A segment is published before the small files
that it covers are deleted, so that a crash at any point neither loses nor doubles a row.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import polars as pl
from filelock import FileLock, Timeout

from assay.serve.log.columns import span_of
from assay.serve.log.shelf import (
    COVERS,
    DRAFT,
    Cover,
    Shelf,
    first_line,
    published,
    read_unit,
    segment_name,
)
from assay.serve.say import say

NICE = 19
STALE = 3600.0
"""Seconds after which the draft of a small file was left by a process that died."""


def merge(shelf: Shelf, size: float, keep: float) -> int:
    """Merge what is open, delete what is old, and return how many segments were written.

    Where another process is merging this shelf nothing is done. Raises OSError or PolarsError
    where there is no room: what was not merged stays as it was.
    """
    if not shelf.path.is_dir():
        return 0
    try:
        with FileLock(shelf.path / "merge.lock").acquire(timeout=0):
            _sweep(shelf, keep)
            return sum(1 for batch in _batches(shelf, size) if _publish(shelf, batch))
    except Timeout:
        return 0


def _sweep(shelf: Shelf, keep: float) -> None:
    """Delete what an interrupted merge left behind, and segments that are too old."""
    now = time.time()
    for segment in shelf.merged():
        _drop(shelf, segment.covers)
        if segment.last < (now - keep) * 1e6:
            segment.path.unlink(missing_ok=True)
    for draft in shelf.segments.glob(f".*{DRAFT}"):
        draft.unlink(missing_ok=True)
    for draft in shelf.open.glob(f".*{DRAFT}"):
        with suppress(FileNotFoundError):  # it got its name in the meantime
            if draft.stat().st_mtime < now - STALE:
                draft.unlink()


class _Batch:
    """Small files of one version and one schema that become a segment."""

    def __init__(self, version: int, schema: pl.Schema) -> None:
        self.version, self.schema = version, schema
        self.covers: list[Cover] = []
        self.bytes, self.span = 0, (0, 0)

    def takes(self, version: int, table: pl.DataFrame, size: float) -> bool:
        return version == self.version and table.schema == self.schema and self.bytes < size

    def add(self, name: str, table: pl.DataFrame, size: int) -> None:
        first, last = span_of(table)
        if self.covers:
            first, last = min(first, self.span[0]), max(last, self.span[1])
        self.covers.append(Cover(name, table.height))
        self.bytes, self.span = self.bytes + size, (first, last)


def _batches(shelf: Shelf, size: float) -> Iterator[_Batch]:
    batch: _Batch | None = None
    for unit in sorted(shelf.units(), key=lambda unit: (unit.version, unit)):
        path = shelf.open / unit.name
        table = read_unit(path)
        if table is None:
            continue
        if batch is None or not batch.takes(unit.version, table, size):
            if batch is not None:
                yield batch
            batch = _Batch(unit.version, table.schema)
        batch.add(unit.name, table, path.stat().st_size)
    if batch is not None:
        yield batch


def _publish(shelf: Shelf, batch: _Batch) -> bool:
    """Write a segment, a few rows at a time, then delete the small files that it covers."""
    rows = pl.scan_ipc([shelf.open / cover.name for cover in batch.covers], glob=False)
    shelf.segments.mkdir(exist_ok=True)
    path = shelf.segments / segment_name(batch.version, *batch.span)
    with published(path) as draft:
        covers = msgspec.json.encode(batch.covers).decode()
        rows.sink_parquet(draft, compression="zstd", metadata={COVERS: covers})
    _drop(shelf, batch.covers)
    return True


def _drop(shelf: Shelf, covers: Iterable[Cover]) -> None:
    for cover in covers:
        (shelf.open / cover.name).unlink(missing_ok=True)


def main(words: list[str]) -> int:
    """Merge a shelf at low priority; what fails is told and tried again at the next rotation."""
    os.nice(NICE)
    path, size, keep = words
    try:
        merge(Shelf(Path(path)), float(size), float(keep))
    except (OSError, pl.exceptions.PolarsError) as error:
        say(f"the log was not merged: {first_line(error)}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
