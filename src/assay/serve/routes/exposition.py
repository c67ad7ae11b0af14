"""GET /metrics: what all workers counted, in Prometheus' text format 0.0.4.

Source: prometheus.io, "Exposition formats". Every number is over all workers, whichever of them is
asked, and goes on when one is replaced; only what a process measures of itself has `worker`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from assay.records.deployment import LATENCY_EDGES, Traffic
from assay.serve.http.message import Reply, Request, Response
from assay.serve.lane import Lane
from assay.serve.processes.board import Board
from assay.serve.route import Endpoint, Target
from assay.serve.state import State

TYPE = b"text/plain; version=0.0.4; charset=utf-8"
STEP = 3
"""Every third edge of a latency is told: a doubling."""

GAUGES: dict[str, tuple[str, str, str]] = {
    "connections": ("assay_connections", "gauge", "Open connections."),
    "turned_away": (
        "assay_connections_refused_total",
        "counter",
        "Connections turned away because there were too many.",
    ),
    "timed_out": (
        "assay_connections_timed_out_total",
        "counter",
        "Connections ended for being slow.",
    ),
    "invalid": (
        "assay_invalid_requests_total",
        "counter",
        "Requests refused for what they asked or sent (4xx).",
    ),
    "cache_entries": ("assay_cache_entries", "gauge", "Answers that the cache holds."),
    "log_backlog": ("assay_log_backlog_rows", "gauge", "Rows not yet written to the log."),
    "log_dropped": (
        "assay_log_dropped_rows_total",
        "counter",
        "Rows that the log has no room for.",
    ),
    "log_flushes": ("assay_log_flushes_total", "counter", "Files that the log has written."),
    "log_errors": ("assay_log_errors_total", "counter", "Files that the log could not write."),
    "starts": ("assay_worker_starts_total", "counter", "Times that a worker has started."),
    "memory": ("assay_worker_memory_bytes", "gauge", "Memory that a worker holds."),
    "cpu": ("assay_worker_cpu_seconds_total", "counter", "Processor time that a worker took."),
}
"""What workers set by name on the board: the metric, its kind, and what it is."""

Labels = dict[str, str]


class Page:
    """Lines of the format, a metric after the other."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def head(self, name: str, kind: str, told: str) -> None:
        """Begin a metric."""
        self._lines += [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]

    def add(self, name: str, value: float, **labels: str) -> None:
        """Add a number."""
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        self._lines.append(f"{name}{{{inner}}} {value!r}" if inner else f"{name} {value!r}")

    def buckets(
        self, name: str, edges: Iterable[tuple[float, int]], total: int, **own: str
    ) -> None:
        """Add a histogram's buckets: the upper edges, and how many are at most there."""
        for edge, count in edges:
            self.add(f"{name}_bucket", count, **own, le=f"{edge:.6g}")
        self.add(f"{name}_bucket", total, **own, le="+Inf")
        self.add(f"{name}_count", total, **own)

    def content(self) -> bytes:
        """Return the page."""
        return ("\n".join(self._lines) + "\n").encode()


def endpoints(state: State) -> Iterable[Endpoint]:
    """Return the path of the metrics."""

    def metrics(_request: Request, reply: Reply, _target: Target) -> None:
        reply(Response(200, exposition(state), TYPE))

    yield Endpoint("GET", "/metrics", "", metrics)


def exposition(state: State) -> bytes:
    """Return the metrics of all workers."""
    page, lanes = Page(), state.models.lanes()
    _live(page, state, lanes)
    if state.board is not None:
        traffic = state.board.traffic({lane.slot: (lane.model, lane.version) for lane in lanes})
        _counts(page, traffic)
        _latency(page, state.board, lanes, traffic)
        _answers(page, lanes, traffic)
        _batches(page, state.board)
        _gauges(page, state.board)
    return page.content()


