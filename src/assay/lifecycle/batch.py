"""Answers for a file of any size, in parts, which a run that was killed need not answer again.

A part's answers wait in `.OUT.parts` beside the output, under a name made of a digest of the input,
the model and what was asked; when all are there they are joined, and the output appears whole.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import polars as pl
from filelock import FileLock, Timeout

from assay import __version__
from assay.data.source import read_any
from assay.data.stream import Indivisible, Parts, parts_of
from assay.errors import DataError, Mistakes, StoreError, UsageError, all_errors
from assay.lifecycle.predict import Model
from assay.metrics.answers import answers

_LOCK = "lock"
WRITERS = (".csv", ".parquet", ".jsonl", ".ndjson")
AT_ONCE = 2
"""Parts under way together: one is read or written while the model answers another."""
SAMPLE = 2**20
"""Bytes at each end of the input by which it is told from another, with its size and its time."""


class Progress(NamedTuple):
    """How far a file is: `rows` answered, `again` of them by an earlier run, and seconds of this.

    `share` and `before` say how much of the file is answered, and was when this run began.
    """

    rows: int
    again: int
    share: float
    before: float
    seconds: float

    @property
    def rate(self) -> float:
        """Return the rows that are answered in a second."""
        return (self.rows - self.again) / max(self.seconds, 1e-9)

    @property
    def left(self) -> float:
        """Return about how many seconds are left."""
        return self.seconds * (1 - self.share) / max(self.share - self.before, 1e-9)


Notify = Callable[[Progress], None]


def predict_file(
    model: Model, file: Path, out: Path, *, sets: bool = False, notify: Notify | None = None
) -> int:
    """Answer for every row of a data file; writes its columns and the answers, whole or not at all.

    A large file is read in parts, so that memory does not grow with it; the same call after an
    interruption goes on where it was. The classes of a prediction set are joined by " | ".
    Returns the number of rows.

    Raises:
        UsageError: the ending of `out` is not one that can be written, or of a format that cannot
            hold a column of `file`, or `out` is `file` itself, or another process is writing it.
        DataError: the file cannot be read, or does not fit the model.
        StoreError: there is no room or no right to write.
    """
    _check(file, out)
    parts = None
    with suppress(OSError, pl.exceptions.PolarsError):  # `read_any` tells what is wrong
        parts = parts_of(file)
    if parts is not None:
        with suppress(Indivisible):
            return _Job(model, file, out, parts, sets=sets).run(notify or (lambda _: None))
    raw = read_any(file)
    table = answered(model, raw, out, sets=sets)
    _publish(out, lambda draft: _write(table, draft, out.suffix.lower()))
    return raw.height


def answered(model: Model, raw: pl.DataFrame, out: Path, *, sets: bool) -> pl.DataFrame:
    """Return rows and their answers side by side, as they go into the file `out`."""
    _check_cells(raw, out)
    answer = answers(model.ask(raw), model.signature, sets=sets)
    answer = answer.with_columns(pl.col(pl.List(pl.String)).list.join(" | "))
    for name in answer.columns:
        free = name
        while free in raw.columns:
            free += "_predicted"
        answer = answer.rename({name: free})
    return pl.concat([raw, answer], how="horizontal")


class _Job:
    """One large file on its way; `rows` has the number of rows of each part that is done."""

    def __init__(self, model: Model, file: Path, out: Path, parts: Parts, *, sets: bool) -> None:
        self.model, self.out, self.parts, self.sets = model, out, parts, sets
        self.folder = out.with_name(f".{out.name}.parts")
        self.key = _key(file, model, out, sets=sets)
        # what is to be joined as a table is not compressed twice
        self.kind = ".arrow" if out.suffix.lower() == ".parquet" else out.suffix.lower()
        self.rows: dict[int, int] = {}

    def run(self, notify: Notify) -> int:
        with _locked(self.folder):
            try:
                self._find()
                self._answer(notify)
                files = [self._file(part, rows) for part, rows in sorted(self.rows.items())]
                _publish(self.out, lambda draft: _join(files, self.kind, draft))
            except (DataError, UsageError, Mistakes, Indivisible):  # another run would fail as well
                shutil.rmtree(self.folder, ignore_errors=True)
                raise
            shutil.rmtree(self.folder, ignore_errors=True)
        return sum(self.rows.values())

    def _find(self) -> None:
        """Learn which parts are done; delete those of another input, model or question."""
        for path in self.folder.iterdir():
            match = re.fullmatch(rf"{self.key}-(\d+)-(\d+)\{self.kind}", path.name)
            if match:
                self.rows[int(match[1])] = int(match[2])
            elif path.name != _LOCK:
                path.unlink()

    def _answer(self, notify: Notify) -> None:
        began, again, before = time.monotonic(), sum(self.rows.values()), self._share()
        todo = [part for part in range(self.parts.count) if part not in self.rows]
        waiting: deque[tuple[int, Future[int]]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                while todo or waiting:
                    while todo and len(waiting) < AT_ONCE:
                        waiting.append((todo[0], pool.submit(self._part, todo.pop(0))))
                    part, done = waiting.popleft()
                    self.rows[part] = self._told(part, done)
                    rows, seconds = sum(self.rows.values()), time.monotonic() - began
                    notify(Progress(rows, again, self._share(), before, seconds))
            finally:
                pool.shutdown(cancel_futures=True)

    def _share(self) -> float:
        """Return how much of the file is answered."""
        share = self.parts.share
        return sum(share(part + 1) - share(part) for part in self.rows)

    def _part(self, part: int) -> int:
        raw = self.parts.read(part)
        table = answered(self.model, raw, self.out, sets=self.sets)
        path = self._file(part, raw.height)
        _publish(path, lambda draft: _write(table, draft, self.kind, header=not part))
        return raw.height

    def _file(self, part: int, rows: int) -> Path:
        return self.folder / f"{self.key}-{part:06d}-{rows}{self.kind}"

    def _told(self, part: int, done: Future[int]) -> int:
        """Return the rows of a part; what it raises names rows as the whole file counts them."""
        try:
            return done.result()
        except (DataError, Mistakes) as error:
            before = sum(rows for other, rows in self.rows.items() if other < part)
            for one in all_errors(error):
                one.where = re.sub(
                    r"\brow (\d+)$", lambda row: f"row {int(row[1]) + before}", one.where
                )
            raise


def _key(file: Path, model: Model, out: Path, *, sets: bool) -> str:
    """Return the digest of all that decides what the answers are."""
    stat = file.stat()
    with file.open("rb") as data:
        ends = data.read(SAMPLE)
        data.seek(max(0, stat.st_size - SAMPLE))
        ends += data.read(SAMPLE)
    asked = (__version__, model.digest, out.suffix.lower(), sets, stat.st_size, stat.st_mtime_ns)
    return hashlib.sha256(repr(asked).encode() + ends).hexdigest()[:16]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder of parts, made where it is missing; one process at a time can."""
    try:
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UsageError(
            "PREDICT-BUSY",
            "another process is writing this file",
            where=str(folder),
            hint="wait for it, or write to another place with -o",
        ) from error
    except OSError as error:
        raise _not_written(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _check(file: Path, out: Path) -> None:
    if out.suffix.lower() not in WRITERS:
        raise UsageError(
            "PREDICT-FORMAT",
            "the ending of the output file names no format that can be written",
            got=out.name,
            allowed=WRITERS,
        )
    if file.exists() and out.exists() and file.samefile(out):
        raise UsageError(
            "PREDICT-SAME-FILE",
            "the output file is the input file, which would be lost",
            where=str(file),
            got=str(out),
            hint="write to another file with -o",
        )


def _check_cells(raw: pl.DataFrame, out: Path) -> None:
    for name, dtype in raw.schema.items():
        if out.suffix.lower() == ".csv" and (dtype.is_nested() or dtype == pl.Binary):
            raise UsageError(
                "PREDICT-CELLS",
                "a CSV file cannot hold the cells of this column of the input",
                where=name,
                got=str(dtype),
                hint="write a Parquet or JSON Lines file: -o answers.parquet",
            )


def _publish(path: Path, write: Callable[[Path], None]) -> None:
    """Have a file written under another name, which gets its own where all went well."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        write(draft)
        draft.replace(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _not_written(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def _not_written(path: Path, error: Exception) -> StoreError:
    return StoreError(
        "PREDICT-NOT-WRITTEN",
        f"the answers could not be written: {error}",
        where=str(path),
        hint="free some room, check the rights, or write to another place with -o",
    )


def _write(table: pl.DataFrame, path: Path, kind: str, *, header: bool = True) -> None:
    """Write rows in the form that the ending `kind` names."""
    if kind == ".parquet":
        table.write_parquet(path)
    elif kind == ".arrow":
        table.write_ipc(path, compression="lz4")
    elif kind == ".csv":
        table.write_csv(path, include_header=header)
    else:
        table.write_ndjson(path)


def _join(files: list[Path], kind: str, path: Path) -> None:
    """Put the rows of files one below the other."""
    if kind == ".arrow":
        pl.scan_ipc(files, glob=False).sink_parquet(path)
        return
    with path.open("wb") as whole:
        for file in files:
            with file.open("rb") as part:
                shutil.copyfileobj(part, whole, 2**20)
