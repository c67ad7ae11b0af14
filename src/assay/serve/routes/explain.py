"""POST /explain: why rows are answered as they are, in the form of POST /predict.

A row costs hundreds of answers, so this has a thread of its own beside the event loop, and few rows
may be asked about at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import polars as pl

from assay.kernel.family import Explanation
from assay.metrics.answers import labels
from assay.serve.answering.body import Given, count_of, kind_of
from assay.serve.answering.check import Found
from assay.serve.answering.tables import read, typed
from assay.serve.http.message import Reply, Request, Response
from assay.serve.lane import Lane
from assay.serve.models import unit_of
from assay.serve.problems import Rejected, told
from assay.serve.route import Endpoint, Target
from assay.serve.state import State

MOST_ROWS = 100
MOST_WAITING = 8
"""Requests that may wait for the thread."""


def endpoints(state: State) -> Iterable[Endpoint]:
    """Return the paths that explain answers."""
    explain = Explain(state)
    for path in ("/explain", "/models/{model}/explain"):
        yield Endpoint("POST", path, "predict", explain)


class Explain:
    """Explains in the order in which requests come."""

    def __init__(self, state: State) -> None:
        self._state, self._waiting = state, 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="explain")

    def __call__(self, request: Request, reply: Reply, target: Target) -> None:
        """Answer a request; raises AssayError for one that is refused."""
        live, kind = self._state.models.live(target.model), kind_of(request)
        if self._waiting >= MOST_WAITING:
            raise Rejected(
                "SERVE-EXPLAIN-BUSY",
                "too many explanations are waiting",
                hint="send the request again in a second",
            ).later(1)
        self._waiting += 1
        loop = asyncio.get_running_loop()

        def work() -> None:
            try:
                given = read(request, kind)
                unit = unit_of(request, live.deployment.sticky, given)
                lane = self._state.models.pick(target.model, target.version, unit)
                response = Response(200, explained(request, lane, given))
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 (a panic of polars is no Exception)
                response = told(error, request.id)
            loop.call_soon_threadsafe(finish, response)

        def finish(response: Response) -> None:
            self._waiting -= 1
            reply(response)

        self._thread.submit(work)


def explained(request: Request, lane: Lane, given: Given) -> bytes:
    """Return the explanations of a request's rows; raises AssayError where they do not fit."""
    found = Found()
    if count_of(given) > MOST_ROWS:
        raise Rejected(
            "SERVE-EXPLAIN-ROWS",
            "these are more rows than can be explained at a time",
            got=count_of(given),
            allowed=[f"at most {MOST_ROWS}"],
            hint="send them in several requests",
        ).at(413)
    frame = typed(lane, given, found)
    explanation = lane.servable.explain(frame)
    content = {
        "model": lane.reference,
        "request": request.id,
        "explanations": _listed(lane, explanation, frame),
        "method": explanation.method,
        "warnings": found.listed(),
    }
    return msgspec.json.encode(content, enc_hook=str)


def _listed(lane: Lane, explanation: Explanation, frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return each row's explanation, the columns that move its answer most first."""
    typical = explanation.reference.row(0, named=True)
    signature = lane.servable.signature
    said = dict(zip(signature.classes, labels(signature), strict=True))
    listed = []
    for place, credit in enumerate(explanation.contributions.tolist()):
        got = frame.row(place, named=True)
        # a column that Python of the project's own made is not among those that were sent
        parts = [
            {"column": name, "got": got.get(name), "typical": typical[name], "contribution": part}
            for name, part in zip(explanation.columns, credit, strict=True)
        ]
        parts.sort(key=lambda part: -abs(part["contribution"]))
        listed.append(
            {
                "of": said.get(explanation.of[place]),
                "base": float(explanation.base[place]),
                "value": float(explanation.values[place]),
                "contributions": parts,
            }
        )
    return listed
