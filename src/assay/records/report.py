"""What the test rows said: estimates with intervals, comparisons, slices, curves and parity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from assay.records.base import Record


class Estimate(Record, frozen=True, kw_only=True, tag="estimate@1"):
    """A number with its 95 % interval, the rows it rests on, and the method of the interval."""

    value: float
    low: float
    high: float
    n: int
    method: str = ""


class Comparison(Record, frozen=True, kw_only=True, tag="comparison@1"):
    """Champion against baseline, or against the model that was live, on the same test rows.

    `difference` is champion minus the other, turned so that more is better. `p_adjusted` allows
    for the comparisons made beside it (Holm).
    """

    metric: str
    champion: str
    baseline: str
    difference: Estimate
    p_value: float
    p_adjusted: float | None = None
    against: Literal["baseline", "champion"] = "baseline"


class SliceResult(Record, frozen=True, kw_only=True, tag="slice@1"):
    """The metrics of one value of one column."""

    column: str
    value: str
    rows: int
    metrics: dict[str, Estimate]
    note: str = ""


class Curve(Record, frozen=True, kw_only=True, tag="curve@1"):
    """Data of one plot: named series of equal length, and what the axes mean.

    `kind` is one of roc, precision_recall, calibration, confusion, residuals, importance,
    learning, predicted_actual, score_histogram; `data` holds plain lists.
    """

    kind: str
    title: str
    data: dict[str, Any]
    note: str = ""


class Parity(Record, frozen=True, kw_only=True, tag="parity@1"):
    """Exported against trained model, over test rows and over rows made to be nasty.

    `portable` is the same for the plain model file, as a program without Assay asks it, over
    some of these rows; None where a family has no such file.
    """

    rows: int
    nasty_rows: int
    max_abs_diff: float
    label_flips: int
    tolerance: float
    worst: str = ""
    portable: Parity | None = None

    @property
    def holds(self) -> bool:
        """Return True when no label flipped and no number is off by more than the tolerance."""
        return self.label_flips == 0 and self.max_abs_diff <= self.tolerance


class Scores(Record, frozen=True, kw_only=True, tag="scores@1"):
    """A model's name and its metrics on the test rows."""

    name: str
    metrics: dict[str, Estimate]


class Table(Record, frozen=True, kw_only=True, tag="table@1"):
    """Lines under headings, both in the order in which they are read; cells are plain values."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def lines(self) -> tuple[dict[str, Any], ...]:
        """Return each line as a mapping from heading to cell, without its empty cells."""
        pairs = (zip(self.columns, row, strict=True) for row in self.rows)
        return tuple({name: cell for name, cell in row if cell is not None} for row in pairs)


def tabled(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Table, ...]:
    """Return tables from lines by title; a table without lines is left out."""
    return tuple(
        Table(
            title=title,
            columns=(columns := tuple(dict.fromkeys(name for line in lines for name in line))),
            rows=tuple(tuple(line.get(name) for name in columns) for line in lines),
        )
        for title, lines in found.items()
        if lines
    )


class Examination(Record, frozen=True, kw_only=True, tag="examination@1"):
    """One look at the champion: what was asked, the numbers, and what they mean.

    `reading` and `advice` are for people who know no statistics. A gate can ask for `numbers` by
    name.
    """

    name: str
    title: str
    reading: str
    concern: Literal["none", "look", "serious"] = "none"
    advice: str = ""
    numbers: dict[str, Estimate] = {}
    tables: tuple[Table, ...] = ()
    curves: tuple[Curve, ...] = ()

    @property
    def by_title(self) -> dict[str, tuple[dict[str, Any], ...]]:
        """Return the lines of each table by its title."""
        return {table.title: table.lines for table in self.tables}


class Report(Record, frozen=True, kw_only=True, tag="report@1"):
    """Everything that the one reading of the test rows gave.

    `test` names the test rows: the digest of their places and answers. `latency_ms` has the
    milliseconds of a one-row prediction of the exported model: `p50`, `p99`. `package_bytes` is
    the size of the model's own files, without cards and manifest. `unasked` says why the model that
    is live could not be compared, "" where it was or none is. `looks` counts how
    often these test rows have been looked at, by another model or under another seal, this time
    included. `answers` is the digest of what the champion answered for these rows
    (`lifecycle/answered.py`): who wants to know more of it need not ask again.
    """

    seal: str
    test: str
    rows: int
    champion: Scores
    baseline: Scores
    comparison: Comparison
    slices: tuple[SliceResult, ...]
    curves: tuple[Curve, ...]
    parity: Parity
    latency_ms: dict[str, Estimate]
    package_bytes: int
    comparisons: tuple[Comparison, ...] = ()
    examinations: tuple[Examination, ...] = ()
    looks: int = 1
    unasked: str = ""
    answers: str = ""

    def blobs(self) -> tuple[str, ...]:
        """Return the answers."""
        return (self.answers,) if self.answers else ()
