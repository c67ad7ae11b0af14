"""Where a table comes from: files, folders, globs and the catalogue, read without any judgement."""

from __future__ import annotations

import difflib
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from assay.data.clean import unique_names
from assay.data.delimited import decode, read_delimited
from assay.data.raw import Raw, check_cells, raw_of, to_polars
from assay.errors import DataError

Resolve = Callable[[str], Path]

TEXT = (".csv", ".tsv", ".tab", ".txt", ".data")
JSON = (".json", ".jsonl", ".ndjson")
BINARY = (".parquet", ".pq", ".arrow", ".feather", ".ipc")
READABLE = (*TEXT, *JSON, *BINARY)

_FOREIGN = (
    (
        b"PK\x03\x04",
        "an archive: an Excel workbook, NumPy arrays (npz) or a zip",
        "save the sheet or the arrays as CSV or Parquet",
    ),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"\x89PNG", "a PNG picture", "name a table of the pictures instead"),
    (b"\xff\xd8\xff", "a JPEG picture", "name a table of the pictures instead"),
    (b"%PDF", "a PDF document", "export the table in it as CSV"),
    (b"\x93NUMPY", "a NumPy array", "write its columns as CSV or Parquet"),
    (b"\x89HDF", "an HDF5 file", "write the table in it as Parquet"),
    (b"SQLite format 3", "an SQLite database", "export a table of it as CSV"),
    (b"<!DOCTYPE", "a web page", "download the data file itself"),
    (b"<html", "a web page", "download the data file itself"),
    (b"\x80\x04\x95", "a Python pickle, which Assay never loads", "write the table as Parquet"),
)


def find(source: str, folder: Path, resolve: Resolve) -> list[Path]:
    """Return the files that `source` names: a file, a folder, a glob or `catalogue:NAME`.

    Relative paths start at `folder`; the files of a folder or glob come in sorted order.

    Raises:
        DataError: there is no such file, or nothing readable in the folder.
    """
    if source.startswith("catalogue:"):
        return [resolve(source.removeprefix("catalogue:"))]
    if "://" in source:
        raise DataError(
            "DATA-SOURCE",
            "a data source is a file, folder or glob on this machine",
            got=source.split("://")[0] + "://…",
            hint="download the file first; a PostgreSQL URL belongs in data.connection",
        )
    path = folder / Path(source).expanduser()
    try:
        if path.is_dir():
            return _readable(path, (entry for entry in path.iterdir() if entry.is_file()))
        if not path.exists() and any(mark in source for mark in "*?["):
            base, pattern = _split_glob(path)
            return _readable(path, (entry for entry in base.glob(pattern) if entry.is_file()))
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _not_found(source, path) from error
    except PermissionError as error:
        raise _forbidden(source) from error
    return [path]


def _split_glob(path: Path) -> tuple[Path, str]:
    first = next(i for i, part in enumerate(path.parts) if any(mark in part for mark in "*?["))
    return Path(*path.parts[:first]), "/".join(path.parts[first:])


def _readable(path: Path, entries: Iterator[Path]) -> list[Path]:
    found = sorted(
        entry for entry in entries if not entry.name.startswith(".") and kind_of(entry) in READABLE
    )
    if not found:
        raise DataError(
            "DATA-NOT-FOUND",
            "there is no data file here",
            where=str(path.absolute()),
            allowed=[*READABLE, ".csv.gz"],
            hint="put the table here in one of these forms, or name another file",
        )
    return found


