"""Rows in the real log of a store, as its servers write them, and `assay watch` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from shop import PATIENCE, Shop

from assay.cli.main import main
from assay.lifecycle.predict import load
from assay.metrics.answers import positive_code
from assay.records.event import Event
from assay.records.spec import ServeSection
from assay.serve.log.shelf import LOG
from assay.serve.log.writer import PredictionLog

EACH = 50
"""Rows of a request."""


@dataclass
class Log:
    """Writes rows of churny or pricy into a store's log, answered by a version."""

    shop: Shop
    model: str = "churny"
    sent: int = 0

    def write(
        self,
        table: pl.DataFrame,
        *,
        version: int | None = None,
        at: float | None = None,
        seconds: float = 1.0,
        shadow: bool = False,
        told: bool = False,
        off: float = 0.0,
        warned: bool = False,
        serve: ServeSection | None = None,
    ) -> list[str]:
        """Log rows from `at` (now) over so many seconds; return the ids of their requests.

        With `told` the labels follow at once; `off` is added to the answers that are logged.
        """
        name = self.model if version is None else f"{self.model}@{version}"
        model = load(name, store=self.shop.store)
        number = version or int(self._champion())
        signature = model.signature
        rows = _typed(table, model)
        found = model.ask(rows)
        values = found.values + off
        codes = found.codes(positive_code(signature)) if signature.classes else None
        log = PredictionLog(self.shop.store / LOG, worker=0)
        log.open(self.model, number, signature, serve or ServeSection())
        start = time.time() if at is None else at
        ids = []
        for place in range(0, rows.height, EACH):
            part = slice(place, place + EACH)
            self.sent += 1
            ids.append(f"r{self.sent:06d}")
            when = start + seconds * place / max(rows.height, 1)
            some = rows[part]
            log.add_table(
                ids[-1], when, self.model, number, some, values[part], 50.0,
                None if codes is None else codes[part],
                warned=range(some.height) if warned else (), shadow=shadow,
            )  # fmt: skip
            if told:
                self._tell(log, ids[-1], table[part], when + 0.5)
        log.close()
        return ids

    def tell(self, ids: list[str], table: pl.DataFrame) -> None:
        """Send the labels of rows that were logged under these ids."""
        log = PredictionLog(self.shop.store / LOG, worker=1)
        log.open(self.model, 1, load(f"{self.model}@1", store=self.shop.store).signature,
                 ServeSection())  # fmt: skip
        for place, request in enumerate(ids):
            self._tell(log, request, table[place * EACH : (place + 1) * EACH], time.time())
        log.close()

    def _tell(self, log: PredictionLog, request: str, table: pl.DataFrame, when: float) -> None:
        target = "left" if self.model == "churny" else "price"
        for row, truth in enumerate(table[target]):
            label, value = (truth, None) if self.model == "churny" else (None, truth)
            log.feedback(self.model, request, row, label, value, "", when)

    def _champion(self) -> int:
        moves = [e for e in self.shop.events("alias.moved") if e.subject == self.model]
        return int(moves[-1].data["version"])


def _typed(table: pl.DataFrame, model: Any) -> pl.DataFrame:
    kinds = {"number": pl.Float64, "category": pl.String, "boolean": pl.Boolean}
    fields = model.signature.inputs
    return table.select(pl.col(f.name).cast(kinds[f.type]) for f in fields)


def judged(shop: Shop) -> list[Event]:
    """Return the verdicts in the ledger, the chain verified."""
    return shop.events("watch.judged")


def once(
    shop: Shop, capsys: Any, *words: object, model: str = "churny"
) -> tuple[int, dict[str, Any]]:
    """Run `assay watch` in this process; return its exit code and the data or the errors."""
    capsys.readouterr()
    told = [model, "--once", *map(str, words), "--store", str(shop.store), "--json"]
    code = main(["watch", *told])
    envelope = json.loads(capsys.readouterr().out.splitlines()[-1])
    return code, envelope["data"] if envelope["ok"] else envelope


@dataclass
class Watching:
    """A running `assay watch`, and what it said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> int:
        """End it as an operator does; return its exit code."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.stop()


Watch = Callable[..., Watching]


def start_watch(shop: Shop, model: str, *words: object) -> Watching:
    """Start `assay watch` in a process of its own."""
    command = ["watch", model, *map(str, words), "--store", str(shop.store)]
    process = subprocess.Popen(
        [sys.executable, "-m", "assay.cli.main", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watching = Watching(process)
    stream = process.stdout
    assert stream is not None

    def read() -> None:
        with stream:
            for line in stream:
                watching.lines.append(line.rstrip("\n"))

    threading.Thread(target=read, daemon=True).start()
    return watching
