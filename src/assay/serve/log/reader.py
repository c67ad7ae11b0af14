"""Reading the log: every row once, whether it lies in a small file or in a segment already.

A server may go on writing and merging meanwhile. What is torn or foreign is skipped with a
`LogWarning` that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from assay.errors import StoreError
from assay.serve.log.columns import FED, PREDICTED
from assay.serve.log.shelf import Segment, Shelf, Unit, feedback_of, log_of, read_unit, unit_of

Cursor = Mapping[str, int]
"""How far a log was read: for each stream of small files the number of the last one."""

ATTEMPTS = 10
"""Times that a listing is made anew because files were merged while they were read."""


def read_log(
    folder: Path, model: str, since: datetime | None = None, until: datetime | None = None
) -> pl.LazyFrame:
    """Return the predictions of a model from `since` to just before `until`.

    `folder` is the folder of all logs; moments without a zone are UTC. Columns are those of
    `PREDICTED`, each feature of any version as `in.NAME`, then `label` and `probability_CLASS`,
    or `value`; a version that lacks one has null there.
    """
    return _between(_whole(log_of(folder, model), PREDICTED), since, until)


def read_feedback(
    folder: Path, model: str, since: datetime | None = None, until: datetime | None = None
) -> pl.LazyFrame:
    """Return the feedback on a model that came from `since` to just before `until`."""
    return _between(_whole(feedback_of(folder, model), FED), since, until)


def joined(
    folder: Path, model: str, since: datetime | None = None, until: datetime | None = None
) -> pl.LazyFrame:
    """Return predictions with what was true: `truth`, and `observed`, null where nobody said.

    Where a row got several labels the one that came last counts.
    """
    log = read_log(folder, model, since, until)
    names = log.collect_schema().names()
    fed = read_feedback(folder, model).filter(pl.col("metric") == "")
    truth = pl.col("label" if "label" in names else "value").alias("truth")
    last = (
        fed.sort("at", maintain_order=True)
        .unique(["request", "row"], keep="last", maintain_order=True)
        .select("request", "row", truth, "observed")
    )
    return log.join(last, on=["request", "row"], how="left", maintain_order="left")


def read_from(
    folder: Path, model: str, cursor: Cursor | None = None, rows: int = 1_000_000
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return predictions that a reader with this cursor has not seen, and the cursor after them.

    Older rows come before newer ones, but for what workers wrote at about the same time. It stops
    after the file in which `rows` is reached, so that memory is bounded: read on until no rows
    come. Over all calls each row comes once, also while its file is merged.
    """
    return _news(log_of(folder, model), PREDICTED, cursor or {}, rows)


