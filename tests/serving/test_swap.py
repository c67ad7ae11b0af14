"""What answers changes while requests go on: none fails, none is answered by a mixture."""

from __future__ import annotations

import time

from shop import Shop, Start, eventually
from traffic import Asked, Traffic, batch_answers

from assay.kernel.stage import Context
from assay.lifecycle.models import history, models
from assay.registry import change

SWAPS = 10


def answered_by(asked: list[Asked], model: str, since: float, enough: int = 20) -> bool:
    """Return True when the last `enough` requests were sent after `since` and answered by it."""
    last = [one for one in asked if one.sent > since][-enough:]
    return len(last) == enough and all(one.model == model for one in last)


def test_promotions_under_load_fail_no_request_and_mix_no_answer(
    server: Start, store: Shop
) -> None:
    serving = server("churny", "--workers", "2", "--no-log")
    expected = batch_answers(store, "churny@1", "churny@2")
    worst = 0.0
    with Traffic(serving.url, clients=4) as traffic:
        traffic.wait(lambda asked: len(asked) > 50)
        for swap in range(SWAPS):
            model = f"churny@{1 + swap % 2}"
            store.assay("promote", model)
            begun = time.monotonic()
            traffic.wait(lambda asked, m=model, t=begun: answered_by(asked, m, t))
            old = [one for one in traffic.asked if one.sent > begun and one.model != model]
            worst = max([worst, *(one.sent - begun for one in old)])
    print(f"{SWAPS} swaps under {len(traffic.asked)} requests: the slowest took {worst:.3f} s")
    assert not traffic.failed
    assert not traffic.wrong(expected)
    assert worst < 1.0
    assert {one.model for one in traffic.asked} == {"churny@1", "churny@2"}


def test_versions_never_go_back_and_forth_on_one_worker(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "1", "--no-log")
    with Traffic(serving.url, clients=3) as traffic:
        traffic.wait(lambda asked: len(asked) > 50)
        store.assay("promote", "churny@1")
        begun = time.monotonic()
        traffic.wait(lambda asked: answered_by(asked, "churny@1", begun))
    swapped = min(one.done for one in traffic.asked if one.model == "churny@1")
    assert all(one.sent < swapped for one in traffic.asked if one.model == "churny@2")


def test_a_pinned_version_stays(server: Start, store: Shop) -> None:
    client = server("churny@1").client()
    row = {"fee": 50, "visits": 6, "member": True}
    assert client.predict(row)["model"] == "churny@1"
    store.assay("promote", "churny@1")
    store.assay("promote", "churny@2")
    time.sleep(0.5)
    assert client.predict(row)["model"] == "churny@1"


def test_what_was_live_when_is_in_the_ledger(server: Start, store: Shop) -> None:
    serving = server("churny", "pricy", "--workers", "2")
    store.assay("promote", "churny@1")
    eventually(lambda: len(store.events("deployment.changed")) == 3)
    assert serving.stop() == 0
    answer = history("churny", store=store.store)
    assert [spell["arms"][0]["version"] for spell in answer["served"]] == [2, 1]
    first, second = answer["served"]
    assert first["until"] == second["since"]
    assert second["until"] == store.events("server.stopped")[0].data["since"]
    assert first["url"] == serving.url
    assert first["pid"] == serving.pid
    then = history("churny", first["since"], store=store.store)
    assert [spell["arms"][0]["version"] for spell in then["served"]] == [2]
    assert not history("churny", second["until"], store=store.store)["served"]


def _damage(store: Shop, version: int) -> None:
    """Change one byte of the model file of a version of churny."""
    folder = store.store / "packages" / models(store.store)[version - 1].package
    file = next(folder.glob("**/*.onnx"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(bytes(data))


def _move(store: Shop, version: int) -> None:
    """Move the champion as `promote` does once it has looked at the package."""
    context = Context(store.workspace().store, store.workspace().ledger, store.store)
    change.promote(context, f"churny@{version}", "")


def test_a_package_that_was_changed_is_refused_at_the_start(server: Start, store: Shop) -> None:
    _damage(store, 2)
    serving = server("churny", ready=False)
    _, said = serving.process.communicate(timeout=60)
    assert serving.process.returncode == 5
    assert "PACKAGE-CHANGED" in said
    assert "ready" not in said
    assert [e.data["reason"][:15] for e in store.events("server.stopped")] == ["PACKAGE-CHANGED"]


def test_a_package_that_was_changed_is_not_swapped_in(server: Start, store: Shop) -> None:
    serving = server("churny", "pricy", "--workers", "2", "--no-log")
    expected = batch_answers(store, "churny@2")
    with Traffic(serving.url, clients=3) as traffic:
        traffic.wait(lambda asked: len(asked) > 20)
        _damage(store, 1)
        _move(store, 1)
        [event] = eventually(lambda: store.events("deployment.failed"))
        time.sleep(0.5)
    assert event.data["error"]["code"] == "PACKAGE-CHANGED"
    assert event.data["deployment"]["arms"][0]["version"] == 1
    assert not traffic.failed
    assert not traffic.wrong(expected)
    assert {one.model for one in traffic.asked} == {"churny@2"}
    assert "churny stays as it is: PACKAGE-CHANGED" in serving.said
    assert len(store.events("deployment.failed")) == 1  # it is not tried again and again
    store.assay("promote", "churny@2")
    assert serving.client().get("/v2/health/ready").status == 200
