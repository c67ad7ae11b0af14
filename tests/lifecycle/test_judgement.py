"""Judgement through a whole run: looks, the live model, quarantine, fresh test rows, slices."""

import polars as pl
import pytest
from projects import ACCEPTED, FAST, GATES, TARGETS, make_table

from assay.errors import Mistakes, SpecError
from assay.lifecycle.check import check
from assay.lifecycle.run import run
from assay.metrics import METRICS


def leaky(project, **kwargs):
    """Return a project whose column `refund` is filled in for one answer only."""
    made = project(more=ACCEPTED, **kwargs)
    table = made.folder / "table.csv"
    frame = pl.read_csv(table)
    given = pl.when(pl.col("left") == "yes").then(pl.col("fee").fill_null(50) * 2)
    frame.with_columns(refund=given).write_csv(table)
    return made


def test_another_seal_is_another_look_and_widens_the_gates(project):
    shop = project(more=ACCEPTED)
    first = shop.run()
    assert first.view.report.looks == 1
    again = shop.run()
    assert again.run == first.run  # the same criteria are no further look
    shop.edit("at_least = 0.7", "at_least = 0.72")
    second = shop.run()
    assert second.view.report.looks == 2
    assert "looked at 2 times" in second.view.decision.reason
    one, two = (result.view.decision.gates[0] for result in (first, second))
    assert two.value == one.value
    assert two.low < one.low
    same = shop.run(budget__iterations=2)  # of one candidate: the same model comes of it
    assert same.view.report.looks == 2
    other = shop.run(seed=5)  # other test rows, nobody has looked at them
    assert other.view.report.looks == 1


def test_the_live_model_is_asked_about_the_same_rows(project):
    shop = project(more=f'{ACCEPTED}\n[[gates]]\nmetric = "roc_auc"\nbeats = "champion"\n')
    first = shop.run()
    assert first.verdict == "accepted"
    assert "no model of this name is live" in first.view.decision.gates[1].reason
    second = shop.run(seed=5)
    gate = second.view.decision.gates[1]
    assert gate.verdict != "accepted"  # the same kind of model on other rows is no better
    assert "shop@1" in gate.reason
    rivals = {c.baseline for c in second.view.report.comparisons if c.against == "champion"}
    assert rivals == {"shop@1"}


def test_a_live_model_of_another_question_is_not_beaten(project):
    """What it says of fees cannot be set beside answers about leaving."""
    shop = project("regression", more=GATES["regression"])
    assert shop.run().verdict == "accepted"
    shop.edit(f'target = "{TARGETS["regression"]}"', 'target = "fee"\nmissing_target = "drop"')
    with shop.file.open("a") as file:
        file.write('\n[[gates]]\nmetric = "rmse"\nbeats = "champion"\n')
    result = shop.run()
    gate = result.view.decision.gates[-1]
    assert gate.verdict == "inconclusive"
    assert "shop@1 is live and could not be asked: it answers another question" in gate.reason


def test_neither_looks_nor_what_is_live_change_the_package(project, tmp_path):
    """They are no inputs of a run: the same file and data give the same bytes in any store."""
    shop = project(more=f'{ACCEPTED}\n[[gates]]\nmetric = "roc_auc"\nbeats = "champion"\n')
    fresh = run(shop.folder, store=tmp_path / "fresh")
    shop.edit("at_least = 0.7", "at_least = 0.72")
    shop.run()
    shop.edit("at_least = 0.72", "at_least = 0.7")
    later = shop.run()
    assert (fresh.view.report.looks, later.view.report.looks) == (1, 2)
    assert later.view.decision != fresh.view.decision
    assert later.view.package.digest == fresh.view.package.digest
    card = (later.package / "model_card.md").read_text()
    assert "depends on what is live" in card


def test_every_metric_is_compared_with_the_baseline(finished):
    for project in finished.values():
        report = project.run().view.report
        compared = {c.metric for c in report.comparisons if c.against == "baseline"}
        assert compared == set(report.champion.metrics)
        for each in report.comparisons:
            assert each.difference.low <= each.difference.value <= each.difference.high
            assert each.p_value <= each.p_adjusted <= 1


