"""One row to show how a model is asked: typical values, as a caller sends them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from assay.package.load import LoadedPackage
from assay.records.fitted import Field

DIGITS = 6
"""Significant digits of a number that is shown."""
TEXT = "some words"

_EPOCH = datetime(1970, 1, 1)


def example_of(package: LoadedPackage) -> dict[str, Any]:
    """Return a row that a package answers without a warning, its columns those of the signature.

    The values are those of the predictor's reference where it has the column, else from the middle
    of what the signature says was seen.
    """
    typical = package.predictor.scores.reference.row(0, named=True)
    return {field.name: _cell(field, typical) for field in package.signature.inputs}


def _cell(field: Field, typical: Mapping[str, Any]) -> Any:
    value = typical.get(field.name)
    match field.type:
        case "number":
            return _number(field, value)
        case "boolean":
            return bool(value)
        case "datetime":
            return _moment(field, value)
        case "category":
            known = field.categories
            return value if value is not None and (value in known or not known) else next(
                iter(known), None
            )  # fmt: skip
        case _:
            return TEXT


def _number(field: Field, value: float | None) -> float | int:
    low, high = field.low, field.high
    if value is None or (low is not None and high is not None and not low <= value <= high):
        value = 0.0 if low is None or high is None else low / 2 + high / 2
    short = float(f"{value:.{DIGITS}g}")
    if (low is not None and short < low) or (high is not None and short > high):
        short = value
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _moment(field: Field, value: datetime | None) -> str | None:
    """Return a date-time as text in UTC, only the date where the time is midnight."""
    if value is None:
        if field.low is None or field.high is None:
            return None
        value = _EPOCH + timedelta(seconds=round(field.low / 2 + field.high / 2))
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    text = value.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
    return text.removesuffix(" 00:00:00")
