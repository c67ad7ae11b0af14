"""What a client sent: rows as JSON, or a table as JSON columns, CSV or Arrow.

Everything here may be hostile. What cannot be read is a `Rejected` with status 400, and a table is
counted before anything is done with its cells.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import polars as pl

from assay.serve.answering.arrow import check_file, check_stream
from assay.serve.problems import Rejected

if TYPE_CHECKING:
    from assay.serve.http.message import Request

JSON, CSV = b"application/json", b"text/csv"
ARROW_STREAM = b"application/vnd.apache.arrow.stream"
ARROW_FILE = b"application/vnd.apache.arrow.file"

Rows = list[dict[str, Any]]
Columns = dict[str, list[Any]]
Given = Rows | Columns | pl.DataFrame
"""Rows one by one, or a table."""

WIDEST = 20_000
"""Columns that a CSV table may have."""

BOM = b"\xef\xbb\xbf"

_decode = msgspec.json.Decoder().decode


def read_json(body: bytes) -> Rows | Columns:
    """Return the rows, or the columns, of a JSON body; raises Rejected (400).

    A cell is never a list or an object, so a model may have a column called `rows` or `columns`.
    """
    try:
        document = _decode(body)
    except (ValueError, RecursionError) as error:
        raise unreadable("JSON", error) from error
    if type(document) is not dict:
        raise _form(document)
    rows = document.get("rows")
    if type(rows) is list and len(document) == 1:
        _check_keys(body, 1 + _keys_of(rows))
        return rows
    columns = document.get("columns")
    if type(columns) is dict and len(document) == 1:
        _check_keys(body, 1 + len(columns))
        return _checked_columns(columns)
    if isinstance(rows, list | dict) or isinstance(columns, list | dict):
        raise _form(document)
    _check_keys(body, len(document))
    return [document]


class WholeRows:
    """Reads rows that have every column of a model and no other, as most have, quickly."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        names = [f"column_{place}" for place in range(len(columns))]
        try:
            row = msgspec.defstruct(
                "Row",
                [(name, Any) for name in names],
                rename=dict(zip(names, columns, strict=True)),
                forbid_unknown_fields=True,
                gc=False,
            )
        except ValueError:  # a quote or a backslash in the name of a column
            self._decode = None
            return
        self._decode = msgspec.json.Decoder(dict[Literal["rows"], list[row]]).decode  # type: ignore[valid-type]

    def read(self, body: bytes) -> Columns | None:
        """Return the columns of a body, None where `read_json` has to look."""
        if self._decode is None:
            return None
        try:
            rows = self._decode(body)["rows"]
        except (ValueError, RecursionError, KeyError):
            return None
        if not rows or not _once(body, 1 + len(rows) * len(self._columns)):
            return None
        cells = zip(*map(msgspec.structs.astuple, rows), strict=True)
        return dict(zip(self._columns, map(list, cells), strict=True))


_UNSAID = b"application/x-www-form-urlencoded"
"""What curl and urllib send where their user names no type."""


def read_table(body: bytes, kind: bytes) -> pl.DataFrame:
    """Return the table of a CSV or Arrow body as it came; raises Rejected (400)."""
    name, read = _TABLES[kind]
    try:
        return read(body)
    except Rejected:
        raise
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of polars is no Exception
        raise unreadable(name, error) from error


def kind_of(request: Request) -> bytes:
    """Return the media type of the body, JSON where none is said; raises Rejected (415)."""
    given = request.headers.get(b"content-type")
    if given is None or given == JSON:
        return JSON
    kind = given.partition(b";")[0].strip().lower()
    if kind in _TABLES:
        return kind
    if kind in (JSON, _UNSAID):
        return JSON
    raise Rejected(
        "SERVE-MEDIA-TYPE",
        "rows cannot be read from a body of this type",
        where="content-type",
        got=given[:80].decode("latin-1"),
        allowed=[known.decode() for known in (JSON, *_TABLES)],
        hint="send the header `content-type: application/json`",
    ).at(415)


def count_of(given: Given) -> int:
    """Return the number of rows, as far as the cells need not be looked at."""
    if isinstance(given, list):
        return len(given)
    if isinstance(given, Mapping):
        return max(map(len, given.values()), default=0)
    return given.height


