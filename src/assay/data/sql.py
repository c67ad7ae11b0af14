"""SQL as a source: over local files, and over a PostgreSQL server."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl

from assay.data.clean import tidy, unique_names
from assay.data.coerce import coerce
from assay.data.raw import Raw, check_cells, raw_of, series
from assay.data.schema import infer
from assay.data.source import local_name, read_file
from assay.errors import DataError, MissingExtra, TransientFault
from assay.records.spec import DataSection

BATCH = 50_000
"""Rows fetched from a server at a time."""


def query_files(sql: str, paths: list[Path]) -> Raw:
    """Run a query over files; each is a table named by its stem (`orders.csv` is `orders`).

    Raises:
        DataError: the query is wrong, or two files have the same stem.
    """
    tables: dict[str, pl.DataFrame] = {}
    for path in paths:
        name = local_name(path)
        if name in tables:
            raise DataError(
                "DATA-SQL", f"two files would both be the table {name}", where=path.name
            )
        tables[name] = _table(read_file(path))
    try:
        result = pl.SQLContext(tables).execute(sql, eager=True)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _sql_error(str(error).splitlines()[0], sql, sorted(tables)) from error
    return _not_empty(raw_of(result))


def _table(raw: Raw) -> pl.DataFrame:
    """Give numbers and dates of a text file their type; words stay as they are written."""
    frame, _ = unique_names(raw, ())
    return frame.with_columns(_typed(column) for column in frame if column.dtype == pl.String)


def _typed(column: pl.Series) -> pl.Series:
    tidied, _ = tidy(column, ())
    if tidied.null_count() == len(tidied):
        return tidied
    try:
        found = infer(tidied, is_target=True)
    except DataError:
        return tidied
    typed = coerce(tidied, found.type, found.reading)
    if found.type == "number" and (typed.drop_nulls().round() == typed.drop_nulls()).all():
        # A whole number stays whole, so that keys of two tables join.
        return typed.cast(pl.Int64, strict=False)
    return typed


def _sql_error(reason: str, sql: str, allowed: list[str]) -> DataError:
    return DataError(
        "DATA-SQL",
        f"the query fails: {reason}",
        where="data.sql",
        got=sql if len(sql) <= 200 else sql[:199] + "…",
        allowed=allowed,
        hint="a table has the name of its file without the suffix" if allowed else "",
    )


def _not_empty(raw: Raw) -> Raw:
    if not raw.frame.height:
        raise DataError(
            "DATA-EMPTY",
            "the query returns no rows",
            where="data.sql",
            hint="run the query by hand, and loosen its conditions until it returns rows",
        )
    check_cells(raw.frame, "data.sql")
    return raw


def query_server(data: DataSection) -> Raw:
    """Run `data.sql` on the server of `data.connection`.

    `connection` is a postgresql:// URL, or `$NAME` for an environment variable that holds one.
    The session is read-only. No message and no record names user or password.

    Raises:
        MissingExtra: psycopg is not installed.
        TransientFault: the server cannot be reached, or went away.
        DataError: the server rejects the query, or the URL is none.
    """
    url, query = _url(data.connection or ""), data.sql or ""
    psycopg = _driver()
    try:
        with psycopg.connect(url, connect_timeout=10, client_encoding="utf8") as connection:
            connection.read_only = True
            return _not_empty(_fetch(psycopg, connection, query))
    except psycopg.OperationalError as error:
        raise TransientFault(
            "DATA-CONNECTION",
            f"the server {server_name(data)} does not answer: {_safe(error, url)}",
            where="data.connection",
            hint="check that it runs, and the host, database, user and password of the URL",
        ) from None
    except psycopg.Error as error:
        raise _sql_error(_safe(error, url), query, []) from None


def _driver() -> Any:
    try:
        return importlib.import_module("psycopg")
    except ImportError as error:
        raise MissingExtra(
            "EXTRA-MISSING",
            "reading from PostgreSQL needs the package psycopg, which is not installed",
            hint='pip install "assay-ml[postgres]"',
        ) from error


def _url(connection: str) -> str:
    url = connection
    if connection.startswith("$"):
        url = os.environ.get(connection[1:], "")
        if not url:
            raise DataError(
                "DATA-CONNECTION-UNSET",
                f"the environment variable {connection[1:]} is not set",
                where="data.connection",
                hint=f"export {connection[1:]}=postgresql://user:password@host/database",
            )
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in ("postgresql", "postgres"):
        raise DataError(
            "DATA-CONNECTION-URL",
            "the connection is not a PostgreSQL URL",
            where="data.connection",
            allowed=["postgresql://host/database", "$NAME_OF_ENVIRONMENT_VARIABLE"],
        )
    return url


def server_name(data: DataSection) -> str:
    """Return host and database of the connection, without user, password and options."""
    parts = urlsplit(_url(data.connection or ""))
    host = parts.netloc.rpartition("@")[2] or "localhost"
    return f"postgresql://{host}{parts.path}"


def _safe(error: Exception, url: str) -> str:
    """Return the first line of a driver's message without the secrets of the URL."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    parts = urlsplit(url)
    secrets = {parts.netloc.rpartition("@")[0], parts.password, parts.username, parts.query, url}
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "…")
    return text


_NATIVE: dict[str, pl.DataType] = {
    "int2": pl.Int64(),
    "int4": pl.Int64(),
    "int8": pl.Int64(),
    "float4": pl.Float64(),
    "float8": pl.Float64(),
    "numeric": pl.Float64(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"),
}
_AS_TEXT = ("uuid", "json", "jsonb", "time", "timetz", "interval", "inet")


def _fetch(psycopg: Any, connection: Any, query: str) -> Raw:
    """Fetch the rows in batches; types that a column of a table cannot have come as text."""
    register = connection.adapters.register_loader
    register("numeric", psycopg.types.numeric.FloatLoader)
    for kind in _AS_TEXT:
        register(kind, psycopg.types.string.TextLoader)
    with connection.cursor(name="assay") as cursor:
        cursor.execute(query)
        cells: list[list[Any]] = [[] for _ in cursor.description]
        while rows := cursor.fetchmany(BATCH):
            for column, more in zip(cells, zip(*rows, strict=True), strict=True):
                column.extend(more)
        dtypes = {psycopg.adapters.types[kind].oid: dtype for kind, dtype in _NATIVE.items()}
        columns = []
        for i, (described, values) in enumerate(zip(cursor.description, cells, strict=True)):
            dtype = dtypes.get(described.type_code)
            name = f"column_{i + 1}"
            columns.append(pl.Series(name, values, dtype) if dtype else series(name, values))
        return Raw(pl.DataFrame(columns), tuple(column.name for column in cursor.description))
