"""Spans of requests: which are made, what they say, and that a collector understands them."""

from __future__ import annotations

import base64
import copy
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from asking import Server, orders, post, rows_of
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

sys.path.insert(0, str(Path(__file__).parents[1] / "alert"))

from receivers import Inbox, inbox

from assay.serve.http.message import Request, Response
from assay.serve.tracing import export
from assay.serve.tracing.export import Exporter, document
from assay.serve.tracing.route import Parent, Span, Traced, parent_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()
ROWS = rows_of(orders(3))


class Kept(list[Span]):
    def add(self, span: Span) -> None:
        self.append(span)


def ask(
    share: float, headers: dict[bytes, bytes] | None = None, count: int = 1, **more: Any
) -> Kept:
    """Return the spans of requests to a real model behind the real routes."""
    server, kept = Server().serve(), Kept()
    server.app = Traced(server.app, kept, share)
    for _ in range(count):
        request = post({"rows": ROWS}, **more)
        request.headers.update(headers or {})
        (response,) = server.ask(request)
        assert response.status in (200, 404)
    return kept


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (PARENT, Parent(TRACE, SPAN, sampled=True)),
        (PARENT[:-2] + b"00", Parent(TRACE, SPAN, sampled=False)),
        (PARENT[:-2] + b"03", Parent(TRACE, SPAN, sampled=True)),
        (b" " + PARENT + b" ", Parent(TRACE, SPAN, sampled=True)),
        (b"cc-" + PARENT[3:] + b"-what-comes", Parent(TRACE, SPAN, sampled=True)),
        (PARENT + b"-more", None),
        (b"ff-" + PARENT[3:], None),
        (PARENT.upper().replace(b"00-", b"00-", 1), None),
        (b"00-" + b"0" * 32 + PARENT[35:], None),
        (PARENT[:36] + b"0" * 16 + b"-01", None),
        (PARENT[:-1], None),
        (b"", None),
        (b"\x00\xff", None),
        (None, None),
    ],
)
def test_a_parent_is_read_as_the_standard_says(header, found):
    assert parent_of(header) == found


def test_the_caller_decides_where_it_says():
    assert [s.parent for s in ask(0.0, {b"traceparent": PARENT})] == [
        Parent(TRACE, SPAN, sampled=True)
    ]
    assert ask(1.0, {b"traceparent": PARENT[:-2] + b"00"}) == []


def test_else_the_share_does():
    assert ask(0.0, count=5) == []
    assert len(ask(1.0, count=5)) == 5
    assert len(ask(1.0, {b"traceparent": b"nonsense"})) == 1


