"""Whether a candidate is worth the rest of its folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assay.lifecycle.search.plan import Slot
from assay.lifecycle.search.trials import Bench, Floats

NOISE = 1.0
"""Standard errors behind the best by which a candidate is clearly behind."""
ADDS = 0.1
"""Standard errors by which the leaders must gain from a share of a candidate."""
SHARES = (0.2, 0.4)
LEADERS = 3
ENOUGH = 6
"""Finished candidates from which one of tuning must be better than half of them."""


@dataclass
class Judge:
    """Compares candidates on the same rows; sees nothing but finished fits."""

    bench: Bench
    spread: dict[tuple[str, str], float] = field(default_factory=dict)

    def behind(
        self, slot: Slot, mine: Floats, leaders: Mapping[str, Floats], others: Sequence[float] = ()
    ) -> str:
        """Return in words that `mine` falls behind on the slot's rows, "" when it does not.

        `leaders` are the predictions of the same rows by finished candidates, the best first.
        `others`, the scores of all that are finished, stand for a candidate of tuning.
        """
        score = self.bench.score(slot.valid, mine)
        if score is None or not leaders:
            return ""
        sign = 1.0 if self.bench.higher else -1.0
        name, best = next(iter(leaders.items()))
        against = self.bench.score(slot.valid, best)
        if against is None:
            return ""
        said = f"{score:.4g} against {against:.4g} of {name} on the same rows"
        if len(others) >= ENOUGH:
            middle = float(np.median(others))
            return said if sign * (middle - score) > 0 else ""
        noise = self._error(slot, name, best)
        if sign * (against - score) <= NOISE * noise:
            return ""
        front = np.mean(list(leaders.values()), axis=0)
        alone = self.bench.score(slot.valid, front) or 0.0
        for share in SHARES:
            mixed = self.bench.score(slot.valid, (1 - share) * front + share * mine)
            if mixed is not None and sign * (mixed - alone) > ADDS * noise:
                return ""
        return said

    def _error(self, slot: Slot, name: str, values: Floats) -> float:
        """Return the standard error of a leader's score on the slot's rows."""
        key = slot.label, name
        if key not in self.spread:
            whole = np.full((self.bench.truth.size, *values.shape[1:]), np.nan)
            whole[slot.valid] = values
            low, high = self.bench.interval(whole)
            self.spread[key] = 0.0 if low is None or high is None else (high - low) / 3.92
        return self.spread[key]
