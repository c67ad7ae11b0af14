"""Numbers in another unit: all rows of a column, or a part of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.watch.columns.form import ColumnProfile

Numbers = NDArray[np.float64]


class Unit(NamedTuple):
    """A value that was x at training comes as `factor * x + offset`."""

    factor: float
    offset: float
    words: str


def _times(factor: float, why: str = "") -> tuple[Unit, Unit]:
    note = f" ({why})" if why else ""
    return (
        Unit(factor, 0.0, f"multiplied by {factor:g}{note}"),
        Unit(1 / factor, 0.0, f"divided by {factor:g}{note}"),
    )


UNITS: tuple[Unit, ...] = (
    *(unit for power in (10.0, 100.0, 1e3, 1e4, 1e6, 1e9) for unit in _times(power)),
    *_times(1024.0, "bytes and KiB"),
    *_times(24.0, "days and hours"),
    *_times(60.0, "minutes and seconds"),
    *_times(3600.0, "hours and seconds"),
    *_times(7.0, "weeks and days"),
    *_times(12.0, "years and months"),
    *_times(2.54, "inches and centimetres"),
    *_times(3.28084, "metres and feet"),
    *_times(1.609344, "miles and kilometres"),
    *_times(2.204623, "kilograms and pounds"),
    *_times(4.184, "calories and joules"),
    *_times(3.785412, "gallons and litres"),
    Unit(1.8, 32.0, "like degrees Fahrenheit for Celsius"),
    Unit(1 / 1.8, -32 / 1.8, "like degrees Celsius for Fahrenheit"),
    Unit(1.0, 273.15, "like kelvins for degrees Celsius"),
    Unit(1.0, -273.15, "like degrees Celsius for kelvins"),
    Unit(-1.0, 0.0, "turned in its sign"),
)
"""What is tried, most of it in both directions."""

LEAST = 10
"""Rows in another unit below which nothing is said."""
KNOWN = 300
"""Training rows below which their density says too little to tell a unit from chance."""
BEYOND = 17.0
"""Training rows that the share of turned rows has to stand for. That so much of what is sound lies
beyond the ends of training has a chance of (1 + 17) exp(-17), which is 1e-6 (Wilks 1941)."""
CERTAIN = 30.0
"""By how much the logarithm of the likelihood has to grow."""
SURER = 10.0
"""By how much a unit has to be likelier than one that stands before it, such as 1024 than 1000."""
REPAIRED = 0.2
"""The share of the distance to the profile that may be left once the unit is put right."""
ROUNDS = 25
SOME = 2_000
"""Values that choose the unit; all of them then have to be explained by it."""
_FLOOR = 1e-4


@dataclass(frozen=True)
class Mixed:
    """A `share` of the rows that is in another unit, and which."""

    share: float
    words: str


def mixed(column: ColumnProfile, values: Numbers) -> Mixed | None:
    """Return the unit that explains how finite `values` differ from the profile, None for none.

    The window is read as a mixture of the profile's density and of the same in another unit, the
    share found by expectation maximisation; an explanation has to be far likelier than none, and
    to leave hardly any distance once the unit is put right.
    """
    known = sum(column.counts[: column.bins])
    if known < KNOWN or len(values) < LEAST or len(column.edges) < 2:
        return None
    if not _differs(column, values):
        return None
    unit = _likeliest(column, values[:: -(-len(values) // SOME)])
    usual = _density(column, values)
    mine, likelihood = _explained(column, values, usual, unit)
    if likelihood - float(np.log(usual).sum()) < CERTAIN:
        return None
    turned = mine > 0.5
    if int(turned.sum()) < max(LEAST, BEYOND * len(values) / known):
        return None
    right = np.where(turned, (values - unit.offset) / unit.factor, values)
    if distance(column, right) > REPAIRED * distance(column, values):
        return None
    return Mixed(float(mine.mean()), unit.words)


def _likeliest(column: ColumnProfile, values: Numbers) -> Unit:
    """Return the unit that explains values best, the first of those that are about as likely."""
    usual = _density(column, values)
    best, most = UNITS[0], -np.inf
    for unit in UNITS:
        _, likelihood = _explained(column, values, usual, unit)
        if likelihood > most + SURER:
            best, most = unit, likelihood
    return best


def _explained(
    column: ColumnProfile, values: Numbers, usual: Numbers, unit: Unit
) -> tuple[Numbers, float]:
    """Return the chance of each value to be in the unit, and the log of the likelihood of all."""
    other = _density(column, (values - unit.offset) / unit.factor) / abs(unit.factor)
    share = _share(usual, other)
    mine = share * other
    both = (1 - share) * usual + mine
    return mine / both, float(np.log(both).sum())


def distance(column: ColumnProfile, values: Numbers) -> float:
    """Return how far values lie from the profile: Jensen-Shannon, base 2, less what chance adds."""
    found = np.bincount(np.searchsorted(column.edges, values, "right"), minlength=column.bins)
    inside = np.array(column.counts[: column.bins], dtype=np.float64)
    p, q = inside / max(inside.sum(), 1.0), found / max(found.sum(), 1)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = sum(
            np.where(one > 0, one * np.log2(one / middle), 0.0).sum() / 2 for one in (p, q)
        )
    chance = (column.bins - 1) / (8 * np.log(2)) * (1 / max(inside.sum(), 1) + 1 / len(values))
    return float(np.sqrt(max(divergence - chance, 0.0)))


def _differs(column: ColumnProfile, values: Numbers) -> bool:
    """Return True where anything at all is to be explained."""
    low, high = column.low, column.high
    outside = 0.0
    if low is not None and high is not None:
        outside = float(((values < low) | (values > high)).mean())
    return outside * len(values) >= LEAST or distance(column, values) > 0.05


def _share(usual: Numbers, other: Numbers) -> float:
    """Return the likeliest share of values that are in the other unit."""
    share = 0.5
    for _ in range(ROUNDS):
        mine = share * other
        share = float((mine / ((1 - share) * usual + mine)).mean())
    return share


def _density(column: ColumnProfile, values: Numbers) -> Numbers:
    """Return the density that training had at values, never quite zero."""
    edges = np.array(column.edges)
    low = edges[0] if column.low is None else min(column.low, edges[0])
    high = edges[-1] if column.high is None else max(column.high, edges[-1])
    spread = max(column.std or 0.0, (high - low) / 100, 1e-300)
    ends = np.concatenate(([low], edges, [high]))
    widths = np.maximum(np.diff(ends), spread * 1e-3)
    counts = np.array(column.counts[: column.bins], dtype=np.float64)
    heights = counts / max(counts.sum(), 1.0) / widths
    found: Numbers = heights[np.searchsorted(edges, values, "right")]
    slack = spread * 1e-3  # the largest value lies on the end of the last bin
    found = np.where((values >= low - slack) & (values <= high + slack), found, 0.0)
    middle = column.mean if column.mean is not None else (low + high) / 2
    far = 1 / (np.pi * spread * (1 + ((values - middle) / spread) ** 2))
    floored: Numbers = (1 - _FLOOR) * found + _FLOOR * far
    return floored
