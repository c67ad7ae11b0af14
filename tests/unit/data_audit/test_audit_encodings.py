"""Means of the target by category: over all, training, or other rows; and honest look-alikes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from assay.data.audit import battery

CODES = {"LEAK-ENCODED"}


@pytest.fixture(autouse=True)
def _these_checks(monkeypatch):
    """Run the checks of columns only: the others have tests of their own, and take their time."""
    mine = tuple(check for check in battery.CHECKS if set(check.codes) & CODES)
    monkeypatch.setattr(battery, "CHECKS", mine)


ROWS = 1500


def shops(seed: int, each: int, number: bool) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return a table of shops with true rates of their own, the shop of a row, and its answer."""
    rng = np.random.default_rng(seed)
    shop = rng.permutation(np.arange(ROWS) % (ROWS // each))
    level = rng.normal(size=ROWS // each)
    signal = rng.normal(size=ROWS)
    score = level[shop] + signal + rng.normal(size=ROWS)
    answer = score if number else (score > 0.3).astype(float)
    table = pl.DataFrame(
        {
            "shop": [f"S{s:04d}" for s in shop],
            "signal": signal,
            "y": score if number else np.where(answer == 1, "yes", "no"),
        }
    )
    return table, shop, answer


def mean_by(shop: np.ndarray, answer: np.ndarray, used: np.ndarray, prior: float = 0) -> np.ndarray:
    sums = np.bincount(shop[used], weights=answer[used], minlength=shop.max() + 1)
    rows = np.bincount(shop[used], minlength=shop.max() + 1)
    smoothed = (sums + prior * answer[used].mean()) / np.maximum(rows + prior, 1)
    return np.asarray(smoothed[shop])


def parts_of(seed: int = 0) -> np.ndarray:
    parts = (np.arange(ROWS) % 5).astype(np.int8)
    parts[np.random.default_rng(seed).permutation(ROWS)[: ROWS // 5]] = -1
    return parts


@pytest.mark.parametrize("number", [True, False])
@pytest.mark.parametrize(("each", "prior"), [(3, 0), (15, 0), (15, 10), (100, 0), (100, 37)])
def test_a_mean_over_all_rows_is_an_error(run, only, number, each, prior):
    table, shop, answer = shops(0, each, number)
    rate = mean_by(shop, answer, np.ones(ROWS, bool), prior)
    result = run(table.with_columns(rate=pl.Series(rate * 100 - 3)), parts=parts_of())
    finding = only(result, "LEAK-ENCODED")
    assert (finding.severity, finding.where) == ("error", "rate")
    assert finding.evidence["test_rows_included"]
    assert finding.evidence["of_each"] == "shop"


@pytest.mark.parametrize("number", [True, False])
def test_a_mean_over_training_rows_is_a_warning(run, only, number):
    table, shop, answer = shops(1, 15, number)
    parts = parts_of()
    rate = mean_by(shop, answer, parts >= 0)
    finding = only(run(table.with_columns(rate=pl.Series(rate)), parts=parts), "LEAK-ENCODED")
    assert (finding.severity, finding.evidence["test_rows_included"]) == ("warning", False)


@pytest.mark.parametrize("number", [True, False])
@pytest.mark.parametrize("each", [3, 20])
def test_the_mean_of_the_other_rows_mirrors_the_own_answer(run, only, number, each):
    table, shop, answer = shops(2, each, number)
    rows = np.bincount(shop)[shop]
    rate = (np.bincount(shop, weights=answer)[shop] - answer) / (rows - 1)
    finding = only(run(table.with_columns(rate=pl.Series(rate)), parts=parts_of()), "LEAK-ENCODED")
    assert (finding.severity, finding.evidence["statistic"]) == ("error", "mean of the other rows")


@pytest.mark.parametrize("number", [True, False])
def test_a_sum_over_the_rows_of_an_entity_is_found(run, only, number):
    table, shop, answer = shops(3, 4, number)
    total = np.bincount(shop, weights=answer)[shop]
    finding = only(
        run(table.with_columns(total=pl.Series(total)), parts=parts_of()), "LEAK-ENCODED"
    )
    assert finding.where == "total"


@pytest.mark.parametrize("number", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_honestly_known_of_a_shop_is_no_finding(run, codes, number, seed):
    """Its true level, last year's mean, its size, and means over other folds only."""
    table, shop, answer = shops(seed, 15, number)
    rng = np.random.default_rng(seed)
    parts = parts_of(seed)
    level = mean_by(shop, answer, np.ones(ROWS, bool)) + rng.normal(size=shop.max() + 1)[shop] * (
        answer.std() / np.sqrt(15)
    )
    fold = rng.integers(5, size=ROWS)
    folded = np.zeros(ROWS)
    for one in range(5):
        folded[fold == one] = mean_by(shop, answer, fold != one)[fold == one]
    result = run(
        table.with_columns(
            last_year=pl.Series(level),
            size=pl.Series(rng.integers(5, 90, shop.max() + 1)[shop]),
            folded=pl.Series(folded),
        ),
        parts=parts,
    )
    assert "LEAK-ENCODED" not in codes(result)