def test_quarantine_shows_what_a_suspect_is_worth(project):
    shop = leaky(project)
    result = check(shop.folder, store=shop.store, quarantine=True)
    assert [f.where for f in result.audit.blocking] == ["refund"]
    whole, without = result.quarantine
    assert (whole.without, without.without) == ((), ("refund",))
    assert whole.score.low > without.score.high
    assert whole.score.value > 0.99
    assert "test.read" not in shop.kinds()


def test_a_run_in_quarantine_leaves_the_suspect_out(project):
    shop = leaky(project)
    stopped = shop.run()
    assert stopped.view.halted == "audit"
    result = shop.run(quarantine=True)
    assert "refund" not in result.view.problem.features
    assert "refund" in result.view.snapshot.dropped
    assert result.verdict == "accepted"


def test_quarantine_from_the_command_line(project, cli):
    shop = leaky(project)
    said = cli("check", shop.folder, "--store", shop.store, "--quarantine")
    assert said.code == 3
    assert "a first model without refund" in said.err
    assert "a first model with every column" in said.err
    scores = said.data["quarantine"]
    assert [each["without"] for each in scores] == [[], ["refund"]]


def test_fresh_test_rows_are_read_for_the_first_time(project):
    shop = project(more=ACCEPTED)
    shop.run()
    make_table("binary", rows=300, seed=77).write_csv(shop.folder / "fresh.csv")
    shop.edit('source = "table.csv"', 'source = "table.csv"\ntest = "fresh.csv"')
    result = shop.run()
    assert result.view.split.policy == "data.test"
    assert (result.view.split.train, result.view.split.test) == (600, 300)
    assert result.view.report.looks == 1


def test_a_floor_on_every_slice(project):
    more = f"""{FAST}
[[slices]]
column = "region"
[[gates]]
metric = "accuracy"
at_least = 0.6
on = "every slice"
[[gates]]
metric = "accuracy"
at_least = 0.6
on = "region=west"
"""
    result = project(more=more).run()
    names = [gate.name for gate in result.view.decision.gates]
    assert names == ["accuracy ≥ 0.60 on every slice", "accuracy ≥ 0.60 on region=west"]
    slices = {s.value: s.metrics["accuracy"].low for s in result.view.report.slices if s.metrics}
    assert result.view.decision.gates[0].low == pytest.approx(min(slices.values()))
    assert result.view.decision.gates[1].low == pytest.approx(slices["west"])


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ('metric = "accuracy"\nat_least = 0.6\non = "region=nowhere"', "GATE-SLICE"),
        ('metric = "accuracy"\nat_least = 0.6\non = "planet=earth"', "SLICE-COLUMN"),
        ('metric = "accuracy"\nat_least = 0.6\non = "every slice"', "GATE-ON"),
        ('metric = "accuracy"\nbeats = "baseline"\non = "worst slice"', "GATE-ON"),
        ('metric = "average_odds_difference"\nat_most = 0.1', "GATE-GROUPS"),
        ('metric = "flip_rate"\nbeats = "baseline"', "GATE-BASELINE"),
    ],
)
def test_a_gate_that_cannot_be_judged_is_refused_before_training(project, gate, code):
    shop = project(more=f"{FAST}\n[[gates]]\n{gate}\n")
    with pytest.raises((SpecError, Mistakes)) as caught:
        shop.run()
    found = getattr(caught.value, "errors", [caught.value])
    assert [error.code for error in found] == [code]
    assert shop.fits() == []


def test_examinations_have_finite_numbers_and_plain_words(finished):
    for task, project in finished.items():
        found = project.run().view.report.examinations
        assert {e.name for e in found} >= {"robustness", "learning", "importance"}, task
        for each in found:
            assert each.reading.strip().endswith((".", "!", "?", ")")), each.name
            for name, number in each.numbers.items():
                assert number.low <= number.value <= number.high, (each.name, name)
                assert number.n > 0
        gateable = {n for e in found for n in e.numbers if n in METRICS}
        assert "robustness_missing" in gateable
