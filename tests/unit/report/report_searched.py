"""A run view after a long search: many candidates, an ensemble in several forms, a latency gate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from msgspec.structs import replace as change
from report_parts import PARITY, WITHOUT, sha
from report_views import binary_view

from assay.records.fitted import (
    Candidate,
    Fitted,
    Leaderboard,
    Member,
    Members,
    Pool,
    Shape,
    Trial,
)
from assay.records.spec import BudgetSection
from assay.report import RunView

KINDS = ("boosting", "forest", "linear", "histogram", "network", "neighbours")
LOG = Pool(scale="log", bias=(0.0, 0.1))


def _trials() -> Iterator[Trial]:
    rng, at = np.random.default_rng(11), 0.8
    for i in range(64):
        kind = KINDS[i % len(KINDS)]
        tuned = i >= 40
        name = f"{KINDS[0]}_tuned_{i - 39}" if tuned else f"{kind}, no. {i // len(KINDS) + 1}"
        candidate = Candidate(name=name, kind=KINDS[0] if tuned else kind, varies=True)
        seconds = float(rng.gamma(2, 0.4)) + 0.05
        at += seconds
        score = 0.847 - float(rng.gamma(1.2, 0.006)) + 0.00002 * i
        if i % 9 == 7:
            yield Trial(candidate=candidate, status="discarded", seconds=seconds, at=at,
                        note="clearly behind after 2 of 5 folds")  # fmt: skip
        elif i == 20:
            yield Trial(candidate=candidate, status="failed", note="ValueError: no convergence")
        elif i == 63:
            yield Trial(candidate=candidate, status="skipped", note="the time budget was spent")
        else:
            yield Trial(
                candidate=candidate, status="done", score=score, low=score - 0.011,
                high=score + 0.011, at=at, seconds=seconds, rows=4000 if i == 5 else None,
                scores=tuple((score + rng.normal(0, 0.008, 5)).tolist()),
                rounds=(180, 220) if kind == "boosting" else (),
            )  # fmt: skip


def searched_board() -> Leaderboard:
    trials = tuple(_trials())
    done = sorted((t for t in trials if t.score), key=lambda t: -(t.score or 0))
    names = [t.candidate.name for t in done[:5]]
    scores = (done[0].score or 0, 0.8471, 0.8481, 0.8485, 0.8486)
    baseline = Trial(
        candidate=Candidate(name="logistic, two columns", kind="linear"), status="done",
        score=0.795, low=0.782, high=0.808, at=0.4, scores=(0.79, 0.8), seconds=0.2,
    )  # fmt: skip
    prior = Trial(candidate=Candidate(name="prior", kind="constant"), status="done", score=0.5,
                  low=0.5, high=0.5, at=0.6, seconds=0.01)  # fmt: skip
    return Leaderboard(
        metric="roc_auc", baselines=(baseline, prior), trials=trials,
        weights=dict(zip(names, (0.5, 0.4, 0.3, 0.2, 0.15), strict=True)), pool=LOG,
        score=0.8486, steps=tuple(zip(names, scores, strict=True)), bags=5, iterations=63,
        stopped_by="budget", seconds=41.3,
    )  # fmt: skip


def _shapes(board: Leaderboard) -> tuple[Shape, ...]:
    names = [name for name, _ in board.steps]
    found = [
        Shape(name=f"first {n}", weights={k: board.weights[k] for k in names[:n]}, pool=LOG,
              score=board.steps[n - 1][1], latency=0.09 * n**1.6, bytes=400_000 * n)
        for n in range(2, len(names) + 1)
    ]  # fmt: skip
    found += [
        Shape(name=name, weights={name: 1.0}, pool=Pool(), score=0.8455 - 0.0006 * i,
              latency=0.06 + 0.05 * i, bytes=150_000 + 90_000 * i)
        for i, name in enumerate(names)
    ]  # fmt: skip
    student = Shape(name="distilled", weights={"student": 1.0}, pool=Pool(), score=0.8462,
                    latency=0.051, bytes=220_000)  # fmt: skip
    return (*found, student)


def searched_members(board: Leaderboard) -> Members:
    shapes = tuple(
        change(s, chosen=s.name == "first 3", missed=("latency_p99",) if s.latency > 0.6 else ())
        for s in _shapes(board)
    )
    chosen = next(shape for shape in shapes if shape.chosen)
    made = tuple(
        Member(candidate=Candidate(name=name, kind="boosting", varies=True), weight=weight / 5,
               rounds=200, state=sha("7"))
        for name, weight in chosen.weights.items()
        for _ in range(5)
    )  # fmt: skip
    return Members(
        members=made, baseline=made[0], weights=chosen.weights, pool=chosen.pool, shapes=shapes,
        why="the best within the gate on latency",
    )  # fmt: skip


def searched_view() -> RunView:
    view, board = binary_view(), searched_board()
    members = searched_members(board)
    fitted = view.fitted
    assert isinstance(fitted, Fitted)
    assert view.report is not None
    gates = [change(g, at_most=0.6) if g.at_most is not None else g for g in view.seal.gates]
    return replace(
        view,
        leaderboard=board,
        members=members,
        report=change(view.report, parity=change(PARITY, portable=WITHOUT)),
        fitted=change(fitted, members=members.members, pool=members.pool),
        seal=change(view.seal, gates=tuple(gates)),
        project=change(view.project, budget=BudgetSection(time=60.0)),
    )
