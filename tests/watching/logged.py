"""A store with a small model, rows in its real log with labels, and verdicts on windows of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.cli.main import main
from assay.kernel.ledger import verify_chain
from assay.kernel.store import put_record
from assay.lifecycle.incidents.closing import Closing
from assay.lifecycle.incidents.incidents import JUDGED, Incidents
from assay.lifecycle.predict import load
from assay.lifecycle.retraining.retrains import Retrains
from assay.lifecycle.watching.told import event_of
from assay.records.event import Event
from assay.records.spec import RetrainSection, ServeSection, WatchSection
from assay.records.watch import Measured, Moved, Objective, Outcome, WatchVerdict
from assay.registry.fold import fold
from assay.serve.log.shelf import LOG
from assay.serve.log.writer import PredictionLog
from assay.stores.workspace import Workspace, open_workspace
from assay.tasks.tabular.portfolio.choose import candidates
from assay.tasks.tabular.portfolio.facts import Facts

LINEAR = next(c.name for c in candidates(Facts(classes=2, rows=900)) if c.kind == "linear")
PROJECT = """
[project]
name = "loans"

[data]
source = "loans.csv"
target = "default"
positive = "yes"
{data}

[budget]
iterations = 1
only = ["{linear}"]

[[gates]]
metric = "roc_auc"
at_least = 0.6

[serve]
flush = "100ms"
slo = "1s"

{more}
"""
DAY = 86_400.0


def loans(rows: int, seed: int, *, moved: float = 0.0, other: bool = False) -> pl.DataFrame:
    """Return loans; `moved` moves the incomes, `other` reverses what the hour has to do with it."""
    rng = np.random.default_rng(seed)
    income = rng.normal(50 + moved, 10, rows).round(2)
    debt = rng.gamma(2, 5, rows).round(2)
    region = rng.choice(["north", "south", "west"], rows, p=[0.5, 0.3, 0.2])
    hour = rng.uniform(0, 24, rows).round(2)
    score = (debt - 10) / 4 - (income - 50) / 8 + (region == "west")
    score = score + (2.5 if other else -0.4) * (hour - 12) / 4
    return pl.DataFrame(
        {
            "income": pl.Series(income).set(pl.Series(rng.random(rows) < 0.04), None),
            "debt": debt,
            "region": region,
            "hour": hour,
            "default": np.where(score + rng.normal(0, 0.7, rows) > 0.3, "yes", "no"),
        }
    )


@dataclass
class Watched:
    """A folder with the project "loans", its store, and the clock of the rows in its log."""

    folder: Path
    clock: float = field(default_factory=lambda: time.time() - 20 * DAY)
    windows: int = 0

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

    def assay(self, *words: object, code: int = 0) -> None:
        """Run a command on the store in this process; it has to end with this code."""
        assert main([*map(str, words), "--store", str(self.store)]) == code, words

    def write(self, table: pl.DataFrame, more: str = "", data: str = "") -> None:
        """Write the project and its table."""
        table.write_csv(self.folder / "loans.csv")
        text = PROJECT.format(linear=LINEAR, more=more, data=data)
        (self.folder / "assay.toml").write_text(text)

    def copy(self, folder: Path) -> Watched:
        """Return a copy of all of it, to be changed; runs still name the first folder."""
        shutil.copytree(self.folder, folder)
        return replace(self, folder=folder)

    def train(self, *overrides: str) -> None:
        """Run the project; an accepted model is live at once."""
        self.assay("run", self.folder, *(w for o in overrides for w in ("--set", o)))

    def champion(self) -> int | None:
        return fold(self.workspace().ledger.read()).champion("loans")

    def log(
        self, table: pl.DataFrame, *, spoil: Callable[[pl.Series], pl.Series] | None = None,
        labelled: bool = True, days: float = 1.0, allow_code: bool = False,
    ) -> tuple[float, float]:  # fmt: skip
        """Answer rows as a server does and log them with labels; return first and last time."""
        model = load("loans", store=self.store, allow_code=allow_code)
        version = self.champion()
        assert version is not None
        truth = table["default"]
        rows = table.drop("default").cast({"income": pl.Float64})
        answers = model.ask(rows).values
        log = PredictionLog(self.store / LOG, worker=0)
        log.open("loans", version, model.signature, ServeSection())
        times = self.clock + np.linspace(0, days * DAY, table.height, endpoint=False)
        told = truth if spoil is None else spoil(truth)
        for place in range(0, table.height, 50):
            part = slice(place, place + 50)
            request, codes = f"r{self.clock:.0f}-{place}", (answers[part, 1] > 0.5).astype(np.int64)
            log.add_table(
                request, float(times[place]), "loans", version, rows[part], answers[part], 50.0,
                codes,
            )  # fmt: skip
            for row, label in enumerate(told[part] if labelled else []):
                log.feedback("loans", request, row, label, None, "", float(times[place]) + 3_600)
        log.close()
        self.clock += days * DAY
        return float(times[0]), float(times[-1])

    def verdict(
        self, outcome: Outcome, *, drift: tuple[str, ...] = (), broken: tuple[str, ...] = (),
        objective: str = "", rows: int = 500, span: tuple[float, float] | None = None, **more: Any,
    ) -> WatchVerdict:  # fmt: skip
        """Return a verdict on the next window, as the watcher makes it."""
        since, until = span or (self.clock, self.clock + DAY)
        if span is None:
            self.clock = until
        version = fold(self.workspace().ledger.read()).resolve("loans")
        made = WatchVerdict(
            model="loans", version=version.version, package=version.package, window=self.windows,
            rows=rows, since=_iso(since), until=_iso(until), verdict=outcome,
            reason=f"is {outcome}",
            drift=tuple(Moved(column=c, effect=0.2, p=1e-6, flagged=True) for c in drift),
            performance=tuple(
                Measured(metric=m, value=0.5, low=0.45, high=0.55, n=rows, estimated=False,
                         threshold=0.6, standing="broken")
                for m in broken
            ),
            objectives=(
                Objective(name=objective, target=0.999, good=900, total=1_000, days=30.0, left=-1.0,
                          burn=(20.0, 30.0), standing="broken"),
            ) if objective else (),
            versions={str(version.version): rows},
            **more,
        )  # fmt: skip
        self.windows += 1
        return made

    def judged(
        self, verdict: WatchVerdict, watch: WatchSection, retrain: RetrainSection | None = None
    ) -> tuple[str, ...]:
        """Write a verdict to the ledger and act on it, as the watcher does."""
        workspace = self.workspace()
        record = put_record(workspace.store, verdict)
        workspace.context().append(JUDGED, "loans", **event_of(verdict, record))
        return Closing(workspace).act(verdict, watch, retrain or RetrainSection())

    def incidents(self) -> Incidents:
        return Incidents(self.events())

    def retrains(self) -> Retrains:
        return Retrains(self.events())


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
