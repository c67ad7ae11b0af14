"""`assay ui` in a process of its own: it answers, tells of news, and ends when told to."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ui_planted import plant_run

sys.path.insert(0, str(Path(__file__).parents[2] / "serving"))

from shop import Serving, start, wait_ready

from assay.cli.main import main
from assay.stores.workspace import open_workspace


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Serving]:
    plant_run(open_workspace(tmp_path / ".assay"), "first-1", "first")
    started = start("ui", "--port", "0", "--store", tmp_path / ".assay")
    wait_ready(started)
    yield started
    started.close()


def test_it_answers_tells_of_news_and_ends(page: Serving, tmp_path: Path) -> None:
    client, waiting = page.client(), page.client()
    home = client.get("/")
    assert (home.status, home.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"first-1" in home.body
    assert client.ask("HEAD", "/").body == b""
    assert client.post("/runs", b"", content_type="text/plain").status == 405
    told: list[int] = []
    asker = threading.Thread(
        target=lambda: told.append(waiting.get("/events?after=2").json["next"])
    )
    asker.start()
    plant_run(open_workspace(tmp_path / ".assay"), "second-2", "second")
    asker.join(30)
    assert told[0] in (3, 4)
    assert client.get("/events?after=0").json["next"] >= told[0]
    while b"second-2" not in client.get("/").body:
        client.get(f"/events?after={told[0]}")
    assert client.get("/" + "x" * 9_000).status == 414
    page.signal(signal.SIGTERM)
    assert page.process.wait(30) == 0


def test_a_wrong_command_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / ".assay"
    for words, code in (
        (["--store", str(tmp_path / "none")], "STORE-NOT-FOUND"),
        (["--port", "70000"], "SERVE-NUMBER"),
        (["--tls-cert", "x.pem"], "SERVE-TLS-PAIR"),
        (["--host", "0.0.0.0", "--store", str(store)], "UI-NO-TOKENS"),
    ):
        open_workspace(store)
        assert main(["ui", *words, "--json"]) == 2
        answer = json.loads(capsys.readouterr().out)
        assert [error["code"] for error in answer["errors"]] == [code]
