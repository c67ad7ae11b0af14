import numpy as np
import polars as pl
import pytest
from performance_world import METRICS, profile, sample
from sklearn import metrics as sk

from assay.kernel.family import Predictions
from assay.metrics import get
from assay.metrics.intervals.estimates import estimates
from assay.metrics.weighted import Rows
from assay.records.spec import GateSpec
from assay.watch.performance.exact import measure
from assay.watch.performance.selection import selection, weighted_estimates

GATES = (
    GateSpec(metric="roc_auc", at_least=0.7),
    GateSpec(metric="brier", at_most=0.2, on="kind=c"),
    GateSpec(metric="roc_auc", beats="baseline"),
    GateSpec(metric="latency_p99", at_most=10.0),
    GateSpec(metric="accuracy", at_least=0.5, on="worst slice"),
)


def by_metric(found, where=""):
    return {m.metric: m for m in found if m.slice == where}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_what_is_measured_is_what_the_metric_says(task):
    rows, known = sample(task, 1_000, 1), profile(task)
    found = by_metric(measure(known, rows.answers, rows.truth))
    assert set(found) == set(METRICS[task])
    for name, one in found.items():
        assert one.value == get(name).compute(rows.truth, rows.answers, known.known.positive)
        assert one.low < one.value < one.high
        assert 0 < one.n <= 1_000
        assert (one.estimated, one.standing) == (False, "kept")


def test_it_agrees_with_scikit_learn():
    rows = sample("binary", 1_000, 2)
    found = by_metric(measure(profile("binary"), rows.answers, rows.truth))
    score, labels = rows.answers.values[:, 1], rows.answers.codes(1)
    theirs = {
        "roc_auc": sk.roc_auc_score(rows.truth, score),
        "average_precision": sk.average_precision_score(rows.truth, score),
        "f1": sk.f1_score(rows.truth, labels),
        "brier": sk.brier_score_loss(rows.truth, score),
    }
    for name, value in theirs.items():
        assert found[name].value == pytest.approx(value, abs=1e-12)


def test_gates_stand_or_are_broken_and_others_are_not_asked():
    good, bad = sample("binary", 3_000, 3), sample("binary", 3_000, 3, concept=3.0)
    known = profile("binary", gates=GATES)
    kept = by_metric(measure(known, good.answers, good.truth, good.frame))
    assert (kept["roc_auc"].threshold, kept["roc_auc"].standing) == (0.7, "kept")
    assert kept["accuracy"].threshold is None
    broken = by_metric(measure(known, bad.answers, bad.truth, bad.frame))
    assert broken["roc_auc"].standing == "broken"
    assert "judged at 99.0000%" in broken["roc_auc"].reason
    assert "latency_p99" not in broken


def test_slices_have_their_own_rows_and_gates():
    rows = sample("binary", 3_000, 4)
    found = measure(profile("binary", gates=GATES), rows.answers, rows.truth, rows.frame)
    one = by_metric(found, "kind=c")["brier"]
    inside = (rows.frame["kind"] == "c").to_numpy()
    part = rows.take(np.flatnonzero(inside))
    assert one.n == inside.sum()
    assert one.value == get("brier").compute(part.truth, part.answers, 1)
    assert (one.threshold, one.standing) == (0.2, "broken")  # the model is wrong there
    assert by_metric(found, "kind=a")["brier"].threshold is None


def test_a_gate_near_its_threshold_is_unclear_however_often_one_looks():
    known = profile("binary", gates=(GateSpec(metric="roc_auc", at_least=0.8),))
    seen = []
    for seed in range(60):
        rows = sample("binary", 150, 50 + seed)
        seen.append(by_metric(measure(known, rows.answers, rows.truth, alpha=0.002))["roc_auc"])
    assert sum(m.high < 0.8 for m in seen) > 0  # at 95 % some would be alarms
    assert all(m.standing != "broken" for m in seen)


def test_without_enough_labels_nobody_says():
    rows, known = sample("binary", 100, 5), profile("binary")
    none = measure(known, rows.answers, np.full(100, -1))
    assert {m.standing for m in none} == {"unsaid"}
    assert {m.reason for m in none} == {"no labels came yet"}
    few = np.where(np.arange(100) < 7, rows.truth, -1)
    assert measure(known, rows.answers, few)[0].reason == "7 labelled rows, fewer than 20"
    for n in (0, 1):
        part = rows.take(np.arange(n))
        assert {m.standing for m in measure(known, part.answers, part.truth)} == {"unsaid"}


