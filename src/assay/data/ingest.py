"""From a source to a snapshot: read, clean, type, describe, store."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import polars as pl

from assay.data.clean import step, tidy, typing_steps, unique_names
from assay.data.coerce import (
    DAY_FIRST,
    DECIMAL_COMMA,
    coerce,
    is_nested,
    lower_booleans,
    nested_column,
    unread_cells,
)
from assay.data.content import column_digest, content_digest, put_table
from assay.data.profile import describe
from assay.data.raw import Raw
from assay.data.rows import first_of_copies, with_target, with_test
from assay.data.schema import Inferred, infer
from assay.data.source import Resolve, find, read_files
from assay.data.sql import query_files, query_server, server_name
from assay.data.transform import apply_transform, check_rowwise, code_of
from assay.errors import AssayError, DataError, Mistakes
from assay.kernel.store import Store
from assay.records.snapshot import (
    COLUMN_TYPES,
    CleaningStep,
    Column,
    ColumnType,
    DataSnapshot,
)
from assay.records.spec import DataSection, FeaturesSection

COLUMN_LIMIT = 5_000
"""Most columns that a table may have."""

THREADS = 2
"""Columns worked on at once; polars itself splits most of the work further."""


@dataclass
class _Table:
    """A typed frame on its way to a snapshot, with the trouble of single columns.

    `before` has the feature columns as they were before `features.transform`.
    """

    frame: pl.DataFrame
    types: dict[str, ColumnType] = field(default_factory=dict)
    steps: list[CleaningStep] = field(default_factory=list)
    problems: dict[str, AssayError] = field(default_factory=dict)
    raw: tuple[Column, ...] = ()
    before: pl.DataFrame | None = None
    test_rows: int = 0

    def keep(self, kept: pl.Series, steps: list[CleaningStep]) -> None:
        """Leave out the rows that are not `kept`; the last `test_rows` are those of `data.test`."""
        if steps:
            self.test_rows = int(kept.tail(self.test_rows).sum()) if self.test_rows else 0
            self.frame = self.frame.filter(kept)
            self.steps += steps


@dataclass(frozen=True)
class Survey:
    """A first look at a source: its snapshot, and the columns that had to go with their reasons."""

    snapshot: DataSnapshot
    dropped: tuple[tuple[str, str], ...]


def ingest(
    data: DataSection,
    features: FeaturesSection,
    folder: Path,
    store: Store,
    *,
    allow_code: bool = True,
    resolve: Resolve,
) -> DataSnapshot:
    """Read the source of a project into typed columns, store the table, and describe it.

    Args:
        data: what to read and what its columns mean.
        features: the project's own transform, applied to the typed columns without the target.
        folder: where relative paths and the transform's file start.
        store: takes the table as an Arrow IPC file.
        allow_code: whether the transform may run.
        resolve: turns the NAME of `catalogue:NAME` into a file.

    Raises:
        DataError: the source cannot be read, or a column cannot be used; with several such
            columns, `Mistakes` names all of them.
        Refused: there is a transform, and `allow_code` is False.
        MissingExtra, TransientFault: see `sql.query_server`.
        StoreError: the table cannot be stored.
    """
    raw, test_rows = _read(data, folder, resolve), 0
    if data.test is not None:
        test = read_files(find(data.test, folder, resolve))
        raw, test_rows = with_test(raw, test), test.frame.height
    table = _typed(raw, data, own_names=not features.transform, test_rows=test_rows)
    _raise(table.problems.values())
    if data.test is not None and not table.test_rows:
        raise DataError(
            "DATA-TEST-EMPTY",
            "no row of the test table is left",
            where="data.test",
            got=f"{test_rows} rows, each without a target or a copy of a training row",
            hint="test on rows that have a target and that training has not seen",
        )
    if features.transform:
        table = _transformed(table, data, features.transform, folder, allow_code=allow_code)
        _raise(table.problems.values())
    return _snapshot(table, data, store)


def survey(data: DataSection, folder: Path, store: Store, *, resolve: Resolve) -> Survey:
    """Read a source as `ingest` does, but leave out columns that cannot be used, with reasons.

    Rows without a target are left out as well. The target itself must be usable.
    """
    table = _typed(_read(data, folder, resolve), data, drop_rows=True)
    if data.target in table.problems:
        raise table.problems[data.target]
    dropped = tuple((name, str(error.args[0])) for name, error in table.problems.items())
    return Survey(_snapshot(table, data, store, tuple(table.problems)), dropped)


def readings_of(snapshot: DataSnapshot) -> dict[str, str]:
    """Return column → reading, for the columns whose cells are ambiguous without it."""
    return {s.where: s.rule for s in snapshot.cleaning if s.rule in (DECIMAL_COMMA, DAY_FIRST)}


def _raise(errors: object) -> None:
    found = list(cast("list[AssayError]", errors))
    if found:
        raise found[0] if len(found) == 1 else Mistakes(found)


def _read(data: DataSection, folder: Path, resolve: Resolve) -> Raw:
    if data.connection:
        return query_server(data)
    if not data.source:
        raise DataError(
            "DATA-SOURCE",
            "the project file names no source",
            where="data.source",
            hint="set data.source to a file; data.sql runs over the files that it names",
        )
    paths = find(data.source, folder, resolve)
    return query_files(data.sql, paths) if data.sql else read_files(paths)


def _typed(
    raw: Raw,
    data: DataSection,
    *,
    own_names: bool = True,
    drop_rows: bool = False,
    test_rows: int = 0,
) -> _Table:
    """Return the table with every column tidy and typed, in the order of the source."""
    if raw.frame.width > COLUMN_LIMIT:
        raise DataError(
            "DATA-TOO-WIDE",
            f"the table has {raw.frame.width} columns",
            got=raw.frame.width,
            allowed=[f"at most {COLUMN_LIMIT}"],
            hint="choose the columns that matter with data.sql",
        )
    frame, steps = unique_names(raw, {data.target, *data.drop, *data.types})
    _check_names(frame.columns, data, own_names=own_names)
    rows = _Table(frame.drop(data.drop), steps=steps, test_rows=test_rows)
    rows.keep(*with_target(rows.frame, data, drop=drop_rows))
    if rows.frame.height < 2:
        raise DataError(
            "DATA-TOO-FEW-ROWS",
            "a table of one row shows nothing to learn",
            got=rows.frame.height,
            allowed=["at least 2 rows; some hundred to learn from"],
            hint="check that data.source names the whole table, and that data.sql keeps its rows",
        )
    table = _columns(rows.frame, data, rows.steps, from_text=raw.text)
    table.test_rows = rows.test_rows
    if data.duplicates == "drop":
        table.keep(*first_of_copies(table.frame))
    return table


def _check_names(columns: list[str], data: DataSection, *, own_names: bool) -> None:
    """Report every column that the project file names and the table lacks."""
    errors: list[AssayError] = []
    if data.target not in columns:
        errors.append(_unknown("DATA-TARGET-UNKNOWN", "data.target", data.target, columns))
    elif data.target in data.drop:
        errors.append(
            DataError("DATA-TARGET-DROPPED", "data.drop names the target", where="data.drop")
        )
    named = [("data.drop", name) for name in data.drop]
    if own_names:
        named += [("data.types", name) for name in data.types]
    for where, name in named:
        if name not in columns:
            errors.append(_unknown("DATA-COLUMN-UNKNOWN", where, name, columns))
    for name, kind in data.types.items():
        if kind not in COLUMN_TYPES:
            errors.append(
                DataError(
                    "DATA-TYPE-UNKNOWN",
                    f"{kind} is not a type of column",
                    where=f"data.types.{name}",
                    got=kind,
                    allowed=COLUMN_TYPES,
                )
            )
    _raise(errors)


def _unknown(code: str, where: str, name: str, columns: list[str]) -> DataError:
    lowered = {column.lower(): column for column in columns}
    near = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    hint = f"did you mean {lowered[near[0]]}?" if near else ""
    return DataError(
        code,
        f"the table has no column {name}",
        where=where,
        got=name,
        allowed=[lowered[n] for n in near] or columns[:20],
        hint=hint or "column names are case-sensitive",
    )


def _columns(
    frame: pl.DataFrame,
    data: DataSection,
    steps: list[CleaningStep],
    *,
    from_text: bool,
    known: Mapping[str, ColumnType] | None = None,
) -> _Table:
    """Type each column; those that cannot be used become problems."""

    def one(series: pl.Series) -> tuple[pl.Series, ColumnType, list[CleaningStep]] | AssayError:
        try:
            kind = (known or {}).get(series.name)
            return (series, kind, []) if kind else _column(series, data, from_text=from_text)
        except AssayError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(one, frame.iter_columns()))
    table = _Table(pl.DataFrame(), steps=steps)
    columns = []
    for name, found in zip(frame.columns, done, strict=True):
        if isinstance(found, AssayError):
            table.problems[name] = found
            continue
        columns.append(found[0])
        table.types[name] = found[1]
        table.steps += found[2]
    table.frame = pl.DataFrame(columns)
    return table


def _column(
    series: pl.Series, data: DataSection, *, from_text: bool
) -> tuple[pl.Series, ColumnType, list[CleaningStep]]:
    """Return one column, tidy and typed, with what that changed."""
    if is_nested(series.dtype):
        raise nested_column(series.name, series.dtype)
    cells, steps = tidy(series, data.missing)
    if cells.null_count() == len(cells):
        raise DataError(
            "DATA-COLUMN-EMPTY",
            f"{series.name} has no value in any row",
            where=f"column {series.name}",
            hint=f'add "{series.name}" to data.drop',
        )
    found = _inferred(cells, data)
    typed = coerce(cells, found.type, found.reading)
    if found.type == "category" and series.name != data.target:
        typed = lower_booleans(typed)
    error = unread_cells(cells, typed, found.type)
    if error:
        raise error
    rule = DECIMAL_COMMA if found.reading == DECIMAL_COMMA else found.note
    if rule:
        changed = cells.str.contains("," if rule == DECIMAL_COMMA else "")
        row = changed.fill_null(False).arg_max() or 0
        count = len(cells) - cells.null_count()
        steps.append(step(rule, series.name, count, cells[row], typed[row]))
    else:
        steps += typing_steps(cells, typed, found.type, from_text=from_text)
    return typed, found.type, steps


def _inferred(cells: pl.Series, data: DataSection) -> Inferred:
    """Return the type that the project file forces, else the one that the values show."""
    forced = cast("ColumnType | None", data.types.get(cells.name))
    if forced is None:
        return infer(cells, is_target=cells.name == data.target)
    if forced in ("number", "datetime") and cells.dtype == pl.String:
        found = infer(cells)
        if found.type == forced:
            return found
    return Inferred(forced)


def _transformed(
    table: _Table, data: DataSection, transform: str, folder: Path, *, allow_code: bool
) -> _Table:
    """Return the table with the columns that the project's own function makes."""
    code = code_of(transform, folder)
    before = table.frame.drop(data.target)
    made = apply_transform(code, before, folder, allow_code=allow_code)
    check_rowwise(code, before, made, folder, allow_code=allow_code)
    if data.target in made.columns:
        raise DataError(
            "TRANSFORM-TARGET",
            f"{transform} makes a column with the name of the target",
            where="features.transform",
            got=data.target,
        )
    frame = made.with_columns(table.frame.get_column(data.target))
    _check_names(frame.columns, _only_types(data), own_names=True)
    same = {
        name: kind
        for name, kind in table.types.items()
        if name in frame.columns and frame.schema[name] == table.frame.schema[name]
    }
    note = CleaningStep(rule="transform", where=transform, cells=0, example=code.digest)
    after = _columns(frame, data, [*table.steps, note], from_text=False, known=same)
    after.test_rows = table.test_rows
    after.raw = tuple(describe(column, table.types[column.name]) for column in before)
    after.before = before
    return after


def _only_types(data: DataSection) -> DataSection:
    return DataSection(target=data.target, types=data.types)


def _snapshot(
    table: _Table, data: DataSection, store: Store, dropped: tuple[str, ...] = ()
) -> DataSnapshot:
    frame = table.frame.rechunk()
    with ThreadPoolExecutor(THREADS) as pool:
        stored = pool.submit(put_table, frame, store)
        columns = tuple(pool.map(lambda s: describe(s, table.types[s.name]), frame.iter_columns()))
        digests = list(pool.map(column_digest, frame.iter_columns()))
        name = stored.result()
    return DataSnapshot(
        source=server_name(data) if data.connection else data.source or "",
        content=content_digest(columns, digests),
        table=name,
        rows=frame.height,
        columns=columns,
        raw=table.raw,
        raw_table="" if table.before is None else put_table(table.before.rechunk(), store),
        cleaning=tuple(table.steps),
        dropped=(*data.drop, *dropped),
        test_rows=table.test_rows,
    )
