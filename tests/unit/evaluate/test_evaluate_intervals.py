"""Intervals: known values, coverage, degenerate rows, properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from assay.errors import DataError
from assay.evaluate import estimates
from assay.kernel.family import Predictions
from assay.metrics import METRICS, get, names_for
from assay.metrics.intervals.blocks import FEWEST_BLOCKS, block_length, time_blocks
from assay.metrics.intervals.estimates import order_interval
from assay.metrics.intervals.gaps import gap_interval
from assay.metrics.intervals.linear import leaning, linear, midranks, skewness, variance, wilson
from assay.metrics.intervals.resample import draws
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


def _all_influences(binary, number):
    truth, answers = binary(150)
    truth_of_three = np.random.default_rng(2).integers(0, 3, 150)
    values = np.random.default_rng(3).dirichlet(np.ones(3), 150) + 0.3 * np.eye(3)[truth_of_three]
    yield from ((m, Rows(truth, answers.values.round(1), 1)) for m in BINARY)
    yield from ((m, Rows(truth_of_three, values / 1.3)) for m in MULTICLASS)
    yield from ((get(n), Rows.of(*number(150))) for n in ("rmse", "mae", "r2", "mape"))


def test_an_influence_is_what_a_little_more_weight_on_a_row_does(binary, number):
    """Each formula against the metric itself, under weights a millionth away from one."""
    seen = set()
    for metric, rows in _all_influences(binary, number):
        part = linear(metric, rows)
        if part is None:
            continue
        seen.add(metric.name)
        step = 1e-6
        weights = 1 + step * np.r_[np.zeros((1, rows.n)), np.eye(rows.n)]
        values = metric.values(Weighted(rows, weights))
        slope = (values[1:] - values[0]) / step
        influence = part.influence
        if part.law == "area":  # DeLong's carry n / (n - 1), which makes the variance unbiased
            slope, influence = slope / slope.std(), influence / influence.std()
            np.testing.assert_allclose(influence, slope, atol=0.1, err_msg=metric.name)
        else:
            np.testing.assert_allclose(influence, slope, atol=1e-6, err_msg=metric.name)
        assert part.value == pytest.approx(values[0]), metric.name
    assert len(seen) == 13


def test_halls_transformation_undoes_itself():
    """The cubic of Hall 1992 at each end gives the normal quantile again."""
    each = np.random.default_rng(1).exponential(size=50) - 1
    spread, lean = float((each**2).sum()), skewness(each)
    for z in (1.0, 1.96, 3.0):
        low, high = leaning(each, spread, (-z, z))
        for end, quantile in ((low, z), (high, -z)):
            t = -end / np.sqrt(spread)
            straight = t + lean * t**2 / 3 + lean**2 * t**3 / 27 + lean / 6
            assert straight == pytest.approx(quantile)
        assert high > -low  # a mean of losses that lean to the right may be much higher


def test_draws_by_kind_of_row_are_the_bootstrap_of_rows(binary):
    """The gamma sums of rows labelled alike spread as weights of single rows do."""
    truth, answers = binary(3_000, rate=0.05)
    rows = Rows(truth, answers.values, 1)
    metrics = [get(name) for name in ("f1", "mcc", "balanced_accuracy")]
    weights = np.random.default_rng(0).standard_exponential((500, rows.n))
    for groups in (None, np.arange(rows.n)):
        found = draws(metrics, [rows], groups, 4_000, np.random.default_rng(1))
        for metric in metrics:
            spread = metric.values(Weighted(rows, weights)).std()
            assert found[metric.name].std() == pytest.approx(spread, rel=0.12), metric.name


def test_draws_of_two_models_share_their_weights(binary):
    truth, answers = binary(500)
    rows = Rows(truth, answers.values, 1)
    rng = np.random.default_rng(2)
    twin = draws([get("f1")], [rows, rows], None, 400, rng)["f1"]
    alone = draws([get("f1")], [rows], None, 400, rng)["f1"]
    assert twin.std() < 0.3 * alone.std()  # what is left is the doubt of each by itself


def test_calibration_error_holds_zero_when_calibrated_and_not_when_far_from_it(binary):
    held = 0
    for seed in range(40):
        truth, answers = binary(500, seed)
        rng = np.random.default_rng(seed)
        held += gap_interval(Rows(truth, answers.values, 1), None, 0.95, 400, rng)[0] == 0
    assert 34 <= held <= 40
    truth, answers = binary(500)
    off = Rows(truth, two(answers.values[:, 1] ** 3).values, 1)
    low, high = gap_interval(off, None, 0.95, 400, np.random.default_rng(0))
    assert 0.05 < low < get("ece").compute(truth, two(off.score), 1) < high < 0.35


def test_a_median_by_group_takes_fewer_rows_to_be_there(number):
    truth, answers = number(60)
    alone = estimates([get("median_ae")], truth, answers)["median_ae"]
    repeat = np.repeat(truth, 10), Predictions(np.repeat(answers.values, 10))
    groups = np.repeat(np.arange(60), 10)
    honest = estimates([get("median_ae")], *repeat, groups=groups)["median_ae"]
    naive = estimates([get("median_ae")], *repeat)["median_ae"]
    assert honest.high - honest.low == pytest.approx(alone.high - alone.low, rel=0.3)
    assert honest.high - honest.low > 1.7 * (naive.high - naive.low)


def test_blocks_of_time_are_taken_only_where_errors_last():
    rng = np.random.default_rng(3)
    times = rng.permutation(800)
    alone = Predictions(np.zeros(800))
    fresh = estimates([get("mae")], 5 + rng.normal(size=800), alone, times=times)["mae"]
    assert "time" not in fresh.method
    error = lfilter([1], [1, -0.8], rng.normal(size=800))
    kept = estimates([get("mae")], (5 + error)[times], alone, times=times)["mae"]
    naive = estimates([get("mae")], (5 + error)[times], alone)["mae"]
    assert kept.method == "skewness-corrected t, by blocks of time"
    assert kept.high - kept.low > 1.4 * (naive.high - naive.low)
    unsorted = estimates([get("mae")], (5 + error)[times], alone, times=np.arange(800))["mae"]
    assert "time" not in unsorted.method


def test_blocks_are_neighbours_and_hold_every_row():
    error = lfilter([1], [1, -0.9], np.random.default_rng(4).normal(size=1_000))
    times = np.arange(1_000)[::-1]
    codes = time_blocks(Rows(5 + error, np.zeros(1_000)), times)
    assert codes is not None
    assert (np.diff(codes) <= 0).all()
    sizes = np.bincount(codes)
    assert len(sizes) >= FEWEST_BLOCKS
    assert sizes.max() - sizes.min() <= 1
    assert block_length(np.random.default_rng(5).normal(size=1_000)) == 1
    assert block_length(np.ones(1_000)) == 1


def test_intervals_of_a_series_hold_the_truth():
    held = naive = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        error = lfilter([0.6], [1, -0.8], rng.normal(size=450))[50:]
        answers = Predictions(np.zeros(400))
        for times in (np.arange(400), None):
            found = estimates([get("rmse")], error, answers, times=times)["rmse"]
            inside = found.low <= 1 <= found.high
            held, naive = held + inside * (times is not None), naive + inside * (times is None)
    assert held >= 88
    assert naive <= 82


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


def test_measured_metrics_are_left_out(binary):
    assert estimates([get("latency_p99")], *binary(30)) == {}


def test_the_same_seed_gives_the_same_interval(binary):
    one, again = (estimates(BINARY, *binary(300), positive_code=1, seed=5) for _ in range(2))
    other = estimates(BINARY, *binary(300), positive_code=1, seed=6)
    assert one == again
    assert one["f1"] != other["f1"]
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
