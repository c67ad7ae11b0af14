"""Which rows of a source are kept: those with a target, once each, and test rows of their own."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from assay.data.clean import step, tidy
from assay.data.coerce import is_nested, nested_column, to_number
from assay.data.raw import Raw
from assay.errors import DataError
from assay.records.snapshot import CleaningStep
from assay.records.spec import DataSection


def with_test(raw: Raw, test: Raw) -> Raw:
    """Return the rows of both tables, those of `data.test` last, in the columns of the first.

    Raises:
        DataError: DATA-TEST-COLUMNS when columns are lacking, DATA-TEST-TYPES when a column is
            text in one table and a number in the other.
    """
    places = {name: place for place, name in enumerate(test.names)}
    lacking = [name for name in raw.names if name not in places]
    if lacking:
        raise DataError(
            "DATA-TEST-COLUMNS",
            f"the test table lacks {len(lacking)} columns of the training table",
            where="data.test",
            got=test.names[:20],
            allowed=lacking[:20],
            hint="give both tables the same columns, target included",
        )
    columns = test.frame.get_columns()
    same = pl.DataFrame(
        [
            columns[places[name]].alias(own)
            for name, own in zip(raw.names, raw.frame.columns, strict=True)
        ]
    )
    try:
        frame = pl.concat([raw.frame, same], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            "DATA-TEST-TYPES",
            f"the columns of the two tables are of different kinds: {error}",
            where="data.test",
            hint="write both tables in the same format, such as CSV",
        ) from error
    return replace(raw, frame=frame)


def with_target(
    frame: pl.DataFrame, data: DataSection, *, drop: bool
) -> tuple[pl.Series, list[CleaningStep]]:
    """Say of each row whether it has a target; a number without end is none.

    Raises DataError when the target is nested, or is missing where it may not be.
    """
    target = frame.get_column(data.target)
    if is_nested(target.dtype):
        raise nested_column(data.target, target.dtype, "choose a target with one value in a row")
    cells = tidy(target, data.missing)[0]
    endless = _endless(cells) & (data.types.get(data.target, "number") == "number")
    gone = cells.is_null() | endless
    count = int(gone.sum())
    if not count:
        return ~gone, []
    rows = [int(row) + 1 for row in gone.arg_true().head(5)]
    if count == frame.height or not (drop or data.missing_target == "drop"):
        raise DataError(
            "DATA-TARGET-MISSING",
            f"{data.target} is missing{' or infinite' if endless.any() else ''} in {count} of "
            f"{frame.height} rows",
            where=f"column {data.target}, rows {', '.join(map(str, rows))}",
            got=count,
            hint='set data.missing_target = "drop" to leave these rows out'
            if count < frame.height
            else "name the column that holds the answer as data.target",
        )
    example = f"rows {', '.join(map(str, rows))}"
    note = CleaningStep(rule="missing-target", where=data.target, cells=count, example=example)
    return ~gone, [note]


def _endless(cells: pl.Series) -> pl.Series:
    """Say of each cell whether it is infinite, in a column of nothing but numbers."""
    if cells.dtype == pl.String or cells.dtype.is_numeric():
        numbers = to_number(cells)
        if numbers.null_count() == cells.null_count():
            return numbers.is_infinite().fill_null(False)
    return pl.repeat(False, len(cells), eager=True)


def first_of_copies(frame: pl.DataFrame) -> tuple[pl.Series, list[CleaningStep]]:
    """Say of each row whether it does not repeat an earlier one in every column."""
    first = frame.select(pl.struct(pl.all()).is_first_distinct()).to_series()
    gone = len(first) - int(first.sum())
    return first, [step("duplicate-rows", "rows", gone)] if gone else []
