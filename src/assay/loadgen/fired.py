"""What came of the requests of a load test: latencies from when each was due."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from assay.records.deployment import LATENCY_EDGES

Floats = NDArray[np.float64]

KINDS = ("", "refused", "closed", "garbled", "unanswered")
"""Why there was no answer: no connection, one that was lost, no HTTP, none until the end."""

LATE = 0.001
"""Seconds of 99th percentile by which the generator may be late before its numbers are doubted."""

BLOCKS = 20
"""Requests that are near in time hang together: so many stretches of time are compared."""


class Quantile(msgspec.Struct, frozen=True):
    """A quantile of latency in seconds, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fired:
    """Each of n requests, in the order they were due.

    Attributes:
        started: when the first second began, by `time.perf_counter`.
        due: (n,) seconds after `started`.
        taken: (n,) seconds from when it was due to its answer, to the loss of its connection, or
            to the end where it was never answered.
        status: (n,) HTTP status, 0 without an answer.
        kind: (n,) place in `KINDS` of why there was none.
        lag: (n,) seconds by which the generator itself was late.
        told: (n,) whether the answer had a Retry-After header.
    """

    started: float
    due: Floats
    taken: Floats
    status: NDArray[np.int16]
    kind: NDArray[np.int8]
    lag: Floats
    told: NDArray[np.bool_]

    def since(self, seconds: float) -> Fired:
        """Return the requests that were due from `seconds` on: a warm-up is left out so."""
        return self.part(self.due >= seconds)

    def part(self, chosen: NDArray[np.bool_]) -> Fired:
        """Return the requests under the (n,) mask."""
        return Fired(
            self.started,
            self.due[chosen],
            self.taken[chosen],
            self.status[chosen],
            self.kind[chosen],
            self.lag[chosen],
            self.told[chosen],
        )

    @cached_property
    def ok(self) -> NDArray[np.bool_]:
        """Return the (n,) mask of requests that were answered with a 2xx."""
        return (self.status >= 200) & (self.status < 300)

    @property
    def requests(self) -> int:
        """Return how many requests were due."""
        return len(self.due)

    @property
    def errors(self) -> int:
        """Return how many were not answered with a 2xx."""
        return int((~self.ok).sum())

    @property
    def rps(self) -> float:
        """Return the 2xx answers a second, from the first that was due to the last of them."""
        if not self.ok.any():
            return 0.0
        last = float((self.due + self.taken)[self.ok].max())
        spacing = float(self.due[-1] - self.due[0]) / max(self.requests - 1, 1)
        span = max(last, float(self.due[-1]) + spacing) - float(self.due[0])
        return float(self.ok.sum() / span) if span > 0 else 0.0

    @property
    def statuses(self) -> dict[int, int]:
        """Return how many answers had each status."""
        found, counts = np.unique(self.status[self.status > 0], return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    @property
    def kinds(self) -> dict[str, int]:
        """Return how many requests had no answer, by why."""
        found, counts = np.unique(self.kind[self.kind > 0], return_counts=True)
        return {KINDS[k]: c for k, c in zip(found.tolist(), counts.tolist(), strict=True)}

    @cached_property
    def _counted(self) -> NDArray[np.bool_]:
        """Return the (n,) mask of what has a latency.

        What was answered with a 2xx, and what never was: leaving it out would flatter. A refusal
        or a lost connection is quick and serves nobody; it is an error, not a latency.
        """
        unanswered: NDArray[np.bool_] = self.kind == KINDS.index("unanswered")
        return self.ok | unanswered

    def quantile(self, share: float) -> Quantile:
        """Return the latency that a `share` of the requests keeps; NaN when nothing has one.

        The interval is of order statistics (Hahn and Meeker 1991, section 5.2) at the size of
        an independent sample that varies as these do from one stretch of time to the next
        (Woodruff 1952, JASA 47). The smallest or largest latency stands in for an end where the
        requests are too few.
        """
        taken = self.taken[self._counted]
        if not len(taken):
            return Quantile(np.nan, np.nan, np.nan)
        ranked = np.sort(taken)
        value = float(np.quantile(ranked, share, method="inverted_cdf"))
        low, high = _ends(_independent(taken <= value, share), share)
        return Quantile(value, _at(ranked, low), _at(ranked, high))

    def counts(self) -> tuple[int, ...]:
        """Return how many latencies lie below, between and above the edges of LATENCY_EDGES."""
        places = np.searchsorted(LATENCY_EDGES, self.taken[self._counted], side="right")
        return tuple(np.bincount(places, minlength=len(LATENCY_EDGES) + 1).tolist())

    @property
    def late(self) -> float:
        """Return the 99th percentile of the generator's own lateness, in seconds."""
        return float(np.quantile(self.lag, 0.99)) if len(self.lag) else 0.0


def _independent(under: NDArray[np.bool_], share: float) -> int:
    """Return how many independent requests would tell as much about the (n,) `under`."""
    n = len(under)
    parts = [float(part.mean()) for part in np.array_split(under, BLOCKS) if len(part)]
    spread = float(np.var(parts, ddof=1)) / len(parts) if len(parts) > 1 else 0.0
    return n if spread * n <= share * (1 - share) else max(int(share * (1 - share) / spread), 1)


def _ends(n: int, share: float) -> tuple[float, float]:
    """Return the shares of n sorted numbers between which a quantile lies."""
    chance = bdtr(np.arange(n), n, share)  # that at most i numbers lie under the quantile
    low = int(np.searchsorted(chance, 0.025, side="right")) - 1
    high = int(np.searchsorted(chance, 0.975))
    return max(low, 0) / n, min((high + 1) / n, 1.0)


def _at(ranked: Floats, share: float) -> float:
    """Return the number at a share of the sorted ones."""
    return float(ranked[max(int(np.ceil(share * len(ranked))) - 1, 0)])
