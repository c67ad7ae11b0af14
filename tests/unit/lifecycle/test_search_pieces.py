"""Pieces of the search: rows held back, folds by size, tuning, memory, and the clock."""

from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_stand_ins import PROBLEM, Family, candidate

from assay.data.split import TEST
from assay.errors import SpecError
from assay.kernel.family import Rows
from assay.kernel.stage import Context
from assay.lifecycle.history import used
from assay.lifecycle.material import Material
from assay.lifecycle.search import desk, fold, plan
from assay.lifecycle.search.clock import Clock, bags_for
from assay.lifecycle.search.fold import STOP_ON, fit_rows, held_back
from assay.lifecycle.search.tuning import Tuner
from assay.records.fitted import Candidate, FoldFit, Knob, Space
from assay.records.spec import BudgetSection, SplitSection
from assay.stores.workspace import open_workspace

NO_LIMIT = BudgetSection(iterations=1)


def rows(size: int, truth: np.ndarray | None = None) -> Rows:
    found = np.arange(size) % 2 if truth is None else truth
    return Rows(pl.DataFrame({"x": np.arange(float(size)), "z": np.arange(float(size))}), found)


def material(size: int, folds: int = 5, ordered: bool = False) -> Material:
    table = pl.DataFrame(
        {"x": np.zeros(size), "z": np.zeros(size), "g": np.arange(size) // 7}
    ).with_columns(y=pl.Series(np.where(np.arange(size) % 3 == 0, "no", "yes")))
    parts = (np.arange(size) % (folds + 1) - 1).astype(np.int8)
    if ordered:
        parts = np.sort(parts)
        parts[parts == 0] = 127
    return Material(Family(), PROBLEM, table, parts, ordered)


# ---- rows that stop a fit


def test_the_rows_that_stop_a_fit_are_of_its_training_part_and_of_every_class():
    truth = np.array([0] * 160 + [1] * 16)
    kept, back = held_back(rows(truth.size, truth), ordered=False, seed=1)
    parts = [set(part.frame["x"]) for part in (kept, back)]
    assert parts[0] | parts[1] == set(range(truth.size))
    assert not parts[0] & parts[1]
    assert np.bincount(back.truth).tolist() == [20, 2]
    for part in (kept, back):
        assert (truth[part.frame["x"].to_numpy().astype(int)] == part.truth).all()
        assert part.frame["x"].is_sorted()
    other = held_back(rows(truth.size, truth), ordered=False, seed=2)[1]
    assert set(other.frame["x"]) != parts[1]


def test_in_time_the_last_rows_stop_the_fit():
    kept, back = held_back(rows(80), ordered=True, seed=1)
    assert back.frame["x"].to_list() == list(range(80 - 80 // STOP_ON, 80))
    assert kept.frame["x"].to_list() == list(range(80 - 80 // STOP_ON))


def test_a_large_table_holds_no_more_back_than_is_needed(monkeypatch):
    monkeypatch.setattr(fold, "MOST_STOPPING", 50)
    for ordered in (True, False):
        back = held_back(rows(5_000), ordered=ordered, seed=1)[1]
        assert back.truth.size == 50


def test_no_row_stops_a_fit_that_it_scores(monkeypatch):
    family = Family()
    monkeypatch.setattr(fold, "load_family", lambda _: family)
    valid = Rows(pl.DataFrame({"x": np.zeros(20), "z": np.arange(100.0, 120.0)}), np.zeros(20, int))
    for stops_early in (True, False):
        one = Candidate(name="a", kind="k", params={"skill": 1.0}, stops_early=stops_early)
        fit_rows(one, PROBLEM, rows(80), valid, ordered=False, seed=1, threads=1)
    (_, fitted, stopped), (_, everything, nothing) = family.given
    assert max(stopped) < 80
    assert sorted(fitted + stopped) == list(range(80))
    assert (everything, nothing) == (list(range(80)), None)


def test_a_prediction_that_is_no_number_is_a_failed_fit(monkeypatch):
    family = Family()
    monkeypatch.setattr(fold, "load_family", lambda _: family)
    blank = Rows(pl.DataFrame({"x": [float("nan")], "z": [1.0]}), np.array([0]))
    one = candidate("a", 1.0)
    answer = fit_rows(one, PROBLEM, rows(8), blank, ordered=False, seed=1, threads=1)
    assert "finite" in answer.failed
    assert answer.values is None


# ---- the desk


def test_what_is_laid_out_reads_back_the_same_in_another_process(tmp_path):
    given_ = Rows(rows(50).frame, rows(50).truth, np.linspace(0, 1, 50))
    slot = plan.Slot(0, np.array([3, 1, 2]), np.array([7, 9]))
    name = desk.lay_out(tmp_path / "desk", given_, [slot], shared=True)
    here = desk.take(name, slot.label)
    assert desk.take(name, slot.label) is here
    desk._open.clear()  # as in a worker
    there = desk.take(name, slot.label)
    for mine, other in zip(here, there, strict=True):
        assert mine.frame.equals(other.frame)
        assert (mine.truth == other.truth).all()
        assert (mine.weight == other.weight).all()
    assert there[0].frame["x"].to_list() == [3, 1, 2]
    desk.clear(name)
    assert not (tmp_path / "desk").exists()


# ---- folds by size


@pytest.fixture
def small_sizes(monkeypatch):
    """Make every border a hundred times smaller."""
    for name in ("REPEATED_BELOW", "FEWER_FROM", "ONE_FROM", "MOST_VALID", "LEAST_VALID",
                 "PROBE_FROM", "PROBE", "PROBE_VALID"):  # fmt: skip
        monkeypatch.setattr(plan, name, getattr(plan, name) // 100)


@pytest.mark.parametrize(
    ("size", "slots", "repeats", "probe", "keep"),
    [
        (20, 15, 3, False, False),
        (100, 5, 1, False, False),
        (500, 3, 1, False, False),
        (1_200, 3, 1, True, False),
        (3_000, 1, 1, True, True),
    ],
)
def test_how_much_is_validated_goes_by_the_rows(small_sizes, size, slots, repeats, probe, keep):
    found = plan.build(material(size), SplitSection(stratify_on="y"), NO_LIMIT)
    assert (len(found.slots), found.repeats) == (slots, repeats)
    assert (found.probe is not None, found.keep) == (probe, keep)
    train = material(size).train_index.size
    for slot in (*found.slots, *found.simple):
        assert not set(slot.train) & set(slot.valid)
        assert max(slot.train.max(), slot.valid.max()) < train
        assert slot.valid.size <= 500
    if keep:
        assert found.slots[0].train.size >= 0.89 * train
    if size >= 500:
        assert max(slot.train.size for slot in found.simple) <= 200
    again = plan.build(material(size), SplitSection(stratify_on="y"), NO_LIMIT)
    assert [s.label for s in again.every()] == [s.label for s in found.every()]


def test_folds_in_time_have_no_repeats_and_no_rows_from_later(small_sizes):
    policy = SplitSection(time_on="z")
    few = plan.build(material(20, ordered=True), policy, NO_LIMIT)
    assert few.repeats == 1
    found = plan.build(material(900, ordered=True), policy, NO_LIMIT)
    assert len(found.slots) == 3
    for slot in found.slots:
        assert slot.train.max() < slot.valid.min()
    large = plan.build(material(3_000, ordered=True), policy, NO_LIMIT)
    assert len(large.slots) == 1
    assert not large.keep  # it has not seen the latest rows


@given(st.integers(30, 200), st.integers(0, 5))
def test_groups_stay_together_in_every_repeat(size, seed):
    made = material(size)
    parts = (made.table["g"].to_numpy() % 6 - 1).astype(np.int8)
    made = Material(made.family, made.problem, made.table, parts, ordered=False)
    found = plan.build(made, SplitSection(group_on="g", seed=seed), NO_LIMIT)
    group = made.table["g"].to_numpy()[made.train_index]
    for slot in found.slots:
        assert not set(group[slot.train]) & set(group[slot.valid])
    for repeat in range(found.repeats):
        first = repeat * found.folds
        every = np.concatenate([s.valid for s in found.slots[first : first + found.folds]])
        assert np.unique(every).size == every.size
    assert (parts[made.train_index] != TEST).all()


def test_a_short_time_or_little_memory_fits_on_a_sample():
    rows_, columns = 1_000_000, 30
    assert plan.most_rows(rows_, columns, NO_LIMIT) == rows_
    assert plan.most_rows(800_000, columns, BudgetSection(time=120.0)) == 800_000
    assert plan.most_rows(rows_, columns, BudgetSection(time=10.0)) < 100_000
    half_a_minute = plan.most_rows(rows_, columns, BudgetSection(time=30.0))
    assert plan.most_rows(rows_, columns, BudgetSection()) == half_a_minute
    assert plan.most_rows(rows_, columns, BudgetSection(repeat="r")) == half_a_minute
    few = plan.most_rows(rows_, columns, BudgetSection(iterations=1, memory=2_500.0))
    assert plan.PROBE <= few < rows_
    with pytest.raises(SpecError) as error:
        plan.most_rows(rows_, columns, BudgetSection(iterations=1, memory=1_000.0))
    assert (error.value.code, error.value.where) == ("BUDGET-MEMORY", "budget.memory")
    needs = float(error.value.allowed[0].split(" ")[0].replace(",", ""))
    plan.most_rows(rows_, columns, BudgetSection(iterations=1, memory=needs + 1))
    assert plan.workers_for(1_000, 10, None, 4) == 4
    assert plan.workers_for(1_000, 10, 1_500.0, 4) == 1
    assert plan.workers_for(1_000, 10, 1_000.0, 4) == 1


# ---- tuning


SPACES = [
    Space(
        candidate=Candidate(name="a", kind="a", params={"fixed": 7}),
        knobs=(
            Knob(name="rate", low=0.001, high=1.0, log=True),
            Knob(name="leaves", low=2, high=64, whole=True, log=True),
            Knob(name="how", choices=("x", "y")),
        ),
    ),
    Space(candidate=Candidate(name="b", kind="b"), knobs=(Knob(name="rate", low=0.0, high=1.0),)),
]


def test_tuning_repeats_itself_keeps_to_its_space_and_follows_what_leads():
    names = []
    for _ in range(2):
        tuner = Tuner(SPACES, 1, higher=False)
        tuner.tell(Candidate(name="p", kind="b", params={"rate": 0.0}), 9.0)
        asked = []
        for turn in range(24):
            one = tuner.ask()
            asked.append(one)
            loss = abs(one.params["rate"] - 0.5) + (5.0 if one.kind == "b" else 0.0)
            tuner.tell(one, None if turn % 7 == 6 else loss, part=turn % 5 == 4)
        names.append([(one.name, one.params) for one in asked])
    assert names[0] == names[1]
    first = [one for one in asked if one.kind == "a"]
    assert len(first) > 12
    for one in first:
        assert one.params["fixed"] == 7
        assert 0.001 <= one.params["rate"] <= 1.0
        assert isinstance(one.params["leaves"], int)
        assert one.params["how"] in ("x", "y")
    late = [abs(one.params["rate"] - 0.5) for one in first]
    assert np.mean(late[-4:]) < np.mean(late[:8])


def test_a_space_that_is_used_up_is_left_alone():
    space = Space(
        candidate=Candidate(name="a", kind="a"), knobs=(Knob(name="how", choices=("x", "y")),)
    )
    tuner = Tuner([space, Space(candidate=Candidate(name="b", kind="b"), knobs=())], 1, higher=True)
    asked = []
    while (one := tuner.ask()) is not None:
        asked.append(one.params["how"])
        tuner.tell(one, 1.0)
    assert sorted(asked) == ["x", "y"]


# ---- the clock


def test_the_time_for_what_follows_is_set_aside(tmp_path):
    space = open_workspace("memory://")
    context = Context(space.store, space.ledger, tmp_path)
    made = plan.build(material(100), SplitSection(stratify_on="y"), NO_LIMIT)
    clock = Clock(context, made, 2)
    assert clock.spare() == float("inf")
    context.deadline = time.monotonic() + 10
    before = clock.spare()
    assert 0 < before < 10
    fits = [FoldFit(candidate="a", fold=0, predictions="", rounds=None, seconds=1.0, rows=80)]
    clock.expect([fits], 2)
    assert before - clock.spare() > 2
    kept = [FoldFit(candidate="a", fold=0, predictions="", rounds=None, seconds=9.0, state="s")]
    assert clock.members([kept], [1]) == 0
    assert [bags_for(rows) for rows in (100, 10_000, 30_000, 10**6)] == [3, 2, 1, 1]


def test_what_earlier_attempts_used_is_read_off_the_ledger(tmp_path):
    space = open_workspace("memory://")
    context = Context(space.store, space.ledger, tmp_path, run="r")
    assert used(space.ledger.read(), "r") == 0.0
    for kind, subject in (
        ("run.started", "r"), ("work.finished", "fit"), ("run.started", "other"),
        ("run.resumed", "r"),
    ):  # fmt: skip
        time.sleep(0.05)
        context.append(kind, subject, **({"run": "r"} if kind == "work.finished" else {}))
    assert 0.04 < used(space.ledger.read(), "r") < 0.09
    context.append("run.finished", "r")
    assert used(space.ledger.read(), "r") == 0.0


def test_a_budget_has_a_time_unless_something_else_ends_it():
    assert BudgetSection().seconds == 30.0
    assert BudgetSection(time=5.0, iterations=3).seconds == 5.0
    assert BudgetSection(iterations=3).seconds is None
    assert BudgetSection(time=5.0, repeat="digest").seconds is None