def _keys_of(rows: list[Any]) -> int:
    count = 0
    for place, row in enumerate(rows):
        if type(row) is not dict:
            raise Rejected(
                "SERVE-BODY-FORM",
                f"row {place + 1} is {_kind(row)}, not an object of columns and cells",
                where=f"row {place + 1}",
            )
        count += len(row)
    return count


def _checked_columns(columns: dict[str, Any]) -> Columns:
    for name, cells in columns.items():
        if type(cells) is not list:
            raise Rejected(
                "SERVE-BODY-FORM",
                f"the cells of a column are given as {_kind(cells)}, not as a list",
                where=name[:80],
            )
    if len({len(cells) for cells in columns.values()}) > 1:
        raise Rejected(
            "SERVE-BODY-FORM",
            "the columns differ in length",
            where="columns",
            got={name[:80]: len(cells) for name, cells in list(columns.items())[:20]},
        )
    return columns


def _check_keys(body: bytes, keys: int) -> None:
    """Raise Rejected where an object has a key twice, of which the decoder keeps the last."""
    if _once(body, keys):
        return
    try:
        json.loads(body, object_pairs_hook=_unique)
    except RecursionError as error:
        raise unreadable("JSON", error) from error


def _once(body: bytes, keys: int) -> bool:
    """Return whether no key is there twice, surely: where text or cells have colons, False.

    Each key is followed by a colon, mostly at once; no more of these than keys means none was lost.
    """
    return body.count(b":") == keys or sum(map(body.count, _AFTER_KEY)) == keys


_AFTER_KEY = (b'":', b" :", b"\t:", b"\n:", b"\r:")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise Rejected("SERVE-DUPLICATE-KEY", "an object has the same key twice", got=twice[:80])
    return found


def _csv(body: bytes) -> pl.DataFrame:
    """Read cells as text, as training reads a CSV file; what they mean is decided by `conform`."""
    text = TextIOWrapper(BytesIO(body), "utf-8-sig", newline="")
    names = next(csv.reader(text), [])
    if len(set(names)) < len(names):
        raise Rejected("SERVE-DUPLICATE-KEY", "two columns have the same name", got=names[:20])
    _check_width(len(names))
    if not names:
        return pl.DataFrame()
    if body.startswith(b"x"):  # `x^2` is how zlib begins: polars would unpack it, however large
        body = BOM + body
    return pl.read_csv(BytesIO(body), infer_schema=False)


def _check_width(columns: int) -> None:
    """Raise Rejected (413) before polars makes more columns than any model has."""
    if columns > WIDEST:
        raise Rejected(
            "SERVE-TOO-MANY-COLUMNS",
            "these are more columns than one table may have",
            got=columns,
            allowed=[f"at most {WIDEST:,}"],
            hint="send the columns of the model alone",
        ).at(413)


def _stream(body: bytes) -> pl.DataFrame:
    check_stream(body)
    return pl.read_ipc_stream(BytesIO(body))


def _file(body: bytes) -> pl.DataFrame:
    check_file(body)
    return pl.read_ipc(BytesIO(body))


_TABLES: dict[bytes, tuple[str, Callable[[bytes], pl.DataFrame]]] = {
    CSV: ("CSV", _csv),
    ARROW_STREAM: ("Arrow stream", _stream),
    ARROW_FILE: ("Arrow file", _file),
}


def unreadable(name: str, error: BaseException) -> Rejected:
    """Return the error about a body, or a table, that cannot be read."""
    said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Rejected(
        "SERVE-MALFORMED",
        f"the body is no {name} that can be read",
        where="body",
        got=said.partition("\n")[0][:200],
    )


def _form(document: object) -> Rejected:
    keys = sorted(document)[:20] if isinstance(document, dict) else _kind(document)
    return Rejected(
        "SERVE-BODY-FORM",
        "the body is not one of the forms that rows come in",
        where="body",
        got=keys,
        allowed=['{"rows": [{column: cell}]}', "{column: cell}", '{"columns": {column: [cell]}}'],
    )


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
