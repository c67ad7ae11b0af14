"""The course of a search: the same at any speed, resumed, discarded, cut off, repeated."""

from __future__ import annotations

import time
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import ClassVar

import msgspec
import numpy as np
import pytest
from search_stand_ins import PROBLEM, Case, candidate

from assay.errors import DataError
from assay.kernel.executor import WorkerDied
from assay.kernel.store import put_record
from assay.lifecycle.material import read_array
from assay.lifecycle.search import fit_scope, plan, search


class Late:
    """Many workers that answer in another order than they were asked."""

    running: ClassVar[list[Thread]] = []

    def __init__(self, workers=3, kill=()):
        self.workers, self.threads, self.asked, self.kill = workers, 1, 0, set(kill)

    def submit(self, function, *arguments):
        future: Future = Future()
        self.asked += 1
        wait = 0.02 if self.asked % 3 else 0.0
        died = self.asked in self.kill

        def work():
            time.sleep(wait)
            if died:
                future.set_exception(WorkerDied("gone"))
            else:
                with suppress(FileNotFoundError):  # it was stopped, and the rows are gone
                    future.set_result(function(*arguments))

        self.running.append(Thread(target=work))
        self.running[-1].start()
        return future

    def warm(self, path):
        pass

    def stop(self):
        pass


@pytest.fixture
def case(tmp_path, monkeypatch):
    yield lambda **budget: Case(tmp_path, monkeypatch, **budget)
    while Late.running:  # a fit that nobody waited for needs what is patched
        Late.running.pop().join()


def course(board):
    return [(t.candidate, t.status, t.score, t.folds) for t in (*board.baselines, *board.trials)]


def alike(board):
    """Everything of a leaderboard but its times."""
    still = {"seconds": 0.0, "at": 0.0}
    trials = [tuple(msgspec.structs.replace(t, **still) for t in ts)
              for ts in (board.baselines, board.trials)]  # fmt: skip
    return msgspec.structs.replace(board, seconds=0.0, baselines=trials[0], trials=trials[1])


def test_the_course_does_not_depend_on_who_is_first(case):
    boards = []
    for executor in (None, Late(3), Late(2)):
        one = case(iterations=14)
        context = one.context()
        context.executor = executor or context.executor
        boards.append(search(one.inputs(), context))
    assert alike(boards[0]) == alike(boards[1]) == alike(boards[2])
    assert boards[0].iterations == 14
    assert boards[0].stopped_by == "budget"
    names = [trial.candidate.name for trial in boards[0].trials]
    assert len(set(names)) == 14
    assert sum("tuned" in name for name in names) == 11


def test_a_hopeless_candidate_is_discarded_and_the_best_leads(case):
    one = case(iterations=3)
    board = search(one.inputs(), one.context())
    found = {trial.candidate.name: trial for trial in board.trials}
    assert board.trials[0].candidate.name == "good"
    assert found["poor"].status == "discarded"
    assert "against" in found["poor"].note
    assert len(found["poor"].scores) == 1
    assert "fit:poor:0" in one.fits()
    assert found["good"].low < found["good"].score < found["good"].high
    assert read_array(one.space.store.get(found["good"].predictions)).shape == (
        (one.parts >= 0).sum(), 2,
    )  # fmt: skip


def test_few_rows_get_other_folds_too(case):
    one = case(iterations=2)
    board = search(one.inputs(), one.context())
    assert {trial.folds for trial in board.trials if trial.status == "done"} == {15}
    assert board.baselines[0].folds == 5
    assert board.bags == 3
    first, later = ({tuple(sorted(set(range(300)) - {int(z) for z in fitted}))
                     for name, fitted, _ in one.family.given[start:start + 5] if name == "good"}
                    for start in (5, 15))  # fmt: skip
    assert first.isdisjoint(later)


def large(monkeypatch, one_from=10_000):
    """Take a table of the tests for a large one."""
    sizes = {"REPEATED_BELOW": 10, "FEWER_FROM": 100, "PROBE_FROM": 100, "ONE_FROM": one_from,
             "PROBE": 60, "PROBE_VALID": 40, "LEAST_VALID": 20}  # fmt: skip
    for name, value in sizes.items():
        monkeypatch.setattr(plan, name, value)


