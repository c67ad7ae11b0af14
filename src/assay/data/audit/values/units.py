"""A column in two units: a second hump that lies on the first one once it is converted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from assay.data.audit.score import LARGEST, Floats

MOST_CELLS = 20_000
FEWEST = 8
LEAST_SHARE = 0.002
DENSE = 0.3
"""Share of the cells whose narrowest span is the middle of the main hump."""
CLOSE = 0.03
"""How far apart two humps may lie after conversion, besides what chance explains."""
VALLEY = 0.15
"""Density between two humps, relative to the smaller hump's, from which they are one."""


@dataclass(frozen=True)
class Unit:
    """A conversion by `factor`, or from degrees Celsius to Fahrenheit where it is 0."""

    name: str
    words: str
    factor: float


UNITS: tuple[Unit, ...] = (
    Unit("× 1,000,000", "a factor of a million, as between units and millions", 1e6),
    Unit("× 1,000", "a factor of 1,000, as between grams and kilograms", 1e3),
    Unit("× 100", "a factor of 100, as between centimetres and metres", 100.0),
    Unit("× 10", "a factor of 10, as when a decimal point slips", 10.0),
    Unit("× 3.281", "a factor of 3.281, as between metres and feet", 1 / 0.3048),
    Unit("× 2.54", "a factor of 2.54, as between inches and centimetres", 2.54),
    Unit("× 2.205", "a factor of 2.205, as between kilograms and pounds", 1 / 0.45359237),
    Unit("°F = 1.8 °C + 32", "degrees Fahrenheit and Celsius", 0.0),
)


@dataclass(frozen=True)
class Mixture:
    """The smaller hump of a column: in which unit, beyond which cut, and the middles of both."""

    unit: Unit
    above: bool
    cut: float
    typical: float
    typical_other: float

    @property
    def positive(self) -> bool:
        """Return True when only positive cells can have been converted."""
        return self.unit.factor > 0

    def convert(self, cell: float) -> float:
        """Return a cell of the smaller hump in the unit of the larger."""
        if not self.unit.factor:
            return (cell - 32) / 1.8 if self.above else 1.8 * cell + 32
        return cell / self.unit.factor if self.above else cell * self.unit.factor


def unit_mixture(values: Floats) -> Mixture | None:
    """Return the unit in which a smaller part of a column (n,) seems to be, or None.

    The part must be set off by a valley, and after conversion have the middle, the spread and the
    shape (two-sample Kolmogorov-Smirnov) of the rest.
    """
    values = np.sort(values[np.abs(values) < LARGEST])
    if not len(values):
        return None
    values = values[:: -(-len(values) // MOST_CELLS)]
    found = [fit for unit in UNITS for above in (True, False) if (fit := _fit(values, unit, above))]
    return min(found, key=lambda fit: fit[0])[1] if found else None


def _fit(values: Floats, unit: Unit, above: bool) -> tuple[float, Mixture] | None:
    """Return how far the humps are apart after conversion, and the mixture; or None."""
    scaled, low, high = values, -math.inf, math.inf
    if unit.factor:
        scaled = np.log(values[values > 0])
        if len(scaled) < 0.99 * len(values):
            return None
    else:
        low, high = (-40.0, 60.0) if above else (-40.0, 140.0)
    middle = _middle(scaled)
    if not low <= middle <= high:
        return None
    for _ in range(2):  # the second time from the main hump alone
        cut = (middle + _to_other(middle, unit, above)) / 2
        inside = scaled > cut if above else scaled < cut
        main, part = scaled[~inside], scaled[inside]
        if not max(FEWEST, LEAST_SHARE * len(scaled)) <= len(part) <= len(scaled) / 2:
            return None
        middle = float(np.median(main))
    back = _from_other(part, unit, above)
    apart = _apart(main, back)
    if apart is None or not _valley(
        scaled, part, cut, abs(_to_other(middle, unit, above) - middle)
    ):
        return None
    raw = np.exp if unit.factor else np.asarray
    typical, other, edge = (float(raw(x)) for x in (middle, np.median(part), cut))
    return apart, Mixture(unit, above, edge, typical, other)


def _to_other(x: float, unit: Unit, above: bool) -> float:
    """Convert to the smaller hump's unit; a factor acts on logarithms."""
    if unit.factor:
        return x + math.log(unit.factor) * (1 if above else -1)
    return 1.8 * x + 32 if above else (x - 32) / 1.8


def _from_other(x: Floats, unit: Unit, above: bool) -> Floats:
    if unit.factor:
        return x - math.log(unit.factor) * (1 if above else -1)
    return (x - 32) / 1.8 if above else 1.8 * x + 32


def _middle(ordered: Floats) -> float:
    """Return the median of the narrowest span that holds `DENSE` of the sorted values."""
    size = max(int(DENSE * len(ordered)), 1)
    start = int(np.argmin(ordered[size:] - ordered[:-size]))
    return float(np.median(ordered[start : start + size]))


def _apart(main: Floats, other: Floats) -> float | None:
    """Return the distance of the medians of two sorted samples in spreads, None if unlike."""
    spread, own = (float(np.subtract(*np.quantile(x, [0.75, 0.25]))) for x in (main, other))
    few = len(other) < 20
    if len(np.unique(main)) < 10 or len(np.unique(other)) < 5 or not spread or not own:
        return None
    if not (0.4 if few else 0.6) <= own / spread <= (2.5 if few else 1.67):
        return None
    apart = abs(float(np.median(main) - np.median(other))) / spread
    chance = math.sqrt(1 / len(main) + 1 / len(other))
    if apart > CLOSE + 3 * 0.93 * chance or _largest_gap(main, other) > 0.05 + 1.63 * chance:
        return None
    return apart


def _largest_gap(one: Floats, two: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of two sorted samples."""
    both = np.concatenate([one, two])
    shares = [np.searchsorted(x, both, side="right") / len(x) for x in (one, two)]
    return float(np.abs(shares[0] - shares[1]).max())


def _valley(values: Floats, part: Floats, cut: float, distance: float) -> bool:
    """Return True when hardly a cell lies around the cut, compared with the smaller hump."""
    half = 0.15 * distance
    between = np.count_nonzero(np.abs(values - cut) <= half) / (2 * half)
    spread = float(np.subtract(*np.quantile(part, [0.75, 0.25])))
    return bool(between <= VALLEY * 0.5 * len(part) / spread)
