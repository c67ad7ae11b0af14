"""What the connections of one listener share: the route, the limits, and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.serve.http.head import Heads
from assay.serve.http.limits import Limits
from assay.serve.http.message import Route
from assay.serve.http.wire import date_line

if TYPE_CHECKING:
    from assay.serve.http.connection import Connection


class Shared:
    """One per listener, read and written on the thread of its event loop only.

    `total` counts connections that were opened, `refused` those turned away because of too many,
    `timed_out` those that were ended for being slow. `waiting` is the bytes that all connections
    hold of requests not whole yet. `date` is a header line, a second old at most.
    """

    def __init__(self, route: Route, limits: Limits) -> None:
        self.route = route
        self.limits = limits
        self.heads = Heads(limits)
        self.connections: set[Connection] = set()
        self.draining = False
        self.total = self.refused = self.timed_out = 0
        self.waiting = 0
        self.date = date_line()

    @property
    def full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return len(self.connections) > self.limits.connections
