"""Tables of rows: read, answered and written on one thread beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.serve.answering.admission import Queue
from assay.serve.answering.answers import document, wanted
from assay.serve.answering.body import JSON, Given, count_of, read_json, read_table, unreadable
from assay.serve.answering.check import Found
from assay.serve.http.message import Request, Response
from assay.serve.lane import Lane
from assay.serve.problems import Rejected

PATIENCE = 1.0
"""Seconds of work that may wait for the thread."""
LEAST = 1e-8
"""Seconds that a byte counts for at least: however quick they are, 100 MB may wait."""


@dataclass(frozen=True)
class Table:
    """An answered table: its typed rows, what was answered, and the response that says so."""

    frame: pl.DataFrame
    answer: Predictions
    codes: NDArray[np.int64]
    found: Found
    response: Response


Result = Table | BaseException
"""A table, or why there is none."""


class Tables:
    """Answers tables in the order in which they come."""

    def __init__(self) -> None:
        self._queue = Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tables")

    def start(
        self,
        request: Request,
        lane: Lane,
        kind: bytes,
        given: Given | None,
        done: Callable[[Result], None],
    ) -> bool:
        """Answer on the thread, then call `done` on the loop's; False where too much waits.

        `given` is what the body says where it has been read.
        """
        size = max(1, len(request.body))
        expected = max(LEAST, lane.byte_cost.value) * size
        if not self._queue.admits(expected, PATIENCE):
            return False
        loop = asyncio.get_running_loop()

        def work() -> None:
            began = perf_counter()
            result = attempted(request, lane, kind, given)
            loop.call_soon_threadsafe(finish, result, perf_counter() - began)

        def finish(result: Result, seconds: float) -> None:
            self._queue.done(expected)
            lane.byte_cost.learn(seconds / size)
            done(result)

        self._thread.submit(work)
        return True


def attempted(request: Request, lane: Lane, kind: bytes, given: Given | None) -> Result:
    """Answer a table; what goes wrong is returned, too, a panic of polars included."""
    try:
        return _answered(request, lane, kind, given)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 (a panic is no Exception)
        return error


def check_count(lane: Lane, rows: int) -> None:
    """Raise Rejected (413) for more rows than the file allows."""
    if rows > lane.section.rows:
        raise Rejected(
            "SERVE-TOO-MANY-ROWS",
            "these are more rows than one request may have",
            got=rows,
            allowed=[f"at most {lane.section.rows}"],
            hint="send them in several requests, or set serve.rows in the project file",
        ).at(413)


def read(request: Request, kind: bytes) -> Given:
    """Return what a body says; raises Rejected (400) where it cannot be read."""
    return read_json(request.body) if kind == JSON else read_table(request.body, kind)


def typed(lane: Lane, given: Given, found: Found) -> pl.DataFrame:
    """Return rows or a table as the model takes them, checked; raises AssayError for a misfit."""
    columns = lane.check.columns(given, found)
    try:
        frame = lane.servable.table(columns)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise unreadable("table", error) from error
    lane.check.table(frame, found)
    found.settle()
    return frame


def _answered(request: Request, lane: Lane, kind: bytes, given: Given | None) -> Table:
    if given is None:
        given = lane.whole.read(request.body) if kind == JSON else None
    if given is None:
        given = read(request, kind)
    check_count(lane, count_of(given))
    found = Found()
    frame = typed(lane, given, found)
    answer = lane.servable.ask(frame)
    codes = lane.answers.codes(answer)
    response = _response(request, lane, answer, codes, found)
    return Table(frame, answer, codes, found, response)


def _response(
    request: Request, lane: Lane, answer: Predictions, codes: NDArray[np.int64], found: Found
) -> Response:
    kind = wanted(request.headers.get(b"accept"))
    if kind == JSON:
        said = lane.answers.written(answer.values.tolist(), codes.tolist())
        return Response(200, document(lane.reference, request.id, said, found.listed()))
    headers = (
        (b"x-assay-model", lane.reference.encode()),
        (b"x-assay-warnings", str(found.count).encode()),
    )
    return Response(200, lane.answers.table(answer, kind), kind, headers)
