"""Intervals: known values, coverage, degenerate rows, properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from assay.errors import DataError
from assay.evaluate import estimates
from assay.evaluate.intervals import order_interval
from assay.evaluate.linear import linear, midranks, variance, wilson
from assay.evaluate.resample import BAG, DEEP, bags, draws
from assay.kernel.family import Predictions
from assay.metrics import METRICS, get, names_for
from assay.metrics.weighted import Rows, Weighted

BINARY = [get(n) for n in names_for("binary") if not get(n).operational]
REGRESSION = [get(n) for n in names_for("regression") if n != "mape" and not get(n).operational]
MULTICLASS = [get(n) for n in names_for("multiclass") if not get(n).operational]


def two(positive):
    return Predictions(np.column_stack([1 - positive, positive]))


def test_wilson_gives_the_published_interval():
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    assert wilson(81 / 263, 263, 1.959964) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20, 1.959964) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson(0.5, 0, 1.96) == (0, 1)


def test_delong_variance_is_that_of_all_pairs():
    """The textbook O(m n) form: variances of the rows' mean wins over the other class."""
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 80)
    score = (rng.normal(size=80) + truth).round(1)
    part = linear(get("roc_auc"), Rows(truth, two(score).values, 1))
    won = np.sign(score[truth == 1][:, None] - score[truth == 0][None, :]) / 2 + 0.5
    expected = won.mean(1).var(ddof=1) / won.shape[0] + won.mean(0).var(ddof=1) / won.shape[1]
    assert part.value == pytest.approx(won.mean())
    assert variance(part.influence, None) == pytest.approx(expected)


def test_midranks_are_scipys():
    values = np.array([3.0, 1.0, 3.0, 2.0, 3.0, 1.0])
    assert midranks(values).tolist() == stats.rankdata(values).tolist()


@pytest.mark.parametrize(("n", "quantile"), [(50, 0.5), (400, 0.99), (21, 0.5)])
def test_order_statistics_hold_the_quantile_exactly_often_enough(n, quantile):
    low, high = order_interval(np.arange(n, dtype=float), quantile, 0.95)
    # The quantile lies between the two when low < (how many are below it) <= high.
    chance = stats.binom(n, quantile)
    covered = chance.cdf(high) - chance.cdf(low)
    assert 0.95 <= covered <= 0.99


def test_the_median_of_two_rows_spans_both():
    assert order_interval(np.array([1.0, 5.0]), 0.5, 0.95) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("name", "share"),
    [("roc_auc", 0.9), ("average_precision", 0.88), ("accuracy", 0.9), ("f1", 0.88),
     ("log_loss", 0.9), ("ece", 0.9), ("mcc", 0.9)],
)  # fmt: skip
def test_binary_intervals_hold_the_truth(binary, name, share):
    metric = get(name)
    true = metric.compute(*binary(400_000, seed=99), 1)
    held = 0
    for seed in range(120):
        found = estimates([metric], *binary(200, seed), positive_code=1, replicates=300)[name]
        held += found.low <= true <= found.high
    assert share <= held / 120


@pytest.mark.parametrize("name", ["rmse", "mae", "median_ae", "r2"])
def test_number_intervals_hold_the_truth(number, name):
    metric = get(name)
    true = metric.compute(*number(400_000, seed=99))
    held = 0
    for seed in range(120):
        found = estimates([metric], *number(150, seed), replicates=300)[name]
        held += found.low <= true <= found.high
    assert held / 120 >= 0.88


def test_groups_widen_the_interval_when_their_rows_agree(binary):
    truth, answers = binary(60)
    repeated = Predictions(np.repeat(answers.values, 10, axis=0))
    groups = np.repeat(np.arange(60), 10).astype(str)
    alone = estimates(BINARY, truth, answers, positive_code=1)
    naive = estimates(BINARY, np.repeat(truth, 10), repeated, positive_code=1)
    honest = estimates(BINARY, np.repeat(truth, 10), repeated, positive_code=1, groups=groups)
    for name in alone:
        if name == "ece":  # its bias correction sees ten times the rows
            continue
        width = honest[name].high - honest[name].low
        assert width == pytest.approx(alone[name].high - alone[name].low, rel=0.25), name
        assert width > 2 * (naive[name].high - naive[name].low), name
        assert honest[name].method.endswith("by group")


