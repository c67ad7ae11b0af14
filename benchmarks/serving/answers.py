"""Every answer under load: is it right, was it refused, and is its row in the log."""

from __future__ import annotations

import array
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvloop
from measure import CLIENT_CORE
from peers import Rows

from assay.loadgen.open_loop import fire
from assay.serve.log.reader import read_log

CLASS = ">50K"
SAME = 1e-12
"""How far an answer may be from the truth: the last bits depend on how many rows come at once."""
UNDER_WAY = 0.05
"""Seconds that an answer of a worker that was killed may still be on its way."""
DECODE = msgspec.json.Decoder().decode


class Watch:
    """Compares each answer with the truth of the version that it names.

    `truths` maps a version to the chance of each row; requests ask for the rows in turn. `times`
    has when each answer came and from which version, `faults` when one was none.
    """

    def __init__(self, truths: Mapping[int, Sequence[float]]) -> None:
        self._truths = {version: list(truth) for version, truth in truths.items()}
        self._versions = {f"adult@{version}": version for version in truths}
        self._rows = len(next(iter(self._truths.values())))
        self.asked = self.right = self.wrong = self.refused = self.failed = self.lost = 0
        self.largest = 0.0
        self.requests = array.array("q")
        """The hash of the id of each request that was answered."""
        self.times: list[tuple[float, int]] = []
        self.faults: list[float] = []

    def __call__(self, number: int, status: int, body: bytes) -> None:
        """Take an answer, as `assay.loadgen.open_loop` hands it over."""
        now = time.perf_counter()
        if status != 200:
            self.refused += status in (429, 503)
            self.failed += status not in (429, 503)
            self.faults.append(now)
            return
        answer = DECODE(body)
        version = self._versions[answer["model"]]
        chance = answer["predictions"][0]["probabilities"][CLASS]
        apart = abs(chance - self._truths[version][number % self._rows])
        self.largest = max(self.largest, apart)
        self.right += apart <= SAME
        self.wrong += apart > SAME
        self.requests.append(hash(answer["request"]))
        self.times.append((now, version))

    def ask(self, url: str, rows: Rows, rps: float, seconds: float) -> Any:
        """Ask for the rows in turn from the client's core; returns what came of it."""
        bodies = [msgspec.json.encode({"rows": [row]}) for row in rows]
        os.sched_setaffinity(0, {CLIENT_CORE})
        job = fire(url, lambda i: bodies[i % len(bodies)], rps, seconds, on_answer=self)
        fired = uvloop.run(job)
        self.asked += fired.requests
        lost = fired.kind > 0
        self.lost += int(lost.sum())
        self.faults += (fired.started + fired.due + fired.taken)[lost].tolist()
        return fired

    def said(self) -> dict[str, float]:
        """Return the counts, and how far an answer was from the truth at most."""
        names = ("asked", "right", "wrong", "refused", "failed", "lost")
        return {name: getattr(self, name) for name in names} | {"largest_difference": self.largest}

    def missing(self, store: Path, moments: Sequence[float] = ()) -> dict[str, float]:
        """Compare with the log of a server that has ended; ids are compared by their hash.

        With the `moments` at which workers were killed, also the seconds before one that the
        earliest row was answered that is not in the log.
        """
        found = read_log(store / "log", "adult").select("request").collect()["request"].to_list()
        logged = np.array([hash(request) for request in found], dtype=np.int64)
        gone = ~np.isin(np.array(self.requests, dtype=np.int64), logged)
        counts: dict[str, float] = {
            "rows_logged": len(logged),
            "answered_not_logged": int(gone.sum()),
            "logged_twice": int(len(logged) - len(np.unique(logged))),
        }
        if moments:
            when = np.array([at for at, _ in self.times])[gone]
            kills = np.array(moments) + UNDER_WAY
            next_kill = kills[np.searchsorted(kills, when).clip(0, len(kills) - 1)]
            counts["not_logged_s_before_kill"] = round(float((next_kill - when).max(initial=0)), 3)
        return counts
