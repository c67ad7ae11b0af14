"""What a release has seen so far: the new version beside the live one, guard by guard."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.records.deployment import LATENCY_EDGES, Traffic
from assay.records.spec import ReleaseSection
from assay.release.block import Block, block, nothing, restored
from assay.release.sequential import Interval, Means, Shares, Shift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ERRORS = 0.01
"""More failed requests than this, beyond live's share, must be ruled out before a promotion."""

BEYOND = 0.01
"""A 99th percentile is over a limit where more than this share of requests is."""

QUICK = 0.001
"""Seconds: a new version may always take this long, whatever live takes."""

ENOUGH = 200
"""Requests of live from which its 99th percentile and its kinds of answers are read."""

GUARDS = 4
"""Errors, latency, answers, and rows that are answered otherwise than live does."""

KINDS = 10
"""Kinds of answers that are told apart; the rarest of live count as one."""

_SURELY = 1e9
"""Rows in which live differs from itself in none: the other side of a share with one side."""

AB_GUARDS, AB_LOOKS = 0.2, 0.2
"""Parts of alpha in an A/B test: the guards, early looks at the metric; the end has the rest."""


@dataclass(frozen=True)
class Difference:
    """One guard: live, new, and new minus live with an interval that holds at every look.

    From `limit` on it is harm: the release is aborted when all of the interval is there. Before a
    promotion none of it may be above `bound`; None where nothing must be ruled out. `n` are
    requests, or numbers fed, of live and new. The metric's difference is how much worse it is.
    """

    guard: str
    live: float
    new: float
    value: float
    low: float
    high: float
    limit: float
    bound: float | None
    n_live: int
    n_new: int

    @property
    def harmful(self) -> bool:
        """Whether harm is shown."""
        return self.low >= self.limit

    @property
    def clear(self) -> bool:
        """Whether harm that would stop a promotion is ruled out."""
        return self.bound is None or self.high <= self.bound

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; what is not finite is None."""
        return {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in vars(self).items()
        }


def alphas(section: ReleaseSection) -> tuple[float, float]:
    """Return the alpha of each guard, and of each end of the metric's interval at every look.

    Together they are at most `section.alpha`: the chance that any of them is wrong at any time.
    """
    if section.strategy == "ab":
        return section.alpha * AB_GUARDS / GUARDS, section.alpha * AB_LOOKS / 2
    each = section.alpha / (GUARDS + bool(section.metric))
    return each, each


class Evidence:
    """The guards and the metric of a release, fed with what the server has counted.

    `before` is what live did since the server started. Where no request goes to live beside the
    new version (`alone`), it stands in for live: as many requests as the new one had, each once.
    """

    def __init__(self, section: ReleaseSection, before: Traffic, *, alone: bool = False) -> None:
        self._section, self._alone = section, alone
        self._each, metric = alphas(section)
        self._before = self._known = block(before, None, section.metric)
        self._left = 1.0
        self._last: tuple[Traffic, Traffic] | None = None
        self._slow: int | None = None
        self._kinds: NDArray[np.int_] | None = None
        self.errors = Shares(self._each, (0.0, ERRORS))
        self.latency = Shares(self._each, (BEYOND,))
        self.differing = Shares(self._each, (section.differ,))
        self.answers: Shift | None = None
        self.metric = Means(metric, section.minimum)
        self.requests = 0
        """Requests of the new version."""
        self.errors.expect(self._before.failed, self._before.asked)
        self._learn()

    def see(self, live: Traffic, new: Traffic) -> None:
        """Take what both counted since their server started; what was seen before counts once.

        The first call only says where to count from. Counters that have fallen are those of a
        server that has started anew, and count from 0.
        """
        if self._last is None:
            self._last = (live, new)
            return
        was, self._last = self._last, (live, new)
        old, now = (block(t, w, self._section.metric) for t, w in zip(self._last, was, strict=True))
        if self._alone:
            old = self._stand_in(now)
        elif old.asked < 1 or now.asked < 1:
            self._last = was  # a later look has both
            return
        self.requests += round(now.asked)
        if old.asked > 0 and now.asked > 0:
            self._compare(old, now)

    def part(self) -> None:
        """Say that the shares of traffic change from here on."""
        self.metric.part()

    @property
    def fed(self) -> int:
        """Return how many numbers of the metric came for the new version."""
        return round(float(np.sum(self.metric.parts, axis=0)[1, 0]))

    @property
    def used_up(self) -> bool:
        """Whether nothing is left of what stands in for live."""
        return self._alone and self._before.asked * self._left < 1

    @property
    def slow(self) -> float | None:
        """Return the seconds beyond which a request is slow, None while that is not known."""
        return None if self._slow is None else LATENCY_EDGES[self._slow]

    def differences(self) -> tuple[Difference, ...]:
        """Return what every guard shows now, those that have seen something."""
        section, found = self._section, []
        for name, test, limit in (("errors", self.errors, 0.0), ("latency", self.latency, BEYOND)):
            if test.wealth.ndim:
                found.append(_of_shares(name, test, limit, max(limit, ERRORS)))
        if self.answers is not None and self.answers.weight > 0:
            n = (round(self.errors.counts[1]), round(self.errors.counts[3]))
            moved = self.answers.interval()
            found.append(_difference("answers", (0.0, 0.0), moved, section.shift, section.shift, n))
        if self.differing.wealth.ndim:
            limit = section.differ
            shown = _of_shares("differing", self.differing, limit, limit)
            found.append(replace(shown, n_live=shown.n_new))
        if section.metric:
            found.append(compared(section, self.metric.parts, self.metric.interval()))
        return tuple(found)

    def saved(self) -> dict[str, Any]:
        """Return plain data from which `restore` goes on, in this server or in the next one."""
        return {
            "requests": self.requests,
            "before": self._before.saved(),
            "left": self._left,
            "slow": self._slow,
            "kinds": None if self._kinds is None else self._kinds.tolist(),
            "errors": self.errors.saved(),
            "latency": self.latency.saved(),
            "differing": self.differing.saved(),
            "answers": None if self.answers is None else self.answers.saved(),
            "metric": self.metric.saved(),
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take up what `saved` returned; the next `see` says where to count from."""
        self.requests, self._left, self._slow = kept["requests"], kept["left"], kept["slow"]
        if self._alone:  # this server has not seen what live did before
            self._before = self._known = restored(kept["before"])
        self.errors.restore(kept["errors"])
        self.latency.restore(kept["latency"])
        self.differing.restore(kept["differing"])
        self.metric.restore(kept["metric"])
        if kept["kinds"] is not None:
            self.answers = self._tell_apart(np.array(kept["kinds"], dtype=int))
            self.answers.restore(kept["answers"])

    def _compare(self, old: Block, now: Block) -> None:
        self.errors.add((old.failed, old.asked), (now.failed, now.asked))
        if self._slow is not None and old.answered > 0 and now.answered > 0:
            self.latency.add(*((b.over(self._slow), b.answered) for b in (old, now)))
        if self._kinds is not None and self.answers and old.answered > 0 and now.answered > 0:
            self.answers.add(old.kinds(self._kinds), now.kinds(self._kinds))
        if now.compared > 0:
            self.differing.add((0.0, _SURELY), (now.differed, now.compared))
        self.metric.add(old.fed, now.fed)
        if self._slow is None or self._kinds is None:
            self._known = self._known.plus(old)
            self._learn()  # for the blocks that follow

    def _learn(self) -> None:
        """Read off live what is slow, and which answers are told apart, once it has done enough."""
        known = self._known
        if known.answered < ENOUGH:
            return
        if self._slow is None:
            rank = np.searchsorted(known.latency.cumsum(), 0.99 * known.latency.sum())
            most = LATENCY_EDGES[min(int(rank), len(LATENCY_EDGES) - 1)]
            limit = max(self._section.latency * most, QUICK)
            self._slow = min(bisect_left(LATENCY_EDGES, limit), len(LATENCY_EDGES) - 1)
            self.latency.expect(known.over(self._slow), known.answered)
        if self._kinds is None and known.answers.any():
            common = np.argsort(-known.answers, kind="stable")
            several = min(KINDS, int((known.answers > 0).sum()))
            self.answers = self._tell_apart(common[: max(1, several - 1)])

    def _tell_apart(self, kinds: NDArray[np.int_]) -> Shift:
        self._kinds = kinds
        return Shift(self._each, len(kinds) + 1, self._section.minimum)

    def _stand_in(self, now: Block) -> Block:
        """Return as much of live's past as the new version had requests, as far as it is left."""
        if not self._before.asked:
            return nothing()
        share = min(self._left, now.asked / self._before.asked)
        self._left -= share
        return self._before.part(share)