def _live(page: Page, state: State, lanes: Sequence[Lane]) -> None:
    page.head("assay_ready", "gauge", "1 when every model answers.")
    page.add("assay_ready", int(state.ready))
    page.head("assay_model_info", "gauge", "1 for each version that is loaded.")
    for lane in lanes:
        page.add("assay_model_info", 1, **_version(lane), digest=lane.servable.digest)
    page.head("assay_arm_share", "gauge", "The share of requests that a version is to answer.")
    for live in state.models.current.values():
        for arm in live.deployment.arms:
            share = 0.0 if arm.shadow else arm.share
            labels = {"model": live.deployment.model, "version": str(arm.version)}
            page.add("assay_arm_share", share, **labels, shadow=str(arm.shadow).lower())


_COUNTS = {
    "rows": ("assay_rows_total", "Rows answered."),
    "warned": ("assay_warned_rows_total", "Rows answered with a warning."),
}
_STATUSES = {"requests": "answered", "failed": "failed", "refused": "refused"}


def _counts(page: Page, traffic: Sequence[Traffic]) -> None:
    page.head("assay_requests_total", "counter", "Requests; refused are those that were shed.")
    for one in traffic:
        for name, status in _STATUSES.items():
            page.add("assay_requests_total", getattr(one, name), **_version(one), status=status)
    for field, (name, told) in _COUNTS.items():
        page.head(name, "counter", told)
        for one in traffic:
            page.add(name, getattr(one, field), **_version(one))


def _latency(page: Page, board: Board, lanes: Sequence[Lane], traffic: Sequence[Traffic]) -> None:
    name = "assay_request_seconds"
    page.head(name, "histogram", "From the last byte of a request to its answer.")
    for lane, one in zip(lanes, traffic, strict=True):
        summed = list(_cumulated(one.latency))
        pairs = list(zip(LATENCY_EDGES, summed, strict=False))[::STEP]
        page.buckets(name, pairs, summed[-1] if summed else 0, **_version(one))
        page.add(f"{name}_sum", board.seconds(lane.slot), **_version(one))


def _answers(page: Page, lanes: Sequence[Lane], traffic: Sequence[Traffic]) -> None:
    pairs = list(zip(lanes, traffic, strict=True))
    page.head("assay_answers_total", "counter", "Rows by the class that was answered.")
    for lane, one in pairs:
        for name, count in zip(lane.servable.signature.classes, one.answers, strict=False):
            page.add("assay_answers_total", count, **_version(one), **{"class": name})
    page.head("assay_answer", "histogram", "Rows by the number that was answered.")
    for lane, one in pairs:
        if not lane.servable.signature.classes:
            summed = list(_cumulated(one.answers))
            edges = zip(lane.answers.edges, summed, strict=False)
            page.buckets("assay_answer", edges, summed[-1] if summed else 0, **_version(one))


def _batches(page: Page, board: Board) -> None:
    hits, misses = board.cache()
    page.head("assay_cache_requests_total", "counter", "Requests that the cache was asked for.")
    page.add("assay_cache_requests_total", hits, result="hit")
    page.add("assay_cache_requests_total", misses, result="miss")
    page.head("assay_batch_rows", "histogram", "Rows that came one by one, answered in one call.")
    summed = list(_cumulated(board.batches()))
    sizes = ((2.0**i - 1, count) for i, count in enumerate(summed[:-1]) if i)
    page.buckets("assay_batch_rows", sizes, summed[-1])
    page.add("assay_batch_rows_sum", board.batched())


def _gauges(page: Page, board: Board) -> None:
    found = board.gauges()
    for name, (metric, kind, told) in GAUGES.items():
        page.head(metric, kind, told)
        for worker, value in enumerate(found.get(name, [0.0] * board.workers)):
            page.add(metric, value, worker=str(worker))


def _version(one: Lane | Traffic) -> Labels:
    return {"model": one.model, "version": str(one.version)}


def _cumulated(counts: Sequence[int]) -> Iterator[int]:
    total = 0
    for count in counts:
        total += count
        yield total


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
