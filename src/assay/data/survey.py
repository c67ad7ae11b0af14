"""A delimited text file looked over in little memory, to see where it can be cut.

A cut is at the end of a record, never inside of a quoted cell. What depends on the whole file (its
encoding, how its quotation marks are to be read) is settled here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from assay.data.delimited import (
    line_at,
    mixed,
    never_closed,
    nul_at,
    oddly_quoted,
    single_byte,
    sniff,
    utf16_without_mark,
)
from assay.data.raw import CELL_LIMIT

BLOCK = 4 * 2**20
"""Bytes that are looked at together."""
_HEAD = 70_000
BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Cut(NamedTuple):
    """A byte at which a record begins, and how many lines stand before it."""

    byte: int
    line: int


@dataclass(frozen=True)
class Survey:
    """How a file is read: `header` is its first record; each part begins at a cut."""

    encoding: str
    separator: str
    header: bytes
    cuts: tuple[Cut, ...]


def survey(path: Path, size: int) -> Survey | None:
    """Look over a file that is to be cut into parts of about `size` bytes.

    None where it must be read whole. Raises DataError for what no reader forgives.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(_WIDE_BOMS) or utf16_without_mark(head[:4096]) or b"\n" not in head:
        return None
    body = head.removeprefix(BOM).lstrip(b"\r\n")
    start = len(head) - len(body)
    separator = sniff(body)
    encoding, odd = _settled(path, separator)
    cuts = _by_csv(path, start, size, encoding, separator) if odd else _by_marks(path, start, size)
    first = next(cuts)
    with path.open("rb") as file:
        file.seek(start)
        header = file.read(first.byte - start)
    names = next(csv.reader([header.decode(encoding)], delimiter=separator), [])
    return Survey(encoding, separator, header, (first, *cuts)) if any(names) else None


def _settled(path: Path, separator: str) -> tuple[str, bool]:
    """Return the encoding, and whether quotation marks stand where only `csv` can read them."""
    wrong = None
    odd = False
    for cut, block in blocks(path, 0):
        nul = block.find(b"\0")
        if nul >= 0:
            raise nul_at(f"{path.name}:{cut.line + line_at(block, nul)}")
        odd = odd or oddly_quoted(block, separator)
        if wrong is None and not block.isascii():
            try:
                block.decode()
            except UnicodeDecodeError as error:
                place = f"{cut.line + line_at(block, error.start)}, byte {cut.byte + error.start}"
                wrong = f"{path.name}:{place}", block[error.start : error.start + 4]
    if wrong is None:
        return "utf-8", odd
    encoding = single_byte(block for _, block in blocks(path, 0))
    if encoding is None:
        raise mixed("utf-8", *wrong)
    return encoding, odd


def blocks(path: Path, start: int) -> Iterator[tuple[Cut, bytes]]:
    """Yield the bytes from `start` on, in blocks that end with a line, and where each begins."""
    with path.open("rb") as file:
        line = file.read(start).count(b"\n")
        rest = b""
        while data := file.read(BLOCK):
            whole, mark, after = data.rpartition(b"\n")
            if mark:
                block = rest + whole + mark
                yield Cut(start, line), block
                start, line, rest = start + len(block), line + block.count(b"\n"), after
            else:
                rest += after
        if rest:
            yield Cut(start, line), rest


def _by_marks(path: Path, start: int, size: int) -> Iterator[Cut]:
    """Yield the first cut after the header, then one every `size` bytes at least.

    A line ends a record where an even number of quotation marks stand before it.
    """
    marks, last = 0, 0
    for at, block in blocks(path, start):
        if not last:
            end = _even(block, block.find(b"\n"), marks, forwards=True)
        else:
            end = _even(block, block.rfind(b"\n"), marks, forwards=False)
        if end and (not last or at.byte + end - last >= size):
            last = at.byte + end
            yield Cut(last, at.line + block.count(b"\n", 0, end))
        elif last and at.byte - last > size + 8 * CELL_LIMIT:
            raise never_closed(f"{path.name}: after byte {last}")
        marks += block.count(b'"')
    if not last:
        yield Cut(path.stat().st_size, 1)


def _even(block: bytes, place: int, marks: int, *, forwards: bool) -> int:
    """Return the end of the line at `place`, or of the nearest that ends a record; 0 for none."""
    while place >= 0:
        if (marks + block.count(b'"', 0, place)) % 2 == 0:
            return place + 1
        place = block.find(b"\n", place + 1) if forwards else block.rfind(b"\n", 0, place)
    return 0


def _by_csv(path: Path, start: int, size: int, encoding: str, separator: str) -> Iterator[Cut]:
    """Yield the same by reading records as `delimited` does where marks stand inside of cells."""
    csv.field_size_limit(CELL_LIMIT)
    taken, last = start, 0
    with path.open("rb") as file:
        line = file.read(start).count(b"\n")
        with TextIOWrapper(file, encoding, newline="") as text:

            def lines() -> Iterator[str]:
                nonlocal taken
                for one in text:
                    taken += len(one.encode(encoding))
                    yield one

            reader = csv.reader(lines(), delimiter=separator, strict=False)
            try:
                for _ in reader:
                    if not last or taken - last >= size:
                        last = taken
                        yield Cut(last, line + reader.line_num)
            except csv.Error as error:
                raise never_closed(f"{path.name}:{line + reader.line_num}") from error
