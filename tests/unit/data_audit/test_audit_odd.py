"""Odd tables: every check must get through them, with evidence that is plain JSON."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from assay.data.audit import CHECKS

ROWS = 300
DAY = np.timedelta64(1, "D")


def columns(rows: int = ROWS) -> dict[str, np.ndarray]:
    """Return one column of each kind, among them numbers with a word and a filled-in one."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=rows)
    return {
        "number": numbers,
        "filled": np.where(rng.random(rows) < 0.2, 0.5, rng.random(rows)),
        "default": np.where(np.arange(rows) % 9 == 0, 999.0, np.arange(rows) % 30.0),
        "word": rng.choice(["u", "v", "unknown"], rows),
        "mixed": np.where(np.arange(rows) % 3 == 0, "n/a?", "12"),
        "text": np.array(
            [f"it was {rng.choice(['no', 'yes'])}, say {i % 40}" for i in range(rows)]
        ),
        "date": np.datetime64("2020-01-01", "us") + rng.integers(0, 900, rows) * DAY,
    }


def passes(result) -> bool:
    """Return True when every check ran and the evidence is JSON."""
    json.dumps([finding.evidence for finding in result.findings], allow_nan=False)
    return result.checks == tuple(check.name for check in CHECKS)


@pytest.mark.parametrize(
    "name", ["^.*$", "*", "rows", "value", "cell", "target", "code", "len", "{0}", "日本 💥"]
)
@pytest.mark.parametrize("target", ["class", "number"])
def test_a_name_is_never_a_pattern_nor_one_of_ours(run, name, target):
    rng = np.random.default_rng(1)
    y = rng.choice(["no", "yes"], ROWS) if target == "class" else rng.normal(size=ROWS)
    for values in columns().values():
        table = pl.DataFrame({name: values, "other": rng.normal(size=ROWS), "y": y})
        assert passes(run(table))
    assert passes(run(pl.DataFrame({**columns(), name: y}), name))


@pytest.mark.parametrize("target", ["class", "number", "huge"])
def test_numbers_at_the_ends_of_what_a_computer_holds(run, target):
    rng = np.random.default_rng(2)
    x = rng.normal(size=ROWS)
    y = {"class": np.where(x > 0, "no", "yes"), "number": 2 * x, "huge": np.clip(x, -4, 4) * 1e307}
    table = {
        "infinite": np.where(rng.random(ROWS) < 0.2, np.inf, x),
        "only_infinite": np.full(ROWS, -np.inf),
        "no_number": np.full(ROWS, np.nan),
        "two": np.where(rng.random(ROWS) < 0.5, 1e308, -1e308),
        "large": rng.random(ROWS) * 1.7e308,
        "small": x * 1e-308,
        "wild": np.where(rng.random(ROWS) < 0.05, 1e308, rng.normal(size=ROWS)),
    }
    whole = pl.DataFrame({**table, "y": y[target]})
    assert passes(run(whole))
    twice = whole.select("infinite", "wild", "y").sample(ROWS, with_replacement=True, seed=0)
    assert passes(run(pl.concat([twice, twice.with_columns(y=pl.col("y").reverse())])))


@pytest.mark.parametrize("rows", [2, 3, 10, 30, 65])
@pytest.mark.parametrize("classes", [None, []])
def test_few_rows(run, rows, classes):
    y = np.arange(rows, dtype=float) if classes == [] else np.where(np.arange(rows) % 2, "a", "b")
    assert passes(run(pl.DataFrame({**columns(rows), "y": y}), classes=classes))


def test_nothing_to_learn(run):
    empty = {"none": pl.Series([None] * ROWS, dtype=pl.Float64), "nil": [None] * ROWS}
    table = pl.DataFrame({**empty, **columns()}, schema_overrides={"nil": pl.String})
    assert passes(run(table.with_columns(y=pl.lit(2.0)), classes=[]))
    assert passes(run(table.with_columns(y=pl.lit("a"))))
    parts = np.zeros(ROWS, np.int8)
    for part in (0, -1, -2):
        assert passes(run(table.with_columns(y=pl.Series(columns()["word"])), parts=parts + part))


def test_more_columns_than_rows_explain_nothing_by_being_many(run, codes):
    rng = np.random.default_rng(3)
    table = pl.DataFrame(rng.normal(size=(200, 240)), schema=[f"f{i}" for i in range(240)])
    found = run(table.with_columns(y=rng.choice(["no", "yes"], 200)))
    assert passes(found)
    assert not any(code.startswith("LE") for code in codes(found))


def test_a_column_is_suspected_once(run, codes):
    """A payout whose name says how it leaks: the mere suspicion of a copy adds nothing."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 800)
    noise = rng.random(800) < 0.12
    repaid = np.where((y == 1) ^ noise, rng.gamma(2, 50, 800), 0.0)
    table = pl.DataFrame({"final_payout": repaid, "a": rng.normal(size=800), "y": y.astype(str)})
    found = run(table)
    assert len([f for f in found.findings if f.where == "final_payout"]) == 1
    assert "LEAK-AFTER" in codes(found)
