"""What a service promises: counted off real servers and the log, and kept over a restart."""

from __future__ import annotations

import time

import polars as pl
from shop import ROWS, Shop, Start

from assay.lifecycle.serving.live import Spell, spells
from assay.lifecycle.watching.service import Service
from assay.records.spec import GateSpec, WatchSection
from assay.serve.log.columns import PREDICTED

SECTION = WatchSection()


def test_answers_of_a_server_are_counted_once(store: Shop, server: Start) -> None:
    serving = server("churny", "--workers", "1")
    client = serving.client()

    def live() -> list[Spell]:
        return spells(store.events(), "churny", store.store)

    for row in ROWS[:30]:
        client.predict(row)
    service = Service("churny", SECTION, {})
    assert service.look(live)
    (errors,) = service.objectives()
    assert (errors.name, errors.good, errors.total, errors.standing) == ("errors", 30, 30, "kept")
    for row in ROWS[:10]:
        client.predict(row)
    again = Service("churny", SECTION, service.saved())
    assert again.look(live)
    assert again.objectives()[0].total == 40
    serving.stop()
    gone = Service("churny", SECTION, again.saved())
    assert gone.look(live)
    assert gone.objectives()[0].total == 40


def test_slow_answers_break_the_gate_on_latency() -> None:
    gate = GateSpec(metric="latency_p99", at_most=10.0)
    now = time.time()
    asked = {
        "request": [f"r{i}" for i in range(1000)],
        "row": [0] * 1000,
        "at": [round((now - 600 + i / 2) * 1e6) for i in range(1000)],
        "shadow": [False] * 1000,
        "micros": [50_000 if i % 3 == 0 else 900 for i in range(1000)],
    }
    kept = {name: PREDICTED[name] for name in asked}
    rows = pl.DataFrame(asked).cast(kept)  # type: ignore[arg-type]
    service = Service("churny", SECTION, {})
    service.take(rows, [])
    assert service.objectives() == ()
    service.take(rows, [gate])
    (latency,) = service.objectives()
    assert (latency.name, latency.total, latency.good) == ("latency", 1000, 666)
    assert latency.standing == "broken"
    assert latency.burn[0] > 14.4
