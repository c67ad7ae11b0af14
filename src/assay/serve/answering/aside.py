"""A second opinion: while a release is on, the other version answers some rows too, for nobody.

Where classes are about as frequent as each other, a version that mixes them up has the same
distribution of answers as a sound one. Asked for the same row, they differ.
"""

from __future__ import annotations

from typing import Any

from assay.serve.lane import Lane
from assay.serve.models import Live

SAMPLE = 0.05
"""About this share of all requests is answered twice, while a release is on."""


class Pair:
    """One row as two versions answer it; whether they differ counts for the new one."""

    __slots__ = ("_first", "live", "new")

    def __init__(self, live: Lane, new: Lane) -> None:
        self.live, self.new = live, new
        self._first: tuple[Lane, int, Any] | None = None

    def take(self, lane: Lane, code: int, value: Any) -> bool | None:
        """Take one version's answer, a class code or bin and what it stands for.

        With the second one return whether they differ: in their class, or by a number that is
        outside the interval of live's. None before that.
        """
        if self._first is None or self._first[0] is lane:
            self._first = (lane, code, value)
            return None
        _, other_code, other = self._first
        if lane is self.live:
            code, value, other_code, other = other_code, other, code, value
        if self.live.answers.classes:
            return self.new.answers.labels[code] != self.live.answers.labels[other_code]
        low, high = self.live.servable.signature.interval or (0.0, 0.0)
        if low < high:
            return not other + low <= value <= other + high
        return abs(code - other_code) > 1


class Pairs:
    """Says which requests get a second opinion: evenly, at most `SAMPLE` of all."""

    def __init__(self) -> None:
        self._due = 0.0

    def of(self, live: Live, lane: Lane) -> Pair | None:
        """Return the pair for a request that `lane` answers; None for most."""
        new = live.new
        if new is None:
            return None
        heard = live.arms[0] if live.shadows else new
        if lane is not heard:
            return None
        share = 1.0 if live.shadows else live.deployment.arms[-1].share
        self._due += min(1.0, SAMPLE / share)
        if self._due < 1.0:
            return None
        self._due -= 1.0
        return Pair(live.versions[live.deployment.arms[0].version], new)
