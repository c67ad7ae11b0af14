"""Releases carried out by the real server, under requests that go on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from shop import ROWS, Client, Shop, Start, eventually
from traffic import Traffic, batch_answers

from assay.kernel.stage import Context
from assay.lifecycle.models import models, rollback
from assay.lifecycle.releasing import release
from assay.lifecycle.releasing.experiment import experiment
from assay.package.build import build
from assay.package.manifest import SIGNATURE, package_digest, read_files
from assay.records.base import digest_of, to_json
from assay.records.package import Package
from assay.registry.change import register
from assay.serve.log.reader import read_log

CALM = ("release.latency=100", "release.shift=0.9")
"""Versions 1 and 2 differ, and the machine may be busy: what is tested is something else."""

QUICK = ("release.minimum=100", "release.steps=[0.3, 0.5]", "release.latency=50")


def champion(shop: Shop) -> int:
    return next(v.version for v in models(shop.store) if v.name == "churny" and v.aliases)


def swap_labels(shop: Shop) -> str:
    """Register a version that says yes where version 2 says no, as version 3."""
    workspace = shop.workspace()
    packages = workspace.root / "packages"
    manifest, files = read_files(packages / models(shop.store)[1].package)
    classes = manifest.signature.classes
    wrong = msgspec.structs.replace(manifest.signature, classes=classes[::-1])
    if SIGNATURE in files:
        files[SIGNATURE] = to_json(wrong)
    digests = {name: digest_of(data) for name, data in files.items()}
    manifest = msgspec.structs.replace(manifest, signature=wrong, files=digests)
    path = build(packages, manifest, files, lambda _: None)
    package = Package(
        name="churny", digest=package_digest(manifest), path=str(path), bytes=0,
        parity=manifest.parity,
    )  # fmt: skip
    context = Context(workspace.store, workspace.ledger, workspace.root)
    version = register(context, package, "inconclusive")
    return f"churny@{version.version}"


def decided(shop: Shop) -> Callable[[], Any]:
    """Return a look at what was decided."""
    return lambda: next(iter(shop.events("release.decided")), None)


def test_a_good_version_is_promoted_by_itself(server: Start, store: Shop) -> None:
    idle = server("churny", "--workers", "1")  # it is asked nothing, and so has no say
    expected = batch_answers(store, "churny@1", "churny@2")
    serving = server("churny", "--workers", "2")
    store.assay("promote", "churny@1")
    with Traffic(serving.url, clients=4) as traffic:
        traffic.wait(lambda asked: len(asked) > 300)
        release.start("churny@2", QUICK, store=store.store)
        event = eventually(decided(store), 90)
        traffic.wait(lambda asked: all(a.model == "churny@2" for a in asked[-40:]))
    assert event.data["decision"] == "promoted"
    assert "harm is ruled out" in event.data["reason"]
    assert event.agency == "default"
    assert champion(store) == 2
    assert len(store.events("release.step")) == 1
    assert not traffic.failed
    assert not traffic.wrong(expected)
    eventually(lambda: idle.client().predict(ROWS[0])["model"] == "churny@2")


def test_a_bad_version_is_aborted_by_itself(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "2")
    bad = swap_labels(store)
    with Traffic(serving.url, clients=4) as traffic:
        traffic.wait(lambda asked: len(asked) > 500)
        release.start(bad, ["release.steps=[0.05, 0.5]"], "a drill", store=store.store)
        event = eventually(decided(store), 60)
        traffic.wait(lambda asked: all(a.model == "churny@2" for a in asked[-200:]))
        time.sleep(1)
    assert event.data["decision"] == "aborted"
    assert event.data["reason"].startswith("harm is shown: ")
    assert "were answered otherwise" in event.data["reason"]  # the classes are as many each
    differing = next(d for d in event.data["numbers"] if d["guard"] == "differing")
    assert differing["low"] >= differing["limit"]
    assert champion(store) == 2
    wrong = sum(a.model == bad for a in traffic.asked)
    print(f"{wrong} of {len(traffic.asked)} requests were answered by the bad version")
    assert 0 < wrong < 100
    assert not traffic.failed


def customers(client: Client, count: range) -> dict[int, tuple[str, str]]:
    """Ask for customers; return for each the version that answered and the request."""
    found = {}
    for customer in count:
        row = ROWS[customer % len(ROWS)]
        answer = client.post("/predict", row, x_customer=f"c{customer}")
        assert answer.status == 200
        found[customer] = (answer.json["model"], answer.json["request"])
    return found


def on_new(client: Client) -> bool:
    """Return True once the new version answers some."""
    return len({model for model, _ in customers(client, range(40)).values()}) == 2


def test_shares_are_kept_and_units_stay_with_their_version(server: Start, store: Shop) -> None:
    keys = ("release.steps=[0.2, 0.6]", "release.sticky=header:X-Customer", "release.differ=1")
    client = server("churny", "--workers", "2").client()
    release.start("churny@1", [*keys, "release.minimum=160", *CALM], "a test", store=store.store)
    eventually(lambda: on_new(client))
    first = customers(client, range(400))
    assert release.status("churny", store=store.store).release.stage == 0
    new = {customer for customer, (model, _) in first.items() if model == "churny@1"}
    assert abs(len(new) - 80) < 4 * (400 * 0.2 * 0.8) ** 0.5
    again = customers(client, range(100))
    assert all(again[c][0] == first[c][0] for c in again)
    while release.status("churny", store=store.store).release.stage == 0:
        customers(client, range(400, 500))
    eventually(lambda: len(store.events("deployment.changed")) == 3)
    later = customers(client, range(400))
    more = {customer for customer, (model, _) in later.items() if model == "churny@1"}
    assert new < more  # nobody goes back
    assert abs(len(more) - 240) < 4 * (400 * 0.6 * 0.4) ** 0.5


def compared(shop: Shop) -> Any:
    """Return what rows that were asked twice have shown, once there are a hundred."""
    numbers = release.status("churny", store=shop.store).kept.get("numbers", [])
    return next((d for d in numbers if d["guard"] == "differing" and d["n_new"] >= 100), None)


def test_a_shadow_changes_no_answer_and_is_judged(server: Start, store: Shop) -> None:
    expected = batch_answers(store, "churny@2")
    serving = server("churny", "--workers", "2")
    keys = ["release.strategy=shadow", "release.minimum=10000000", "release.differ=1", *CALM]
    with Traffic(serving.url, clients=4) as traffic:
        release.start("churny@1", keys, "a test", store=store.store)
        shown = eventually(lambda: compared(store), 60)
        release.abort("churny", "seen enough", store=store.store)
    assert not traffic.failed
    assert not traffic.wrong(expected)  # and so none by version 1
    assert 0 < shown["new"] < 0.6
    serving.stop()
    rows = read_log(store.store / "log", "churny").collect()
    assert rows.filter(pl.col("shadow"))["version"].unique().to_list() == [1]
    assert rows.filter(~pl.col("shadow"))["version"].unique().to_list() == [2]


def test_blue_green_goes_back_by_itself(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "2")
    bad = swap_labels(store)
    keys = ["release.strategy=blue_green", "release.minimum=200"]
    with Traffic(serving.url, clients=4) as traffic:
        release.start(bad, keys, "a drill", store=store.store)
        event = eventually(decided(store), 60)
        begun = time.monotonic()
        traffic.wait(
            lambda asked: sum(a.sent > begun and a.model == "churny@2" for a in asked) > 50
        )
    assert event.data["decision"] == "aborted"
    assert not traffic.failed
    assert champion(store) == 2


def test_an_ab_test_is_decided_by_feedback_and_reported(
    server: Start, store: Shop, tmp_path: Path
) -> None:
    keys = [
        "release.strategy=ab", "release.steps=[0.5]", "release.metric=paid",
        "release.sticky=header:x-customer", "release.minimum=150", "release.differ=1", *CALM,
    ]  # fmt: skip
    client = server("churny", "--workers", "1").client()
    customers(client, range(300))
    release.start("churny@1", keys, "a test", store=store.store)
    eventually(lambda: on_new(client))
    rng, customer = np.random.default_rng(3), 1000
    while not (event := decided(store)()):
        asked = customers(client, range(customer, customer + 40))
        customer += 40
        for model, request in asked.values():
            paid = rng.normal(12 if model == "churny@1" else 8, 3)
            told = {"request": request, "metric": "paid", "value": paid}
            assert client.post("/feedback", told).status == 202
        assert customer < 4000
    assert event.data["decision"] == "promoted", event.data["reason"]
    assert "paid: " in event.data["reason"]
    assert champion(store) == 1
    time.sleep(1.5)  # the log's flush
    found = experiment("churny", "fee", store=store.store)
    assert not found.mismatch.found
    assert found.effect is not None
    assert found.by_unit is not None
    assert found.by_unit.fixed[0] < 4 < found.by_unit.fixed[1]
    assert found.adjusted is not None
    page = tmp_path / "ab.md"
    store.assay("release", "churny", "--report", page, "--covariate", "fee")
    assert "What it did to paid" in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["effect"]["n_new"] >= 100


def test_a_release_goes_on_when_the_server_is_killed(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "2")
    keys = ["release.steps=[0.4]", "release.minimum=100000", "release.differ=1", *CALM]
    client = serving.client()
    release.start("churny@1", keys, "a test", store=store.store)
    eventually(lambda: on_new(client))
    seen = lambda: release.status("churny", store=store.store).kept.get("requests", [0, 0])  # noqa: E731
    eventually(lambda: customers(client, range(50)) and seen()[1] > 80)
    before = seen()[1]
    serving.kill()
    client = server("churny", "--workers", "1").client()
    assert on_new(client)  # at once as it was
    eventually(lambda: customers(client, range(50)) and seen()[1] > before + 50)
    assert len(store.events("release.started")) == 1


def test_a_rollback_ends_a_release_and_live_stays(server: Start, store: Shop) -> None:
    client = server("churny", "--workers", "2").client()
    release.start("churny@1", ["release.steps=[0.5]", *CALM], "a test", store=store.store)
    eventually(lambda: on_new(client))
    begun = time.monotonic()
    assert rollback("churny", "no", store=store.store).version == 2
    eventually(lambda: len(store.events("deployment.changed")) == 3)
    assert time.monotonic() - begun < 3  # 0.3 s on a quiet machine
    assert {model for model, _ in customers(client, range(40)).values()} == {"churny@2"}
    standing = release.status("churny", store=store.store)
    assert standing.release.state == "aborted"
    assert "aborted by" in standing.kept["reason"]
    assert champion(store) == 2