def test_many_rows_in_bags_give_the_interval_of_all_rows(binary):
    """At six times the size of a bag, the bags' spread is that of the full bootstrap."""
    truth, answers = binary(6 * BAG, rate=0.05)
    rows = Rows(truth, answers.values, 1)
    weights = np.random.default_rng(0).standard_exponential((150, rows.n))
    full = Weighted(rows, weights)
    for name in ("average_precision", "log_loss", "brier", "f1", "mcc"):
        spread = get(name).values(full).std()
        found = estimates([get(name)], truth, answers, positive_code=1)[name]
        assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.2), name


def test_a_bag_stands_for_all_rows_and_keeps_rare_ones():
    rng = np.random.default_rng(5)
    truth = np.zeros(50_000, dtype=np.int64)
    truth[:40] = 1
    rows = Rows(truth, two(rng.random(50_000)).values, 1)
    for bag in bags([rows], None, rng):
        assert len(bag.index) <= 1.1 * BAG
        assert len(np.unique(bag.index)) == len(bag.index)
        assert bag.scale.sum() == pytest.approx(50_000)
        assert set(range(40)) <= set(bag.index.tolist())


def test_groups_beyond_a_bag_are_taken_whole():
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(5_000), 4)
    rows = Rows(rng.integers(0, 2, 20_000), two(rng.random(20_000)).values, 1)
    for bag in bags([rows], groups, rng):
        assert bag.unit is not None
        assert (np.bincount(bag.unit) == 4).all()
        assert bag.scale.sum() == pytest.approx(5_000)


@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_few_deep_groups_are_thinned_and_keep_their_spread(monkeypatch, effect):
    """The weights still sum to the rows, and the spread is near that of all rows."""
    rng = np.random.default_rng(7)
    groups = rng.integers(0, 50, 3 * DEEP * BAG)
    shift = rng.normal(0, effect, 50)[groups]
    truth = (rng.random(len(groups)) < 0.2).astype(np.int64)
    score = 1.5 * truth - 1 + shift + rng.normal(size=len(groups))
    rows = Rows(truth, two(1 / (1 + np.exp(-score))).values, 1)
    (bag,) = bags([rows], groups, rng)
    assert len(bag.index) <= 1.1 * DEEP * BAG
    sums = np.bincount(groups[bag.index], bag.spread(bag.scale))
    np.testing.assert_allclose(sums, np.bincount(groups))
    metrics = [get(name) for name in ("average_precision", "log_loss", "brier", "f1")]
    score += 0.3 * rng.normal(size=len(groups))
    rival = Rows(truth, two(1 / (1 + np.exp(-score))).values, 1)
    for samples, above in (([rows], 1.25), ([rows, rival], 1.5)):
        monkeypatch.setattr("assay.evaluate.resample.DEEP", DEEP)
        thin = draws(metrics, samples, groups, 150, np.random.default_rng(0))
        monkeypatch.setattr("assay.evaluate.resample.DEEP", 100)
        full = draws(metrics, samples, groups, 150, np.random.default_rng(0))
        for name, errors in full.items():
            assert 0.8 < thin[name].std() / errors.std() < above, name


@pytest.mark.parametrize("answers", ["perfect", "wrong", "constant"])
def test_extreme_models_keep_doubt(answers):
    truth = np.array([0, 1] * 15)
    score = {"perfect": truth, "wrong": 1 - truth, "constant": np.full(30, 0.3)}[answers]
    found = estimates(BINARY, truth, two(score.astype(float)), positive_code=1)
    for name, estimate in found.items():
        assert METRICS[name].low <= estimate.low <= estimate.value <= estimate.high
        assert estimate.high <= METRICS[name].high
        if name not in ("log_loss", "brier", "ece"):
            assert estimate.high - estimate.low > 0.01, name


def test_precision_without_a_positive_prediction_is_unknown():
    truth = np.array([0, 1, 0, 1])
    found = estimates([get("precision")], truth, two(np.full(4, 0.1)), positive_code=1)
    assert (found["precision"].low, found["precision"].high, found["precision"].n) == (0, 1, 0)


