"""Replay a stream through a real `assay serve` and a real `assay watch`, a window at a time.

A replay trains the example's project on a table of history, serves it, watches it, and sends rows
one by one over HTTP, as an application would. Labels go as feedback, as many windows late as the
example says. The clock of the replay is the stream: the next window is sent when the watcher has
judged the last, so that months take minutes and the story is the same on a slow machine.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import polars as pl

from assay.lifecycle.incidents.incidents import Incident, Incidents
from assay.lifecycle.retraining.retrains import Retrains
from assay.records.event import Event
from assay.serve.log.reader import read_feedback
from assay.stores.workspace import open_workspace

PATIENCE = 300.0
"""Seconds that one step may take, a retraining among them."""

SHOWN = 150
"""Characters of a reason that are printed; the ledger has all."""

TOLD = (
    "watch.judged", "incident.opened", "incident.resolved", "retrain.asked", "retrain.started",
    "retrain.judged", "retrain.refused", "retrain.approved", "release.started", "release.step",
    "release.decided", "alias.moved",
)  # fmt: skip
"""The events that belong to the story."""


def kept(_window: int, label: str) -> str:
    """Return the label as it is."""
    return label


class Sent(NamedTuple):
    """A row that was asked, and what will be known about it later."""

    request: str
    model: str
    label: str


class Replay:
    """A project with a store of its own, a server and a watcher that are running.

    `history` becomes the table `history.parquet`, which the project then names as its source.
    `settings` replaces texts of the project file, such as `{'time = "30s"': 'time = "8s"'}`.
    Labels of a window are sent before the one that comes `late` windows after it; `spoil` may
    change them on the way.
    """

    def __init__(
        self,
        project: Path,
        history: pl.DataFrame,
        target: str,
        *,
        late: int = 1,
        settings: Mapping[str, str] | None = None,
        spoil: Callable[[int, str], str] = kept,
    ) -> None:
        self._temporary = TemporaryDirectory(prefix=f"assay-{project.name}-")
        self.folder = Path(self._temporary.name) / project.name
        self.folder.mkdir()
        history.write_parquet(self.folder / "history.parquet")
        text = (project / "assay.toml").read_text()
        for old, new in (settings or {}).items():
            if old not in text:
                raise ValueError(f"{project.name}/assay.toml does not say {old}")
            text = text.replace(old, new)
        (self.folder / "assay.toml").write_text(text)
        self.name = project.name
        self.store = self.folder / ".assay"
        self._target, self._late, self._spoil = target, late, spoil
        self._windows: list[list[Sent]] = []
        self._read = 0
        self.planted, self.planted_window = "", 0
        self._started = time.time()
        self._programs: dict[str, Program] = {}
        self._client = Client()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs.values():
            program.end()
        self._client.close()
        self._temporary.cleanup()

    # What is done with the model

    def assay(self, *words: object, allowed: Sequence[int] = (0,)) -> dict[str, Any]:
        """Run a command to its end and return its `data`; it has to exit with an allowed code."""
        done = subprocess.run(
            [*_COMMAND, *map(str, words), "--store", str(self.store), "--json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode not in allowed:
            raise RuntimeError(f"assay {words[0]} exited with {done.returncode}:\n{done.stderr}")
        data: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]).get("data", {})
        return data

    def train(self) -> None:
        """Run the project on its history; its gates have to accept the model."""
        self.tell("train", f"{self.name} on its history")
        data = self.assay("run", self.folder)
        gates = ", ".join(f"{g['name']}: {g['value']:.2f}" for g in data["gates"])
        self.tell("live", f"{self.name}@1, {data['verdict']}: {gates}")
        self._read = len(self.events())

    def serve(self) -> None:
        """Start the server on a free port and wait until it answers."""
        server = self._start("serve", "--port", "0", "--workers", "1")
        ready = self.wait(lambda: server.line("ready "), "the server is ready")
        self._client.connect(ready.split()[1])

    def watch(self) -> None:
        """Start the watcher beside it."""
        self._start("watch", "--json")

    def _start(self, command: str, *words: str) -> Program:
        self._programs[command] = Program(command, self.name, *words, "--store", str(self.store))
        return self._programs[command]

    def kill(self, command: str) -> None:
        """Kill a program as a crash would."""
        self._programs.pop(command).kill()

    # What the application does

    def window(self, rows: pl.DataFrame, note: str = "") -> str:
        """Send the labels that come now, then a window of rows; return the verdict on it."""
        number = len(self._windows)
        if note:
            self.plant(note)
        if number >= self._late:
            self.label(number - self._late)
        told = rows[self._target].cast(pl.String).to_list()
        asked = rows.drop(self._target).iter_rows(named=True)
        self._windows.append(
            [Sent(*self._client.ask(row), label) for row, label in zip(asked, told, strict=True)]
        )
        verdict = self.wait(lambda: self._judged(number), f"window {number} is judged")
        self.wait(lambda: not self._training(), "the new model is trained and judged")
        return str(verdict["verdict"])

    def _judged(self, window: int) -> dict[str, Any] | None:
        """Return what the watcher printed of a window, which it does when it has acted on it."""
        lines = [line for line in self._programs["watch"].lines if line.startswith("{")]
        return next((v for v in map(json.loads, lines) if v.get("window") == window), None)

    def _training(self) -> bool:
        """Return True while a new model is made that nobody has to agree to first."""
        on = Retrains(self.events()).on(self.name)
        return on is not None and on.due

    def plant(self, what: str) -> None:
        """Say that something goes wrong from the next row on."""
        self.planted, self.planted_window = datetime.now(UTC).isoformat(), len(self._windows)
        self.tell("PLANTED", what)

    def label(self, window: int) -> None:
        """Send what came to be known about the rows of a window, and wait until it is written."""
        log, sent = self.store / "log", self._windows[window]
        before = read_feedback(log, self.name).collect().height
        self._client.feed(
            {"request": one.request, "label": self._spoil(window, one.label)} for one in sent
        )
        self.wait(
            lambda: read_feedback(log, self.name).collect().height == before + len(sent),
            "the labels are in the log",
        )

    def answered_by(self, window: int) -> dict[str, int]:
        """Return how many rows of a window each version answered."""
        models = [sent.model for sent in self._windows[window]]
        return {model: models.count(model) for model in sorted(set(models))}

    def wait(self, check: Callable[[], Any], what: str) -> Any:
        """Tell what comes in the ledger until `check` is true; return what it returned."""
        end = time.monotonic() + PATIENCE
        while True:
            self.follow()
            if found := check():
                return found
            ended = [p.name for p in self._programs.values() if p.ended]
            if ended or time.monotonic() > end:
                said = "\n".join("".join(p.lines[-20:]) for p in self._programs.values())
                raise RuntimeError(f"it did not come about that {what}; ended: {ended}\n{said}")
            time.sleep(0.02)

    # What the ledger says

    def events(self, kind: str = "") -> list[Event]:
        """Return the events of a kind, or all."""
        ledger = open_workspace(self.store, create=False).ledger
        return [event for event in ledger.read() if kind in ("", event.kind)]

    @property
    def live(self) -> int:
        """Return the version that is live."""
        return int(self.events("alias.moved")[-1].data["version"])

    def incidents(self) -> list[Incident]:
        """Return the incidents of the model; those of a slow server are another story."""
        return [i for i in Incidents(self.events()).all.values() if i.area == "model"]

    def closed(self) -> bool:
        """Return True once another version answers everything, and every incident is over."""
        return self.took_over() and not any(incident.open for incident in self.incidents())

    def took_over(self) -> bool:
        """Return True once another version than the first answered a whole window."""
        return self.live > 1 and list(self.answered_by(-1)) == [f"{self.name}@{self.live}"]

    def closing(self) -> dict[str, bool]:
        """Return what has to have come about in a loop that closed by itself."""
        first = self.incidents()[:1]
        promoted = [e.data["decision"] for e in self.events("release.decided")][-1:]
        model = f"{self.name}@{self.live}"
        return {
            "no incident before the fault": all(i.opened_at > self.planted for i in first),
            "a new model was made of fresh rows and judged beside the live one": bool(
                self.events("retrain.judged")
            ),
            "the server tried it on some requests and made it live": promoted == ["promoted"],
            "it answers every request": self.answered_by(-1) == {model: len(self._windows[-1])},
            "the incident is over": any(not i.open for i in first),
        }

    def follow(self) -> None:
        """Tell the part of the story that the ledger has by now."""
        for event in open_workspace(self.store, create=False).ledger.read(self._read):
            self._read += 1
            if event.kind in TOLD:
                self.tell(*story(event))

    def tell(self, what: str, text: str) -> None:
        """Print a line of the story: seconds since the start, the window, what, and how."""
        window = f"window {len(self._windows) - 1:2d}" if self._windows else ""
        text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        print(f"{time.time() - self._started:6.1f} s  {window:9}  {what:17}  {text}", flush=True)

    def verdict(self, checks: Mapping[str, bool]) -> int:
        """Print which of the expected things came about; return 0 if all did, else 1."""
        self.follow()
        for text, kept in checks.items():
            print(f"{'  as expected' if kept else '  NOT SO     '}  {text}")
        return 0 if all(checks.values()) else 1


class Program:
    """A running `assay` command, and the lines that it has printed so far."""

    def __init__(self, *words: str) -> None:
        self.name, self.lines = words[0], list[str]()
        self._process = subprocess.Popen(
            [*_COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        with self._process.stdout or nullcontext(()) as stream:
            for line in stream:
                self.lines.append(line)

    def line(self, start: str) -> str | None:
        """Return the first line that starts so."""
        return next((line for line in self.lines if line.startswith(start)), None)

    @property
    def ended(self) -> bool:
        """Return True once the command is over."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill it as a crash would."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Tell it to end, as an operator does."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self._listener.join(30)


