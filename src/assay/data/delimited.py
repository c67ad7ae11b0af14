"""Delimited text (CSV and its relatives) as it is found: encodings, separators, quotes, headers.

Clean files take polars' own reader; what that reader cannot judge goes through `csv`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable

import polars as pl

from assay.data.raw import CELL_LIMIT, Raw
from assay.errors import DataError
from assay.records.snapshot import CleaningStep

SEPARATORS = (",", ";", "\t", "|")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_UTF8_PAIR = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")


def read_delimited(data: bytes, where: str) -> Raw:
    """Read the bytes of a delimited text file; every cell stays text, empty cells are null.

    Raises:
        DataError: the bytes are no text in one encoding, or no table (DATA-EMPTY, DATA-ENCODING,
            DATA-NUL, DATA-RAGGED, DATA-QUOTE, DATA-CELL-TOO-LARGE).
    """
    text = decode(data, where)
    nul = text.find(b"\0")
    if nul >= 0:
        raise nul_at(f"{where}:{line_at(text, nul)}")
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    body = text.lstrip(b"\r\n")
    if not body or body.isspace():
        raise DataError(
            "DATA-EMPTY",
            "the file is empty",
            where=where,
            hint="write the file again, with a header line and rows below it",
        )
    frame = read_records(body, sniff(body), where, len(text) - len(body))
    return with_header(frame, where)


def nul_at(where: str) -> DataError:
    """Return the error about a NUL byte in a text."""
    return DataError(
        "DATA-NUL",
        "the file holds NUL bytes, so it is damaged or no text",
        where=where,
        hint="export the table again, or remove the bytes with `tr -d '\\000'`",
    )


def read_records(body: bytes, separator: str, where: str, skipped: int) -> pl.DataFrame:
    """Read records of UTF-8 text, the header among them, as cells of text.

    `skipped` is how many lines of the file `where` stand before them. Raises DataError.
    """
    frame = _fast(body, separator)
    return _careful(body, separator, where, skipped) if frame is None else frame


def decode(data: bytes, where: str) -> bytes:
    """Return `data` as UTF-8 without a byte-order mark."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _transcode(data[len(mark) :], encoding, where)
    guess = utf16_without_mark(data[:4096])
    if guess:
        return _transcode(data, guess, where)
    return _transcode(data, "utf-8", where)


def _transcode(data: bytes, encoding: str, where: str) -> bytes:
    try:
        text = data.decode(encoding)
        return data if encoding == "utf-8" else text.encode()
    except UnicodeDecodeError as error:
        if encoding != "utf-8" or (single := single_byte([data])) is None:
            at = f"{where}:{line_at(data, error.start)}, byte {error.start}"
            raise mixed(encoding, at, data[error.start : error.start + 4]) from error
    return data.decode(single).encode()


def single_byte(blocks: Iterable[bytes]) -> str | None:
    """Return the encoding of a text that is no UTF-8: cp1252 or latin-1.

    None when bytes that are no UTF-8 stand beside many that can only be UTF-8. The text comes in
    blocks that end with a line.
    """
    good = bad = 0
    latin = False
    for data in blocks:
        pairs = b"".join(_UTF8_PAIR.findall(data))
        good += len(pairs.decode("utf-8", "ignore"))
        bad += len(_HIGH_BYTE.findall(data)) - len(pairs)
        latin = latin or _NOT_CP1252.search(data) is not None
    if good * 20 > bad:
        return None
    return "latin-1" if latin else "cp1252"


def mixed(encoding: str, where: str, found: bytes) -> DataError:
    """Return the error about bytes that are not of the encoding of the rest."""
    return DataError(
        "DATA-ENCODING",
        f"the file is not {encoding} throughout: its encodings are mixed or it is damaged",
        where=where,
        got=found.hex(" "),
        hint="save the file again as UTF-8",
    )


