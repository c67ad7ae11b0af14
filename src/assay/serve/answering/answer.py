"""POST /predict: rows in, answers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any

from assay.errors import DataError
from assay.serve.answering.admission import SPARE, Turn, busy, overloaded
from assay.serve.answering.answers import wanted
from assay.serve.answering.aside import Pair, Pairs
from assay.serve.answering.batch import Batcher, Entry
from assay.serve.answering.body import JSON, Given, Rows, kind_of, read_json
from assay.serve.answering.cache import key_of
from assay.serve.answering.check import Found
from assay.serve.answering.tables import Result, Tables, check_count
from assay.serve.answering.tell import Teller
from assay.serve.http.message import Reply, Request
from assay.serve.lane import Lane
from assay.serve.models import Live, unit_of
from assay.serve.problems import Rejected
from assay.serve.route import Endpoint, Target
from assay.serve.state import State

FEW = 64
"""Rows that are typed and answered one by one; more are a table."""
LARGE = 64_000
"""Bytes of a JSON body that are not even read on the thread of the event loop."""


def endpoints(predict: Predict) -> Iterable[Endpoint]:
    """Return the paths that answer rows."""
    for path in ("/predict", "/models/{model}/predict"):
        yield Endpoint("POST", path, "predict", predict)


class Predict:
    """Answers a few rows at the end of the turn they came in, and tables on another thread."""

    def __init__(self, state: State) -> None:
        self._state, self._teller = state, Teller(state)
        self._batcher = Batcher(self._teller.rows, self._teller.failed, state.tally.batch)
        self._turn = Turn(self._batcher.flush)
        self._tables, self._pairs = Tables(), Pairs()

    def __call__(self, request: Request, reply: Reply, target: Target) -> None:
        """Answer a request; raises AssayError for one that is refused."""
        live = self._state.models.live(target.model)
        kind = kind_of(request)
        if kind != JSON or len(request.body) > LARGE:
            self._table(request, reply, live, target, kind, None)
            return
        if live.fallback is None and self._turn.full(live.arms[0].limit):
            self._state.tally.refused(live.arms[0].slot)
            reply(busy(live.arms[0].reference))
            return
        given = read_json(request.body)
        said = wanted(request.headers.get(b"accept"))
        if not isinstance(given, list) or not 0 < len(given) <= FEW or said != JSON:
            self._table(request, reply, live, target, kind, given)
            return
        lane, found = self._pick(request, live, target, given), Found()
        check_count(lane, len(given))
        if not self._turn.admits(lane.cost.value * len(given), lane.limit):
            lane, found = self._fallback(live, lane, len(given), pinned=bool(target.version))
        pair = self._pairs.of(live, lane) if live.new and not target.version else None
        self._few(request, reply, lane, given, found, pair)
        if live.shadows and target.version is None:
            self._shadow(request, live, given, pair)
        elif pair is not None:
            self._aside(request, pair, given[0])

    def _few(
        self,
        request: Request,
        reply: Reply,
        lane: Lane,
        rows: Rows,
        found: Found,
        pair: Pair | None,
    ) -> None:
        """Put typed and checked rows off to the end of the turn, or answer from the cache."""
        typed = []
        read, check = lane.servable.read, lane.check
        for place, row in enumerate(rows):
            cells = read(row)
            if cells is None and (whole := check.filled(row, place, found)):
                row, cells = whole, read(whole)
            if cells is None:  # a table says why, or reads it all the same
                if not self._later(request, reply, lane, JSON, rows, request.arrived):
                    raise self._shed(lane)
                return
            if not check.clean(row, cells):
                check.row(row, cells, place, found)
            typed.append(cells)
        found.settle()
        entry = Entry(request, reply, lane, typed, request.arrived, found, pair=pair)
        if lane.cache is not None and len(typed) == 1:
            entry.key = key_of(typed[0])
            kept = lane.cache.get(entry.key, perf_counter())
            self._state.tally.cache(kept is not None)
            if kept is not None:
                self._teller.again(entry, *kept)
                return
        self._batcher.add(entry)

    def _aside(self, request: Request, pair: Pair, row: Mapping[str, Any]) -> None:
        """Let live answer a row of the new version, too, while there is time for it."""
        lane = pair.live
        if self._turn.spares(lane.cost.value, lane.limit):
            cells = lane.servable.read(row)
            if cells is not None:
                entry = Entry(request, None, lane, [cells], 0.0, Found(), pair=pair, aside=True)
                self._batcher.add(entry)

    def _shadow(self, request: Request, live: Live, rows: Rows, pair: Pair | None) -> None:
        """Let versions that nobody hears answer the same rows, while there is time for it."""
        for lane in live.shadows:
            if not self._turn.spares(lane.cost.value * len(rows), lane.limit):
                return
            began = perf_counter()
            typed = [cells for row in rows if (cells := lane.servable.read(row)) is not None]
            if len(typed) == len(rows):
                self._batcher.add(Entry(request, None, lane, typed, began, Found(), pair=pair))
            else:  # what live refuses, or fills, is no fault of this version
                self._later(request, None, lane, JSON, rows, began)

    def _table(
        self,
        request: Request,
        reply: Reply,
        live: Live,
        target: Target,
        kind: bytes,
        given: Given | None,
    ) -> None:
        lane = self._pick(request, live, target, given)
        shadows = live.shadows if target.version is None else ()
        if not self._later(request, reply, lane, kind, given, request.arrived):
            raise self._shed(lane)
        for shadow in shadows:
            self._later(request, None, shadow, kind, given, perf_counter())

    def _later(
        self,
        request: Request,
        reply: Reply | None,
        lane: Lane,
        kind: bytes,
        given: Given | None,
        began: float,
    ) -> bool:
        """Answer as a table on the other thread; False where too much waits for it."""

        def done(result: Result) -> None:
            self._teller.table(request, reply, lane, result, began)

        return self._tables.start(request, lane, kind, given, done)

    def _pick(self, request: Request, live: Live, target: Target, given: Given | None) -> Lane:
        """Return the version that answers; a request is one unit, that of its first row."""
        if target.version is not None:
            return self._state.models.pick(target.model, target.version)
        if len(live.arms) == 1:
            return live.arms[0]
        return live.arm_of(unit_of(request, live.deployment.sticky, given))

    def _fallback(self, live: Live, lane: Lane, rows: int, *, pinned: bool) -> tuple[Lane, Found]:
        """Return the simpler model that answers now, with a warning; raises Rejected (503)."""
        other = None if pinned else live.fallback
        if other is None or not self._turn.admits(other.cost.value * rows, lane.limit * SPARE):
            raise self._shed(lane)
        found = Found()
        warning = DataError(
            "SERVE-FALLBACK",
            f"{other.reference} answered, for {lane.reference} has too much to do",
            where=lane.reference,
            got=other.reference,
        )
        found.add("warn", None, lambda: warning)
        return other, found

    def _shed(self, lane: Lane) -> Rejected:
        self._state.tally.refused(lane.slot)
        return overloaded(lane.reference)