def feedback_from(
    folder: Path, model: str, cursor: Cursor | None = None, rows: int = 1_000_000
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return feedback that a reader with this cursor has not seen, as `read_from` does."""
    return _news(feedback_of(folder, model), FED, cursor or {}, rows)


def _between(frame: pl.LazyFrame, since: datetime | None, until: datetime | None) -> pl.LazyFrame:
    if since is not None:
        frame = frame.filter(pl.col("at") >= _utc(since))
    if until is not None:
        frame = frame.filter(pl.col("at") < _utc(until))
    return frame


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _whole(shelf: Shelf, schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Return all rows: segments are read when they are asked for, small files now."""
    for _ in range(ATTEMPTS):
        units = shelf.units()  # before the segments: what is merged in between is in one of them
        segments = shelf.merged()
        covered = {cover.name for segment in segments for cover in segment.covers}
        try:
            read = [read_unit(shelf.open / u.name) for u in units if u.name not in covered]
        except FileNotFoundError:
            continue
        tables = [table.lazy() for table in read if table is not None]
        scans = [pl.scan_parquet(segment.path) for segment in segments]
        return pl.concat([_empty(schema).lazy(), *scans, *tables], how="diagonal_relaxed")
    raise _restless(shelf)


def _news(
    shelf: Shelf, schema: Mapping[str, pl.DataType], cursor: Cursor, most: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    for _ in range(ATTEMPTS):
        try:
            return _unseen(shelf, schema, cursor, most)
        except FileNotFoundError:
            continue
    raise _restless(shelf)


@dataclass(frozen=True)
class _Run:
    """Small files of one stream that follow each other: one of them, or a slice of a segment.

    `begun` is about when its first row was answered, in microseconds since 1970.
    """

    stream: str
    last: int
    begun: float
    path: Path
    offset: int = 0
    rows: int | None = None

    def read(self) -> pl.DataFrame | None:
        if self.rows is None:
            return read_unit(self.path)
        return pl.scan_parquet(self.path).slice(self.offset, self.rows).collect()


def _unseen(
    shelf: Shelf, schema: Mapping[str, pl.DataType], cursor: Cursor, most: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    units = _settled(shelf)
    segments = shelf.merged()
    runs = [run for segment in segments for run in _runs(segment, cursor, most)]
    runs += [
        _Run(unit.stream, unit.number, path.stat().st_mtime * 1e6, path)
        for unit in units
        if unit.number > cursor.get(unit.stream, -1)
        and not any(unit.name in segment.names for segment in segments)
        for path in [shelf.open / unit.name]
    ]
    known = {unit.stream for unit in units}.union(*(segment.lasts for segment in segments))
    after = {stream: number for stream, number in cursor.items() if stream in known}
    tables, count = [_empty(schema)], 0
    for run in _in_time(runs):
        table = run.read()
        after[run.stream] = run.last
        if table is not None:
            tables.append(table)
            count += table.height
        if count >= most:
            break
    return pl.concat(tables, how="diagonal_relaxed"), after


def _in_time(runs: list[_Run]) -> list[_Run]:
    """Return runs in about the order of their rows' times, those of a stream in their own order."""
    latest: dict[str, float] = {}
    ordered = []
    for run in sorted(runs, key=lambda run: (run.stream, run.last)):
        latest[run.stream] = max(latest.get(run.stream, 0.0), run.begun)
        ordered.append((latest[run.stream], run.stream, run.last, run))
    return [run for *_, run in sorted(ordered, key=lambda item: item[:3])]


def _runs(segment: Segment, cursor: Cursor, most: int) -> list[_Run]:
    """Return slices of a segment that a reader has not seen: of one stream, of about `most` rows.

    A segment holds a stream's files side by side, each stream over about the whole of its time.
    """
    if all(cursor.get(stream, -1) >= last for stream, last in segment.lasts.items()):
        return []
    offset = 0
    streams: dict[str, list[_Run]] = {}
    for name, rows in segment.covers:
        unit = unit_of(name)
        if unit is not None and unit.number > cursor.get(unit.stream, -1):
            pieces = streams.setdefault(unit.stream, [])
            if not pieces or (pieces[-1].rows or 0) >= most:
                pieces.append(_Run(unit.stream, 0, segment.first, segment.path, offset, 0))
            total = (pieces[-1].rows or 0) + rows
            pieces[-1] = replace(pieces[-1], last=unit.number, rows=total)
        offset += rows
    return [
        replace(run, begun=segment.first + (segment.last - segment.first) * place / len(pieces))
        for pieces in streams.values()
        for place, run in enumerate(pieces)
    ]


def _settled(shelf: Shelf) -> list[Unit]:
    """Return small files before which no other of their stream can still appear.

    A file that comes up while a folder is listed may be missed and the next one found; a second
    listing has all that came before what the first one found.
    """
    last: dict[str, int] = {}
    for unit in shelf.units():
        last[unit.stream] = unit.number
    return [unit for unit in shelf.units() if unit.number <= last.get(unit.stream, -1)]


def _empty(schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(schema))


def _restless(shelf: Shelf) -> StoreError:
    return StoreError(
        "SERVE-LOG-BUSY",
        "the log was merged anew each time that it was read",
        where=str(shelf.path),
        hint="read it again",
    )
