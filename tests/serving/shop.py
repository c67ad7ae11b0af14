"""A folder with small models, `assay serve` in a process of its own, and a client for it."""

from __future__ import annotations

import http.client
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import polars as pl

from assay.cli.main import main
from assay.kernel.ledger import verify_chain
from assay.records.event import Event
from assay.stores.workspace import Workspace, open_workspace
from assay.tasks.tabular.portfolio.choose import candidates
from assay.tasks.tabular.portfolio.facts import Facts

PATIENCE = 120.0
"""Seconds that something may take on a machine with much else to do."""

_NAMES = {c.kind: c.name for c in reversed(candidates(Facts(classes=2, rows=480)))}

CHURNY = """
[project]
name = "churny"

[data]
source = "churny.csv"
target = "left"
positive = "yes"
{more}

[budget]
iterations = 1
only = ["{linear}"]

[[gates]]
metric = "roc_auc"
at_least = 0.55
"""

PRICY = """
[project]
name = "pricy"

[data]
source = "pricy.csv"
target = "price"

[budget]
iterations = 1
only = ["{boosting}"]

[[gates]]
metric = "r2"
at_least = 0.3
"""


def make_table(rows: int = 600, seed: int = 5) -> pl.DataFrame:
    """Return numbers, a category, a boolean and missing cells, a class and a number to predict."""
    rng = np.random.default_rng(seed)
    fee = rng.normal(50, 10, rows).round(2)
    visits = rng.poisson(6, rows)
    region = rng.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2])
    score = (fee - 50) / 10 - (visits - 6) / 2.5 + (region == "west") + rng.normal(0, 0.5, rows)
    return pl.DataFrame(
        {
            "fee": pl.Series(fee).set(pl.Series(rng.random(rows) < 0.05), None),
            "visits": visits,
            "region": pl.Series(region).set(pl.Series(rng.random(rows) < 0.05), None),
            "member": rng.random(rows) < 0.4,
            "left": np.where(score > 0.2, "yes", "no"),
            "price": (100 + 20 * score).round(3),
        }
    )


ROWS: list[dict[str, Any]] = make_table(200, seed=6).drop("left", "price").to_dicts()
"""Rows to ask with, that training did not see."""


@dataclass(frozen=True)
class Shop:
    """A folder with a store in it: "churny" at versions 1 and 2 (the champion), "pricy" at 1.

    Version 2 of churny was trained on other columns, so that its answers differ for every row.
    """

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / ".assay"

    def workspace(self) -> Workspace:
        return open_workspace(self.store, create=False)

    def events(self, kind: str = "") -> list[Event]:
        """Return the events of a kind, the whole chain verified."""
        found = list(self.workspace().ledger.read())
        assert verify_chain(found) == len(found)
        return [event for event in found if kind in ("", event.kind)]

    def assay(self, *words: object) -> None:
        """Run a command on the store, in this process; it has to succeed."""
        code = main([*map(str, words), "--store", str(self.store)])
        assert code == 0, words


def train(folder: Path) -> Shop:
    table = make_table()
    shop = Shop(folder)
    linear, boosting = _NAMES["linear"], _NAMES["boosting"]
    table.drop("price").write_csv(folder / "churny.csv")
    table.drop("left").write_csv(folder / "pricy.csv")
    for name, text in (
        ("churny", CHURNY.format(more='drop = ["region"]', linear=linear)),
        ("churny", CHURNY.format(more="", linear=linear)),
        ("pricy", PRICY.format(boosting=boosting)),
    ):
        (folder / name).mkdir(exist_ok=True)
        shutil.copy(folder / f"{name}.csv", folder / name)
        (folder / name / "assay.toml").write_text(text)
        shop.assay("run", folder / name)
    return shop


@dataclass(frozen=True)
class Answer:
    """A response, read whole."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        """Return the codes of the errors."""
        assert self.json["ok"] is False
        return [error["code"] for error in self.json["errors"]]


class Client:
    """One keep-alive connection."""

    def __init__(self, url: str, token: str = "", **options: Any) -> None:
        parts = urlsplit(url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self.connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE, **options)
        self.headers = {"authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; a body that is not bytes goes as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if data is not None:
            sent.setdefault("content-type", "application/json")
        self.connection.request(method, path, data, sent)
        response = self.connection.getresponse()
        return Answer(response.status, response.read(), dict(response.getheaders()))

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def predict(self, *rows: dict[str, Any], path: str = "/predict") -> Any:
        """Return the JSON answer for rows; anything but 200 fails the test."""
        answer = self.post(path, {"rows": list(rows)})
        assert answer.status == 200, answer.body
        return answer.json

    def close(self) -> None:
        self.connection.close()


@dataclass
class Serving:
    """A running `assay serve`: where it answers, and everything it said."""

    process: subprocess.Popen[str]
    url: str = ""
    seconds: float = 0.0
    """From its start to its `ready` line."""
    lines: list[str] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def workers(self) -> list[int]:
        """Return the processes of the workers."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(word) for word in text.split()]

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def client(self, token: str = "", **options: Any) -> Client:
        self.clients.append(Client(self.url, token, **options))
        return self.clients[-1]

    def close(self) -> None:
        """End what a test left: its connections, and the server."""
        for client in self.clients:
            client.close()
        self.stop()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        """Tell the server to end, as an operator does; return its exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill the parent; its workers end by themselves."""
        self.process.kill()
        self.process.wait(PATIENCE)


Start = Callable[..., Serving]
"""Starts `assay serve` with these words on a store; waits until it is ready, if not told not to."""


def launch(shop: Shop, *words: object, env: dict[str, str] | None = None) -> Serving:
    """Start `assay serve` on a free port, unless the words name one; do not wait."""
    port = [] if "--port" in words else ["--port", "0"]
    return start("serve", *words, *port, "--store", shop.store, env=env)


def start(*words: object, env: dict[str, str] | None = None) -> Serving:
    """Start a command that says `ready URL` on standard error; do not wait."""
    process = subprocess.Popen(
        [sys.executable, "-m", "assay.cli.main", *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    return Serving(process)


def wait_ready(serving: Serving) -> None:
    """Wait for the line that says so, and go on reading what the server says."""
    begun = time.perf_counter()
    first: queue.Queue[str] = queue.Queue()
    stream = serving.process.stderr
    assert stream is not None

    def read() -> None:
        with stream:
            for line in stream:
                serving.lines.append(line.rstrip("\n"))
                if line.startswith("ready "):
                    first.put(line.split()[1])
        first.put("")

    threading.Thread(target=read, daemon=True).start()
    serving.url = first.get(timeout=PATIENCE)
    serving.seconds = time.perf_counter() - begun
    assert serving.url, f"the server ended: {serving.said}"


def eventually(check: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until `check` returns something true, and return it."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)
    return found
