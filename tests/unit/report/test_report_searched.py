"""The search on the page: leaderboard, course, ensemble, forms, and what they say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as change
from report_searched import searched_board, searched_members, searched_view
from report_views import binary_view

from assay.records.fitted import Leaderboard, Members, Pool, Shape
from assay.records.spec import BudgetSection
from assay.report import RunView, model_card, render_html
from assay.report.charts import log_names, names
from assay.report.course import best_shape, built, chosen_shape, efficient, over_time, pictures
from assay.report.course import price as price_of
from assay.report.figures import fine, milliseconds
from assay.report.lint import unsupported
from assay.report.numbers import records_of
from assay.report.plain import render_plain
from assay.report.searched import FIRST_TRIALS, course, parted, recipe, trial_rows, weight_text


def board_of(view: RunView) -> Leaderboard:
    assert view.leaderboard is not None
    return view.leaderboard


def members_of(view: RunView) -> Members:
    assert view.members is not None
    return view.members


def test_leaderboard_is_best_first_and_baselines_last() -> None:
    board = board_of(binary_view())
    rows = trial_rows(board)
    assert [row.baseline for row in rows] == [False] * 4 + [True] * 2
    assert rows[0].name == "LightGBM, small leaves"
    assert rows[0].weight == "62%"
    assert rows[5].off == "off this scale"
    assert "“LightGBM, small leaves” (62%)" in recipe(binary_view())
    reverse = trial_rows(change(board, metric="rmse"))
    assert reverse[0].name == "extra trees"


def test_a_long_leaderboard_folds_what_matters_less() -> None:
    view = searched_view()
    first, more = parted(trial_rows(board_of(view), members_of(view)))
    assert len(first) == FIRST_TRIALS
    assert first[-1].baseline
    assert len(first) + len(more) == 65
    assert {row.name for row in first if row.weight} == set(members_of(view).weights)
    notes = [row.note for row in more]
    assert "fitted on 4,000 rows" in [*notes, *(row.note for row in first)]
    assert "failed: ValueError: no convergence" in notes
    assert any(note.startswith("discarded: clearly behind") for note in notes)
    assert all(row.interval for row in first)


def test_a_member_far_down_the_list_stays_in_sight() -> None:
    board = searched_board()
    last = trial_rows(board)[40].name
    first, _ = parted(trial_rows(change(board, weights={last: 1.0})))
    assert last in [row.name for row in first]


def test_the_recipe_is_that_of_the_chosen_form() -> None:
    said = recipe(searched_view())
    assert "adds up the log-probabilities of 3 models" in said
    assert "(0.5)" in said
    assert "Each is the mean of 5 fits whose seeds differ." in said
    view = searched_view()
    alone = change(members_of(view), weights={"boosting_tuned_3": 1.0}, pool=Pool())
    assert (
        recipe(replace(view, members=alone, fitted=None))
        == "The champion is “boosting_tuned_3” alone."
    )
    bagged = replace(view, members=alone)
    assert recipe(bagged) == "The champion is “boosting_tuned_3”, the mean of 5 fits."


def test_many_members_do_not_flood_the_page() -> None:
    weights = {f"model {i}": 0.05 for i in range(20)}
    view = replace(binary_view(), leaderboard=change(searched_board(), weights=weights))
    assert "and 12 more" in recipe(view)


def test_the_course_is_told() -> None:
    said = course(searched_view())
    assert "63 candidates were tried in 41.3 s (40 from the portfolio, 23 tuned)." in said
    assert "7 given up early, as clearly behind, 1 failed and 1 not begun." in said
    assert "It stopped for its budget of 1 min for the whole run." in said
    view = searched_view()
    budget = change(view.project, budget=BudgetSection(iterations=63))
    assert "the 63 candidates it was allowed" in course(replace(view, project=budget))
    trials = tuple(trial for trial in board_of(view).trials if trial.status != "skipped")
    done = change(board_of(view), stopped_by="done", trials=trials)
    assert "nothing left to try" in course(replace(view, leaderboard=done))
    assert course(replace(view, leaderboard=None)) == ""
    late = change(trials[0], status="skipped", seconds=0.4, note="over the budget after 1 of 5")
    unfinished = change(done, trials=(late, *trials[1:]))
    said = course(replace(view, leaderboard=unfinished))
    assert "1 not finished in time" in said
    assert "It stopped for its budget" in said
    assert "skipped: over the budget after 1 of 5" in [row.note for row in trial_rows(unfinished)]


def test_the_course_over_time_and_its_steps() -> None:
    figure = over_time(searched_board())
    assert figure is not None
    assert figure.svg is not None
    assert [name for _, name in figure.legend] == [
        "Baselines", "Portfolio", "Tuned", "Best so far", "The ensemble",
    ]  # fmt: skip
    scores = [float(row[2]) for row in figure.rows]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)
    lower = over_time(change(searched_board(), metric="log_loss"))
    assert lower is not None
    assert "lower is better" in lower.caption
    falling = [float(row[2]) for row in lower.rows]
    assert falling == sorted(falling, reverse=True)


def test_records_of_an_older_search_have_no_course() -> None:
    board = board_of(binary_view())
    assert over_time(board) is None
    assert built(board) is None
    assert pictures(binary_view()) == ()
    assert pictures(replace(binary_view(), leaderboard=None)) == ()
    assert price_of(binary_view()) == ""


def test_each_member_shows_what_it_added() -> None:
    figure = built(searched_board())
    assert figure is not None
    assert [row[0] for row in figure.rows] == ["1", "2", "3", "4", "5"]
    assert figure.rows[0][3] == "–"
    assert figure.rows[3][3] == "+0.0004"


def test_the_forms_show_what_latency_costs() -> None:
    view = searched_view()
    found = {figure.kind: figure for figure in pictures(view)}
    assert set(found) == {"course", "built", "forms"}
    forms = found["forms"]
    assert forms.svg is not None
    assert 'class="line threshold"' in forms.svg
    assert "The dashed line is the gate at 0.60 ms." in forms.caption
    (chosen,) = [row for row in forms.rows if row[4]]
    assert chosen[0] == "first 3"
    said = price_of(view)
    assert "10 forms of it were measured in the real engine." in said
    assert "The gate on latency costs 0.0005 in ROC-AUC, out of fold." in said
    assert "What decided: the best within the gate on latency." in said


def without_gates(view: RunView) -> RunView:
    return missing(replace(view, seal=change(view.seal, gates=())))


def missing(view: RunView, *metrics: str) -> RunView:
    """Let the best form miss these gates."""
    members = members_of(view)
    best = members.shapes[best_shape(members, "roc_auc")]
    shapes = tuple(change(s, missed=metrics if s is best else ()) for s in members.shapes)
    return replace(view, members=change(members, shapes=shapes))


def test_without_a_gate_the_best_is_named_with_its_price() -> None:
    said = price_of(without_gates(searched_view()))
    assert "The best, “first 5”, scores 0.0005 better in ROC-AUC" in said
    assert "The gate on" not in said
    for metrics, words in (
        (("package_bytes",), "size"),
        (("latency_p50", "latency_p99"), "latency"),
        (("latency_p50", "package_bytes"), "latency and size"),
    ):
        said = price_of(missing(searched_view(), *metrics))
        assert f"The gate on {words} costs" in said


def test_the_best_form_gives_nothing_up() -> None:
    view = searched_view()
    members = members_of(view)
    best = members.shapes[best_shape(members, "roc_auc")]
    shapes = tuple(change(shape, chosen=shape is best) for shape in members.shapes)
    assert "costs" not in price_of(replace(view, members=change(members, shapes=shapes)))
    assert chosen_shape(change(members, shapes=())) is None


def test_the_plain_page_tells_the_price_of_speed() -> None:
    view = searched_view()
    page = render_plain(view)
    text = re.sub(r"<[^>]*>", "", page)
    assert "Models tried on the cases it learned from: 63; 3 of them answer together" in text
    assert "Keeping to them costs a little: 84.8 in place of 84.9 (Pairs of cases" in text
    assert unsupported(page, records_of(view)) == []
    false = page.replace(">84.8<", ">83.8<")
    assert len(unsupported(false, records_of(view))) == 2
    free = render_plain(without_gates(view))
    assert "Keeping to them" not in free


def test_the_model_file_is_compared_as_others_ask_it() -> None:
    page = render_html(searched_view())
    assert "raw columns in, on 500 rows: largest difference 4.4e-16, 0 labels flipped" in page
    assert "Asked without Assay" not in render_html(binary_view())


def test_the_page_of_a_long_search_is_no_flood() -> None:
    page = render_html(searched_view())
    assert len(page) < 160_000
    assert page.count("50 more models") == 1


@given(
    st.lists(st.tuples(st.floats(0.01, 50), st.floats(0, 1)), min_size=1, max_size=12),
    st.booleans(),
)
def test_nothing_beats_what_is_efficient(points: list[tuple[float, float]], higher: bool) -> None:
    shapes = [
        Shape(name=str(i), weights={"a": 1.0}, pool=Pool(), score=score, latency=ms, bytes=1)
        for i, (ms, score) in enumerate(points)
    ]
    front = efficient(shapes, higher)
    sign = 1 if higher else -1
    for i, one in enumerate(shapes):
        beaten = any(
            other.latency <= one.latency
            and sign * other.score >= sign * one.score
            and (other.latency, other.score) != (one.latency, one.score)
            for other in shapes
        )
        if i in front:
            assert not beaten
        else:
            assert beaten or any(
                (shapes[j].latency, shapes[j].score) == (one.latency, one.score) for j in front
            )


@given(st.floats(-4, 4), st.floats(0.05, 4))
def test_an_axis_of_logarithms_has_few_names_inside(low: float, width: float) -> None:
    found = log_names(low, low + width)
    assert 2 <= len(found) <= 6
    assert all(low <= at <= low + width for at in found)


def test_ticks_are_told_apart() -> None:
    assert list(names([0.8480, 0.8485]).values()) == ["0.848", "0.8485"]
    assert list(names([]).values()) == []


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0.0, "0.00 ms"), (0.0632, "0.063 ms"), (0.5, "0.50 ms"), (3.21, "3.21 ms"), (41, "41.00 ms")],
)
def test_milliseconds_keep_two_digits(amount: float, shown: str) -> None:
    assert milliseconds(amount) == shown


def test_close_scores_get_a_digit_more() -> None:
    assert fine("roc_auc", 0.84612) == "0.8461"
    assert fine("r2", -0.5) == "−0.5000"
    assert fine("rmse", 46_912.4) == "46,912"
    assert weight_text(0.62, Pool()) == "62%"
    assert weight_text(0.62, Pool(scale="log")) == "0.62"


def test_the_card_counts_models_and_says_how_they_mix() -> None:
    text = model_card(searched_view())
    assert r"boosting\_tuned\_23 (0.5, 5 models)" in text
    assert "the logarithms of the members' probabilities are added up" in text
    assert "Size:** 1.2 MB" in text
    assert members_of(searched_view()) == searched_members(searched_board())
