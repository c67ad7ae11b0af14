"""A data file read in parts, each as the whole would be read: for files larger than memory.

Parts are made of whole records. A file of which no part can be read without the rest is not cut:
one JSON array, UTF-16, text with columns that may be left out for being empty or twice there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Protocol

import polars as pl

from assay.data.clean import unique_names
from assay.data.delimited import read_records, with_header
from assay.data.raw import check_cells
from assay.data.source import JSON, TEXT, kind_of
from assay.data.survey import BOM, Cut, blocks, survey

PART_BYTES = 16 * 2**20
"""Bytes of text in a part, about."""
PART_CELLS = 1_500_000
"""Cells in a part of a file that knows its rows, about."""

_PARQUET, _ARROW, _GZIP = b"PAR1", b"ARROW1", b"\x1f\x8b"


class Indivisible(Exception):
    """A part turned out not to be readable without the rest: the file is to be read whole."""


class Parts(Protocol):
    """A file that is cut into `count` parts, which any thread may read."""

    @property
    def count(self) -> int:
        """Return the number of parts."""
        ...

    def read(self, part: int) -> pl.DataFrame:
        """Read a part, which may be without rows, as `source.read_any` would.

        Raises DataError, or Indivisible where only the whole can be read.
        """
        ...

    def share(self, part: int) -> float:
        """Return how much of the file stands before this part, from 0 to 1."""
        ...


def parts_of(path: Path, cells: int | None = None) -> Parts | None:
    """Cut a large file into parts; None for one that is small, or is to be read whole.

    `cells` is about how many a part of a file that knows its rows has.

    Raises:
        DataError: the file holds what no reader could forgive.
        OSError, PolarsError: it cannot be read, which `source.read_any` will explain.
    """
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith((_PARQUET, _ARROW)):
        return _slices(path, cells or PART_CELLS, parquet=magic.startswith(_PARQUET))
    if magic.startswith(_GZIP) or path.stat().st_size < 2 * PART_BYTES:
        return None
    if kind_of(path) in JSON:
        return _lines(path)
    return _records(path) if kind_of(path) in TEXT else None


@dataclass(frozen=True)
class _Slices:
    """A file that knows its rows."""

    rows: pl.LazyFrame
    height: int
    each: int
    name: str

    @property
    def count(self) -> int:
        return -(-self.height // self.each)

    def share(self, part: int) -> float:
        return min(1.0, part * self.each / self.height)

    def read(self, part: int) -> pl.DataFrame:
        frame = self.rows.slice(part * self.each, self.each).collect()
        check_cells(frame, self.name)
        return frame


def _slices(path: Path, cells: int, *, parquet: bool) -> _Slices | None:
    rows = pl.scan_parquet(path, glob=False) if parquet else pl.scan_ipc(path, glob=False)
    each = max(1000, cells // max(1, len(rows.collect_schema())))
    height = rows.select(pl.len()).collect().item()
    return _Slices(rows, height, each, path.name) if height > each else None


@dataclass(frozen=True)
class _Text:
    """A text file cut at these bytes, the last of them its end."""

    path: Path
    cuts: tuple[Cut, ...]

    @property
    def count(self) -> int:
        return len(self.cuts) - 1

    def share(self, part: int) -> float:
        return self.cuts[part].byte / self.cuts[-1].byte

    def bytes(self, part: int) -> bytes:
        start, stop = self.cuts[part].byte, self.cuts[part + 1].byte
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)


@dataclass(frozen=True)
class _Records(_Text):
    """Delimited text; `names` are those of its columns, in their order."""

    encoding: str
    separator: str
    header: bytes
    names: tuple[str, ...]

    def read(self, part: int) -> pl.DataFrame:
        frame = self.cells(part).slice(1)
        check_cells(frame, self.path.name)
        return frame.rename(dict(zip(frame.columns, self.names, strict=True)))

    def cells(self, part: int) -> pl.DataFrame:
        """Return the cells of a part under the header, which is its first row."""
        body = self.header + self.bytes(part)
        if self.encoding != "utf-8":
            body = body.decode(self.encoding).encode()
        before = self.cuts[part].line - self.header.count(b"\n")
        return read_records(body, self.separator, self.path.name, before)


def _records(path: Path) -> _Records | None:
    found = survey(path, PART_BYTES)
    if found is None:
        return None
    cuts = _closed(found.cuts, path)
    unnamed = _Records(path, cuts, found.encoding, found.separator, found.header, ())
    if unnamed.count < 2:
        return None
    cells = unnamed.cells(0)
    if cells.height < 2:
        return None
    raw = with_header(cells, path.name)
    names = unique_names(raw, ())[0].columns
    if len(names) < cells.width:  # whether a column is left out depends on all of its cells
        return None
    return replace(unnamed, names=tuple(names))


@dataclass(frozen=True)
class _Lines(_Text):
    """JSON lines; their columns and types are settled by all of them."""

    schema: pl.Schema

    def read(self, part: int) -> pl.DataFrame:
        text = self.bytes(part).strip()
        try:
            frame = pl.read_ndjson(BytesIO(text), schema=self.schema)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            if text:
                raise Indivisible from error
            frame = pl.DataFrame(schema=self.schema)
        check_cells(frame, self.path.name)
        return frame


def _lines(path: Path) -> _Lines | None:
    cuts = [Cut(0, 0)]
    for at, block in blocks(path, 0):
        if at.byte - cuts[-1].byte >= PART_BYTES:
            cuts.append(at)
        try:
            block.decode()
        except UnicodeDecodeError:
            return None
        if not at.byte and block.lstrip().startswith((b"[", BOM)):
            return None
    try:
        schema = pl.scan_ndjson(path, infer_schema_length=None).collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    return _Lines(path, _closed(tuple(cuts), path), schema)


def _closed(cuts: tuple[Cut, ...], path: Path) -> tuple[Cut, ...]:
    """Add the end of the file to the cuts."""
    end = path.stat().st_size
    return (*(cut for cut in cuts if cut.byte < end), Cut(end, 0))