class Client:
    """An application: one connection on which rows are asked and feedback is sent."""

    def __init__(self) -> None:
        self._connection: http.client.HTTPConnection | None = None

    def connect(self, url: str) -> None:
        """Talk to the server at this address."""
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def close(self) -> None:
        """End the connection."""
        if self._connection:
            self._connection.close()

    def ask(self, row: dict[str, Any]) -> tuple[str, str]:
        """Return the id of the request about a row, and the version that answered."""
        answer = self._post("/predict", row)
        return answer["request"], answer["model"]

    def feed(self, lines: Iterable[dict[str, Any]]) -> None:
        """Send feedback."""
        self._post("/feedback", {"feedback": list(lines)})

    def _post(self, path: str, body: Any) -> Any:
        if self._connection is None:
            raise RuntimeError("the server was not started")
        while True:  # a server that sheds load says 503 and when to come again
            self._connection.request(
                "POST", path, json.dumps(body), {"content-type": "application/json"}
            )
            response = self._connection.getresponse()
            answer = json.loads(response.read())
            if response.status < 300:
                return answer
            if response.status != 503:
                raise RuntimeError(f"{path} answered {response.status}: {answer}")
            time.sleep(0.05)


def story(event: Event) -> tuple[str, str]:
    """Return an event in words: what it is, and how it came."""
    data = event.data
    if event.kind == "watch.judged":
        return data["verdict"], data["reason"]
    if event.kind == "alias.moved":
        return event.kind, f"{data.get('alias')} is now version {data.get('version')}"
    return event.kind, str(data.get("reason") or data.get("text") or data.get("cause") or "")


def seconds(one: str, other: str) -> float:
    """Return the seconds from one time (ISO 8601) to another."""
    return (datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds()


_COMMAND = [sys.executable, "-m", "assay.cli.main"]
