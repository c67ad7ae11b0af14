"""What the servers of a model promise: answers that do not fail, and that are quick.

Errors are read off the counters of `/metrics` of each server that answers with the model, latency
off the prediction log. What is promised of latency is the sealed gate on `latency_p99`, if any.
"""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from assay.lifecycle.serving.live import Spell
from assay.records.spec import GateSpec, WatchSection
from assay.records.watch import Objective
from assay.watch.performance.objectives import Budgeting

ERRORS, LATENCY = "errors", "latency"
EVERY = 5.0
"""Seconds between two looks at the servers."""
PATIENCE = 1.0
"""Seconds that a server may take to show its counters."""
QUICK = 0.99
"""The share of answers that a gate on the 99th percentile wants to be quick."""

_LINE = re.compile(r"^assay_requests_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Service:
    """Counts good and bad answers; `kept` is plain data that `saved` returned, {} at first."""

    def __init__(self, model: str, section: WatchSection, kept: Mapping[str, Any]) -> None:
        self._model, self._period = model, section.objective
        self._seen: dict[str, list[int]] = dict(kept.get("seen", {}))
        self._errors = _restored(kept.get(ERRORS), ERRORS, 1 - section.errors, self._period)
        self._latency = _restored(kept.get(LATENCY), LATENCY, QUICK, self._period)
        self._looked = -np.inf

    def saved(self) -> dict[str, Any]:
        """Return plain data from which another process goes on."""
        return {
            "seen": self._seen,
            ERRORS: self._errors.saved(),
            LATENCY: self._latency.saved(),
        }

    def take(self, rows: pl.DataFrame, gates: Iterable[GateSpec]) -> None:
        """Count the latency of the requests of live rows of the log, where a gate limits it."""
        limit = _limit(gates)
        if limit is None or rows.is_empty():
            return
        asked = rows.filter((pl.col("row") == 0) & ~pl.col("shadow"))
        if asked.height:
            times = asked["at"].cast(pl.Int64).to_numpy() / 1e6
            self._latency.add(times, asked["micros"].to_numpy() <= limit * 1e3)

    def look(self, spells: Callable[[], Iterable[Spell]]) -> bool:
        """Count what the servers answered since the last look; True where it was time for one.

        A server that does not answer, or asks for TLS of its own, is passed over.
        """
        if time.monotonic() - self._looked < EVERY:
            return False
        self._looked = time.monotonic()
        seen = {}
        for spell in spells():
            if spell.until:
                continue
            found = _counters(spell.url, self._model)
            before = self._seen.get(spell.server, [0, 0])
            if found is None:
                seen[spell.server] = before
                continue
            new = [
                now - then if now >= then else now for now, then in zip(found, before, strict=True)
            ]
            seen[spell.server] = found
            if sum(new):
                self._errors.add(time.time(), new[0], sum(new))
        self._seen = seen
        return True

    def objectives(self) -> tuple[Objective, ...]:
        """Return how each promise stands of which anything is known."""
        return tuple(b.objective() for b in (self._errors, self._latency) if b.buckets)


def _restored(kept: Any, name: str, target: float, period: float) -> Budgeting:
    made = Budgeting(name, target, period)
    if kept:
        before = Budgeting.restored(kept)
        made.buckets, made.latest = before.buckets, before.latest
    return made


def _limit(gates: Iterable[GateSpec]) -> float | None:
    """Return the milliseconds that a sealed gate allows the 99th percentile of an answer."""
    limits = [g.at_most for g in gates if g.metric == "latency_p99" and g.at_most is not None]
    return min(limits, default=None)


def _counters(url: str, model: str) -> list[int] | None:
    """Return the requests that a server answered, and those that failed or were refused."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE) as page:  # noqa: S310
            text = page.read().decode()
    except (OSError, ValueError, urllib.error.URLError):
        return None
    found = [0, 0]
    for inner, value in _LINE.findall(text):
        labels = dict(_LABEL.findall(inner))
        if labels.get("model") == model:
            found[labels["status"] != "answered"] += int(float(value))
    return found
