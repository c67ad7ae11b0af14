"""Bad rows: the damage is what it says, and what it costs is what a large sample says."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from operate_cases import make_case
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from assay.evaluate.case import Sample
from assay.evaluate.strain import strains
from assay.evaluate.strain.robustness import examine
from assay.evaluate.strain.shift import places, shifted, tilt, worst_tail
from assay.evaluate.strain.strains import STRAINS, Bench
from assay.kernel.family import Predictions
from assay.metrics import get
from assay.metrics.weighted import Rows
from assay.records.base import from_json, to_json
from assay.records.report import Examination

SLOPE = 1.5


def table_of(n, seed=0):
    rng = np.random.default_rng(seed)
    table = pl.DataFrame(
        {
            "x": rng.normal(size=n),
            "idle": rng.normal(5, 3, n),
            "city": rng.choice(["Rome", "Oslo", "Bern"], n),
            "town": rng.choice(["a", "b"], n),
        }
    )
    truth = (rng.random(n) < expit(SLOPE * table["x"].to_numpy())).astype(np.int64)
    truth[:2] = (0, 1)
    return table, truth


def answer(frame):
    """Ask a model that knows x alone, and says a half where it is missing."""
    score = expit(SLOPE * frame["x"].fill_null(0.0).fill_nan(0.0).to_numpy())
    return Predictions(np.column_stack([1 - score, score]), ("no", "yes"))


def case_of(n=1500, predict=answer, **more):
    table, truth = table_of(n)
    found = predict(table)
    case = make_case(truth, found.values, table, **more)
    flat = Predictions(np.full_like(found.values, 0.5), found.classes)
    return replace(case, predict=predict, baseline=flat)


def bench(n=4000):
    table, _ = table_of(n)
    return Bench(table, table, 3)


def test_missing_cells_are_as_many_as_asked_and_stay_missing_when_there_are_more():
    rows = bench()
    mild, strong = strains.missing(rows, 0.1), strains.missing(rows, 0.4)
    share = np.mean([column.null_count() / rows.frame.height for column in mild])
    assert share == pytest.approx(0.1, abs=0.01)
    assert mild.schema == rows.frame.schema
    for name in mild.columns:
        assert strong[name].is_null().filter(mild[name].is_null()).all()


def test_noise_is_as_wide_as_asked():
    rows = bench()
    gap = (strains.noise(rows, 0.5)["idle"] - rows.frame["idle"]).to_numpy()
    assert gap.std() == pytest.approx(0.5 * rows.frame["idle"].std(), rel=0.05)
    assert gap.mean() == pytest.approx(0, abs=0.1)


def test_extreme_numbers_lie_ten_times_as_far_out_as_training_saw():
    rows = bench()
    hit = strains.extreme(rows, 0.2)["idle"]
    changed = hit.filter(hit != rows.frame["idle"])
    assert len(changed) / len(hit) == pytest.approx(0.2, abs=0.02)
    low, high = rows.frame["idle"].min(), rows.frame["idle"].max()
    assert abs(changed[0] - (low + high) / 2) == pytest.approx(10 * (high - low) / 2)


def test_swapped_columns_keep_the_values_of_each_row_and_their_types():
    rows = bench(500)
    one = strains.swapped(rows, 1)
    assert one.schema == rows.frame.schema
    kept = np.sort(one.select("x", "idle").to_numpy(), axis=1)
    np.testing.assert_array_equal(kept, np.sort(rows.frame.select("x", "idle").to_numpy(), axis=1))
    assert not one.equals(rows.frame)
    assert strains.swapped(rows, 4) is None  # only two pairs are of one type


def test_what_does_not_apply_is_left_out():
    rows = Bench(pl.DataFrame({"x": [1.0, 2.0]}), pl.DataFrame({"x": [1.0, 2.0]}), 0)
    assert strains.unseen(rows, 0.1) is None
    assert strains.swapped(rows, 1) is None
    assert strains.noise(Bench(rows.frame, pl.DataFrame({"x": [1.0, 1.0]}), 0), 0.1) is None


@pytest.mark.parametrize("name", ["missing", "noise", "extreme"])
def test_the_loss_is_that_of_a_large_sample(name):
    found = examine(case_of()).numbers[f"robustness_{name}"]
    table, truth = table_of(100_000, 9)
    strain = next(s for s in STRAINS if s.name == name)
    train = table_of(1500)[0]  # extremes are those of its training rows
    strength = strain.strengths[strain.standard]
    worse = strain.damage(Bench(table, train, 1 + 1 + STRAINS.index(strain)), strength)
    area = [roc_auc_score(truth, answer(frame).values[:, 1]) for frame in (table, worse)]
    assert found.low <= area[0] - area[1] <= found.high
    assert found.high - found.low < 0.06


def test_a_column_that_the_model_ignores_costs_nothing():
    found = examine(case_of())
    assert found.numbers["robustness_unseen"].value == 0
    series = found.curves[0].data["series"]
    losses = series["Missing values"]["loss"]
    assert losses == sorted(losses)
    assert losses[-1] > 3 * losses[0] > 0
    assert set(found.numbers) == {f"robustness_{s.name}" for s in STRAINS} | {"robustness_shift"}
    assert from_json(to_json(found), Examination) == found


def test_twice_the_same():
    case = case_of(300)
    assert examine(case) == examine(case)


def test_a_model_that_breaks_at_once_is_serious():
    def brittle(frame):
        found = answer(frame)
        blank = frame["x"].is_null().to_numpy() | frame["city"].is_null().to_numpy()
        return Predictions(np.where(blank[:, None], found.values[:, ::-1], found.values),
                           found.classes)  # fmt: skip

    calm, upset = examine(case_of()), examine(case_of(predict=brittle))
    assert upset.numbers["robustness_missing"].value > calm.numbers["robustness_missing"].value
    weak = replace(case_of(predict=brittle), baseline=answer(table_of(1500)[0]))
    table, _ = table_of(1500)
    noisy = table.with_columns(
        x=table["x"] + pl.Series(np.random.default_rng(1).normal(0, 0.3, 1500))
    )
    found = examine(replace(weak, baseline=answer(noisy)))
    assert found.concern == "serious"
    assert "no better than the baseline" in found.reading
    assert found.advice


def test_a_tilt_moves_the_mean_as_far_as_asked():
    place = places(pl.Series(np.random.default_rng(0).normal(size=2000)))
    for by in (0.25, 0.5, 1.0):
        weights = tilt(place, by)
        assert weights.mean() == pytest.approx(1)
        assert (weights * place).mean() == pytest.approx(by, abs=1e-3)
    assert tilt(np.zeros(5), 0.5).tolist() == [1] * 5
    common = places(pl.Series(["a"] * 6 + ["b"] * 2 + [None]))
    assert common[0] > 0 > common[6]
    assert common[8] == 0


def test_the_tail_where_the_model_is_blind_is_found_and_its_cost_measured():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=4000), "z": rng.random(4000)})
    x, z = frame["x"].to_numpy(), frame["z"].to_numpy()
    truth = (rng.random(4000) < expit(3 * x * (z < 0.6))).astype(np.int64)  # noise where z is high
    score = expit(3 * x + 0.8 * z)
    answers = Predictions(np.column_stack([1 - score, score]), ("no", "yes"))
    tail = worst_tail(get("roc_auc"), frame, truth, answers, 1)
    assert (tail.column, tail.high) == ("z", True)
    assert tail.described(pl.Float64()) == "z is high"
    found = shifted(get("roc_auc"), frame["z"], tail, Rows.of(truth, answers, 1), None, 0)
    losses = [loss.value for _, loss in found]
    assert losses == sorted(losses)
    assert found[1][1].low > 0
    by = tilt(places(frame["z"]), 0.5)
    picked = rng.choice(4000, 200_000, p=by / by.sum())
    whole = roc_auc_score(truth, score)
    assert losses[1] == pytest.approx(
        whole - roc_auc_score(truth[picked], score[picked]), abs=0.005
    )


def number(frame):
    return Predictions(frame["x"].fill_null(0.0).fill_nan(0.0).to_numpy() * 3)


def test_numbers_count_a_larger_error_as_a_loss():
    table, _ = table_of(400)
    truth = number(table).values + np.random.default_rng(1).normal(size=400)
    case = replace(make_case(truth, number(table).values, table, classes=()), predict=number)
    found = examine(case).numbers
    assert found["robustness_extreme"].low > 0
    assert found["robustness_unseen"].value == 0


def fifty(frame):
    near = np.exp(-((frame["x"].fill_null(0.0).to_numpy()[:, None] - np.arange(50) / 10) ** 2))
    return Predictions(near / near.sum(axis=1, keepdims=True), tuple(f"c{i:02}" for i in range(50)))


def test_odd_tables_get_a_smaller_answer():
    one_class = replace(
        case_of(200), test=Sample(table_of(200)[0], np.ones(200, int), np.arange(200))
    )
    found = examine(one_class)
    assert not found.numbers
    assert "could not be measured" in found.reading
    table, truth = table_of(200)
    blank = table.with_columns(idle=pl.lit(None, pl.Float64), town=pl.lit(None, pl.String))
    empty = replace(make_case(truth, answer(blank).values, blank), predict=answer)
    assert "robustness_missing" in examine(empty).numbers
    alone = table.select("x")[:30]
    single = replace(make_case(truth[:30], answer(alone).values, alone), predict=answer)
    assert set(examine(single).numbers) >= {"robustness_missing", "robustness_noise"}
    assert "robustness_swapped" not in examine(single).numbers
    many = fifty(table)
    codes = np.random.default_rng(0).integers(0, 50, 200)
    crowd = replace(make_case(codes, many.values, table, classes=many.classes), predict=fifty)
    crowded = examine(crowd)
    assert from_json(to_json(crowded), Examination) == crowded
    unknown = replace(case_of(200), oof=Predictions(np.full((200, 2), np.nan), ("no", "yes")))
    assert "robustness_shift" not in examine(unknown).numbers
    grouped = examine(case_of(200, groups=np.repeat(np.arange(50), 4)))
    assert "by group" in grouped.numbers["robustness_missing"].method
