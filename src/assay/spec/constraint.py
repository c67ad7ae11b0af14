"""Constraints declared once and used three times: to check, to explain, and to make bad values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Constraint(Protocol):
    """A rule for one value."""

    def accepts(self, value: Any) -> bool:
        """Return True when the value keeps the rule."""
        ...

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say what is accepted, for the error message."""
        ...

    def bad_values(self) -> tuple[Any, ...]:
        """Return values that break the rule, for tests."""
        ...


@dataclass(frozen=True)
class Text:
    """A string; not empty unless `empty` is set; matching `pattern` when one is given."""

    empty: bool = False
    pattern: str = ""
    describe: str = "text"

    def accepts(self, value: Any) -> bool:
        """Return True for text of this form."""
        if not isinstance(value, str) or (not self.empty and not value.strip()):
            return False
        return not self.pattern or re.fullmatch(self.pattern, value) is not None

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say the form."""
        return (self.describe,)

    def bad_values(self) -> tuple[Any, ...]:
        """Return a number, a list, and text of the wrong form."""
        wrong: tuple[Any, ...] = (7, ["a"])
        return wrong + (() if self.empty else ("",)) + (("\x00 ?",) if self.pattern else ())


@dataclass(frozen=True)
class Number:
    """A number between `low` and `high`, the ends included unless `open` is set."""

    low: float = float("-inf")
    high: float = float("inf")
    open: bool = False
    whole: bool = False

    def accepts(self, value: Any) -> bool:
        """Return True for a number in the range; NaN and booleans are no numbers here."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.whole and not isinstance(value, int):
            return False
        if self.open:
            return self.low < value < self.high
        return self.low <= value <= self.high

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say the range."""
        kind = "a whole number" if self.whole else "a number"
        if self.low == float("-inf") and self.high == float("inf"):
            return (kind,)
        if self.high == float("inf"):
            return (f"{kind} {'above' if self.open else 'of at least'} {self.low:g}",)
        ends = "between (not at)" if self.open else "from"
        return (f"{kind} {ends} {self.low:g} {'and' if self.open else 'to'} {self.high:g}",)

    def bad_values(self) -> tuple[Any, ...]:
        """Return text, NaN, a boolean, and numbers outside."""
        wrong: list[Any] = ["one", float("nan"), True]
        if self.low != float("-inf"):
            wrong.append(self.low if self.open else self.low - 1)
        if self.high != float("inf"):
            wrong.append(self.high if self.open else self.high + 1)
        if self.whole:
            wrong.append(self.low + 0.5 if self.low != float("-inf") else 0.5)
        return tuple(wrong)


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    values: tuple[Any, ...]

    def accepts(self, value: Any) -> bool:
        """Return True for one of the values, of the same type."""
        return any(type(value) is type(v) and value == v for v in self.values)

    @property
    def allowed(self) -> tuple[str, ...]:
        """List the values."""
        return tuple(str(v) for v in self.values)

    def bad_values(self) -> tuple[Any, ...]:
        """Return values that are not among them."""
        return ("no such value", 7.5, ())


@dataclass(frozen=True)
class ListOf:
    """A list whose items keep `item`, with `length` items when that is given."""

    item: Constraint
    length: int | None = None

    def accepts(self, value: Any) -> bool:
        """Return True for such a list."""
        if isinstance(value, str) or not isinstance(value, Sequence):
            return False
        if self.length is not None and len(value) != self.length:
            return False
        return all(self.item.accepts(v) for v in value)

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say what the list holds."""
        count = "" if self.length is None else f"{self.length} of "
        return (f"a list of {count}{', '.join(self.item.allowed)}",)

    def bad_values(self) -> tuple[Any, ...]:
        """Return a bare value and a list with one bad item."""
        wrong: tuple[Any, ...] = (7, "text")
        return wrong + tuple([bad] for bad in self.item.bad_values())


@dataclass(frozen=True)
class MapOf:
    """A table from text to values that keep `item`."""

    item: Constraint

    def accepts(self, value: Any) -> bool:
        """Return True for such a table."""
        return isinstance(value, dict) and all(self.item.accepts(v) for v in value.values())

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say what the table holds."""
        return (f"a table of name = {', '.join(self.item.allowed)}",)

    def bad_values(self) -> tuple[Any, ...]:
        """Return a bare value and a table with one bad value."""
        return (7, *({"name": bad} for bad in self.item.bad_values()))
