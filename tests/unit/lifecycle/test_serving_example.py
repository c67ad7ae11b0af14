"""The example row of a package: typical, in range, and as a caller would send it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from assay.lifecycle.serving.example import TEXT, example_of
from assay.package.load import LoadedPackage
from assay.records.fitted import Field


class Scores:
    def __init__(self, **cells: Any) -> None:
        self.reference = pl.DataFrame({name: [cell] for name, cell in cells.items()})


def example(field: Field, **typical: Any) -> Any:
    """The cell of a model with one column, whose predictor thinks this typical."""

    class Operated:
        scores = Scores(**(typical or {"other": 1.0}))

    class Signed:
        inputs = (field,)

    package = LoadedPackage("", None, Operated(), Signed(), None)  # type: ignore[arg-type]
    return example_of(package)[field.name]


def number(low: float | None = None, high: float | None = None) -> Field:
    return Field(name="x", type="number", missing=False, low=low, high=high)


@pytest.mark.parametrize(
    ("field", "typical", "wanted"),
    [
        (number(), 29.0, 29),
        (number(0.0, 50.0), 12.3456789, 12.3457),
        (number(0.0, 12.34567), 12.34567, 12.34567),  # rounded it would be outside
        (number(0.0, 10.0), 99.0, 5),
        (number(0.0, 10.0), None, 5),
        (number(), None, 0),
        (number(-1e308, 1.5e308), None, 2.5e307),
        (number(), 1e20, 1e20),
    ],
)
def test_a_number_is_short_and_in_range(field: Field, typical: Any, wanted: Any) -> None:
    cell = example(field, x=typical)
    assert cell == wanted
    assert isinstance(cell, int) == isinstance(wanted, int)


def test_categories_are_known_ones() -> None:
    field = Field(name="x", type="category", missing=True, categories=("a", "b"))
    assert example(field, x="b") == "b"
    assert example(field, x="z") == "a"
    assert example(field, x=None) == "a"
    assert example(Field(name="x", type="category", missing=True), x="z") == "z"
    assert example(Field(name="x", type="category", missing=True), x=None) is None


def test_dates_are_text() -> None:
    field = Field(name="x", type="datetime", missing=True, low=0.0, high=4 * 86_400.0)
    assert example(field, x=datetime(2024, 5, 1)) == "2024-05-01"
    assert example(field, x=datetime(824, 5, 1, 3, 4, 5)) == "0824-05-01 03:04:05"
    assert example(field) == "1970-01-03"
    assert example(Field(name="x", type="datetime", missing=True)) is None


def test_other_types_have_something_to_show() -> None:
    assert example(Field(name="x", type="boolean", missing=True), x=None) is False
    assert example(Field(name="x", type="boolean", missing=True), x=True) is True
    assert example(Field(name="x", type="text", missing=True), x=None) == TEXT