def kind_of(path: Path) -> str:
    """Return the suffix that tells the format, in lower case, looking through `.gz`."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def _not_found(source: str, path: Path) -> DataError:
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=3)
    return DataError(
        "DATA-NOT-FOUND",
        f"there is no file {source}",
        where=str(path.absolute()),
        got=source,
        allowed=near,
        hint=f"did you mean {near[0]}?"
        if near
        else "name a file that is there; `assay data list` shows the tables of the catalogue",
    )


def _forbidden(where: str) -> DataError:
    return DataError(
        "DATA-PERMISSION",
        "the file may not be read",
        where=where,
        hint="give yourself the right to read it, for example with `chmod u+r`",
    )


def read_any(path: Path) -> pl.DataFrame:
    """Read a data file as it is, without inferring types: rows for a prediction.

    Raises:
        DataError: the file is missing, no table, or damaged.
    """
    return unique_names(read_file(path), ())[0]


def read_file(path: Path) -> Raw:
    """Read one file by what its bytes and its suffix say it is."""
    data = _bytes(path)
    where = path.name
    if not data:
        raise DataError(
            "DATA-EMPTY",
            "the file is empty",
            where=where,
            hint="write the file again, with a header line and rows below it",
        )
    for magic, what, advice in _FOREIGN:
        if data.startswith(magic):
            raise _no_table(where, f"this is {what}, not a table", advice)
    try:
        raw = _parse(data, kind_of(path), where)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise _no_table(where, f"the file is damaged: {reason}", "write the file again") from error
    if not raw.frame.height:
        raise DataError(
            "DATA-EMPTY",
            "the file has columns but no rows",
            where=where,
            hint="write the file again, with a header line and rows below it",
        )
    check_cells(raw.frame, where)
    return raw


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise _not_found(path.name, path) from error
    except PermissionError as error:
        raise _forbidden(path.name) from error
    except OSError as error:
        raise DataError(
            "DATA-PERMISSION", f"the file cannot be read: {error.strerror}", where=path.name
        ) from error
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise _no_table(path.name, "the gzip file is damaged", "copy it again") from error


def _parse(data: bytes, kind: str, where: str) -> Raw:
    if data.startswith(b"PAR1"):
        return raw_of(pl.read_parquet(io.BytesIO(data)))
    if data.startswith(b"ARROW1"):
        return raw_of(pl.read_ipc(io.BytesIO(data)))
    if data.startswith(b"\xff\xff\xff\xff"):
        return raw_of(pl.read_ipc_stream(io.BytesIO(data)))
    if kind in JSON:
        return raw_of(_read_json(decode(data, where), where))
    if kind in BINARY:
        raise _no_table(where, f"the file is not what {kind} says", "write the file again")
    if (
        kind not in TEXT
        and b"\0" in data[:4096]
        and not data.startswith((b"\xff\xfe", b"\xfe\xff"))
    ):
        raise _no_table(where, "this is a binary file of an unknown kind", "convert it to CSV")
    return read_delimited(data, where)


def _no_table(where: str, message: str, advice: str) -> DataError:
    return DataError(
        "DATA-FORMAT",
        message,
        where=where,
        allowed=["CSV", "Parquet", "JSON lines", "Arrow"],
        hint=f"{advice}, then name that file as data.source",
    )


def _read_json(data: bytes, where: str) -> pl.DataFrame:
    """Read JSON lines, or one array of objects."""
    text = data.strip()
    if not text:
        raise DataError(
            "DATA-EMPTY",
            "the file is empty",
            where=where,
            hint="write the file again, with a header line and rows below it",
        )
    if text.startswith(b"["):
        return _objects(_decode_json(text, where, 1), where)
    try:
        return pl.read_ndjson(io.BytesIO(text), infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        lines = text.split(b"\n")
        rows = [_decode_json(line, where, i) for i, line in enumerate(lines, 1) if line.strip()]
        return _objects(rows, where)


def _decode_json(text: bytes, where: str, line: int) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise _no_table(
            f"{where}:{line}", f"this is not JSON: {error}", "write it again"
        ) from error


def _objects(rows: Any, where: str) -> pl.DataFrame:
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return to_polars(rows)
    raise _no_table(where, "the JSON is not a list of objects, one per row", "write one per line")


def read_files(paths: list[Path]) -> Raw:
    """Read files of the same columns and put their rows one below the other.

    Raises:
        DataError: a file has other columns than the first (DATA-FILES-DIFFER).
    """
    first, *others = [read_file(path) for path in paths]
    if not others:
        return first
    frames, steps = [first.frame], list(first.steps)
    for path, raw in zip(paths[1:], others, strict=True):
        frames.append(_aligned(raw, first, path.name, paths[0].name))
        steps += [step for step in raw.steps if step not in steps]
    return Raw(_stacked(frames), first.names, tuple(steps), text=first.text)


def _aligned(raw: Raw, first: Raw, where: str, first_name: str) -> pl.DataFrame:
    """Return the frame of `raw` with its columns in the order of `first`, and under its names."""
    if raw.names == first.names:
        return raw.frame.rename(dict(zip(raw.frame.columns, first.frame.columns, strict=True)))
    unique = len(set(raw.names)) == len(raw.names)
    if unique and sorted(raw.names) == sorted(first.names):
        order = [raw.frame.columns[raw.names.index(name)] for name in first.names]
        return raw.frame.select(
            pl.col(old).alias(new) for old, new in zip(order, first.frame.columns, strict=True)
        )
    lacks = sorted(set(first.names) - set(raw.names))
    extra = sorted(set(raw.names) - set(first.names))
    raise DataError(
        "DATA-FILES-DIFFER",
        f"{where} has other columns than {first_name}",
        where=where,
        got=f"lacks {lacks or 'none'}, adds {extra or 'none'}",
        hint="name only files of the same columns, or join them with data.sql",
    )


def _stacked(frames: list[pl.DataFrame]) -> pl.DataFrame:
    try:
        return pl.concat(frames, how="vertical_relaxed")
    except pl.exceptions.PolarsError:
        return pl.concat([frame.cast(pl.String) for frame in frames])


def local_name(path: Path) -> str:
    """Return the name under which SQL knows a file: its stem without any suffix."""
    return path.name.split(".")[0]
