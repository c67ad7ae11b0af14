"""Everything of a window in one budget: what is flagged, at which scale, and what it matters."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from assay.records.spec import WatchSection
from assay.watch.columns.build import profile_columns
from assay.watch.columns.count import count
from assay.watch.columns.form import Counts
from assay.watch.drift.budget import MOST, alpha_of, holm
from assay.watch.drift.joint import JointFound
from assay.watch.drift.moved import ALL, moved
from assay.watch.profile import Profile

SECTION = WatchSection()
NAMES = ("a", "b", "c", "d", "e")
DAY = 86_400.0


@dataclass(frozen=True)
class Field:
    name: str
    type: str = "number"


def rows(rng, n, **shifts):
    return pl.DataFrame({name: rng.normal(shifts.get(name, 0.0), 1.0, n) for name in NAMES})


def profile_of(rng, n=5_000) -> Profile:
    columns = profile_columns(rows(rng, n), [Field(name) for name in NAMES])
    matters = (0.5, 0.25, 0.25, 0.0, 0.0)
    columns = tuple(
        msgspec.structs.replace(column, matters=share)
        for column, share in zip(columns, matters, strict=True)
    )
    answers = profile_columns(rows(rng, 1_000).select(score="a"), [Field("score")])
    words = pl.DataFrame({"y": rng.choice(["no", "yes"], 1_000, p=[0.7, 0.3])})
    (target,) = profile_columns(words, [Field("y", "category")])
    return Profile(rows=n, test_rows=1_000, columns=columns, answers=answers, target=target)


def said(profile, frame, scales=(1,), alpha=0.01, section=SECTION, **more):
    """Return what is said of a window, by column; every scale sees the same rows."""
    pooled = {scale: count(profile.columns, frame) for scale in scales}
    found = moved(profile, pooled, more.pop("joint", None), section, alpha, **more)
    return {row.column: row for row in found}


def test_a_month_of_windows_may_expect_the_false_alarms_that_were_asked_for():
    section = WatchSection(false_alarms=0.2)
    assert 30 * alpha_of(section, DAY) == pytest.approx(0.2)
    assert 720 * alpha_of(section, DAY / 24) == pytest.approx(0.2)
    assert alpha_of(section, 30 * DAY) == MOST
    assert alpha_of(section, None) == MOST


def test_holm_corrects_step_by_step():
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])).tolist() == [1.0, 1.0]


def test_the_column_that_moved_is_flagged_and_no_other():
    rng = np.random.default_rng(1)
    profile = profile_of(rng)
    found = said(profile, rows(rng, 1_000, b=0.3))
    assert [name for name, row in found.items() if row.flagged] == ["b"]
    assert next(iter(found)) == "b"
    assert found["b"].effect > 0.08
    assert found["b"].kind == "input"
    assert sum(found["b"].counts) == 1_000
    assert found["b"].matters == 1.0
    assert found["a"].matters is None


def test_without_change_windows_are_flagged_as_seldom_as_is_said():
    rng = np.random.default_rng(2)
    section = WatchSection(effect=0.0)
    alarms, windows = 0, 200
    for number in range(windows):
        if number % 10 == 0:
            profile = profile_of(rng, 2_000)
        pooled = count(profile.columns, rows(rng, 300))
        scales = {1: pooled, 4: pooled + count(profile.columns, rows(rng, 900))}
        alarms += any(row.flagged for row in moved(profile, scales, None, section, 0.1))
    assert alarms <= binom.ppf(0.999, windows, 0.1)


def test_a_change_too_small_for_one_window_shows_in_sixteen():
    rng = np.random.default_rng(3)
    profile = profile_of(rng, 50_000)
    windows = [count(profile.columns, rows(rng, 150, c=0.2)) for _ in range(16)]
    alone = moved(profile, {1: windows[-1]}, None, SECTION, 0.001)
    assert not any(row.flagged for row in alone)
    pooled = {1: windows[-1], 4: sum(windows[-4:], Counts()), 16: sum(windows, Counts())}
    found = {row.column: row for row in moved(profile, pooled, None, SECTION, 0.001)}
    assert [name for name, row in found.items() if row.flagged] == ["c"]
    assert found["c"].scale == 16


def test_a_trifle_in_a_million_rows_is_not_flagged():
    rng = np.random.default_rng(4)
    found = said(profile_of(rng, 100_000), rows(rng, 1_000_000, a=0.05))
    assert found["a"].p < 1e-6
    assert not found["a"].flagged


def test_answers_and_labels_are_questions_of_their_own():
    rng = np.random.default_rng(5)
    profile = profile_of(rng)
    answers = count(profile.answers, pl.DataFrame({"score": rng.normal(0.5, 1.0, 1_000)}))
    words = pl.DataFrame({"y": rng.choice(["no", "yes"], 1_000, p=[0.5, 0.5])})
    labels = count((profile.target,), words)
    found = said(profile, rows(rng, 1_000), answers={1: answers}, labels={1: labels})
    assert {row.kind for row in found.values() if row.flagged} == {"prediction", "label"}
    assert found["y"].reading.startswith("share of ")


def test_all_columns_together_are_one_row():
    rng = np.random.default_rng(6)
    joint = JointFound(1e-9, 0.7, np.zeros(3))
    found = said(profile_of(rng), rows(rng, 1_000), joint=joint)
    assert found[ALL].flagged
    assert found[ALL].kind == "joint"
    assert found[ALL].effect == pytest.approx(0.4)
    assert found[ALL].p == pytest.approx(4e-9)


def test_a_season_ago_it_was_the_same():
    rng = np.random.default_rng(7)
    profile = profile_of(rng)
    ago = count(profile.columns, rows(rng, 1_000, a=0.5))
    seasonal = {"input": {1: ago}}
    as_before = said(profile, rows(rng, 1_000, a=0.5), seasonal=seasonal)["a"]
    assert not as_before.flagged
    assert as_before.reading.endswith("; as a season ago")
    assert said(profile, rows(rng, 1_000, a=1.0), seasonal=seasonal)["a"].flagged
    other = said(profile, rows(rng, 1_000, a=0.5), seasonal={"input": {1: Counts()}})["a"]
    assert other.flagged
    few = {"input": {1: count(profile.columns, rows(rng, 12))}}
    assert said(profile, rows(rng, 1_000, a=0.5), seasonal=few)["a"].flagged


def test_what_matters_is_what_the_answers_rest_on():
    rng = np.random.default_rng(8)
    found = said(profile_of(rng), rows(rng, 2_000, a=0.5, b=0.5, e=0.5))
    assert found["a"].matters == pytest.approx(2 / 3, abs=0.05)
    assert found["b"].matters == pytest.approx(1 / 3, abs=0.05)
    assert found["e"].matters == 0.0


def test_what_is_to_be_ignored_is_not_looked_at():
    rng = np.random.default_rng(9)
    found = said(profile_of(rng), rows(rng, 500, a=1.0), section=WatchSection(ignore=("a",)))
    assert "a" not in found
    assert not any(row.flagged for row in found.values())


def test_an_empty_window_says_nothing():
    rng = np.random.default_rng(10)
    found = said(profile_of(rng), rows(rng, 0))
    assert not any(row.flagged for row in found.values())
    assert moved(profile_of(rng), None, None, SECTION, 0.01) == ()