def test_one_row_or_one_group_has_no_interval(number):
    truth, answers = number(1)
    with pytest.raises(DataError) as caught:
        estimates([get("mae")], truth, answers)
    assert caught.value.code == "INTERVAL-TOO-FEW"
    truth, answers = number(50)
    with pytest.raises(DataError, match="one group"):
        estimates([get("mae")], truth, answers, groups=np.full(50, "a"))


def test_one_class_says_which_metric_has_no_value():
    with pytest.raises(DataError) as caught:
        estimates([get("roc_auc")], np.ones(9, dtype=np.int64), two(np.full(9, 0.5)))
    assert caught.value.code == "METRIC-UNDEFINED"
    assert caught.value.where == "roc_auc"


def test_a_metric_that_rests_on_one_easy_row_of_many_has_no_interval():
    truth = np.zeros(20_000)
    truth[7] = 1.0
    guess = np.where(truth == 1, 1.0, 0.1 + np.linspace(0, 1, 20_000))
    with pytest.raises(DataError) as caught:
        estimates([get("r2")], truth, Predictions(guess), replicates=40)
    assert caught.value.code == "INTERVAL-UNDEFINED"


def test_measured_metrics_are_left_out(binary):
    assert estimates([get("latency_p99")], *binary(30)) == {}


def test_the_same_seed_gives_the_same_interval(binary):
    one, again = (estimates(BINARY, *binary(300), positive_code=1, seed=5) for _ in range(2))
    other = estimates(BINARY, *binary(300), positive_code=1, seed=6)
    assert one == again
    assert one["log_loss"] != other["log_loss"]
    assert one["roc_auc"] == other["roc_auc"]


rows_of_two = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.7, 0.9, 1.0])),
    min_size=2,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(rows_of_two)
def test_any_rows_give_a_finite_interval_around_the_value(drawn):
    truth = np.array([code for code, _ in drawn])
    answers = two(np.array([score for _, score in drawn]))
    fit = [m for m in BINARY if not m.unfit(truth, 2, 1)]
    for name, e in estimates(fit, truth, answers, positive_code=1, replicates=60).items():
        assert np.isfinite([e.value, e.low, e.high]).all()
        assert METRICS[name].low <= e.low <= e.value <= e.high <= METRICS[name].high


@settings(max_examples=30, deadline=None)
@given(rows_of_two, st.randoms(use_true_random=False))
def test_order_and_name_of_the_classes_do_not_matter(drawn, random):
    shuffled = random.sample(drawn, len(drawn))
    proportions = [m for m in BINARY if m.interval in ("wilson", "delong")]

    def measure(pairs, positive):
        truth = np.array([code if positive else 1 - code for code, _ in pairs])
        score = np.array([score for _, score in pairs])
        answers = two(score if positive else 1 - score)
        fit = [m for m in proportions if not m.unfit(truth, 2, positive)]
        return estimates(fit, truth, answers, positive_code=positive)

    base = measure(drawn, 1)
    for other in (measure(shuffled, 1), measure(drawn, 0)):
        assert base.keys() == other.keys()
        for name, e in base.items():
            same = (other[name].value, other[name].low, other[name].high)
            assert (e.value, e.low, e.high) == pytest.approx(same, abs=1e-9), name


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=30)
)  # fmt: skip
def test_any_numbers_give_a_finite_interval(drawn):
    truth, guess = (np.array(column) for column in zip(*drawn, strict=True))
    fit = [m for m in REGRESSION if not m.unfit(truth)]
    for name, e in estimates(fit, truth, Predictions(guess), replicates=60).items():
        assert np.isfinite([e.value, e.low, e.high]).all(), name
        assert e.low <= e.value <= e.high


@pytest.mark.parametrize("classes", [12, 40])
def test_many_classes_are_measured(classes):
    rng = np.random.default_rng(8)
    truth = np.r_[np.arange(classes), rng.integers(0, classes, 600)]
    noise = rng.dirichlet(np.ones(classes), len(truth))
    answers = Predictions(0.85 * noise + 0.15 * np.eye(classes)[truth])
    for name, e in estimates(MULTICLASS, truth, answers, replicates=200).items():
        assert e.low < e.value < e.high, name
        assert e.high - e.low < 0.25, name