def test_a_candidate_that_fails_in_a_repeat_keeps_its_first_folds(case, monkeypatch):
    one, calls = case(iterations=2), []
    fit = one.family.fit

    def fails(candidate, *others):
        calls.append(candidate.name)
        if calls.count("fair") == 15:
            raise MemoryError
        return fit(candidate, *others)

    monkeypatch.setattr(one.family, "fit", fails)
    board = search(one.inputs(), one.context())
    found = {trial.candidate.name: trial for trial in board.trials}
    assert (found["fair"].status, found["fair"].folds) == ("done", 5)
    assert found["good"].folds == 15


@pytest.mark.parametrize("one_from", [10_000, 200])
def test_large_tables_rank_candidates_on_a_sample_first(case, monkeypatch, one_from):
    large(monkeypatch, one_from)
    boards = []
    for executor in (Late(3), None):
        one = case(iterations=8)
        one.family.portfolio += [candidate(f"more_{n}", 0.1 * n) for n in range(4, 9)]
        context = one.context()
        context.executor = executor or context.executor
        boards.append(search(one.inputs(), context))
        assert {f"fit:{c.name}:-1" for c in one.family.portfolio} < set(one.fits())
    assert alike(boards[0]) == alike(boards[1])
    board, kept = boards[0], one_from == 200
    found = {trial.candidate.name: trial for trial in board.trials}
    assert found["poor"].status == "discarded"
    assert "sample" in found["poor"].note
    assert found["good"].status == "done"  # the first of the portfolio is never left to a sample
    assert found["good"].folds == (1 if kept else 3)
    assert bool(found["good"].state) == kept
    assert board.baselines[0].rows == 60
    if kept:
        assert one.space.store.get(found["good"].state) == b"good"
        assert found["good"].rows == 225  # nine of ten
        assert found["good"].state in board.blobs()


def test_a_killed_search_goes_on_and_ends_the_same(case, monkeypatch):
    calm = case(iterations=8)
    wanted = search(calm.inputs(), calm.context())
    total = len(calm.family.given)
    one = case(iterations=8)

    class Killed(BaseException):
        pass

    fit, done = one.family.fit, []

    def dies(*arguments):
        if len(done) == 17:
            raise Killed
        done.append(1)
        return fit(*arguments)

    monkeypatch.setattr(one.family, "fit", dies)
    with pytest.raises(Killed):
        search(one.inputs(), one.context())
    monkeypatch.setattr(one.family, "fit", fit)
    board = search(one.inputs(), one.context())
    assert alike(board) == alike(wanted)
    assert len(one.family.given) == total
    assert len(one.fits()) == len(set(one.fits())) == total


def test_the_course_is_taken_again_by_its_record(case):
    one = case(iterations=9)
    first = search(one.inputs(), one.context())
    other = case(iterations=9, repeat=put_record(one.space.store, first))
    put_record(other.space.store, first)
    again = search(other.inputs(), other.context())
    assert list(alike(again).trials) == [t for t in alike(first).trials if t.status == "done"]
    assert (again.weights, again.pool, again.score) == (first.weights, first.pool, first.score)
    assert again.bags == first.bags


def test_time_that_is_over_ends_the_search_with_what_there_is(case):
    one = case(time=2.0)
    one.family.slow = 0.05
    context = one.context()
    context.deadline = time.monotonic() + 2.0
    begun = time.monotonic()
    board = search(one.inputs(), context)
    assert time.monotonic() - begun < 4
    assert board.stopped_by == "budget"
    assert board.trials[0].status == "done"


def test_without_any_time_there_is_a_baseline_and_one_candidate(case):
    one = case(time=1.0)
    context = one.context()
    context.deadline = time.monotonic() - 0.5
    one.family.portfolio = one.family.portfolio[:1]
    board = search(one.inputs(), context)
    assert board.baselines[0].status == "done"
    assert board.trials[0].status == "done"
    other = case(time=1.0)
    context = other.context()
    context.deadline = time.monotonic() - 60
    board = search(other.inputs(), context)  # a fold of one candidate is waited for
    assert board.trials[0].status == "done"
    assert board.trials[0].folds >= 1
    assert "prior" not in board.weights


