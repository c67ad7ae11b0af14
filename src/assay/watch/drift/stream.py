"""Detectors of a change in a long stream of numbers, in memory that hardly grows with it.

`watch` follows the losses of labelled rows and the mean score of windows with them; a detector's
state is plain data, so a process that ends goes on as if it had not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log, sqrt
from sys import float_info

_EVERY = 32
"""ADWIN looks for a cut each so many values."""
_SAME = 5
"""Buckets of one size before two become one of twice the size; also the least width of a part."""
_GRACE = 10


@dataclass
class Adwin:
    """Adaptive windowing: drops old values as soon as their mean is not that of newer ones.

    Buckets of 2^i values hold sum and sum of squared deviations, at most six of each size, so n
    values take O(log n) memory (Bifet & Gavaldà 2007, SIAM Data Mining, figure 2 and section 3.2,
    with the variance bound). `delta` is the chance of a false cut at one look as the bound has it;
    what it comes to is measured in docs/why/drift.md. Made for values of about 0 to 1.
    """

    delta: float = 0.002
    seen: int = 0
    width: int = 0
    total: float = 0.0
    squares: float = 0.0
    """Of the values in the window: how many, their sum and sum of squared deviations."""
    buckets: list[list[tuple[float, float]]] = field(default_factory=lambda: [[]])
    """By size, each from old to new: sum and sum of squared deviations."""

    @property
    def mean(self) -> float:
        """Return the mean of the values that are still in the window."""
        return self.total / self.width if self.width else 0.0

    def update(self, value: float) -> bool:
        """Take one more value; say whether older ones were dropped because the mean changed."""
        self.seen += 1
        self.width += 1
        if self.width > 1:
            rest = self.width - 1
            self.squares += rest * (value - self.total / rest) ** 2 / self.width
        self.total += value
        self.buckets[0].append((value, 0.0))
        self._compress()
        if self.seen % _EVERY or self.width <= _GRACE:
            return False
        cut = False
        while self._differs():
            self._drop()
            cut = True
        return cut

    def _compress(self) -> None:
        """Put the two oldest buckets of a size together where there are too many of it."""
        for level, row in enumerate(self.buckets):
            if len(row) <= _SAME:
                return
            size = 1 << level
            (one, apart), (other, spread) = row[:2]
            between = (one - other) ** 2 / (2.0 * size)
            del row[:2]
            if level + 1 == len(self.buckets):
                self.buckets.append([])
            self.buckets[level + 1].append((one + other, apart + spread + between))

    def _differs(self) -> bool:
        """Say whether some cut of the window leaves two parts whose means differ too much."""
        n, old = 0, 0.0
        limit = log(2.0 * log(self.width) / self.delta)
        variance = self.squares / self.width
        for level in range(len(self.buckets) - 1, -1, -1):
            for total, _ in self.buckets[level]:
                n += 1 << level
                old += total
                new = self.width - n
                if new < _SAME:
                    return False
                if n >= _SAME and self._apart(n, old, new) > _bound(n, new, variance, limit):
                    return True
        return False

    def _apart(self, n: int, old: float, new: int) -> float:
        return abs(old / n - (self.total - old) / new)

    def _drop(self) -> None:
        """Forget the oldest bucket."""
        n = 1 << (len(self.buckets) - 1)
        total, squares = self.buckets[-1].pop(0)
        if not self.buckets[-1]:
            self.buckets.pop()
        self.width -= n
        self.total -= total
        gap = total / n - self.total / self.width
        self.squares -= squares + n * self.width * gap**2 / (n + self.width)


def _bound(n: int, new: int, variance: float, limit: float) -> float:
    share = 1.0 / (n - _SAME + 1) + 1.0 / (new - _SAME + 1)
    return sqrt(2.0 * share * variance * limit) + 2.0 / 3.0 * share * limit


@dataclass
class PageHinkley:
    """The Page-Hinkley test: how far the sum of deviations from the mean has left its extreme.

    Alarms when it is more than `threshold` above its least (the mean rose) or below its greatest
    (it fell), and begins anew then (Page 1954, Biometrika 41; Hinkley 1971, Biometrika 58).
    `delta` is a change that is borne, `keep` what is left of old deviations at each step.
    """

    delta: float = 0.005
    threshold: float = 50.0
    keep: float = 1.0 - 0.0001
    grace: int = 30
    seen: int = 0
    mean: float = 0.0
    rise: float = 0.0
    fall: float = 0.0
    least: float = float_info.max
    most: float = -1.0

    def update(self, value: float) -> bool:
        """Take one more value; say whether the mean changed."""
        self.seen += 1
        self.mean += (value - self.mean) / self.seen
        away = value - self.mean
        self.rise = self.keep * self.rise + away - self.delta
        self.fall = self.keep * self.fall + away + self.delta
        self.least, self.most = min(self.least, self.rise), max(self.most, self.fall)
        if self.seen < self.grace:
            return False
        changed = max(self.rise - self.least, self.most - self.fall) > self.threshold
        if changed:
            self.seen, self.mean, self.rise, self.fall = 0, 0.0, 0.0, 0.0
            self.least, self.most = float_info.max, -1.0
        return changed
