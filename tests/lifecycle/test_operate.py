"""How scores become answers: chosen out of fold, packaged, and applied to every answer."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from projects import FAST, TARGETS

import assay
from assay.data.content import read_table
from assay.errors import AssayError, all_errors
from assay.evaluate.fairness.mitigation import reweighing
from assay.kernel.plugins import load_family
from assay.lifecycle.material import Material, read_parts
from assay.lifecycle.operate import operating_of
from assay.lifecycle.weigh import row_weights
from assay.records.fitted import Candidate
from assay.records.spec import AnswersSection, FairnessSection

GATE = """
[[gates]]
metric = "roc_auc"
at_least = 0.6
"""


def run_of(project, more, **kwargs):
    made = project(more=FAST + GATE + more, **kwargs)
    return made, made.run()


def examination(result, name):
    return next(e for e in result.view.report.examinations if e.name == name)


def test_a_rule_chooses_a_threshold_that_is_served(project):
    made, result = run_of(project, "\n[answers]\ncapacity = 0.2\n")
    operating = result.view.fitted.signature.operating
    assert "calls 20.0% of the rows" in operating.why
    flagged = examination(result, "thresholds").numbers["flagged"]
    assert flagged.low <= 0.2 <= flagged.high
    rows = pl.read_csv(made.folder / "table.csv").head(200)
    answers = assay.load(result.package).predict(rows)
    said = answers["prediction"] == "yes"
    above = answers["probability_yes"].round(9) >= operating.threshold
    assert (said == above).all()
    assert 0.05 < said.mean() < 0.4
    assert operating.threshold > 0.5
    assert "calls 2" in result.view.fitted.baseline_operating.why  # on the baseline's own scores
    before = made.fits()
    made.edit("capacity = 0.2", "recall = 0.9")
    again = made.run().view.fitted
    assert "recall of 90%" in again.signature.operating.why
    assert "recall of 90%" in again.baseline_operating.why
    assert made.fits() == before  # another rule fits nothing again


def test_groups_get_thresholds_of_their_own(project):
    more = '\n[fairness]\ncolumns = ["region"]\nmitigate = "thresholds"\n'
    made, result = run_of(project, more, rows=1_500)
    operating = result.view.fitted.signature.operating
    assert operating.group == "region"
    assert set(operating.thresholds) <= {"north", "south", "west", "(missing)"}
    assert len(operating.thresholds) >= 3
    found = examination(result, "fairness").numbers
    assert set(found) >= {"average_odds_difference", "demographic_parity_difference"}
    rows = pl.read_csv(made.folder / "table.csv").filter(pl.col("region") == "west")
    answers = assay.load(result.package).predict(rows)
    above = answers["probability_yes"].round(9) >= operating.thresholds["west"]
    assert ((answers["prediction"] == "yes") == above).all()


@pytest.mark.parametrize(
    ("task", "more", "code", "where"),
    [
        ("binary", '\n[fairness]\ncolumns = ["fee"]\nmitigate = "thresholds"\n',
         "FAIRNESS-COLUMN", "fairness.columns"),
        ("multiclass", "\n[answers]\ncapacity = 0.1\n", "ANSWERS-TASK", "answers.capacity"),
        ("regression", '\n[fairness]\ncolumns = ["region"]\n', "ANSWERS-TASK",
         "fairness.columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_operated_is_refused(project, task, more, code, where):
    made = project(task, more=FAST + more)
    with pytest.raises(AssayError) as caught:
        made.run()
    error = all_errors(caught.value)[0]
    assert (error.code, error.where) == (code, where)
    assert error.hint


@pytest.mark.parametrize("task", TARGETS)
def test_sets_and_intervals_hold_what_they_promise(finished, task):
    result = finished[task].run()
    found = examination(result, "conformal")
    coverage = found.numbers["conformal_coverage"]
    assert coverage.high >= 0.9
    assert result.view.fitted.signature.operating.margin is not None


def material_of(result, context):
    view = result.view
    parts = read_parts(context.store.get(view.split.rows))
    table = read_table(view.snapshot, context.store)
    return Material(load_family(view.problem.family), view.problem, table, parts, ordered=False)


def test_test_rows_have_no_say(finished):
    result = finished["binary"].run()
    material = material_of(result, finished["binary"].workspace())
    values = np.random.default_rng(0).random(material.train_index.size)
    given = np.column_stack([1 - values, values])
    answers, fairness = AnswersSection(recall=0.7), FairnessSection()
    one = operating_of(material, given, answers, fairness)
    target = material.problem.target
    test = pl.Series(material.parts == -1)
    flipped = material.table.with_columns(
        pl.when(test).then(pl.lit("yes")).otherwise(pl.col(target).cast(str)).alias(target)
    )
    other = Material(material.family, material.problem, flipped, material.parts, ordered=False)
    assert operating_of(other, given, answers, fairness) == one


def test_reweighing_gives_each_training_row_the_weight_of_its_group_and_class(finished):
    result = finished["binary"].run()
    material = material_of(result, finished["binary"].workspace())
    fairness = FairnessSection(columns=("member",), mitigate="reweigh")
    plain = Candidate(name="plain", kind="linear", params={"strength": 1.0, "text": []})
    weight = row_weights(material, fairness, plain, 0, 1)
    rows = material.rows(material.train_index)
    words = rows.frame["member"].cast(str).to_numpy()
    assert weight == pytest.approx(reweighing(words, (rows.truth == 1).astype(np.int64)))
    assert row_weights(material, FairnessSection(), plain, 0, 1) is None


@pytest.mark.parametrize("mitigate", ["reweigh", "constrain"])
def test_weights_reach_every_fit_and_the_test_rows_say_what_they_bring(project, mitigate):
    if mitigate == "constrain":
        pytest.importorskip("fairlearn", reason="constrained training needs the extra: fairlearn")
    made = project(more=FAST + GATE, rows=1_500)
    plain = made.run().view
    with made.file.open("a") as file:
        file.write(f'\n[fairness]\ncolumns = ["region"]\nmitigate = "{mitigate}"\n')
    result = made.run()
    assert result.view.fitted.members[0].state != plain.fitted.members[0].state
    assert examination(result, "fairness").numbers["average_odds_difference"].value < 0.5
    before = made.fits()
    made.edit(f'mitigate = "{mitigate}"', 'mitigate = "none"')
    assert made.run().view.fitted.members == plain.fitted.members  # nothing is fitted again
    assert made.fits() == before


def test_constrained_training_gives_weights_of_groups_and_classes(finished):
    pytest.importorskip("fairlearn", reason="constrained training needs the extra: fairlearn")
    result = finished["binary"].run()
    material = material_of(result, finished["binary"].workspace())
    fairness = FairnessSection(columns=("member",), mitigate="constrain")
    plain = Candidate(name="plain", kind="linear", params={"strength": 1.0, "text": []})
    weight = row_weights(material, fairness, plain, 0, 1)
    assert weight.shape == (material.train_index.size,)
    assert weight.mean() == pytest.approx(1)
    assert len(np.unique(weight.round(9))) <= 4
    assert (weight >= 0).all()
