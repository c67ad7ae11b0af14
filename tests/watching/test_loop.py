"""The loop closes by itself: a real server, a real watcher, rows over HTTP, labels late.

The replay of `examples/` on a table made here, so that no data set is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from replaying import Replay, seconds

from assay.kernel.ledger import verify_chain
from assay.tasks.tabular.portfolio.choose import candidates
from assay.tasks.tabular.portfolio.facts import Facts

BOOSTING = next(c.name for c in candidates(Facts(classes=2, rows=1_500)) if c.kind == "boosting")
WINDOW = 300
FAULT = 2

PROJECT = f"""
[project]
name = "claims"

[data]
source = "history.parquet"
target = "fraud"
positive = "yes"

[split]
test = 0.4

[metric]
primary = "roc_auc"

[[gates]]
metric = "roc_auc"
at_least = 0.75

[budget]
iterations = 1
only = ["{BOOSTING}"]

[serve]
flush = "100ms"
slo = "1s"

[release]
steps = [0.5]
minimum = 60
differ = 1
shift = 0.9
latency = 100

[watch]
rows = {WINDOW}
false_alarms = 100
on_degraded = ["incident", "rollback", "retrain"]

[retrain]
rows = 900
minimum = 900
judge = 0.4
replay = 0.0
pause = "1s"
"""


def claims(rows: int, seed: int, ring: float = 0.0) -> pl.DataFrame:
    """Return claims, a part of them of a new kind that is mostly fraud and looks like none."""
    rng = np.random.default_rng(seed)
    amount = rng.gamma(3, 700, rows)
    days = rng.integers(30, 2_000, rows)
    kind = rng.choice(["collision", "glass", "theft"], rows, p=[0.5, 0.3, 0.2])
    score = (amount - 2_100) / 900 + 2.0 * (kind == "theft") - 1.5 * (kind == "glass") - 1.6
    fraud = rng.random(rows) < 1 / (1 + np.exp(-score))
    ours = rng.random(rows) < ring
    return pl.DataFrame(
        {
            "amount": np.where(ours, rng.gamma(9, 30, rows), amount).round(2),
            "days": np.where(ours, rng.integers(1, 8, rows), days),
            "kind": np.where(ours, "glass", kind),
            "region": rng.choice(["north", "south", "west"], rows),
            "fraud": np.where(np.where(ours, rng.random(rows) < 0.85, fraud), "yes", "no"),
        }
    )


@contextmanager
def replaying(folder: Path, **options: Any) -> Iterator[Replay]:
    """Return a replay that is trained, served and watched."""
    (folder / "claims").mkdir()
    (folder / "claims" / "assay.toml").write_text(PROJECT)
    with Replay(folder / "claims", claims(2_000, 1), "fraud", **options) as replay:
        replay.train()
        replay.serve()
        replay.watch()
        yield replay
        verify_chain(replay.events())


def play(
    replay: Replay, done: Callable[[], Any], ring: float = 0.0, most: int = 14, first: int = 0
) -> None:
    """Send windows, with the ring from the fault on, until something came about."""
    for number in range(first, first + most):
        replay.window(claims(WINDOW, 100 + number, ring if number >= FAULT else 0.0))
        if done():
            return
    pytest.fail(f"it did not come about in {most} windows")


@pytest.mark.slow
def test_a_new_kind_of_fraud_is_found_learned_and_released(tmp_path: Path) -> None:
    with replaying(tmp_path) as replay:
        play(replay, replay.closed, ring=0.2, most=16)
        verdicts = [e.data["verdict"] for e in replay.events("watch.judged")]
        assert set(verdicts[:FAULT]) == {"steady"}
        assert verdicts[FAULT] == "drift"
        assert "degraded" in verdicts
        kinds = [event.kind for event in replay.events()]
        order = ["incident.opened", "retrain.asked", "retrain.started", "retrain.judged",
                 "release.started", "release.decided", "incident.resolved"]  # fmt: skip
        places = [kinds.index(kind) for kind in order]
        assert places == sorted(places)
        assert replay.events("release.decided")[-1].data["decision"] == "promoted"
        assert replay.answered_by(-1) == {f"claims@{replay.live}": WINDOW}
        asked = replay.events("retrain.asked")
        assert len({(e.data["cause"], e.data["labels"]) for e in asked}) == len(asked)


def swapped(window: int, label: str) -> str:
    return {"yes": "no", "no": "yes"}[label] if window >= FAULT else label


@pytest.mark.slow
def test_labels_that_were_swapped_are_refused_with_the_reason(tmp_path: Path) -> None:
    with replaying(tmp_path, spoil=swapped) as replay:
        play(replay, lambda: replay.events("retrain.refused"))
        assert replay.live == 1
        assert not replay.events("release.started")
        assert "labels" in replay.events("retrain.refused")[0].data["reason"]
        assert not replay.events("retrain.judged")


@pytest.mark.slow
def test_a_bad_release_is_taken_back_by_a_verdict(tmp_path: Path) -> None:
    with replaying(tmp_path) as replay:
        for number in range(FAULT):
            replay.window(claims(WINDOW, 100 + number))
        wrong = claims(2_000, 1).with_columns(pl.col("fraud").replace({"yes": "no", "no": "yes"}))
        wrong.write_parquet(replay.folder / "export.parquet")
        replay.assay("run", replay.folder, "--set", "data.source=export.parquet")
        replay.assay("promote", "claims@2")
        assert replay.live == 2
        play(replay, lambda: replay.live == 1, first=FAULT, most=3)
        back = replay.events("alias.moved")[-1]
        assert back.agency == "default"
        closed = [e for e in replay.events("watch.judged") if e.seq < back.seq][-1]
        assert seconds(closed.data["until"], back.at) < 60  # 5 s on a quiet machine: the benchmark
        replay.window(claims(WINDOW, 200))
        assert replay.answered_by(-1) == {"claims@1": WINDOW}
