"""A student is scored on rows that neither it nor any of its teachers has seen."""

from __future__ import annotations

import numpy as np
import pytest
from search_stand_ins import PROBLEM, Case, candidate

from assay.kernel.family import Predictions
from assay.lifecycle.material import read_array
from assay.lifecycle.student import TEACHERS, Ensemble, known, teach
from assay.lifecycle.workshop import Workshop
from assay.metrics import get
from assay.records.fitted import Pool, Trial

WEIGHTS = {"good": 0.7, "fair": 0.5}
PUPIL = candidate("pupil", 0.8)


@pytest.fixture
def case(tmp_path, monkeypatch):
    made = Case(tmp_path, monkeypatch)
    monkeypatch.setattr("assay.lifecycle.workshop.load_family", lambda _: made.family)
    return made


def ensemble(case, blank=0) -> Ensemble:
    n = case.material().train_index.size
    yes = np.random.default_rng(0).uniform(0.1, 0.9, n)
    answers = np.column_stack([1 - yes, yes])
    answers[:blank] = np.nan
    trials = {
        c.name: Trial(candidate=c, status="done", score=0.8, folds=5) for c in case.family.portfolio
    }
    return Ensemble(trials, WEIGHTS, Pool(scale="log"), answers)


def taught(case, **more):
    workshop = Workshop(case.material(), case.context(), "scope", 3)
    return teach(workshop, PUPIL, ensemble(case, **more))


def test_no_row_that_scores_was_seen_by_student_or_teachers(case):
    found = taught(case)
    material = case.material()
    exams = [set(material.fold(fold)[1].tolist()) for fold in material.folds[-2:]]
    size = 1 + TEACHERS * len(WEIGHTS)
    for number, exam in enumerate(exams):
        fits = case.family.given[number * size : (number + 1) * size]
        assert [name for name, _, _ in fits].count("pupil") == 1
        for _, rows, stop in fits:
            assert not exam & set(map(int, rows))
            assert not exam & set(map(int, stop or []))
    name, rows, _ = case.family.given[-1]
    assert (name, len(rows)) == ("pupil", 250)  # in the end it learns all answers
    assert len(case.family.given) == 2 * size + 1
    assert found.member.candidate == PUPIL


def test_its_score_is_the_metric_on_the_rows_of_the_exams(case):
    found, material = taught(case), case.material()
    values = read_array(case.space.store.get(found.trial.predictions))
    rows = known(values)
    assert rows.sum() == 100
    truth = material.rows(material.train_index[rows]).truth
    value = get("roc_auc").compute(truth, Predictions(values[rows], PROBLEM.classes), 1)
    assert found.trial.score == pytest.approx(value)


def test_it_is_taught_once(case):
    first = taught(case)
    fits = len(case.family.given)
    assert taught(case) == first
    assert len(case.family.given) == fits


def test_too_few_answers_or_a_library_that_gives_up_leave_the_ensemble_alone(case):
    assert taught(case, blank=249) is None
    case.family.broken.add("pupil")
    assert taught(case) is None
