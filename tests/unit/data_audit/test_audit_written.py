"""Copies with mistakes, columns written after the outcome, telling ids and telling texts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn import datasets

from assay.data.audit import battery

CODES = {"LEAK-TARGET", "LEAK-AFTER", "LEAK-ID", "LEAK-TEXT"}

WORDS = ["the", "parcel", "came", "late", "she", "asked", "for", "help", "form", "visit", "page"]


@pytest.fixture(autouse=True)
def _these_checks(monkeypatch):
    """Run the checks of columns only: the others have tests of their own, and take their time."""
    mine = tuple(check for check in battery.CHECKS if set(check.codes) & CODES)
    monkeypatch.setattr(battery, "CHECKS", mine)


@pytest.fixture(scope="module")
def cancer() -> pl.DataFrame:
    bunch = datasets.load_breast_cancer()
    table = pl.DataFrame(bunch.data, schema=[str(c) for c in bunch.feature_names])
    return table.with_columns(pl.Series("y", [str(bunch.target_names[i]) for i in bunch.target]))


@pytest.fixture(scope="module")
def patients() -> pl.DataFrame:
    bunch = datasets.load_diabetes()
    table = pl.DataFrame(bunch.data, schema=[str(c) for c in bunch.feature_names])
    return table.with_columns(pl.Series("y", bunch.target))


def ill_of(table: pl.DataFrame) -> np.ndarray:
    return (table["y"] == "malignant").to_numpy()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("wrong", [0.05, 0.15])
def test_a_copy_of_the_class_with_mistakes(run, codes, cancer, seed, wrong):
    rng = np.random.default_rng(seed)
    told = ill_of(cancer) ^ (rng.random(cancer.height) < wrong)
    result = run(cancer.with_columns(review=pl.Series(np.where(told, "red", "blue"))))
    named = {f.where for f in result.findings if f.code in ("LEAK-SUSPECT", "LEAK-TARGET")}
    assert "review" in named


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.5])
def test_a_copy_of_a_number_with_noise(run, only, patients, noise):
    rng = np.random.default_rng(0)
    spread = noise * patients["y"].to_numpy().std()
    told = patients["y"].to_numpy() + rng.normal(size=patients.height) * spread
    result = run(patients.with_columns(estimate=pl.Series(told)))
    named = {f.where for f in result.findings if f.code in ("LEAK-SUSPECT", "LEAK-TARGET")}
    assert named == {"estimate"}


def test_an_honest_strong_column_goes_along_with_others(run, codes, cancer):
    """Alone `worst perimeter` explains 73 %, and the others know where it is wrong."""
    result = run(cancer)
    assert not any("copy" in f.message for f in result.findings)


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("default", [None, 0.0, -1.0])
def test_a_refund_of_some_of_one_class(run, only, cancer, share, default):
    rng = np.random.default_rng(4)
    paid = ill_of(cancer) & (rng.random(cancer.height) < share)
    amount = pl.Series(rng.lognormal(3, 1, cancer.height))
    refund = pl.select(pl.when(pl.Series(paid)).then(amount).otherwise(default)).to_series()
    finding = only(run(cancer.with_columns(refund=refund)), "LEAK-AFTER")
    assert (finding.severity, finding.where) == ("warning", "refund")
    assert finding.evidence["of_one_answer"] == 1.0


def test_a_cell_filled_in_for_the_largest_numbers_only(run, only, patients):
    rng = np.random.default_rng(4)
    large = (patients["y"] > patients["y"].quantile(0.75)).to_numpy()
    filled = pl.Series(large & (rng.random(patients.height) < 0.5))
    value = pl.Series(rng.normal(size=patients.height))
    note = pl.select(pl.when(filled).then(value)).to_series()
    finding = only(run(patients.with_columns(follow_up=note)), "LEAK-AFTER")
    assert finding.where == "follow_up"


def test_gaps_that_go_along_with_the_answer_alone(run, only, cancer):
    rng = np.random.default_rng(5)
    gone = pl.Series(rng.random(cancer.height) < np.where(ill_of(cancer), 0.7, 0.1))
    value = pl.Series(rng.normal(size=cancer.height))
    reading = pl.select(pl.when(gone).then(None).otherwise(value)).to_series()
    finding = only(run(cancer.with_columns(reading=reading)), "LEAK-AFTER")
    assert finding.evidence["state"] in ("missing", "filled in")


def test_gaps_that_another_column_explains_are_honest(run, codes, cancer):
    gone = pl.col("worst area") > 900
    table = cancer.with_columns(pl.when(gone).then(None).otherwise(pl.lit(1.5)).alias("echo"))
    table = table.with_columns(pl.col("echo") + pl.col("mean smoothness"))
    assert "LEAK-AFTER" not in codes(run(table))


def test_a_name_alone_decides_nothing_but_the_best_column_with_one_is_named(
    run, codes, only, honest
):
    table = honest(0, 2000)
    assert "LEAK-AFTER" not in codes(run(table.rename({"height": "duration"})))
    code = (table["y"] == "class 1").cast(pl.Float64)
    noise = pl.Series(np.random.default_rng(0).normal(size=2000))
    assert only(run(table.with_columns(duration=code + noise)), "LEAK-AFTER").where == "duration"
    assert "LEAK-AFTER" not in codes(run(table.with_columns(width=code + noise)))


ID_PARTS = ["prefix", "last digit", "length", "order"]


@pytest.mark.parametrize("part", ID_PARTS)
@pytest.mark.parametrize("used", [True, False])
def test_an_id_that_encodes_the_class(run, only, cancer, part, used):
    rng = np.random.default_rng(6)
    ill = ill_of(cancer) ^ (rng.random(cancer.height) < 0.05)
    number = rng.permutation(90_000)[: cancer.height] + 100_000
    if part == "order":
        number = np.argsort(np.argsort(ill + rng.random(cancer.height) * 0.1)) + 100_000
    if part == "last digit":
        number = number // 2 * 2 + ill
    if part == "length":
        number = np.where(ill, number * 100, number)
    front = np.where(ill, "K", "A") if part == "prefix" else np.full(cancer.height, "N")
    table = cancer.with_columns(
        case=pl.Series([f"{f}{n}" for f, n in zip(front, number, strict=True)])
    )
    features = [c for c in table.columns if c not in ("y", *(() if used else ("case",)))]
    finding = only(run(table, features=features, types={"case": "id"}), "LEAK-ID")
    assert finding.where == "case"
    assert finding.evidence["used_as_feature"] is used
    assert used or finding.severity == "warning"


@pytest.mark.parametrize("seed", range(3))
def test_ids_without_meaning_are_left_alone(run, codes, cancer, seed):
    rng = np.random.default_rng(seed)
    number = rng.permutation(10**6)[: cancer.height]
    table = cancer.with_columns(
        case=pl.Series([f"{'AB'[n % 2]}{n:06d}" for n in number]), number=pl.Series(number)
    )
    assert "LEAK-ID" not in codes(run(table, types={"case": "id"}))


def texts(table: pl.DataFrame, phrase: dict[str, str], share: float, seed: int = 0) -> pl.Series:
    rng = np.random.default_rng(seed)
    made = []
    for label in table["y"]:
        words = list(rng.choice(WORDS, rng.integers(5, 12)))
        if rng.random() < share and label in phrase:
            words.insert(int(rng.integers(len(words))), phrase[label])
        made.append(" ".join(words))
    return pl.Series("remark", made)


@pytest.mark.parametrize(("share", "severity"), [(0.1, "warning"), (0.6, "error")])
def test_a_text_that_names_the_class(run, only, cancer, share, severity):
    phrase = {label: f"closed as {label.upper()}." for label in ("malignant", "benign")}
    finding = only(run(cancer.with_columns(texts(cancer, phrase, share))), "LEAK-TEXT")
    assert (finding.severity, finding.where) == (severity, "remark")
    assert all(line["y"] in line["remark"].lower() for line in finding.evidence["examples"])


def test_classes_that_differ_by_a_sign_are_told_apart(run, only, cancer):
    table = cancer.with_columns(pl.col("y").replace({"malignant": ">50K", "benign": "<=50K"}))
    phrase = {label: f"filed under {label}" for label in (">50K", "<=50K")}
    finding = only(run(table.with_columns(texts(table, phrase, 0.6))), "LEAK-TEXT")
    assert finding.evidence["right"] == 1.0


def test_a_word_that_stands_for_a_class(run, only, cancer):
    told = texts(cancer, {"malignant": "oncology"}, 0.5)
    finding = only(run(cancer.with_columns(told)), "LEAK-TEXT")
    assert finding.evidence["word"] == "oncology"
    assert finding.evidence["of_the_class"] == finding.evidence["texts_with_it"]


def test_texts_that_say_nothing_or_name_both_classes_are_left_alone(run, codes, cancer):
    plain = texts(cancer, {}, 0)
    both = texts(cancer, dict.fromkeys(("malignant", "benign"), "malignant or benign"), 0.8)
    one = texts(cancer, dict.fromkeys(("malignant", "benign"), "maybe malignant"), 0.8)
    result = run(cancer.with_columns(plain, both.alias("both"), one.alias("one")))
    assert "LEAK-TEXT" not in codes(result)
