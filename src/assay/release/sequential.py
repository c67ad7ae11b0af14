"""Intervals that hold at every look at once, so that a release may be watched as it goes.

All three compare the new version with the live one in blocks: what both answered between two looks.
Within a block both meet the same hour and the same load, so a rate that changes over the day, or a
share of traffic that grows from step to step, cannot pass for a difference between versions.
Counts may be arrays whose leading axes are releases apart from each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

_EFFECTS = np.array([0.003, 0.01, 0.03, 0.1, 0.3, 0.9])
"""The differences that `Shares` bets on, a part of its stake each."""

_RARE = 0.01
"""The share that `Shares` expects of what it has not seen."""

_HALVINGS = 16
_EDGE = 1e-9


@dataclass(frozen=True)
class Interval:
    """A difference, new minus live; each end is wrong at any look with at most the test's alpha."""

    value: Array
    low: Array
    high: Array


class Shares:
    """The difference of two shares, such as of requests that failed: a test by betting.

    For each difference d on a grid and each side, a bet that the new version's share is beyond the
    live one's by more than d. Its wealth multiplies over blocks by the e-value of two binomial
    samples for the null "at most d" (Turner & Grünwald 2023, Statistics & Probability Letters 198;
    ours follows from E ≤ exp(n g (d' - d)), so blocks may differ in share and rate). By
    Ville's inequality it ever reaches 1/alpha with at most alpha where the null holds.
    """

    def __init__(self, alpha: float, limits: tuple[float, ...] = (0.0,)) -> None:
        steps = np.geomspace(0.0005, 0.95, 48)
        self.alpha = alpha
        within = [limit for limit in limits if limit < 1]  # a difference of 1 is never exceeded
        self.grid = np.unique(np.concatenate([-steps, steps, within]))
        self.wealth: Array = np.zeros(())
        """The logarithm, by release, side (above, below), difference and effect."""
        self.counts: Array = np.zeros(4)
        """Live's hits and requests, the new version's hits and requests, by release."""
        self.known: Array = np.array([_RARE, 1.0])
        """Live's hits and requests that bets may use, with what is expected of the unseen."""

    def expect(self, hits: ArrayLike, of: ArrayLike) -> None:
        """Take what live did before; it is no evidence, and makes the bets better."""
        self.known = self.known + np.stack([np.asarray(hits, float), np.asarray(of, float)], -1)

    def add(self, live: ArrayLike, new: ArrayLike) -> None:
        """Take a block: hits and requests of each version, (..., 2); each has a request or more."""
        old, now = np.asarray(live, float), np.asarray(new, float)
        self.wealth = self.wealth + _bets(self.known, old, now, self.grid)
        self.counts = self.counts + np.concatenate(np.broadcast_arrays(old, now), -1)
        self.known = self.known + old

    def saved(self) -> list[Any]:
        """Return plain data from which `restore` goes on."""
        return [part.round(6).tolist() for part in (self.wealth, self.counts, self.known)]

    def restore(self, kept: list[Any]) -> None:
        """Take up what `saved` returned."""
        self.wealth, self.counts, self.known = (np.array(part) for part in kept)

    def interval(self) -> Interval:
        """Return the difference of the shares so far, and its interval."""
        hits, of, new_hits, new_of = np.moveaxis(self.counts, -1, 0)
        with np.errstate(invalid="ignore"):
            value = new_hits / new_of - hits / of
        if not self.wealth.ndim:
            return Interval(value, np.array(-1.0), np.array(1.0))
        mixed = np.logaddexp.reduce(self.wealth, axis=-1) - np.log(len(_EFFECTS))
        beyond = mixed >= -np.log(self.alpha)
        ends = np.concatenate([[-1.0], self.grid, [1.0]])
        above = np.logical_and.accumulate(beyond[..., 0, :], axis=-1).sum(-1)
        below = np.logical_and.accumulate(beyond[..., 1, ::-1], axis=-1).sum(-1)
        return Interval(value, ends[above], ends[len(self.grid) + 1 - below])


def _bets(known: Array, live: Array, new: Array, grid: Array) -> Array:
    """Return the logarithm of what each bet multiplies by in a block: (..., 2, grid, effects)."""
    base = (known[..., 0] / known[..., 1])[..., None, None, None]
    hits, of, new_hits, new_of = (
        part[..., None, None, None]
        for part in (*np.moveaxis(live, -1, 0), *np.moveaxis(new, -1, 0))
    )
    d = grid[:, None]
    lowest, highest = np.maximum(0, -d) + _EDGE, np.minimum(1, 1 - d) - _EDGE
    base = np.clip(base, lowest, highest)
    sides = np.array([1.0, -1.0])[:, None, None]
    guess = np.clip(base + d + sides * _EFFECTS, _EDGE, 1 - _EDGE)
    null = _nearest(base, guess, of, new_of, d, lowest, highest)
    new_null = null + d
    bet = (guess - new_null) / (new_null * (1 - new_null))
    bet = np.where(sides * (guess - base - d) > 0, bet, 0.0)  # nothing to bet on where clipped
    counter = -bet * new_of / of
    room = np.maximum(np.maximum(null * counter, -(1 - null) * counter), 0.98) / 0.98
    bet, counter = bet / room, counter / room
    grown: Array = (
        hits * np.log1p((1 - null) * counter)
        + (of - hits) * np.log1p(-null * counter)
        + new_hits * np.log1p((1 - new_null) * bet)
        + (new_of - new_hits) * np.log1p(-new_null * bet)
    )
    return grown


