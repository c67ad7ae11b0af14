"""The digest of a table's values, and the typed table in the store."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.errors import Tampered
from assay.kernel.store import Store
from assay.records.base import digest
from assay.records.snapshot import Column, DataSnapshot

CACHED = 2
"""How many tables stay in memory."""

_tables: OrderedDict[str, pl.DataFrame] = OrderedDict()


def column_digest(series: pl.Series) -> str:
    """Return the SHA-256 of a typed column's values: little-endian numbers or UTF-8, then gaps.

    The digest depends on values only, not on chunks, buffers, file format or library version.
    """
    found = hashlib.sha256()
    if series.dtype == pl.String:
        lengths = series.str.len_bytes().fill_null(0).cast(pl.UInt32)
        found.update(_bytes(lengths.to_numpy()))
        found.update((series.str.join("").item() or "").encode())
    elif series.dtype == pl.Float64:
        # Adding zero turns -0.0 into 0.0: equal values, equal bytes.
        found.update(_bytes(series.fill_null(0.0).to_numpy() + 0.0))
    elif series.dtype == pl.Boolean:
        found.update(_bytes(series.fill_null(False).cast(pl.UInt8).to_numpy()))
    else:
        found.update(_bytes(series.cast(pl.Int64).fill_null(0).to_numpy()))
    if series.null_count():
        found.update(np.packbits(series.is_null().to_numpy()).tobytes())
    return found.hexdigest()


def _bytes(values: NDArray[Any]) -> memoryview:
    array = np.ascontiguousarray(values)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).data.cast("B")


def content_digest(columns: tuple[Column, ...], digests: list[str]) -> str:
    """Return the digest of a whole table: each column's name, type and values, in order."""
    parts = [[c.name, c.type, d] for c, d in zip(columns, digests, strict=True)]
    return digest({"rows": columns[0].rows, "columns": parts})


def put_table(frame: pl.DataFrame, store: Store) -> str:
    """Store a typed table as an Arrow IPC file and return its digest."""
    sink = io.BytesIO()
    frame.write_ipc(sink, compression="lz4")
    found = store.put(sink.getvalue())
    _remember(found, frame)
    return found


def read_raw_table(snapshot: DataSnapshot, store: Store) -> pl.DataFrame:
    """Return the typed feature columns before `features.transform`, row by row as in the table.

    These are the columns of the table itself where there is no transform. Raises as `read_table`.
    """
    return _read(snapshot.raw_table or snapshot.table, store)


def read_table(snapshot: DataSnapshot, store: Store) -> pl.DataFrame:
    """Return the typed table of a snapshot; the last two read stay in memory.

    Numbers are Float64, booleans Boolean, date-times Datetime in microseconds (UTC), and all
    else is String.

    Raises:
        StoreError: the table is not in the store.
        Tampered: its bytes are not those that were stored.
    """
    return _read(snapshot.table, store)


def _read(name: str, store: Store) -> pl.DataFrame:
    if name in _tables:
        _tables.move_to_end(name)
        return _tables[name]
    try:
        frame = pl.read_ipc(io.BytesIO(store.get(name)))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Tampered(
            "DATA-TABLE-UNREADABLE", "the stored table is no Arrow file", where=name
        ) from error
    _remember(name, frame)
    return frame


def _remember(name: str, frame: pl.DataFrame) -> None:
    _tables[name] = frame
    _tables.move_to_end(name)
    while len(_tables) > CACHED:
        _tables.popitem(last=False)
