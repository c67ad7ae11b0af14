"""Values of the project file: how a duration, a size, a label or a secret is read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

SCALES: Mapping[str, Mapping[str, Decimal]] = {
    "s": {
        "ms": Decimal("0.001"),
        "s": Decimal(1),
        "m": Decimal(60),
        "min": Decimal(60),
        "h": Decimal(3600),
        "d": Decimal(86_400),
        "w": Decimal(604_800),
    },
    "ms": {"us": Decimal("0.001"), "ms": Decimal(1), "s": Decimal(1000), "m": Decimal(60_000)},
    "bytes": {
        "B": Decimal(1),
        "KB": Decimal(10**3),
        "MB": Decimal(10**6),
        "GB": Decimal(10**9),
        "KiB": Decimal(2**10),
        "MiB": Decimal(2**20),
        "GiB": Decimal(2**30),
    },
}
"""Unit → suffix → factor; "MB" is 10⁶ bytes (SI), "MiB" is 2²⁰ (IEC 80000-13)."""

EXAMPLES: Mapping[str, str] = {"s": '"60s", "2m" or "1h"', "ms": '"10ms"', "bytes": '"5MB"'}

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)")
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s]*@")
_NAMED_PASSWORD = re.compile(r"(?i)(password\s*=\s*)('[^']*'|[^\s&'\"]+)")


def quantity(value: Any, unit: str) -> float | None:
    """Return `value` in `unit`, or None when it is neither a finite number nor a known quantity.

    A number counts as `unit` already; text has a suffix of `SCALES[unit]`, such as "10ms".
    """
    if isinstance(value, str):
        found = _QUANTITY.fullmatch(value.strip())
        suffixes = {name.lower(): factor for name, factor in SCALES.get(unit, {}).items()}
        if found is None or found[2].lower() not in suffixes:
            return None
        value = Decimal(found[1]) * suffixes[found[2].lower()]
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def label(value: str | float) -> str:
    """Return a class label as text, as `kernel.family.class_labels` writes it: 1.0 is "1"."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def holds_secret(value: Any) -> bool:
    """Return True for text with a password in a URL."""
    return isinstance(value, str) and _URL_PASSWORD.search(value) is not None


def connects_with_secret(value: Any) -> bool:
    """Return True for a connection with a password in it, in a URL or as `password=`."""
    return isinstance(value, str) and redact(value) != value


def redact(text: str) -> str:
    """Return `text` with the passwords of URLs and of `password=` blacked out."""
    return _NAMED_PASSWORD.sub(r"\1***", _URL_PASSWORD.sub(r"\1***@", text))


@dataclass(frozen=True)
class Duration:
    """A time span above 0: a number of seconds, or text with a unit."""

    def accepts(self, value: Any) -> bool:
        """Return True for a finite time span above 0."""
        seconds = quantity(value, "s")
        return seconds is not None and seconds > 0

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say both forms."""
        return ("a number of seconds above 0", f"text such as {EXAMPLES['s']}")

    def bad_values(self) -> tuple[Any, ...]:
        """Return spans of no length, below 0, without end, and of unknown unit."""
        return (0, -1, "-5s", "60 parsecs", "soon", "", True, float("nan"), float("inf"), [60])


@dataclass(frozen=True)
class Size:
    """An amount of memory above 0: text with a unit."""

    def accepts(self, value: Any) -> bool:
        """Return True for text such as 4GB."""
        size = quantity(value, "bytes") if isinstance(value, str) else None
        return size is not None and size > 0

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say the form."""
        return ('text such as "4GB" or "512MiB"',)

    def bad_values(self) -> tuple[Any, ...]:
        """Return sizes of nothing, below 0, and of no or an unknown unit."""
        return ("0GB", "-4GB", "4", 4, "4 parsecs", "much", "", True, [4])


@dataclass(frozen=True)
class Threshold:
    """A bound for a metric: a number, or text with a unit that the metric's unit must know."""

    def accepts(self, value: Any) -> bool:
        """Return True for a finite number, a duration or a size."""
        return any(quantity(value, unit) is not None for unit in ("ms", "bytes"))

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say the three forms."""
        return ("a number", f"a duration such as {EXAMPLES['ms']}", f"a size {EXAMPLES['bytes']}")

    def bad_values(self) -> tuple[Any, ...]:
        """Return numbers in quotes, without end, and of unknown unit."""
        return ("0.8", "80 %", "ten ms", "", True, float("nan"), float("inf"), [0.8])


@dataclass(frozen=True)
class Label:
    """A value of a column as the file may write it: text, a number or a boolean."""

    empty: bool = False

    def accepts(self, value: Any) -> bool:
        """Return True for text, a finite number or a boolean."""
        if isinstance(value, str):
            return self.empty or value != ""
        if isinstance(value, float):
            return math.isfinite(value)
        return isinstance(value, int) and -(2**63) <= value < 2**63  # as TOML defines them

    @property
    def allowed(self) -> tuple[str, ...]:
        """Say the forms."""
        return ("text", "a number", "true", "false")

    def bad_values(self) -> tuple[Any, ...]:
        """Return a list, a table, and a number that no column holds."""
        return ([1], {"a": 1}, float("nan")) + (() if self.empty else ("",))