def test_a_span_says_what_was_asked_and_what_answered():
    before = time.time_ns()
    (span,) = ask(1.0, {b"traceparent": PARENT, b"x-request-id": b"mine"})
    made = document([span], {})["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    about = {a["key"]: next(iter(a["value"].values())) for a in made["attributes"]}
    assert about == {
        "http.request.method": "POST",
        "url.path": "/predict",
        "http.response.status_code": "200",
        "assay.request": "mine",
        "assay.model": "orders",
        "assay.version": "1",
        "assay.rows": "3",
    }
    assert (made["traceId"], made["parentSpanId"]) == (TRACE, SPAN)
    assert made["kind"] == 2
    assert "status" not in made
    began, ended = int(made["startTimeUnixNano"]), int(made["endTimeUnixNano"])
    assert before - 10**10 < began < ended <= time.time_ns()


def test_refusals_and_faults_are_spans_too():
    (span,) = ask(1.0, path="/nowhere")
    assert span.response.status == 404
    fault = Span(Request("POST", "/predict", "", {}, b"", 0.0), Response(500), None, 1, 2)
    made = document([fault], {})["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert made["status"] == {"code": 2}
    assert "parentSpanId" not in made


def test_names_of_spans_are_few_whatever_is_asked():
    def name(path: str, status: int) -> str:
        span = Span(Request("GET", path, "", {}, b"", 0.0), Response(status), None, 1, 2)
        return document([span], {})["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"]

    assert name("/v2/models/orders", 200) == "GET /v2/models/orders"
    assert {name(f"/{place}", status) for place, status in enumerate((401, 403, 404, 405))} == {
        "GET"
    }


def test_large_and_other_answers_are_not_looked_at():
    request = Request("POST", "/predict", "", {}, b"", 0.0)
    for body in (b"x" * 100_000, b"a,b\n1,2\n", b"{}", b"[]", b"\xff"):
        made = document([Span(request, Response(200, body), None, 1, 2)], {})
        assert "assay.model" not in json.dumps(made)


def as_protobuf(told: dict[str, Any]) -> ExportTraceServiceRequest:
    """Read OTLP's JSON as OpenTelemetry's own schema has it; its ids alone are hexadecimal."""
    told = copy.deepcopy(told)
    for resource in told["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return ParseDict(told, ExportTraceServiceRequest())


@pytest.fixture
def collector():
    with inbox() as made:
        yield made


def test_a_collector_gets_what_the_schema_of_opentelemetry_says(collector: Inbox, monkeypatch):
    monkeypatch.setattr(export, "PERIOD", 0.05)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=y")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "scores")
    exporter = Exporter(f"http://127.0.0.1:{collector.server_address[1]}/", 3)
    for span in ask(1.0, {b"traceparent": PARENT}, count=2) + ask(1.0):
        exporter.add(span)
    exporter.close()
    assert {headers["Api-Key"] for headers, _ in collector.got} == {"a b"}
    read = [as_protobuf(told) for told in collector.told]
    spans = [s for one in read for r in one.resource_spans for c in r.scope_spans for s in c.spans]
    assert [s.trace_id.hex() for s in spans[:2]] == [TRACE, TRACE]
    assert [s.parent_span_id.hex() for s in spans] == [SPAN, SPAN, ""]
    assert len({s.span_id for s in spans}) == 3
    assert all(len(s.span_id) == 8 and len(s.trace_id) == 16 for s in spans)
    about = {a.key: a.value for a in read[0].resource_spans[0].resource.attributes}
    assert about["service.name"].string_value == "scores"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://nobody.invalid"])
def test_a_collector_that_is_gone_costs_spans_and_is_told_once(url, monkeypatch, capsys):
    monkeypatch.setattr(export, "PERIOD", 0.01)
    exporter = Exporter(url, 0)
    for span in ask(1.0, count=3):
        exporter.add(span)
        time.sleep(0.1)
    exporter.close()
    assert capsys.readouterr().err.count("traces cannot be sent") == 1


def test_a_collector_that_refuses_is_told(collector: Inbox, capsys):
    collector.status = 401
    exporter = Exporter(f"http://127.0.0.1:{collector.server_address[1]}/v1/traces", 0)
    exporter.add(ask(1.0)[0])
    exporter.close()
    assert "traces cannot be sent: 401" in capsys.readouterr().err


def test_no_other_host_gets_the_headers(collector: Inbox, monkeypatch, capsys):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush")
    with inbox() as other:
        collector.status, collector.location = 302, other.url
        exporter = Exporter(f"http://127.0.0.1:{collector.server_address[1]}", 0)
        exporter.add(ask(1.0)[0])
        exporter.close()
        assert not other.got
    assert "traces cannot be sent: 302" in capsys.readouterr().err


def test_more_than_can_wait_are_dropped_and_counted(collector: Inbox, monkeypatch, capsys):
    monkeypatch.setattr(export, "MOST", 10)
    exporter = Exporter(f"http://127.0.0.1:{collector.server_address[1]}", 0)
    for span in ask(1.0) * 25:
        exporter.add(span)
    exporter.close()
    assert "15 spans were dropped" in capsys.readouterr().err
    sent = collector.told[0]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert len(sent) == 10
