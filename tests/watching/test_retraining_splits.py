"""Retraining where the sealed split goes by time and the project has Python of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from logged import Watched, loans

from assay.kernel.store import get_record
from assay.lifecycle import history
from assay.lifecycle.retraining import retraining
from assay.lifecycle.retraining.fresh import TEST, TRAIN
from assay.records.seal import Seal
from assay.records.spec import RetrainSection, WatchSection
from assay.records.split import Split

WATCH = WatchSection(on_degraded=("incident", "retrain"))
TRUST = RetrainSection(labels="trust", minimum=300, pause=0.0)
SHAPE = """
import polars as pl

def shape(rows):
    return rows.with_columns((pl.col("debt") / pl.col("income")).alias("ratio"))
"""


def timed(rows: int, seed: int, **more: bool) -> pl.DataFrame:
    days = [date(2024, 1, 1) + timedelta(days=place // 3) for place in range(rows)]
    return loans(rows, seed, **more).with_columns(pl.Series("day", days))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("loans")


@pytest.fixture(scope="module")
def trained(folder: Path) -> Watched:
    """Return loans under a split by time, with a column that the project makes itself."""
    watched = Watched(folder)
    more = '[split]\ntime_on = "day"\n[features]\ntransform = "shape:shape"\n'
    watched.write(timed(900, 1), more=more)
    (folder / "shape.py").write_text(SHAPE)
    watched.train()
    return watched


@pytest.fixture
def watched(trained: Watched, tmp_path: Path) -> Iterator[Watched]:
    watched = trained.copy(tmp_path / "loans")
    yield watched
    retraining.join(watched.workspace(), "loans")


def ask(watched: Watched) -> None:
    span = watched.log(timed(900, 2, other=True), allow_code=True)
    watched.judged(watched.verdict("degraded", broken=("roc_auc",), span=span), WATCH, TRUST)
    retraining.join(watched.workspace(), "loans")


def test_under_a_split_by_time_the_sealed_share_of_the_newest_is_judged_on(
    watched: Watched,
) -> None:
    ask(watched)
    assert not [e.data["reason"] for e in watched.events("retrain.refused")]
    (judged,) = watched.events("retrain.judged")
    entry = history.runs(watched.events())[judged.data["run"]]
    store = watched.workspace().store
    split = get_record(store, entry.data["records"]["split"], Split)
    assert (split.policy, split.test, split.ordered) == ("time_on day", 180, True)
    assert get_record(store, entry.given["seal"], Seal).split.time_on == "day"
    (made,) = (watched.store / "retrain" / "loans").iterdir()
    table = pl.read_parquet(made / TRAIN)
    assert not (made / TEST).exists()
    assert table.height == 900, "columns that Python made cannot be replayed"
    assert "ratio" not in table.columns
    assert table["day"].is_sorted()
    assert watched.champion() == 2


def test_other_python_than_at_training_is_refused(watched: Watched, folder: Path) -> None:
    (folder / "shape.py").write_text(SHAPE.replace("debt", "hour"))
    try:
        ask(watched)
    finally:
        (folder / "shape.py").write_text(SHAPE)
    assert watched.events("retrain.refused")[0].data["code"] == "RETRAIN-CODE"
    assert watched.champion() == 1