@pytest.mark.parametrize("left", [-10.0, 2.8])
def test_a_large_table_with_too_little_time_has_a_baseline(case, monkeypatch, left):
    large(monkeypatch)
    one = case(time=5.0)
    one.family.slow = 0.05
    monkeypatch.setattr("assay.lifecycle.search.course.load_family", lambda _: one.family)
    context = one.context()
    context.executor = Late(2)
    context.deadline = time.monotonic() + left
    board = search(one.inputs(), context)
    assert board.baselines[0].status == "done"
    assert board.stopped_by == "budget"
    assert (board.weights == {"prior": 1.0}) == (left < 0)


def test_what_was_fitted_before_a_kill_counts_when_little_time_is_left(case):
    one = case(time=8.0)
    one.family.slow = 0.01
    boards = []
    for left in (5.0, 1.0):
        context = one.context()
        context.deadline = time.monotonic() + left
        boards.append(search(one.inputs(), context))
    done = [{t.candidate.name for t in b.trials if t.status == "done"} for b in boards]
    assert len(done[0]) > 3
    assert done[0] <= done[1]


def test_a_fit_that_fails_does_not_end_the_search_and_is_tried_again(case):
    one = case(iterations=3)
    one.family.broken = {"fair"}
    board = search(one.inputs(), one.context())
    failed = next(t for t in board.trials if t.candidate.name == "fair")
    assert failed.status == "failed"
    assert "the library gave up" in failed.note
    assert not [name for name in one.fits() if "fair" in name]
    one.family.broken = set()
    board = search(one.inputs(), one.context())
    assert next(t for t in board.trials if t.candidate.name == "fair").status != "failed"


def test_a_worker_that_dies_costs_nothing_once_and_the_candidate_twice(case):
    one = case(iterations=2)
    context = one.context()
    context.executor = Late(1, kill={7})
    board = search(one.inputs(), context)
    assert board.trials[0].status == "done"
    two = case(iterations=2)
    context = two.context()
    context.executor = Late(1, kill=set(range(6, 60)))
    board = search(two.inputs(), context)
    assert {trial.status for trial in board.trials} == {"failed"}
    assert "memory" in board.trials[0].note


def test_a_search_without_a_baseline_that_fits_says_so(case):
    one = case(iterations=2)
    one.family.broken = {"*"}
    with pytest.raises(DataError) as error:
        search(one.inputs(), one.context())
    assert error.value.code == "SEARCH-NO-BASELINE"
    assert "the library gave up" in error.value.got


def test_one_class_in_a_fold_is_no_reason_to_stop(case):
    one = case(iterations=2)
    train = np.flatnonzero(one.parts >= 0)
    one.parts[train] = np.where(one.table["y"].to_numpy()[train] == "yes", 0, 1 + train % 4)
    board = search(one.inputs(), one.context())
    assert board.trials[0].status == "done"
    assert len(board.trials[0].scores) < board.trials[0].folds


def test_notes_say_where_it_is_and_what_is_best(case):
    one = case(time=30.0, iterations=3)
    context = one.context()
    context.deadline = time.monotonic() + 30
    search(one.inputs(), context)
    assert any("candidate 2, fair, fold 2 of 5" in note for note in one.notes)
    assert any("best so far" in note and "(good)" in note for note in one.notes)
    assert all(" s left" in note for note in one.notes)


def test_what_a_fit_depends_on_is_its_rows_and_the_software_and_not_the_metric(case):
    given = case().inputs()
    scope = fit_scope(given)

    def changed(name: str, **fields) -> str:
        return fit_scope({**given, name: msgspec.structs.replace(given[name], **fields)})

    assert changed("problem", primary="log_loss", also=("brier",)) == scope
    assert changed("snapshot", source="elsewhere") == scope
    assert changed("split", policy="in other words") == scope
    assert PROBLEM.features
    for name, fields in (
        ("problem", {"features": ()}), ("snapshot", {"content": "d"}), ("split", {"rows": "s"}),
        ("split", {"ordered": True}), ("engine", {"libraries": {"lightgbm": "5"}}),
    ):  # fmt: skip
        assert changed(name, **fields) != scope, name
