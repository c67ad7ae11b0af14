"""What becomes of an answer: it is told, written into the log, and counted."""

from __future__ import annotations

from time import perf_counter, time
from typing import Any

import numpy as np

from assay.serve.answering.answers import document
from assay.serve.answering.aside import Pair
from assay.serve.answering.batch import Entry
from assay.serve.answering.tables import Result, Table
from assay.serve.http.message import Reply, Request, Response
from assay.serve.lane import Kept, Lane
from assay.serve.log.writer import PredictionLog
from assay.serve.problems import told
from assay.serve.state import State


class Teller:
    """Tells, logs and counts the answers of one worker."""

    def __init__(self, state: State) -> None:
        self._state, self._tally = state, state.tally

    def rows(self, entry: Entry, values: list[Any], cuts: list[float]) -> None:
        """Tell the answer for rows that came one by one."""
        answers = entry.lane.answers
        codes = [answers.code(value, cut) for value, cut in zip(values, cuts, strict=True)]
        if entry.pair is not None:
            self._compare(entry.pair, entry.lane, codes[0], values[0])
        if entry.aside:
            return
        kept = Kept(values, codes, answers.written(values, codes))
        if entry.key is not None and entry.lane.cache is not None:
            entry.lane.cache.put(entry.key, perf_counter(), kept)
        self._tell(entry, kept)

    def again(self, entry: Entry, age: float, kept: Kept) -> None:
        """Tell an answer that was found `age` seconds ago."""
        self._tell(entry, kept, ((b"age", str(int(age)).encode()),))

    def table(
        self, request: Request, reply: Reply | None, lane: Lane, result: Result, arrived: float
    ) -> None:
        """Tell the answer for a table, or why there is none."""
        if not isinstance(result, Table):
            response = told(result, request.id)
            if response.status >= 500:
                self._tally.failed(lane.slot)
            if reply is not None:
                reply(response)
            return
        if reply is not None:
            reply(result.response)
        seconds = perf_counter() - arrived
        if self._state.log is not None and lane.section.log:
            codes = result.codes if lane.answers.classes else None
            self._state.log.add_table(
                request.id, time(), lane.model, lane.version, result.frame, result.answer.values,
                seconds * 1e6, codes, result.found.rows, reply is None,
            )  # fmt: skip
        counts = np.bincount(result.codes).tolist()
        rows = result.frame.height
        self._tally.answered(lane.slot, rows, seconds, counts, len(result.found.rows))

    def failed(self, entry: Entry, error: Exception) -> None:
        """Tell a fault of ours."""
        if entry.aside:
            return
        self._tally.failed(entry.lane.slot)
        response = told(error, entry.request.id)
        reply, entry.reply = entry.reply, None
        if reply is not None:
            reply(response)

    def _compare(self, pair: Pair, lane: Lane, code: int, value: Any) -> None:
        differs = pair.take(lane, code, value)
        if differs is not None:
            self._tally.compared(pair.new.slot, differs=differs)

    def _tell(
        self, entry: Entry, kept: Kept, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        lane, request, found = entry.lane, entry.request, entry.found
        reply, entry.reply = entry.reply, None
        if reply is not None:
            warnings = found.listed() if found.count else ()
            body = document(lane.reference, request.id, kept.said, warnings)
            reply(Response(200, body, headers=headers))
        seconds = perf_counter() - entry.arrived
        if self._state.log is not None and lane.section.log:
            self._log(self._state.log, entry, kept, seconds, shadow=reply is None)
        codes = kept.codes
        counted = codes[0] if len(codes) == 1 else np.bincount(codes).tolist() if codes else ()
        self._tally.answered(lane.slot, len(codes), seconds, counted, len(found.rows))

    @staticmethod
    def _log(log: PredictionLog, entry: Entry, kept: Kept, seconds: float, *, shadow: bool) -> None:
        lane, warned, now = entry.lane, entry.found.rows, time()
        classes = bool(lane.answers.classes)
        for place, cells in enumerate(entry.cells):
            code = kept.codes[place] if classes else -1
            log.add(
                entry.request.id, now, lane.model, lane.version, cells, kept.values[place],
                seconds * 1e6, code, place, place in warned, shadow,
            )  # fmt: skip
