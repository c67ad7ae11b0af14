"""The data as it was read: typed columns, what cleaning changed, and a digest of the content."""

from __future__ import annotations

import re
from typing import Literal

from assay.records.base import Record

ColumnType = Literal["number", "category", "boolean", "datetime", "text", "id"]
_ID_WORD = re.compile(r"(^|[_\W])(id|uuid|guid|key)$|^(index|rownum)$", re.IGNORECASE)
_ID_CAMEL = re.compile(r"[a-z0-9](Id|ID|Key)$")


def names_an_id(name: str) -> bool:
    """Return True for a name that people give to a column that says which row it is."""
    return bool(_ID_WORD.search(name) or _ID_CAMEL.search(name))


COLUMN_TYPES: tuple[ColumnType, ...] = ("number", "category", "boolean", "datetime", "text", "id")


class Column(Record, frozen=True, kw_only=True, tag="column@1"):
    """One column: its type, how full it is, and what it holds.

    `low` and `high` are the range of a number, or of a date-time in seconds since 1970 (UTC).
    `top` holds the most frequent values of a category with their counts.
    """

    name: str
    type: ColumnType
    rows: int
    missing: int = 0
    unique: int = 0
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None
    median: float | None = None
    top: tuple[tuple[str, int], ...] = ()
    histogram: tuple[int, ...] = ()


class CleaningStep(Record, frozen=True, kw_only=True, tag="cleaning@1"):
    """One cleaning rule, where it applied, and how many cells it changed."""

    rule: str
    where: str
    cells: int
    example: str = ""


class DataSnapshot(Record, frozen=True, kw_only=True, tag="snapshot@1"):
    """A table as it stood when it was read.

    `content` is the digest of the cleaned table's values, the same whatever file format they
    came in. `table` is the digest of the stored Arrow IPC file. `raw` has the feature columns as
    they were before `features.transform`, and `raw_table` is the digest of these as a stored file;
    both are empty where there is no transform. The last `test_rows` rows came from `data.test`:
    they are the test rows.
    """

    source: str
    content: str
    table: str
    rows: int
    columns: tuple[Column, ...]
    raw: tuple[Column, ...] = ()
    cleaning: tuple[CleaningStep, ...] = ()
    dropped: tuple[str, ...] = ()
    licence: str = ""
    citation: str = ""
    test_rows: int = 0
    raw_table: str = ""

    def blobs(self) -> tuple[str, ...]:
        """Return the table, and the one before the transform."""
        return tuple(blob for blob in (self.table, self.raw_table) if blob)

    def column(self, name: str) -> Column:
        """Return the column called `name`; raises KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


class Problem(Record, frozen=True, kw_only=True, tag="problem@1"):
    """The question in the family's words: the task, the target, and what may be used to answer.

    `classes` are the target's values as text, in sorted order, empty for a number; `positive`
    is set for two classes only. `features` are the columns a model may see. `monotone` has 1 for
    a column that the answer must rise with, -1 for one it must fall with; columns of different
    groups of `interactions` may not interact.
    """

    family: str
    task: str
    target: str
    classes: tuple[str, ...] = ()
    positive: str | None = None
    features: tuple[str, ...] = ()
    primary: str
    also: tuple[str, ...] = ()
    reason: str = ""
    monotone: dict[str, int] = {}
    interactions: tuple[tuple[str, ...], ...] = ()

    @property
    def positive_code(self) -> int:
        """Return the index of the positive class in `classes`."""
        return self.classes.index(self.positive) if self.positive is not None else 0