def test_one_class_among_the_labels_is_said_and_no_crash():
    rows = sample("binary", 200, 6)
    found = by_metric(measure(profile("binary"), rows.answers, np.zeros(200, dtype=np.int64)))
    assert found["roc_auc"].standing == "unsaid"
    assert found["roc_auc"].reason == "only one class occurs"
    assert found["accuracy"].standing == "kept"


def test_rows_without_an_answer_are_left_out():
    rows = sample("binary", 200, 7)
    values = rows.answers.values.copy()
    values[:50] = np.nan
    found = measure(profile("binary"), Predictions(values, rows.answers.classes), rows.truth)
    rest = rows.take(np.arange(50, 200))
    assert found[0].n == 150
    assert found[0].value == get("roc_auc").compute(rest.truth, rest.answers, 1)


def test_selected_labels_are_weighted_back():
    rows = sample("binary", 20_000, 8)
    rng = np.random.default_rng(0)
    told = rng.random(20_000) < 0.05 + 0.9 * rows.answers.values[:, 1]
    some = np.where(told, rows.truth, -1)
    known = profile("binary")
    found = by_metric(measure(known, rows.answers, some))
    assert "weighted for it" in found["accuracy"].reason
    assert found["accuracy"].n == told.sum()
    for name in ("accuracy", "brier", "roc_auc"):
        whole = get(name).compute(rows.truth, rows.answers, 1)
        part = rows.take(np.flatnonzero(told))
        naive = get(name).compute(part.truth, part.answers, 1)
        assert found[name].low <= whole <= found[name].high
        assert abs(found[name].value - whole) < abs(naive - whole) / 2
    apart = measure(known, part.answers, part.truth, among=rows.answers)
    assert by_metric(apart)["accuracy"].value == pytest.approx(found["accuracy"].value, abs=0.01)


def test_one_positive_that_was_missed_breaks_no_gate_on_recall_also_with_weights():
    rows = sample("binary", 40, 11)
    truth = np.zeros(40, dtype=np.int64)
    truth[0] = 1
    answers = Predictions(np.tile([0.9, 0.1], (40, 1)), rows.answers.classes)
    metric, table = get("recall"), Rows.of(truth, answers, 1)
    plain = [estimates([metric], truth, answers, positive_code=1, level=0.95)["recall"]]
    (found,) = weighted_estimates(metric, table, np.ones(40), (0.95,), plain)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == plain[0].high > 0.7


def test_labels_at_random_need_no_weights():
    rows = sample("binary", 4_000, 9)
    some = np.where(np.random.default_rng(1).random(4_000) < 0.3, rows.truth, -1)
    assert all(not m.reason for m in measure(profile("binary"), rows.answers, some))
    bins = np.zeros(10, dtype=np.int64)
    assert selection(bins, bins[:0], among=False).weights is None


def test_scores_that_nobody_labelled_are_not_spoken_for():
    rows = sample("binary", 4_000, 10)
    some = np.where(rows.answers.values[:, 1] > 0.5, rows.truth, -1)
    found = measure(profile("binary"), rows.answers, some)
    assert {m.standing for m in found} == {"unsaid"}
    assert "no labels came for scores like those" in found[0].reason


def test_slices_of_ranges_are_read_as_the_report_wrote_them():
    from assay.records.report import SliceResult
    from assay.watch.performance.slices import slice_masks

    day = [f"2024-01-0{i}" for i in range(1, 6)]
    frame = pl.DataFrame({"n": [1.0, 2.5, 4.0, None, 9.0], "d": pl.Series(day).str.to_date(),
                          "b": [True, False, None, True, True]})  # fmt: skip
    values = {"n": ("≤ 2.5", "2.5 to 4", "> 4", "(missing)"), "d": ("≤ 2024-01-02", "> 2024-01-02"),
              "b": ("True", "(missing)", "(other)"), "gone": ("x",)}  # fmt: skip
    slices = [SliceResult(column=c, value=v, rows=0, metrics={}) for c in values for v in values[c]]
    found = {
        name: np.flatnonzero(mask).tolist() for name, mask in slice_masks(slices, frame).items()
    }
    assert found == {
        "n=≤ 2.5": [0, 1], "n=2.5 to 4": [2], "n=> 4": [4], "n=(missing)": [3],
        "d=≤ 2024-01-02": [0, 1], "d=> 2024-01-02": [2, 3, 4],
        "b=True": [0, 3, 4], "b=(missing)": [2], "b=(other)": [1],
    }  # fmt: skip
