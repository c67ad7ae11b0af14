"""Models that a client loads and unloads, over the Open Inference Protocol."""

from __future__ import annotations

from shop import ROWS, Serving, Shop, Start


def index(serving: Serving) -> set[tuple[str, str, str]]:
    """Return name, version and state of what is loaded, as every worker says it."""
    said = set()
    for _ in range(6):
        client = serving.client()
        listed = client.post("/v2/repository/index").json
        said.add(frozenset((m["name"], m["version"], m["state"]) for m in listed))
    [same] = said
    return set(same)


CHURNY, PRICY = ("churny", "2", "READY"), ("pricy", "1", "READY")


def test_a_model_is_loaded_by_all_workers_when_the_answer_comes(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "2")
    assert index(serving) == {CHURNY}
    client = serving.client()
    assert client.post("/v2/repository/models/pricy/load").status == 200
    assert index(serving) == {CHURNY, PRICY}
    for _ in range(6):
        answer = serving.client().predict(ROWS[0], path="/models/pricy/predict")
        assert answer["model"] == "pricy@1"
    assert client.post("/v2/repository/models/pricy/unload").status == 200
    assert index(serving) == {CHURNY}
    assert serving.client().post("/models/pricy/predict", ROWS[0]).status == 404
    arms = [len(e.data["deployment"]["arms"]) for e in store.events("deployment.changed")]
    assert arms == [1, 1, 0]


def test_a_version_is_pinned_by_loading_it(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "1")
    client = serving.client()
    body = {"parameters": {"version": "1"}}
    assert client.post("/v2/repository/models/churny/load", body).status == 200
    assert client.predict({"fee": 1, "visits": 1, "member": True})["model"] == "churny@1"
    assert client.post("/v2/repository/models/churny@2/load").status == 200
    assert client.predict(ROWS[0])["model"] == "churny@2"
    assert client.post("/v2/repository/models/churny/load").status == 200  # it has it already


def test_without_any_model_the_server_lives_and_is_not_ready(server: Start) -> None:
    serving = server("churny", "--workers", "1")
    client = serving.client()
    assert client.post("/v2/repository/models/churny/unload").status == 200
    assert client.get("/v2/health/live").status == 200
    assert client.get("/v2/health/ready").status == 503
    assert client.post("/predict", ROWS[0]).status == 404
    assert client.post("/v2/repository/models/churny/load").status == 200
    assert client.get("/v2/health/ready").status == 200


def test_what_cannot_be_loaded_is_told_and_changes_nothing(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "2")
    client = serving.client()
    answer = client.post("/v2/repository/models/nobody/load")
    assert (answer.status, answer.codes) == (404, ["MODEL-UNKNOWN"])
    answer = client.post("/v2/repository/models/churny@7/load")
    assert (answer.status, answer.codes) == (404, ["MODEL-NO-VERSION"])
    answer = client.post("/v2/repository/models/pricy/unload")
    assert (answer.status, answer.codes) == (404, ["MODEL-UNKNOWN"])
    answer = client.post("/v2/repository/models/churny/load", b"[1]")
    assert (answer.status, answer.codes) == (400, ["SERVE-REPOSITORY"])
    for model in (store.store / "packages").glob("*/model.onnx"):
        model.chmod(0o644)
        model.write_bytes(b"nothing")
    answer = client.post("/v2/repository/models/pricy/load")
    assert answer.status == 500
    assert "PACKAGE-CHANGED" in serving.said
    assert index(serving) == {CHURNY}
    assert client.predict(ROWS[0])["model"] == "churny@2"