def utf16_without_mark(head: bytes) -> str | None:
    """Return the encoding of a text that begins with `head`, None where it is not UTF-16."""
    half = len(head) // 2
    if half and head[1::2].count(0) > 0.6 * half and head[0::2].count(0) == 0:
        return "utf-16-le"
    if half and head[0::2].count(0) > 0.6 * half and head[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def line_at(data: bytes, offset: int) -> int:
    """Return the number of the line, from 1, that holds the byte at `offset`."""
    return data.count(b"\n", 0, offset) + 1


def sniff(body: bytes) -> str:
    """Return the separator under which most of the first lines are as wide as the header."""
    head = body[:65_536]
    if len(body) > len(head) and b"\n" in head:
        head = head[: head.rindex(b"\n")]
    lines = head.decode("utf-8", "replace")
    best, best_score = SEPARATORS[0], (0.0, 0)
    for separator in SEPARATORS:
        try:
            widths = [
                len(row) for row in csv.reader(io.StringIO(lines), delimiter=separator) if row
            ]
        except csv.Error:
            continue
        width = widths[0] if widths else 1
        score = (Counter(widths)[width] / len(widths), width) if width > 1 else best_score
        if score > best_score:
            best, best_score = separator, score
    return best


def _as_text(body: bytes) -> bytes:
    """Return text, marked where polars could take it for zlib's, which begins as `x^2` does."""
    return _BOMS[0][0] + body if body.startswith(b"x") else body


def oddly_quoted(body: bytes, separator: str) -> bool:
    """Return True when a quotation mark stands inside of a cell and is not doubled."""
    mark = re.escape(separator.encode())
    pattern = rb'[^%b\r\n"]"(?:"")*[^%b\r\n"]' % (mark, mark)
    return b'"' in body and re.search(pattern, body) is not None


def _fast(body: bytes, separator: str) -> pl.DataFrame | None:
    """Read with polars, or return None when a row is too short, too long or oddly quoted."""
    if oddly_quoted(body, separator):
        return None
    try:
        frame = pl.read_csv(
            io.BytesIO(_as_text(body)), has_header=False, separator=separator, infer_schema=False
        )
    except pl.exceptions.PolarsError:
        return None
    if b'""' in body:
        frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    blank = frame.select(pl.all_horizontal(pl.all().is_null()).sum()).item()
    inside = 0
    if b'"' in body:
        count = pl.all().str.count_matches(separator, literal=True).sum()
        inside = sum(frame.select(count).row(0))
    gaps = frame.width - 1
    lacking = gaps * frame.height - (body.count(separator.encode()) - inside)
    # A blank line has no separators at all; anything else that lacks one is a short row.
    if lacking and (not gaps or lacking % gaps or not 0 <= lacking // gaps <= blank):
        return None
    return frame.remove(pl.all_horizontal(pl.all().is_null())) if blank else frame


def _careful(body: bytes, separator: str, where: str, skipped: int) -> pl.DataFrame:
    """Read row by row; knows the line of what is wrong, and forgives empty cells at the end."""
    csv.field_size_limit(CELL_LIMIT)
    reader = csv.reader(io.StringIO(body.decode(), newline=""), delimiter=separator, strict=False)
    rows: list[list[str]] = []
    start = 1
    try:
        for row in reader:
            if rows and any(row):
                rows.append(_fitted(row, len(rows[0]), f"{where}:{start + skipped}"))
            elif any(row):
                rows.append(row)
            start = reader.line_num + 1
    except csv.Error as error:
        raise never_closed(f"{where}:{start + skipped}") from error
    columns = [[cell or None for cell in column] for column in zip(*rows, strict=True)]
    return pl.DataFrame(
        {f"column_{i + 1}": pl.Series(values, dtype=pl.String) for i, values in enumerate(columns)}
    )


def never_closed(where: str) -> DataError:
    """Return the error about a cell that is larger than any should be."""
    return DataError(
        "DATA-CELL-TOO-LARGE",
        f"a cell is larger than {CELL_LIMIT / 1e6:.0f} MB",
        where=where,
        hint="look for a quotation mark that is never closed on this line",
    )


def _fitted(row: list[str], width: int, where: str) -> list[str]:
    if len(row) == width or (len(row) > width and not any(row[width:])):
        return row[:width]
    raise DataError(
        "DATA-RAGGED",
        f"this row has {len(row)} cells, the header has {width}",
        where=where,
        got=len(row),
        allowed=[width],
        hint="put quotation marks around a cell that holds a separator; one that is opened and "
        "never closed swallows the lines after it",
    )


def with_header(frame: pl.DataFrame, where: str) -> Raw:
    """Take the names from the first row; a nameless column gets a name, or goes when empty."""
    names = [(name or "").strip() for name in frame.row(0)]
    frame = frame.slice(1)
    if not frame.height:
        raise DataError(
            "DATA-EMPTY",
            "the file has a header but no rows",
            where=where,
            hint="write the file again, with a header line and rows below it",
        )
    empty = frame.select(pl.all().is_null().all()).row(0)
    steps, keep, kept_names = [], [], []
    for i, (column, name) in enumerate(zip(frame.columns, names, strict=True)):
        if not name and empty[i]:
            steps.append(CleaningStep(rule="blank-column", where=f"column {i + 1}", cells=0))
            continue
        if not name:
            name = f"column_{i + 1}"
            steps.append(
                CleaningStep(rule="blank-header", where=name, cells=1, example=f"'' → {name!r}")
            )
        keep.append(column)
        kept_names.append(name)
    return Raw(frame.select(keep), tuple(kept_names), tuple(steps), text=True)
