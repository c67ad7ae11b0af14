"""A family that learns in no time, and a search over it."""

from __future__ import annotations

import time

import numpy as np
import polars as pl

from assay.kernel.family import Capabilities, Predictions
from assay.kernel.stage import Context
from assay.lifecycle.material import Material
from assay.records.engine import Engine
from assay.records.fitted import Candidate, Knob, Space
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import BudgetSection, SplitSection
from assay.records.split import Split
from assay.stores.workspace import open_workspace

PROBLEM = Problem(
    family="test", task="binary", target="y", classes=("no", "yes"), positive="yes",
    features=("x", "z"), primary="roc_auc",
)  # fmt: skip
ROWS = 300


def candidate(name: str, skill: float, **params) -> Candidate:
    """A candidate of which `skill` says how much of the truth it finds."""
    return Candidate(name=name, kind="kind", params={"skill": skill, **params})


class Family:
    """Answers with the feature that tells, blurred by want of skill; remembers what it fitted."""

    id = "test@1"
    capabilities = Capabilities(libraries=("lightgbm",))

    def __init__(self) -> None:
        self.given: list[tuple[str, list[int], list[int] | None]] = []
        self.broken: set[str] = set()
        self.slow = 0.0
        self.portfolio = [candidate("good", 0.9), candidate("fair", 0.5), candidate("poor", 0.0)]
        self.spaces_ = [
            Space(candidate=candidate("base", 0.5), knobs=(Knob(name="skill", low=0.1, high=1.0),))
        ]

    def baselines(self, problem, columns):
        return (candidate("prior", 0.1),)

    def candidates(self, problem, columns, rows):
        return tuple(self.portfolio)

    def spaces(self, problem, columns, rows):
        return tuple(self.spaces_)

    def fit(self, candidate, problem, train, valid, rounds, seed, threads):
        if candidate.name in self.broken or "*" in self.broken:
            raise MemoryError("the library gave up")
        time.sleep(self.slow)
        stop = None if valid is None else valid.frame["z"].to_list()
        self.given.append((candidate.name, train.frame["z"].to_list(), stop))
        return Fitted(candidate, len(self.given))


class Fitted:
    def __init__(self, candidate, number):
        self.candidate, self.rounds = candidate, None

    def predict(self, frame):
        skill = self.candidate.params["skill"]
        blur = np.random.default_rng(len(self.candidate.name)).random(frame.height)
        share = np.clip(skill * frame["x"].to_numpy() + (1 - skill) * blur, 0.001, 0.999)
        return Predictions(np.stack([1 - share, share], axis=1), ("no", "yes"))

    def state(self):
        return self.candidate.name.encode()


class Case:
    """A search, to be run once or again over the same store."""

    def __init__(self, folder, monkeypatch, rows=ROWS, **budget):
        self.family = Family()
        for module in ("material", "search.fold"):
            monkeypatch.setattr(f"assay.lifecycle.{module}.load_family", lambda _: self.family)
        rng = np.random.default_rng(0)
        truth = rng.random(rows) < 0.4
        x = np.clip(truth * 0.4 + rng.random(rows) * 0.6, 0, 1)
        self.table = pl.DataFrame(
            {"x": x, "z": np.arange(float(rows)), "y": np.where(truth, "yes", "no")}
        )
        self.parts = (rng.permutation(rows) % 6 - 1).astype(np.int8)
        self.space = open_workspace("memory://")
        self.folder = folder
        self.budget = BudgetSection(**budget)
        self.ordered = False
        self.notes: list[str] = []
        monkeypatch.setattr(Material, "open", lambda *_: self.material())

    def material(self) -> Material:
        return Material(self.family, PROBLEM, self.table, self.parts, ordered=self.ordered)

    def context(self) -> Context:
        return Context(
            self.space.store, self.space.ledger, self.folder, run="one",
            notify=lambda note: self.notes.append(note.text),
        )  # fmt: skip

    def inputs(self):
        from_ = [Column(name=n, type="number", rows=len(self.parts)) for n in ("x", "z")]
        engine = Engine(assay="1", family="test@1", python="3", libraries={})
        return {
            "problem": PROBLEM,
            "snapshot": DataSnapshot(
                source="s", content="c", table="t", rows=len(self.parts), columns=tuple(from_)
            ),
            "split": Split(policy="p", seed=3, train=250, valid=0, test=50, folds=5, rows="r"),
            "engine": engine,
            "spec.split": SplitSection(seed=3, folds=5, stratify_on="y"),
            "spec.budget": self.budget,
        }

    def fits(self):
        return [e.subject for e in self.space.ledger.read() if e.kind == "work.finished"]
