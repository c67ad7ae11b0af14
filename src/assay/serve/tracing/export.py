"""Spans sent to an OpenTelemetry collector: OTLP over HTTP in JSON.

Sources: opentelemetry.io, "OTLP Specification", "JSON Protobuf Encoding", and "Semantic Conventions
for HTTP Spans".
"""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections import deque
from collections.abc import Iterable
from random import getrandbits
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from assay.serve.http.message import Response
from assay.serve.say import say
from assay.serve.tracing.route import Span

PATH = "/v1/traces"
HEADERS, SERVICE = "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME"
"""Variables that every exporter of OpenTelemetry knows."""

PERIOD = 2.0
"""Seconds between two sendings."""
TIMEOUT = 5.0
MOST = 2_048
"""Spans that wait at most; more are dropped, and their number is told."""
READ = 16_384
"""Bytes of an answer that are looked at for what answered."""

_SERVER, _ERROR = 2, 2
"""SPAN_KIND_SERVER and STATUS_CODE_ERROR."""


_UNKNOWN = (401, 403, 404, 405)
"""Answers to requests whose path nobody looked at, or where nothing is."""


class _Told(msgspec.Struct):
    """What of an answer a span says."""

    model: str
    predictions: list[msgspec.Raw]


_told = msgspec.json.Decoder(_Told)


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirect: the headers may hold a key, which is for the collector alone."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


class Exporter:
    """Sends the spans of one worker, a few seconds later, on a thread of its own."""

    def __init__(self, url: str, worker: int) -> None:
        self._url = url.rstrip("/").removesuffix(PATH) + PATH
        self._resource = {
            "service.name": os.environ.get(SERVICE) or "assay",
            "service.instance.id": f"{os.getpid()}-{worker}",
        }
        self._spans: deque[Span] = deque()
        self._dropped, self._said = 0, ""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def add(self, span: Span) -> None:
        """Take a span; where too many wait it is dropped."""
        if len(self._spans) < MOST:
            self._spans.append(span)
        else:
            self._dropped += 1

    def close(self) -> None:
        """Send what waits, for as long as one sending may take."""
        self._end.set()
        self._thread.join(TIMEOUT)

    def _run(self) -> None:
        while not self._end.wait(PERIOD):
            self._send()
        self._send()

    def _send(self) -> None:
        spans = [self._spans.popleft() for _ in range(len(self._spans))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            say(f"{dropped:,} spans were dropped: more than {MOST:,} waited")
        if not spans:
            return
        body = json.dumps(document(spans, self._resource)).encode()
        headers = {"Content-Type": "application/json", **_headers()}
        try:
            request = Request(self._url, body, headers)  # noqa: S310 (cli/serve.py looked)
            with build_opener(_NoRedirect).open(request, timeout=TIMEOUT):
                problem = ""
        except HTTPError as error:
            error.close()
            problem = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = str(getattr(error, "reason", "")) or type(error).__name__
        if problem and problem != self._said:  # those spans are lost; answers are not
            say(f"traces cannot be sent: {problem}")
        self._said = problem


def document(spans: Iterable[Span], resource: dict[str, str]) -> dict[str, Any]:
    """Return spans as the JSON form of an `ExportTraceServiceRequest`."""
    scope = {"scope": {"name": "assay.serve"}, "spans": [_span(span) for span in spans]}
    return {"resourceSpans": [{"resource": _attributes(resource), "scopeSpans": [scope]}]}


def _span(span: Span) -> dict[str, Any]:
    request, response, parent = span.request, span.response, span.parent
    about: dict[str, str | int] = {
        "http.request.method": request.method,
        "url.path": request.path,
        "http.response.status_code": response.status,
        "assay.request": request.id,
    }
    found: dict[str, Any] = {
        "traceId": parent.trace if parent else f"{getrandbits(128):032x}",
        "spanId": f"{getrandbits(64):016x}",
        "name": _name(span),
        "kind": _SERVER,
        "startTimeUnixNano": str(span.began),
        "endTimeUnixNano": str(span.ended),
        **_attributes(about | _answered(response)),
    }
    if parent is not None:
        found["parentSpanId"] = parent.span
    if response.status >= 500:
        found["status"] = {"code": _ERROR}
    return found


def _name(span: Span) -> str:
    """Return method and path; the method alone for a path that may be anything: names are few."""
    method, path = span.request.method, span.request.path
    return method if span.response.status in _UNKNOWN else f"{method} {unquote(path)}"


def _answered(response: Response) -> dict[str, str | int]:
    """Return what answered, and how many rows; nothing where the answer does not say it shortly."""
    if response.status != 200 or len(response.body) > READ:
        return {}
    try:
        told = _told.decode(response.body)
    except msgspec.DecodeError:
        return {}
    model, _, version = told.model.partition("@")
    found: dict[str, str | int] = {"assay.model": model, "assay.rows": len(told.predictions)}
    return found | ({"assay.version": int(version)} if version.isdecimal() else {})


def _attributes(values: dict[str, Any]) -> dict[str, Any]:
    """Return attributes in OTLP's JSON, where a 64-bit integer is text."""
    return {
        "attributes": [
            {
                "key": key,
                "value": {"intValue": str(v)} if isinstance(v, int) else {"stringValue": v},
            }
            for key, v in values.items()
        ]
    }


def _headers() -> dict[str, str]:
    """Return the headers that the environment asks for, such as a key of the collector."""
    pairs = (part.partition("=") for part in os.environ.get(HEADERS, "").split(",") if part)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}