def _nearest(
    base: Array, guess: Array, of: Array, new_of: Array, d: Array, lowest: Array, highest: Array
) -> Array:
    """Return live's share at the point of the null nearest to the guess, by relative entropy."""
    low, high = np.broadcast_arrays(lowest, highest + 0 * guess + 0 * of)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        other = middle + d
        slope = of * (base - middle) / (middle * (1 - middle)) + new_of * (guess - other) / (
            other * (1 - other)
        )
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    nearest: Array = (low + high) / 2
    return nearest


class Shift:
    """How far the answers have moved: the total variation distance of two distributions.

    The distance is the largest difference over all sets of answers. For each set, the weighted sum
    of its differences by block is sub-Gaussian, and Robbins' normal mixture (Howard, Ramdas et al.
    2021, Annals of Statistics 49) bounds it at all looks; a union over sets bounds
    the distance from both sides. `groups` kinds of answers make 2^(groups - 1) - 1 pairs of sets.
    """

    def __init__(self, alpha: float, groups: int, best: float = 500.0) -> None:
        pairs = 2 ** (groups - 1) - 1
        self._cost = 2 * np.log(pairs / alpha)
        self._tuned = best / 4 / (self._cost + np.log1p(self._cost))
        self.moved: Array = np.zeros(groups)
        self.weight: Array = np.zeros(())

    def add(self, live: ArrayLike, new: ArrayLike) -> None:
        """Take a block: the answers of each kind, (..., groups), both with an answer or more."""
        old, now = np.asarray(live, float), np.asarray(new, float)
        of, new_of = old.sum(-1), now.sum(-1)
        weight = of * new_of / (of + new_of)
        share = now / new_of[..., None] - old / of[..., None]
        self.moved = self.moved + weight[..., None] * share
        self.weight = self.weight + weight

    def saved(self) -> list[Any]:
        """Return plain data from which `restore` goes on."""
        return [self.moved.tolist(), self.weight.tolist()]

    def restore(self, kept: list[Any]) -> None:
        """Take up what `saved` returned."""
        self.moved, self.weight = (np.array(part) for part in kept)

    def interval(self) -> Interval:
        """Return the distance so far, between 0 and 1, and its interval."""
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.maximum(self.moved, 0).sum(-1) / self.weight
            variance = self.weight / 4 + self._tuned
            radius = np.sqrt(variance * (np.log(variance / self._tuned) + self._cost)) / self.weight
        empty = self.weight == 0
        return Interval(
            value,
            np.where(empty, 0.0, np.clip(value - radius, 0, 1)),
            np.where(empty, 1.0, np.clip(value + radius, 0, 1)),
        )


class Means:
    """The difference of the means of any numbers, by an asymptotic confidence sequence.

    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Annals of Statistics 52, theorem 2.2, with
    the one-sided normal mixture and the variance as estimated. Silent until each side has `least`
    numbers: the theorem speaks of large samples. Call `part` when the shares of traffic change.
    """

    def __init__(self, alpha: float, best: float = 500.0, least: float = 100.0) -> None:
        cost = 2 * np.log(1 / alpha)
        self._alpha, self._least, self._tuned = alpha, least, best / (cost + np.log1p(cost))
        self.parts: list[Array] = [np.zeros((2, 3))]

    def part(self) -> None:
        """Compare what follows apart from what was before."""
        self.parts.append(np.zeros((2, 3)))

    def add(self, live: ArrayLike, new: ArrayLike) -> None:
        """Take count, sum and sum of squares of the numbers of each version, (..., 3)."""
        self.parts[-1] = self.parts[-1] + np.stack([np.asarray(live), np.asarray(new)], -2)

    def saved(self) -> list[Any]:
        """Return plain data from which `restore` goes on."""
        return [part.tolist() for part in self.parts]

    def restore(self, kept: list[Any]) -> None:
        """Take up what `saved` returned."""
        self.parts = [np.array(part) for part in kept]

    def interval(self) -> Interval:
        """Return the difference of the means so far, and its interval."""
        value, variance, size = stratified(self.parts)
        few = np.sum(self.parts, axis=0)[..., 0].min(-1) < self._least
        with np.errstate(invalid="ignore", divide="ignore"):
            grown = (size + self._tuned) / self._tuned
            wide = 2 * (1 + self._tuned / size) * np.log1p(np.sqrt(grown) / (2 * self._alpha))
            radius = np.where(few, np.inf, np.sqrt(variance * wide))
        value = np.where(size > 0, value, 0.0)
        return Interval(value, value - radius, value + radius)


def stratified(parts: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Return the difference of means, the variance of it, and the size it stands for.

    `parts` are (..., 2, 3): live and new, count, sum and sum of squares. Each part is compared
    within itself and weighs as n m / (n + m) of its two counts; that sum is the size.
    """
    count, total, squares = np.moveaxis(np.stack(parts), -1, 0)
    both = (count >= 2).all(-1, keepdims=True)
    n = np.where(both, count, 2.0)
    mean = total / n
    spread = np.maximum(squares - total * mean, 0) / (n - 1) / n
    weight = np.where(both[..., 0], n.prod(-1) / n.sum(-1), 0.0)
    size = weight.sum(0)
    share = weight / np.where(size > 0, size, 1.0)
    difference = (share * (mean[..., 1] - mean[..., 0])).sum(0)
    return difference, (share**2 * spread.sum(-1)).sum(0), size
