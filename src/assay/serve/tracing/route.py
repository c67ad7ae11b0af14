"""A route that hands on a span of each request that is traced.

Source: W3C, "Trace Context", section 3.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import random
from time import perf_counter, time_ns
from typing import Protocol

from assay.serve.http.message import Reply, Request, Response, Route

PARENT = b"traceparent"

_SHAPE = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True)
class Tracing:
    """Where spans go, and the share of the requests that have one if their caller does not say."""

    url: str
    share: float = 0.01


@dataclass(frozen=True, slots=True)
class Parent:
    """The caller's span, and whether the caller wants what follows to be traced."""

    trace: str
    span: str
    sampled: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A request and its answer; `began` and `ended` are nanoseconds since 1970."""

    request: Request
    response: Response
    parent: Parent | None
    began: int
    ended: int


class Spans(Protocol):
    """Takes spans on the thread of the event loop, and returns at once."""

    def add(self, span: Span) -> None:
        """Take a span."""
        ...


def parent_of(header: bytes | None) -> Parent | None:
    """Read a `traceparent`; None for one that is missing or wrong, which starts a new trace."""
    found = _SHAPE.fullmatch(header.strip()) if header else None
    if found is None or found[1] == b"ff" or (found[1] == b"00" and found[5]):
        return None
    if not found[2].strip(b"0") or not found[3].strip(b"0"):
        return None
    return Parent(found[2].decode(), found[3].decode(), bool(int(found[4], 16) & 1))


class Traced:
    """A `Route` that answers as another one does, and hands on a span of what is sampled."""

    def __init__(self, route: Route, spans: Spans, share: float) -> None:
        self._route, self._spans, self._share = route, spans, share

    def __call__(self, request: Request, reply: Reply) -> None:
        """Answer a request; a caller that has a trace decides whether this is a part of it."""
        header = request.headers.get(PARENT)
        parent = parent_of(header) if header is not None else None
        if not (random() < self._share if parent is None else parent.sampled):  # noqa: S311
            self._route(request, reply)
            return
        began = time_ns() - int((perf_counter() - request.arrived) * 1e9)

        def traced(response: Response) -> None:
            reply(response)
            self._spans.add(Span(request, response, parent, began, time_ns()))

        self._route(request, traced)
