"""Error budgets of the service and how fast they are used up, folded from counts.

A promise is a share of good answers over a period; its error budget is what may be bad. A burn rate
is how many times faster than allowed the budget goes. An alert needs a high rate in a long window,
so that it matters, and in a short one, so that it is still going on (Beyer et al. 2018, The Site
Reliability Workbook, chapter 5, "Multiwindow, multi-burn-rate alerts").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import pdtrc

from assay.records.watch import Objective, Standing

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
FINE = 6.5 * HOUR
"""How long counts are kept by the minute; older ones are kept by the hour."""
CHANCE = 0.001
"""So many bad answers, if the promise were just kept, must be less likely than this: one failure
among ten answers burns a budget fast, and means nothing."""


@dataclass(frozen=True)
class Alert:
    """A burn rate that must not be reached in both windows, in seconds."""

    rate: float
    long: float
    short: float


ALERTS = (
    Alert(14.4, HOUR, 5 * MINUTE),
    Alert(6.0, 6 * HOUR, 30 * MINUTE),
    Alert(1.0, 3 * DAY, 6 * HOUR),
)


@dataclass
class Budgeting:
    """A fold over counts of good and all answers by time, kept by the minute and by the hour.

    `target` is the promised share over `period` seconds. `buckets` maps the start of a minute or an
    hour, and its width, to good and all answers.
    """

    name: str
    target: float
    period: float = 30 * DAY
    buckets: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    latest: float = -np.inf

    def add(self, times: ArrayLike, good: ArrayLike, total: ArrayLike = 1) -> None:
        """Take counts: `times` (n,) in seconds since 1970, `good` and `total` of each, or 1."""
        at = np.atleast_1d(np.asarray(times, dtype=np.float64))
        if not len(at):
            return
        fine = np.floor(at / MINUTE).astype(np.int64)
        starts, inverse = np.unique(fine, return_inverse=True)
        sums = [
            np.bincount(inverse, np.broadcast_to(np.asarray(each, dtype=np.float64), at.shape))
            for each in (good, total)
        ]
        for start, ok, of in zip((starts * 60).tolist(), *(s.tolist() for s in sums), strict=True):
            self._count((start, 60), round(ok), round(of))
        self.latest = max(self.latest, float(at.max()))
        self._compact()

    def _count(self, key: tuple[int, int], good: int, total: int) -> None:
        kept = self.buckets.setdefault(key, [0, 0])
        kept[0] += good
        kept[1] += total

    def _compact(self) -> None:
        """Put old minutes into their hours, and forget what is older than the period."""
        for key in [k for k in self.buckets if k[1] == 60 and k[0] < self.latest - FINE]:
            good, total = self.buckets.pop(key)
            self._count((key[0] // 3600 * 3600, 3600), good, total)
        for key in [k for k in self.buckets if k[0] + k[1] <= self.latest - self.period]:
            del self.buckets[key]

    def within(self, seconds: float, now: float) -> tuple[int, int]:
        """Return good and all answers of the last `seconds`, to the bucket."""
        inside = [
            kept
            for (start, width), kept in self.buckets.items()
            if start <= now and start + width / 2 > now - seconds
        ]
        return sum(v[0] for v in inside), sum(v[1] for v in inside)

    def objective(self, now: float | None = None) -> Objective:
        """Return how the promise stands at `now`, or when the last answer was counted.

        `left` is the share of the budget that is left, below 0 where more is gone. `burn` is that
        of the alert that is nearest to its rate. `standing` is `broken` where an alert is reached,
        or the budget is used up; `unsaid` without an answer.
        """
        at = self.latest if now is None else now
        good, total = self.within(self.period, at)
        if not total:
            return self._said(0, 0, 1.0, (0.0, 0.0), "unsaid")
        left = 1 - self._rate(good, total)
        found = [(alert, *self._burn(alert, at)) for alert in ALERTS]
        _, burn, _ = max(found, key=lambda f: min(f[1]) / f[0].rate)
        fired = any(reached for _, _, reached in found)
        spent = left < 0 and self._surely(good, total)
        return self._said(good, total, left, burn, "broken" if fired or spent else "kept")

    def _said(
        self, good: int, total: int, left: float, burn: tuple[float, float], standing: Standing
    ) -> Objective:
        return Objective(
            name=self.name, target=self.target, good=good, total=total, days=self.period / DAY,
            left=left, burn=burn, standing=standing,
        )  # fmt: skip

    def _rate(self, good: int, total: int) -> float:
        """Return how many times faster than allowed answers were bad."""
        return (total - good) / (total * self._allowed) if total else 0.0

    @property
    def _allowed(self) -> float:
        return max(1 - self.target, 1e-12)

    def _surely(self, good: int, total: int) -> bool:
        """Return True where so many bad answers are no chance (a Poisson number at most)."""
        bad = total - good
        return bad > 0 and float(pdtrc(bad - 1, total * self._allowed)) < CHANCE

    def _burn(self, alert: Alert, now: float) -> tuple[tuple[float, float], bool]:
        """Return the burn rates of an alert's windows, and whether it is reached."""
        long, short = self.within(alert.long, now), self.within(alert.short, now)
        burn = (self._rate(*long), self._rate(*short))
        return burn, min(burn) >= alert.rate and self._surely(*long)

    def saved(self) -> dict[str, Any]:
        """Return plain data from which `restored` goes on."""
        lines = [[*key, *kept] for key, kept in sorted(self.buckets.items())]
        return {"name": self.name, "target": self.target, "period": self.period,
                "latest": self.latest if self.buckets else None, "buckets": lines}  # fmt: skip

    @classmethod
    def restored(cls, kept: dict[str, Any]) -> Budgeting:
        """Take up what `saved` returned."""
        buckets = {(start, width): [good, total] for start, width, good, total in kept["buckets"]}
        latest = -np.inf if kept["latest"] is None else kept["latest"]
        return cls(kept["name"], kept["target"], kept["period"], buckets, latest)
