"""A real server that sends spans to a collector."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from shop import ROWS, Shop, Start, eventually

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "alert"))

from receivers import Inbox, inbox

from assay.cli.main import main

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def spans(collector: Inbox) -> list[dict[str, Any]]:
    return [
        span
        for told in collector.told
        for resource in told["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def test_a_collector_hears_of_requests_and_a_server_without_one_answers_the_same(server: Start):
    with inbox() as collector:
        traced = server("churny", "--trace", f"http://127.0.0.1:{collector.server_address[1]}",
                        "--trace-share", "0")  # fmt: skip
        plain = server("churny")
        headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "x_request_id": "mine"}
        asked = traced.client().post("/predict", {"rows": ROWS[:2]}, **headers)
        same = plain.client().post("/predict", {"rows": ROWS[:2]}, **headers)
        assert asked.status == same.status == 200
        assert asked.body == same.body
        traced.client().predict(*ROWS[:2])
        (span,) = eventually(lambda: spans(collector))
        assert (span["traceId"], span["parentSpanId"]) == (TRACE, SPAN)
        about = {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}
        assert (about["assay.model"], about["assay.version"], about["assay.rows"]) == (
            "churny", "2", "2",
        )  # fmt: skip
        assert about["assay.request"] == "mine"
        traced.client().get("/nowhere", traceparent=f"00-{TRACE}-{SPAN}-01")
        assert traced.stop() == 0  # what waits is sent before the end
        assert {s["name"] for s in spans(collector)} == {"POST /predict", "GET"}


def test_a_collector_that_is_gone_costs_no_answer(server: Start):
    serving = server("churny", "--trace", "http://127.0.0.1:1", "--trace-share", "1")
    for _ in range(3):
        serving.client().predict(ROWS[0])
    eventually(lambda: "traces cannot be sent" in serving.said)
    assert len(serving.client().predict(ROWS[0])["predictions"]) == 1


def test_wrong_words(store: Shop, capsys: Any):
    for words, code in (
        (["--trace", "localhost:4317"], "SERVE-TRACE"),
        (["--trace", "http://localhost:4318", "--trace-share", "2"], "SERVE-NUMBER"),
    ):
        assert main(["serve", "churny", *words, "--store", str(store.store), "--json"]) == 2
        assert code in capsys.readouterr().out
