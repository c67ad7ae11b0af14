"""From answered rows and feedback to columns: the tables that the log is made of.

A feature stands under `in.` and its name, so that it never meets a column of the log's own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.fitted import Signature
from assay.serve.log.mask import Masks

FEATURE = "in."
CHANCE = "probability_"
MOMENT = pl.Datetime("us", "UTC")

PREDICTED = {
    "request": pl.String(),
    "row": pl.Int32(),
    "at": MOMENT,
    "model": pl.String(),
    "version": pl.Int32(),
    "shadow": pl.Boolean(),
    "micros": pl.Int64(),
    "warned": pl.Boolean(),
}
"""Columns of every prediction, before its features (`in.NAME`) and its answer: `label` and
`probability_CLASS`, or `value`."""

FED = {
    "request": pl.String(),
    "row": pl.Int32(),
    "at": MOMENT,
    "observed": MOMENT,
    "model": pl.String(),
    "metric": pl.String(),
    "label": pl.String(),
    "value": pl.Float64(),
}
"""Columns of feedback: `at` is when it came, `observed` when the client says that it was so;
`metric` is "" for the true label or number of a row."""

_DTYPES: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "datetime": pl.Datetime("us"),
}


Numbers = Sequence[float] | NDArray[Any]
Values = Sequence[float] | NDArray[np.float64] | float
"""The probabilities of one row, or its number."""

Row = tuple[str, float, Sequence[object], Values, float, int, int, bool, bool]
"""One answered row: request, at (seconds since 1970), cells, values, micros, code (the class, -1
for a number), its place in the request, warned, shadow. A plain tuple is the quickest to make."""


class Table(NamedTuple):
    """The n answered rows of one request; `codes` is (n,), `warned` has places of rows."""

    request: str
    at: float
    frame: pl.DataFrame
    values: NDArray[np.float64]
    micros: float
    codes: NDArray[np.int64] | None
    warned: Collection[int]
    shadow: bool


class Feedback(NamedTuple):
    """What came to be known of an answered row, or a number that a request led to."""

    request: str
    row: int
    at: float
    observed: float
    metric: str
    label: str | None
    value: float | None


class PredictionForm:
    """The columns of one version's predictions."""

    def __init__(self, model: str, version: int, signature: Signature, masks: Masks) -> None:
        self.model, self.version, self.classes = model, version, signature.classes
        self.fields = [(f.name, _DTYPES.get(f.type, pl.String())) for f in signature.inputs]
        self._masks = masks
        self._labels = pl.Series("label", signature.classes, pl.String)

    def rows(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Return rows that were answered one by one as a table."""
        request, at, cells, values, micros, codes, place, warned, shadow = zip(*rows, strict=True)
        by_column = zip(*cells, strict=True)
        own = self._own(request, place, at, micros, warned, shadow)
        features = [
            self._masks.apply(column_of(name, column, dtype)).alias(FEATURE + name)
            for (name, dtype), column in zip(self.fields, by_column, strict=True)
        ]
        return pl.DataFrame([*own, *features, *self._answer(np.array(values), codes)])

    def tables(self, tables: Sequence[Table]) -> pl.DataFrame:
        """Return the rows of requests that came as tables."""
        heights = [table.frame.height for table in tables]
        starts = np.cumsum([0, *heights])
        of = np.repeat(np.arange(len(tables)), heights)  # the table of each row
        warned = np.zeros(len(of), dtype=bool)
        for table, start in zip(tables, starts, strict=False):
            warned[[start + place for place in table.warned]] = True
        own = self._own(
            pl.Series([table.request for table in tables], dtype=pl.String).gather(of),
            np.arange(len(of)) - starts[of],
            np.array([table.at for table in tables])[of],
            np.array([table.micros for table in tables])[of],
            warned,
            np.array([table.shadow for table in tables])[of],
        )
        frame = pl.concat([table.frame for table in tables])
        features = [self._masks.apply(frame[name]).alias(FEATURE + name) for name, _ in self.fields]
        values = np.concatenate([table.values for table in tables])
        codes = [table.codes for table in tables if table.codes is not None]
        return pl.DataFrame([*own, *features, *self._answer(values, np.concatenate(codes or [of]))])

    def _own(
        self,
        request: Sequence[str] | pl.Series,
        place: Numbers,
        at: Numbers,
        micros: Numbers,
        warned: Numbers,
        shadow: Numbers,
    ) -> list[pl.Series]:
        count = len(request)
        return [
            pl.Series("request", request, pl.String),
            pl.Series("row", np.array(place, dtype=np.int32)),
            moments("at", at),
            pl.Series("model", [self.model], pl.String).new_from_index(0, count),
            pl.Series("version", np.full(count, self.version, dtype=np.int32)),
            pl.Series("shadow", np.array(shadow, dtype=bool)),
            pl.Series("micros", np.array(micros, dtype=np.float64).astype(np.int64)),
            pl.Series("warned", np.array(warned, dtype=bool)),
        ]

    def _answer(self, values: NDArray[np.float64], codes: Numbers) -> list[pl.Series]:
        if not self.classes:
            return [pl.Series("value", values.reshape(-1))]
        labels = self._labels.gather(np.array(codes))
        chances = [pl.Series(CHANCE + n, values[:, i]) for i, n in enumerate(self.classes)]
        return [labels, *chances]


def feedback_table(model: str, rows: Sequence[Feedback]) -> pl.DataFrame:
    """Return feedback as a table."""
    request, place, at, observed, metric, label, value = zip(*rows, strict=True)
    return pl.DataFrame(
        [
            pl.Series("request", request, pl.String),
            pl.Series("row", place, pl.Int32),
            moments("at", at),
            moments("observed", observed),
            pl.Series("model", [model] * len(rows), pl.String),
            pl.Series("metric", metric, pl.String),
            pl.Series("label", label, pl.String),
            pl.Series("value", value, pl.Float64),
        ]
    )


def span_of(table: pl.DataFrame) -> tuple[int, int]:
    """Return the first and the last time of a table, microseconds since 1970."""
    at = table["at"].cast(pl.Int64)
    return int(at.min() or 0), int(at.max() or 0)  # type: ignore[arg-type]


def moments(name: str, seconds: Numbers) -> pl.Series:
    """Return seconds since 1970 as moments in UTC, to the microsecond."""
    micros = np.rint(np.array(seconds, dtype=np.float64) * 1e6).astype(np.int64)
    return pl.Series(name, micros).cast(MOMENT)


def column_of(name: str, cells: Sequence[object], dtype: pl.DataType) -> pl.Series:
    """Return typed cells, in the form of `kernel.family.Predictor.row`, as a column."""
    if isinstance(dtype, pl.Float64):
        numbers = np.array(cells, dtype=np.float64)
        column = pl.Series(name, numbers)
        return column.fill_nan(None) if np.isnan(numbers).any() else column
    if isinstance(dtype, pl.Datetime):
        return pl.Series(name, cells, pl.Int64).cast(dtype)
    return pl.Series(name, cells, dtype)
