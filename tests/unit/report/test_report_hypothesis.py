"""Which model won, by how much, how sure, and the hypothesis that the records support."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as change
from report_examined import examined_view
from report_views import binary_view, stopped_view

from assay.records.fitted import Candidate, Leaderboard, Trial
from assay.records.report import Curve
from assay.report import RunView
from assay.report.hypothesis import why

LINE, TREE = (0.80, 0.81, 0.79, 0.80), (0.84, 0.85, 0.83, 0.84)


def trial(name: str, kind: str, scores: tuple[float, ...]) -> Trial:
    return Trial(
        candidate=Candidate(name=name, kind=kind),
        status="done",
        score=sum(scores) / len(scores),
        scores=scores,
    )


def board(
    lines: tuple[float, ...], trees: tuple[float, ...], metric: str = "roc_auc"
) -> Leaderboard:
    return Leaderboard(
        metric=metric,
        baselines=(trial("logistic", "linear", lines), trial("prior", "constant", (0.5,) * 4)),
        trials=(trial("boosting", "boosting", trees),),
        weights={"boosting": 1.0},
        score=0.84,
    )


def told(view: RunView) -> str:
    found = why(view)
    assert found is not None
    return str(found)


def view_with(found: Leaderboard) -> RunView:
    return replace(binary_view(), leaderboard=found)


def test_the_winner_its_score_and_how_sure_it_is() -> None:
    text = told(binary_view())
    assert "“ensemble of 2” won. It scored 0.846 (between 0.825 and 0.867) in ROC-AUC" in text
    assert (
        "better than the baseline “logistic, two columns” by 0.051 (between 0.038 and 0.064)"
        in text
    )
    assert "more than chance would give" in text


@pytest.mark.parametrize(
    ("value", "low", "high", "part"),
    [
        (0.003, -0.002, 0.008, "ahead of the baseline “logistic, two columns” by 0.003, which may"),
        (-0.003, -0.008, 0.002, "behind the baseline “logistic, two columns” by 0.003, which may"),
        (-0.05, -0.06, -0.04, "worse than the baseline “logistic, two columns” by 0.050 (between"),
    ],
)
def test_a_difference_is_no_more_certain_than_its_interval(
    value: float, low: float, high: float, part: str
) -> None:
    view = binary_view()
    assert view.report is not None
    gap = change(view.report.comparison.difference, value=value, low=low, high=high)
    comparison = change(view.report.comparison, difference=gap)
    text = told(replace(view, report=change(view.report, comparison=comparison)))
    assert part in text
    if value < low + 0.02 < 0:
        assert "(between 0.040 and 0.060)" in text


def test_trees_that_win_in_every_fold_hint_at_combinations() -> None:
    text = told(view_with(board(LINE, TREE)))
    assert (
        "the best of the boosted trees was ahead of the best of the linear models by 0.040" in text
    )
    assert "in every part of the training rows" in text
    assert "columns in combination, or in steps, which a straight line misses" in text


def test_bent_lines_beside_trees_hint_at_bends() -> None:
    found = board(LINE, TREE)
    splines = trial("spline", "spline", (0.85, 0.84, 0.85, 0.83))
    text = told(view_with(change(found, trials=(splines, *found.trials))))
    assert "the best of the linear models on bent columns was ahead" in text
    assert "though not in every part" in text
    assert "in the bends of single columns" in text


def test_lines_that_win_in_every_fold_hint_at_columns_one_by_one() -> None:
    text = told(view_with(board(TREE, LINE)))
    assert "the best of the linear models was ahead of the best of the boosted trees" in text
    assert "columns probably act one by one" in text


def test_for_an_error_the_smaller_one_wins() -> None:
    text = told(view_with(board(TREE, LINE, metric="brier")))
    assert "the best of the boosted trees was ahead" in text
    assert "columns in combination" in text


def test_folds_that_disagree_say_level() -> None:
    text = told(view_with(board(LINE, (0.79, 0.82, 0.80, 0.80))))
    assert "though not in every part" in text
    assert "Trees and straight lines come out nearly level" in text


def test_a_champion_that_is_the_baseline_says_so() -> None:
    view = binary_view()
    assert view.report is not None
    same = change(view.report.comparison, champion="logistic", baseline="logistic")
    text = told(replace(view, report=change(view.report, comparison=same)))
    assert "It is the baseline itself" in text


@pytest.mark.parametrize(
    ("mean", "part"),
    [
        ([0.9, 0.05, 0.05, 0.01], "“a” alone makes up nearly all"),
        ([0.3, 0.3, 0.2, 0.2], "“a” and “b” together make up more than half"),
        ([1.0] * 9, "No few columns carry the answers"),
    ],
)
def test_the_columns_that_carry_the_answers(mean: list[float], part: str) -> None:
    view = binary_view()
    assert view.report is not None
    data = {"columns": list("abcdefghi")[: len(mean)], "mean": mean, "low": mean, "high": mean}
    curve = Curve(kind="importance", title="Importance", data=data)
    assert part in told(replace(view, report=change(view.report, curves=(curve,))))


def test_the_learning_curve_has_a_word_and_six_sentences_are_enough() -> None:
    found = why(examined_view())
    assert found is not None
    assert "The learning curve adds: The score still grows" in str(found)
    assert len(found.texts) <= 6


def test_a_stopped_run_has_no_winner() -> None:
    assert why(stopped_view()) is None


def test_boosters_on_pairs_of_columns_are_trees_too() -> None:
    crossed = change(board(LINE, TREE), trials=(trial("crossed", "crossed", TREE),))
    text = told(view_with(crossed))
    assert "the best of the boosted trees that also see pairs of columns was ahead" in text
    assert "Trees win everywhere" in text
