"""GET /metrics as Prometheus reads it: right, over all workers, and never falling."""

from __future__ import annotations

import os
import signal
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from shop import ROWS, Serving, Start, eventually

from assay.serve.routes.exposition import GAUGES

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

RISING = ("_total", "_bucket", "_count", "_sum")
OF_A_PROCESS = tuple(name for name, _, _ in GAUGES.values() if name != "assay_worker_starts_total")


def scrape(serving: Serving) -> Samples:
    """Every sample of the page; each metric has a kind and says what it is, and none is twice."""
    answer = serving.client().get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples: Samples = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert family.documentation
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples
            samples[key] = sample.value
    return samples


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples with this name and these labels."""
    wanted = set(labels.items())
    found = [v for (n, have), v in samples.items() if n == name and wanted <= have]
    assert found, (name, labels)
    return sum(found)


@pytest.fixture
def serving(server: Start) -> Serving:
    return server("churny", "pricy", "--workers", "2", "--set", "serve.cache=60s")


def test_what_is_asked_is_counted_once_over_all_workers(serving: Serving) -> None:
    before = scrape(serving)
    assert value(before, "assay_ready") == 1
    info = {n: dict(labels) for n, labels in before if n == "assay_model_info"}
    assert len(info["assay_model_info"]["digest"]) == 64
    assert value(before, "assay_requests_total") == 0
    answers = []
    for row in ROWS[:20]:  # a connection each: both workers get some
        answers.append(serving.client().predict(row)["predictions"][0]["label"])
    again = serving.client()
    for _ in range(3):
        again.predict(ROWS[0])
    serving.client().predict(*ROWS[:100], path="/models/pricy/predict")
    serving.client().predict({**ROWS[0], "visits": 999})
    after = scrape(serving)
    churny = {"model": "churny", "version": "2"}
    assert value(after, "assay_requests_total", status="answered", **churny) == 24
    assert value(after, "assay_requests_total", status="failed") == 0
    assert value(after, "assay_rows_total", model="pricy") == 100
    assert value(after, "assay_warned_rows_total", **churny) >= 1
    assert value(after, "assay_answers_total", **churny) == 24
    yes = value(after, "assay_answers_total", **{"class": "yes"}, **churny)
    assert yes >= answers.count("yes")
    assert value(after, "assay_answer_count", model="pricy") == 100
    assert value(after, "assay_answer_bucket", model="pricy", le="+Inf") == 100
    assert value(after, "assay_request_seconds_count", **churny) == 24
    assert 0 < value(after, "assay_request_seconds_sum", **churny) < 24
    hits = value(after, "assay_cache_requests_total", result="hit")
    misses = value(after, "assay_cache_requests_total", result="miss")
    assert (hits >= 2, hits + misses) == (True, 24)
    batched = value(after, "assay_batch_rows_sum")
    assert batched + hits == 24
    assert value(after, "assay_batch_rows_count") <= batched
    assert value(after, "assay_arm_share", **churny) == 1
    assert value(after, "assay_worker_starts_total") == 2


def test_buckets_are_cumulative(serving: Serving) -> None:
    for row in ROWS[:5]:
        serving.client().predict(row)
    samples = scrape(serving)
    for name in ("assay_request_seconds", "assay_batch_rows"):
        model = {"model": "churny"} if name == "assay_request_seconds" else {}
        edges = [
            (float(dict(labels)["le"]), count)
            for (n, labels), count in samples.items()
            if n == f"{name}_bucket" and set(model.items()) <= labels
        ]
        counts = [count for _, count in sorted(edges)]
        assert counts == sorted(counts)
        assert counts[-1] == 5 == value(samples, f"{name}_count", **model)
        assert sorted(edges)[-1][0] == float("inf")


def test_no_count_falls_when_a_worker_is_killed(serving: Serving) -> None:
    for row in ROWS[:20]:
        serving.client().predict(row)
    eventually(lambda: value(scrape(serving), "assay_worker_memory_bytes", worker="0") > 1e6)
    before, victim = scrape(serving), serving.workers[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(serving.workers) == 2 and victim not in serving.workers)

    def again() -> bool:
        return value(scrape(serving), "assay_worker_starts_total") == 3

    eventually(again)
    time.sleep(0.2)
    after = scrape(serving)
    for (name, labels), count in before.items():
        if name.endswith(RISING) and name not in OF_A_PROCESS:
            assert after[name, labels] >= count, name
    assert value(after, "assay_requests_total", status="answered") == 20
