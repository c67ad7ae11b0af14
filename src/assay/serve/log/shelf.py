"""Where the log lies: small files that are still open to merging, and the segments made of them.

    <store>/log/<model>/open/v3-<start>-<token>-w0-00000012.arrow
    <store>/log/<model>/segments/v3-<first>-<last>-<token>.parquet
    <store>/log/<model>/feedback/{open,segments}/...

A file appears whole under its name or not at all. A segment's metadata lists the small files that
it covers, with their rows, in the order of its rows; a small file that a segment covers is void.
"""

from __future__ import annotations

import os
import re
import secrets
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec
import polars as pl

LOG = "log"
"""Folder of a store that holds the logs of its models."""
COVERS = "assay.covers"
"""Key of the metadata of a segment that lists the small files it covers."""
DRAFT = ".part"
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
_UNIT = re.compile(r"(v(\d+)-[0-9a-f]+-[0-9a-f]+-w\d+)-(\d{8,})\.arrow")
_SEGMENT = re.compile(r"v(\d+)-(-?\d+)-(-?\d+)-[0-9a-f]+\.parquet")


class LogWarning(UserWarning):
    """A file of the log was skipped; the message names it."""


class Unit(NamedTuple):
    """A small file: the `number`-th, from 0, that one process wrote for one version."""

    stream: str
    number: int
    version: int

    @property
    def name(self) -> str:
        """Return the name of its file."""
        return f"{self.stream}-{self.number:08d}.arrow"


class Cover(NamedTuple):
    """A small file whose `rows` rows a segment holds."""

    name: str
    rows: int


@dataclass(frozen=True)
class Segment:
    """A merged file: rows of one version from `first` to `last`, microseconds since 1970."""

    path: Path
    version: int
    first: int
    last: int
    covers: tuple[Cover, ...]

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the names of the small files that it covers."""
        return frozenset(cover.name for cover in self.covers)

    @cached_property
    def lasts(self) -> Mapping[str, int]:
        """Return for each stream the number of its last small file that it covers."""
        found: dict[str, int] = {}
        for unit in filter(None, map(unit_of, self.names)):
            found[unit.stream] = max(unit.number, found.get(unit.stream, -1))
        return found


@dataclass(frozen=True)
class Shelf:
    """The folder of one model's predictions, or of its feedback."""

    path: Path

    @property
    def open(self) -> Path:
        """Return the folder of small files."""
        return self.path / "open"

    @property
    def segments(self) -> Path:
        """Return the folder of merged files."""
        return self.path / "segments"

    def units(self) -> list[Unit]:
        """Return the small files that are there, covered ones too, those of a process in order."""
        found = []
        for name in _names(self.open):
            unit = unit_of(name)
            if unit is not None:
                found.append(unit)
            else:
                skipped(self.open / name, "it is no file of the log")
        return sorted(found)

    def merged(self) -> list[Segment]:
        """Return the segments, oldest first; each one's metadata is read."""
        return sorted(self._merged(), key=lambda segment: (segment.first, segment.path.name))

    def _merged(self) -> Iterator[Segment]:
        for name in _names(self.segments):
            segment = segment_at(self.segments / name)
            if segment is not None:
                yield segment


class Stream:
    """The small files that one process writes for one version, numbered from 0."""

    def __init__(self, shelf: Shelf, version: int, worker: int) -> None:
        self.shelf = shelf
        self._name = f"v{version}-{time.time_ns() // 1000:x}-{secrets.token_hex(4)}-w{worker}"
        self._version, self._number = version, 0

    def write(self, table: pl.DataFrame) -> int:
        """Write a table as the next small file and return its bytes; raises OSError, PolarsError.

        After an error nothing is there under the name, and the next call takes it again.
        """
        self.shelf.open.mkdir(parents=True, exist_ok=True)
        path = self.shelf.open / Unit(self._name, self._number, self._version).name
        with published(path) as draft:
            table.write_ipc(draft, compression="lz4")
        self._number += 1
        return path.stat().st_size


def log_of(root: Path, model: str) -> Shelf:
    """Return where the predictions of a model lie, `root` being the folder of all logs."""
    return Shelf(root / quote(model, safe=""))


def feedback_of(root: Path, model: str) -> Shelf:
    """Return where the feedback on a model lies."""
    return Shelf(log_of(root, model).path / "feedback")


def unit_of(name: str) -> Unit | None:
    """Return the small file of this name, None where it is none."""
    match = _UNIT.fullmatch(name)
    return Unit(match[1], int(match[3]), int(match[2])) if match else None


def segment_at(path: Path) -> Segment | None:
    """Return the segment in a file, of which the metadata is read; None where it is none or gone.

    One that is torn or foreign is told of by a `LogWarning`.
    """
    if _SEGMENT.fullmatch(path.name) is None:
        skipped(path, "it is no file of the log")
        return None
    try:
        return _segment(path, path.stat().st_mtime_ns)
    except FileNotFoundError:  # retention took it in the meantime
        return None
    except (*UNREADABLE, KeyError, msgspec.DecodeError) as error:
        skipped(path, f"it is torn or no segment: {first_line(error)}")
        return None


@lru_cache(maxsize=4096)
def _segment(path: Path, _written: int) -> Segment:
    """Return the segment in a file; a watcher asks twice a second, and none ever changes."""
    text = pl.read_parquet_metadata(path)[COVERS]
    covers = msgspec.json.decode(text, type=tuple[Cover, ...])
    match = _SEGMENT.fullmatch(path.name)
    version, first, last = map(int, match.groups() if match else ())
    return Segment(path, version, first, last, covers)


def segment_name(version: int, first: int, last: int) -> str:
    """Return a new name for a segment with rows of these times, microseconds since 1970."""
    return f"v{version}-{first}-{last}-{secrets.token_hex(4)}.parquet"


@contextmanager
def published(path: Path) -> Iterator[Path]:
    """Yield a draft to write; it is made durable and gets its name where the body ends well."""
    draft = path.with_name(f".{path.name}{DRAFT}")
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_unit(path: Path) -> pl.DataFrame | None:
    """Return the rows of a small file; None, with a warning, where it is torn or foreign.

    Raises FileNotFoundError: it was merged in the meantime.
    """
    try:
        return pl.read_ipc(BytesIO(path.read_bytes()))
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        skipped(path, f"it is torn or no file of the log: {first_line(error)}")
        return None


def skipped(path: Path, reason: str) -> None:
    """Warn that a file was passed over."""
    warnings.warn(f"{path} was skipped: {reason}", LogWarning, stacklevel=2)


def first_line(error: BaseException) -> str:
    """Return what an error says, on one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _names(folder: Path) -> list[str]:
    """Return the names in a folder but drafts; none where there is no folder."""
    try:
        return [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return []
