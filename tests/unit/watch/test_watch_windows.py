"""Rows are cut into windows, counted as they come, and kept: each once, however they arrive."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assay.lifecycle.watching.kept import Past, Shelved, State
from assay.lifecycle.watching.tally import BLOCKS, KEY, SAMPLE, Columns, Tally, tally_of
from assay.lifecycle.watching.windows import Cutter, Window
from assay.records.fitted import Field
from assay.records.spec import WatchSection
from assay.stores.workspace import open_workspace
from assay.watch.columns.build import profile_columns

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = 3600.0


def features(rows: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    fee = pl.Series(rng.normal(50, 10, rows)).set(pl.Series(rng.random(rows) < 0.1), None)
    return pl.DataFrame({"fee": fee, "region": rng.choice(["north", "south"], rows)})


FIELDS = [
    Field(name="fee", type="number", missing=True),
    Field(name="region", type="category", missing=False),
]
COLUMNS = Columns(profile_columns(features(2000), FIELDS), ())


def logged(rows: int, *, at: float = 0.0, every: float = 1.0, seed: int = 1, shadow: bool = False,
           version: int = 1) -> pl.DataFrame:  # fmt: skip
    """Return rows of a log from `at` seconds after START on."""
    times = [START + timedelta(seconds=at + every * place) for place in range(rows)]
    made = features(rows, seed).rename(lambda name: f"in.{name}")
    return made.with_columns(
        pl.Series("request", [f"{seed}-{at:.0f}-{place}" for place in range(rows)]),
        pl.lit(0, pl.Int32).alias("row"),
        pl.Series("at", times, pl.Datetime("us", "UTC")),
        pl.lit(version, pl.Int32).alias("version"),
        pl.lit(shadow).alias("shadow"),
        pl.lit(value=False).alias("warned"),
        pl.lit("yes").alias("label"),
    )


def lookup(version: int) -> Columns | None:
    return COLUMNS if version < 9 else None


def same(one: Tally, other: Tally) -> None:
    """Both count the same rows."""
    assert one.rows == other.rows
    for name, cells in one.inputs.cells.items():
        assert cells.tolist() == other.inputs.cells[name].tolist()
    assert_frame_equal(one.sample.sort(KEY), other.sample.sort(KEY))
    assert one.missing.sum(axis=0).tolist() == other.missing.sum(axis=0).tolist()


def test_tallies_of_parts_add_up_to_that_of_the_whole() -> None:
    frame = features(SAMPLE + 5000)
    keys = np.random.default_rng(3).permutation(frame.height).astype(np.uint64)
    cuts = [0, 10, 7000, 19_000, frame.height]
    total = Tally()
    for start, end in pairwise(cuts):
        total = total + tally_of(COLUMNS, frame[start:end], keys=keys[start:end])
    whole = tally_of(COLUMNS, frame, keys=keys)
    same(total, whole)
    assert total.sample[KEY].max() == SAMPLE - 1
    assert len(total.blocks) <= BLOCKS
    assert total.blocks.sum() == frame.height


@pytest.mark.parametrize("each", [1, 37, 100, 1000])
def test_windows_by_count_have_so_many_live_rows(each: int) -> None:
    live, shadow = logged(450), logged(200, at=0.5, shadow=True, seed=2)
    rows = pl.concat([live, shadow]).sort("at")
    cutter, section = Cutter(), WatchSection(rows=100)
    closed: list[Window] = []
    for start in range(0, rows.height, each):
        cutter.add(rows[start : start + each], section, lookup)
        closed += cutter.over(section, 0.0)
    assert [window.rows for window in closed] == [100] * 4
    assert sum(w.rows for w in cutter.open) == 50
    shadows = [w.shadows.get(1, 0) for w in (*closed, *cutter.open)]
    assert sum(shadows) == 200
    assert all(one.last < two.first for one, two in pairwise(closed))


def test_a_clock_that_was_far_ahead_does_not_gather_all_rows_in_one_window() -> None:
    cutter, section = Cutter(), WatchSection(window=HOUR)
    cutter.closed = time.time() + 365 * 86_400.0
    ahead = (time.time() // HOUR + 1) * HOUR
    cutter.add(logged(10), section, lookup)
    assert cutter.closed in (ahead, ahead + HOUR)
    (window,) = cutter.over(section, cutter.closed + HOUR)
    assert window.rows == 10


def test_windows_by_time_take_rows_in_any_order() -> None:
    cutter, section = Cutter(), WatchSection(window=HOUR)
    late = logged(100, at=1800, seed=2)
    for rows in (logged(3000, every=2.0), late):
        cutter.add(rows, section, lookup)
    begin = START.timestamp()
    assert list(cutter.over(section, begin + HOUR - 1)) == []
    (first,) = cutter.over(section, begin + HOUR)
    assert (first.begin, first.rows) == (begin, 1900)
    cutter.add(late, section, lookup)
    (second,) = cutter.over(section, begin + 2 * HOUR)
    assert (second.begin, second.rows) == (begin + HOUR, 1300)
    assert cutter.open == []


def test_all_that_is_open_makes_one_window() -> None:
    cutter, section = Cutter(), WatchSection(window=HOUR)
    rows = pl.concat([logged(200, every=60.0), logged(50, at=500, seed=4, version=2)])
    cutter.add(rows, section, lookup)
    cutter.add(logged(30, at=600, seed=5, version=9), section, lookup)
    whole = cutter.whole()
    assert whole.versions == {"1": 200, "2": 50, "9": 30}
    assert (whole.rows, whole.version) == (280, 1)
    assert cutter.open == []


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "store")
    window = Window(begin=3.0)
    window.add(logged(300), lookup)
    window.add(logged(20, at=400, shadow=True), lookup)
    past = Past(0, 1, 0.0, 1.0, window.tallies[1].inputs, window.tallies[1].answers)
    state = State(cursor={"v1-a": 4}, number=7, windows=[window], history=[past], pending=b"{}")
    state.labels.fresh = logged(5)
    shelved = Shelved(workspace, "a/model é")
    assert shelved.read() is None
    shelved.write(state)
    found = shelved.read()
    assert found is not None
    assert (found.cursor, found.number, found.pending) == ({"v1-a": 4}, 7, b"{}")
    same(found.windows[0].tallies[1], window.tallies[1])
    assert found.windows[0].versions == {"1": 300, "1 (shadow)": 20}
    assert found.windows[0].gap == window.gap
    assert found.history[0].inputs.moments["fee"].tolist() == past.inputs.moments["fee"].tolist()
    assert_frame_equal(found.labels.fresh, state.labels.fresh)
    both = found.windows[0] + window
    assert both.rows == 600


@pytest.mark.parametrize("content", [b"", b"torn", b"x\x9cgarbage"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    shelved = Shelved(open_workspace(tmp_path / "store"), "churn")
    shelved.write(State(number=3))
    shelved.path.write_bytes(content)
    assert shelved.read() is None
    assert shelved.path.with_suffix(".damaged").read_bytes() == content
    assert shelved.read() is None
