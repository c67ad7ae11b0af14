"""A/B tests: how large they must be, and what they have shown at their end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import UsageError
from assay.records.spec import ReleaseSection
from assay.release.evidence import AB_GUARDS, AB_LOOKS, Difference, compared
from assay.release.sequential import Interval, Means, stratified

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MISMATCH = 0.001
"""Below this p-value the arms did not get the shares that were planned, and a test is void."""


_NORMAL = NormalDist()


def _reach(alpha: float) -> float:
    """Return the standard errors that an interval with `alpha` for both sides reaches."""
    return -_NORMAL.inv_cdf(alpha / 2)


def end_alpha(section: ReleaseSection) -> float:
    """Return the alpha of the comparison at the planned end, both sides together."""
    return section.alpha * (1 - AB_GUARDS - AB_LOOKS)


@dataclass(frozen=True)
class Size:
    """The planned size of an A/B test: numbers fed for the new version and for live."""

    new: int
    live: int
    effect: float
    power: float
    alpha: float

    @property
    def total(self) -> int:
        """Return both together."""
        return self.new + self.live


def size_for_means(
    deviation: float, effect: float, share: float, alpha: float, power: float = 0.8
) -> Size:
    """Return the size at which a difference of `effect` between two means is found with `power`.

    Two-sided, normal approximation; `share` of the numbers are the new version's. Raises UsageError
    for an effect of 0.
    """
    return _size(deviation**2, deviation**2, effect, share, alpha, power)


def size_for_rates(
    rate: float, effect: float, share: float, alpha: float, power: float = 0.8
) -> Size:
    """Return the size at which a share moving from `rate` by `effect` is found with `power`.

    Two-sided, each version with its own variance. Raises UsageError where a share would leave
    [0, 1] or nothing moves.
    """
    new = rate + effect
    if not (0 <= rate <= 1 and 0 <= new <= 1):
        raise UsageError(
            "RELEASE-PLAN",
            "a rate and what it becomes are shares between 0 and 1",
            got=f"{rate:g} and {new:g}",
            allowed=["0 to 1"],
            hint="for a number that is no rate, give --deviation",
        )
    return _size(rate * (1 - rate), new * (1 - new), effect, share, alpha, power)


def _size(live: float, new: float, effect: float, share: float, alpha: float, power: float) -> Size:
    if effect == 0:
        raise UsageError(
            "RELEASE-PLAN",
            "no test is large enough to find a difference of nothing",
            got=effect,
            hint="give the smallest difference that matters: --effect 0.01",
        )
    z = _reach(alpha) + _NORMAL.inv_cdf(power)
    total = z**2 * (live / (1 - share) + new / share) / effect**2
    return Size(
        new=math.ceil(total * share),
        live=math.ceil(total * (1 - share)),
        effect=effect,
        power=power,
        alpha=alpha,
    )


def smallest(found: Effect, alpha: float, power: float = 0.8) -> float:
    """Return the difference that a test with these counts and variances finds with `power`."""
    return (_reach(alpha) + _NORMAL.inv_cdf(power)) * found.error


def planned_end(section: ReleaseSection, parts: Sequence[Array]) -> Difference:
    """Compare the metric once, at the planned size: worse by how much, with a normal interval."""
    value, variance, _ = stratified(parts)
    wide = _reach(end_alpha(section)) * np.sqrt(variance)
    return compared(section, parts, Interval(value, value - wide, value + wide))


@dataclass(frozen=True)
class Mismatch:
    """Whether the versions got the shares that were planned: counts, and a chi-square test."""

    live: int
    new: int
    planned: float
    observed: float
    p: float

    @property
    def found(self) -> bool:
        """Whether the test is void."""
        return self.p < MISMATCH


def mismatch(parts: Sequence[tuple[int, int, float]]) -> Mismatch:
    """Test for a sample-ratio mismatch over parts: units of live, of new, and new's planned share.

    Fabijan et al. 2019, KDD: an arm that lost units of its own kind cannot be compared.
    """
    live, new = sum(p[0] for p in parts), sum(p[1] for p in parts)
    expected = sum((p[0] + p[1]) * p[2] for p in parts)
    variance = sum((p[0] + p[1]) * p[2] * (1 - p[2]) for p in parts)
    distance = (new - expected) ** 2 / variance if variance else 0.0
    total = max(live + new, 1)
    return Mismatch(live, new, expected / total, new / total, math.erfc(math.sqrt(distance / 2)))


@dataclass(frozen=True)
class Effect:
    """New minus live of the metric, with a fixed-horizon and an always-valid interval.

    With a covariate known before exposure, `theta` is CUPED's coefficient and `reduction` the part
    of the variance that it took away.
    """

    live: float
    new: float
    n_live: int
    n_new: int
    value: float
    error: float
    fixed: tuple[float, float]
    always: tuple[float, float]
    p: float
    theta: float | None = None
    reduction: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        ends = [v if math.isfinite(v) else None for v in self.always]
        return {**vars(self), "always": ends}


def effect(parts: Sequence[Array], alpha: float, best: float) -> Effect:
    """Return the effect from sums by part: (2, 3), live and new; count, sum, sum of squares.

    Both intervals have `alpha` for their two sides together; `best` is the planned size.
    """
    value, variance, _ = stratified(parts)
    error = float(np.sqrt(variance))
    always = Means(alpha / 2, best)
    always.parts = list(parts)
    found = always.interval()
    total = np.sum(parts, axis=0)
    with np.errstate(invalid="ignore"):
        live, new = (float(mean) for mean in total[:, 1] / total[:, 0])
    wide = _reach(alpha) * error
    return Effect(
        live=live,
        new=new,
        n_live=round(total[0, 0]),
        n_new=round(total[1, 0]),
        value=float(value),
        error=error,
        fixed=(float(value) - wide, float(value) + wide),
        always=(float(found.low), float(found.high)),
        p=math.erfc(abs(float(value)) / error / math.sqrt(2)) if error > 0 else 1.0,
    )


def cuped(
    outcome: Array, covariate: Array, is_new: NDArray[np.bool_], alpha: float, best: float
) -> Effect:
    """Return the effect on an outcome after what a covariate explains is taken away.

    Deng, Xu, Kohavi & Walker 2013, WSDM, section 3: y - theta (x - mean x), theta = cov / var over
    both versions. The covariate must be known before the version could change it. All are (n,).
    """
    centred = covariate - covariate.mean()
    variance = float(centred @ centred)
    theta = float(centred @ (outcome - outcome.mean())) / variance if variance > 0 else 0.0
    rest = outcome - theta * centred
    found = effect([sums(rest, is_new)], alpha, best)
    plain = float(stratified([sums(outcome, is_new)])[1])
    less = 1 - found.error**2 / plain if plain > 0 else 0.0
    return replace(found, theta=theta, reduction=less)


def sums(values: Array, is_new: NDArray[np.bool_]) -> Array:
    """Return count, sum and sum of squares of live's numbers and of the new version's, (2, 3)."""
    sides = (values[~is_new], values[is_new])
    return np.array([(len(side), side.sum(), side @ side) for side in sides], dtype=float)
