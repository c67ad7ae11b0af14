"""Rows against what training saw: unknown and absent columns, ranges, categories.

What is found is ignored, put into the answer as a warning, or refused, as the file's `[serve]`
says. What needs no look is not looked at: a clean row costs a comparison for each column.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import polars as pl

from assay.errors import DataError, Mistakes
from assay.records.fitted import Field, Signature
from assay.records.spec import ServeSection
from assay.serve.answering.body import Columns, Given, Rows
from assay.serve.servable import Cells

MOST = 20
"""Warnings that one answer lists, at most; one more says how many there are in all."""
MANY, LONG = 200, 60
"""A name is compared with at most so many others, and only so much of it is shown."""


class Found:
    """What was found in one request: the first warnings and errors, and how many there are.

    `rows` are the places, from 0, of the rows that have a warning of their own.
    """

    def __init__(self) -> None:
        self.warnings: list[DataError] = []
        self.errors: list[DataError] = []
        self.count = 0
        self.rows: set[int] = set()

    def add(self, what: str, row: int | None, error: Callable[[], DataError]) -> None:
        """Add a warning, or an error when `what` says so; it is only made where it is listed."""
        listed = self.errors if what == "error" else self.warnings
        if len(listed) < MOST:
            listed.append(error())
        if what != "error":
            self.count += 1
            if row is not None:
                self.rows.add(row)

    def listed(self) -> list[dict[str, Any]]:
        """Return the warnings as an answer says them."""
        said = [warning.to_dict() for warning in self.warnings]
        if self.count > len(said):
            more = DataError(
                "SERVE-MORE-WARNINGS",
                f"there are {self.count} warnings; the first {len(said)} are listed",
                got=self.count,
            )
            said.append(more.to_dict())
        return said

    def settle(self) -> None:
        """Raise what is to be refused: DataError, or Mistakes for several."""
        if self.errors:
            raise self.errors[0] if len(self.errors) == 1 else Mistakes(self.errors)


class Checker:
    """Checks rows of one signature; made once, so that a clean row is quick."""

    def __init__(self, signature: Signature, section: ServeSection) -> None:
        self.section = section
        self._fields = signature.inputs
        self._names = [field.name for field in signature.inputs]
        self._known = frozenset(self._names)
        self._ranges = _ranges(signature.inputs) if section.outside != "ignore" else []
        self._words = _words(signature.inputs) if section.unseen != "ignore" else []
        self._enums = {place: pl.Enum(self._fields[place].categories) for place, _ in self._words}
        self._strict = section.unknown != "ignore"
        self._nearest = lru_cache(1_000)(self._near)

    def clean(self, row: Mapping[str, Any], cells: Cells) -> bool:
        """Say quickly of a typed row that there is nothing to tell of it."""
        if len(row) != len(cells) and self._strict:
            return False
        for place, low, high in self._ranges:
            cell: Any = cells[place]
            if cell is not None and (cell < low or cell > high):  # NaN is neither
                return False
        for place, known in self._words:  # noqa: SIM110 (a generator takes twice as long)
            if cells[place] not in known:
                return False
        return True

    def row(self, row: Mapping[str, Any], cells: Cells, number: int, found: Found) -> None:
        """Add what there is to tell of a typed row; `number` counts from 0."""
        if len(row) != len(cells):
            self._unknown(row, number, found)
        for place, low, high in self._ranges:
            cell: Any = cells[place]
            if cell is not None and (cell < low or cell > high):
                self._outside(place, cell, number, found)
        for place, known in self._words:
            if cells[place] not in known:
                self._unseen(place, cells[place], number, found)

    def filled(self, row: dict[str, Any], number: int, found: Found) -> dict[str, Any] | None:
        """Return a row with its absent columns as missing cells; None where they are refused."""
        absent = self._known.difference(row)
        if not absent or self.section.absent != "warn":
            return None
        for name in sorted(absent):
            self._absent(name, number, row, found)
        return dict.fromkeys(absent) | row

    def table(self, frame: pl.DataFrame, found: Found) -> None:
        """Add what there is to tell of typed rows, column by column."""
        for place, low, high in self._ranges:
            column = frame.to_series(place)
            if column.dtype.is_temporal():
                column = column.to_physical()
            least, most = column.min(), column.max()
            if least is not None and (least < low or most > high):  # type: ignore[operator]
                odd = ((column < low) | (column > high)).arg_true()
                for number, cell in zip(odd.to_list(), column.gather(odd).to_list(), strict=True):
                    self._outside(place, cell, number, found)
        for place, known in self._words:
            column = frame.to_series(place)
            coded = column.cast(self._enums[place], strict=False)  # null where it is not known
            if coded.null_count() > column.null_count():
                for number, cell in enumerate(column.to_list()):
                    if cell not in known:
                        self._unseen(place, cell, number, found)

    def columns(self, given: Given, found: Found) -> Given:
        """Return rows, or a table, as a table with all columns of the model.

        Unknown columns are told of; absent ones are told of and filled, or refused.
        """
        if isinstance(given, list):
            return self._transposed(given, found)
        names = given.columns if isinstance(given, pl.DataFrame) else list(given)
        self._unknown(names, None, found)
        absent = [name for name in self._names if name not in names]
        for name in absent:
            self._absent(name, None, names, found)
        found.settle()
        if isinstance(given, pl.DataFrame):
            return given.with_columns(pl.lit(None).alias(name) for name in absent)
        count = max(map(len, given.values()), default=0)
        return given | dict.fromkeys(absent, [None] * count)

    def _transposed(self, rows: Rows, found: Found) -> Columns:
        names = self._names
        if any(len(row) != len(names) for row in rows):
            for number, row in enumerate(rows):
                self._unknown(row, number, found)
        try:
            return {name: [row[name] for row in rows] for name in names}
        except KeyError:
            for number, row in enumerate(rows):
                for name in self._known.difference(row):
                    self._absent(name, number, row, found)
            found.settle()
            return {name: [row.get(name) for row in rows] for name in names}

    def _outside(self, place: int, cell: Any, number: int, found: Found) -> None:
        field = self._fields[place]
        found.add(
            self.section.outside,
            number,
            lambda: DataError(
                "SERVE-OUTSIDE-RANGE",
                "a value is outside of what training saw",
                where=_where(number, field.name),
                got=_shown(field, cell, 1e6),
                allowed=[f"{_shown(field, field.low)} to {_shown(field, field.high)}"],
            ),
        )

    def _unseen(self, place: int, cell: Any, number: int, found: Found) -> None:
        field = self._fields[place]

        def error() -> DataError:
            near = self._nearest(place, cell[:LONG])
            return DataError(
                "SERVE-UNSEEN-CATEGORY",
                "a category is one that training never saw",
                where=_where(number, field.name),
                got=cell[:LONG],
                allowed=[near] if near else field.categories[:MOST],
                hint=f"did you mean {near}?" if near else "",
            )

        found.add(self.section.unseen, number, error)

    def _unknown(self, names: Iterable[str], row: int | None, found: Found) -> None:
        if not self._strict or self._known.issuperset(names):
            return
        for name in names:
            if name in self._known:
                continue
            short = name[:LONG]

            def error(short: str = short) -> DataError:
                near = _close(short, self._names)
                return DataError(
                    "SERVE-UNKNOWN-COLUMN",
                    "the model has no such column",
                    where=_where(row, short),
                    got=short,
                    allowed=near or self._names[:MOST],
                    hint=f"did you mean {near[0]}?" if near else "leave it out",
                )

            found.add(self.section.unknown, row, error)

    def _absent(self, name: str, row: int | None, names: Iterable[str], found: Found) -> None:
        def error() -> DataError:
            near = _close(name, [other for other in names if other not in self._known])
            return DataError(
                "SERVE-ABSENT-COLUMN",
                "a column that the model needs is not there",
                where=_where(row, name),
                got=near[0][:LONG] if near else None,
                allowed=[name],
                hint="a cell whose value is not known may be null",
            )

        found.add(self.section.absent, row, error)

    def _near(self, place: int, cell: str) -> str | None:
        known = self._fields[place].categories[:MANY]
        folded = {word.casefold(): word for word in reversed(known)}
        close = _close(cell.casefold(), folded)
        return folded[close[0]] if close else None


def _close(name: str, others: Iterable[str]) -> list[str]:
    few = [other[:LONG] for other in others][:MANY]
    return difflib.get_close_matches(name[:LONG], few, n=1)


def _ranges(fields: Sequence[Field]) -> list[tuple[int, float, float]]:
    """Return place, low and high of each number and date; a date's are microseconds."""
    scale = {"number": 1.0, "datetime": 1e6}
    return [
        (place, field.low * scale[field.type], field.high * scale[field.type])
        for place, field in enumerate(fields)
        if field.type in scale and field.low is not None and field.high is not None
    ]


def _words(fields: Sequence[Field]) -> list[tuple[int, frozenset[str | None]]]:
    """Return place and known values of each category of which all values are listed."""
    return [
        (place, frozenset([*field.categories, None]))
        for place, field in enumerate(fields)
        if field.type == "category" and field.categories and not field.more
    ]


def _where(row: int | None, name: str) -> str:
    return name if row is None else f"row {row + 1}, {name}"


def _shown(field: Field, value: Any, unit: float = 1.0) -> Any:
    """Return a number as it is, and a date, in parts of a second of `unit`, as text."""
    if field.type != "datetime":
        return value
    try:
        moment = datetime.fromtimestamp(value / unit, UTC)
    except (OverflowError, OSError, ValueError):
        return str(value)
    return moment.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