def compared(section: ReleaseSection, parts: Sequence[Array], found: Interval) -> Difference:
    """Return the metric's difference, new minus live, as how much worse the new version is.

    Without a margin, only an A/B test asks for proof: that nothing is lost, no number can show.
    """
    total = np.sum(parts, axis=0)
    with np.errstate(invalid="ignore"):
        live, new = total[:, 1] / total[:, 0]
    if section.better == "higher":
        found = Interval(-found.value, -found.high, -found.low)
    proof = section.strategy == "ab" or section.margin > 0
    return _difference(
        section.metric or "",
        (live, new),
        found,
        section.margin,
        section.margin if proof else None,
        (round(total[0, 0]), round(total[1, 0])),
    )


def _of_shares(name: str, test: Shares, limit: float, bound: float) -> Difference:
    hits, of, new_hits, new_of = test.counts
    shares, n = (hits / of, new_hits / new_of), (round(of), round(new_of))
    return _difference(name, shares, test.interval(), limit, bound, n)


def _difference(
    guard: str,
    shares: tuple[float, float],
    found: Interval,
    limit: float,
    bound: float | None,
    n: tuple[int, int],
) -> Difference:
    return Difference(
        guard=guard,
        live=float(shares[0]),
        new=float(shares[1]),
        value=float(found.value),
        low=float(found.low),
        high=float(found.high),
        limit=limit,
        bound=bound,
        n_live=n[0],
        n_new=n[1],
    )
