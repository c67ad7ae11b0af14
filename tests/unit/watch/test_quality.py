"""What is wrong with rows themselves: each finding is made where it is planted, not elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.records.fitted import Field
from assay.records.watch import Broken
from assay.watch.columns.build import profile_columns
from assay.watch.columns.count import count
from assay.watch.profile import Profile
from assay.watch.quality import CODES, Seen, broken, span, tail

FIELDS = [
    Field(name="fee", type="number", missing=True),
    Field(name="age", type="number", missing=False),
    Field(name="region", type="category", missing=False),
]


def rows(count_: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    fee = pl.Series(rng.lognormal(3, 0.5, count_))
    return pl.DataFrame(
        {
            "fee": fee.set(pl.Series(rng.random(count_) < 0.05), None),
            "age": rng.normal(40, 10, count_).round(),
            "region": rng.choice(["north", "south", "west"], count_, p=[0.5, 0.3, 0.2]),
        }
    )


PROFILE = Profile(rows=5000, test_rows=0, columns=profile_columns(rows(5000, 1), FIELDS))


def found(frame: pl.DataFrame, **seen: Any) -> dict[str, Broken]:
    values = {name: frame[name].drop_nulls().to_numpy() for name in ("fee", "age") if name in frame}
    counts = count(PROFILE.columns, frame)
    return {b.code: b for b in broken(PROFILE, counts, Seen(values=values, **seen))}


@pytest.mark.parametrize("seed", range(10))
def test_rows_like_those_of_training_have_nothing_wrong(seed: int) -> None:
    frame = rows(2000, 100 + seed)
    missing = frame["fee"].is_null().to_numpy().reshape(20, 100).sum(axis=1)
    blocks = np.full(20, 100)
    assert found(frame, blocks=blocks, missing={"fee": missing}) == {}


def test_a_column_that_is_absent_or_empty() -> None:
    frame = rows(500, 2)
    absent = found(frame.drop("age"), absent=["age"])
    assert absent["WATCH-ABSENT"].column == "age"
    assert "WATCH-EMPTY" not in absent
    empty = found(frame.with_columns(pl.lit(None, pl.Float64).alias("age")))
    assert empty["WATCH-EMPTY"].rows == 500


def test_a_feed_that_stands_still() -> None:
    frame = rows(500, 3)
    assert "WATCH-CONSTANT" in found(frame.with_columns(pl.lit(41.0).alias("age")))
    assert "WATCH-CONSTANT" in found(frame.with_columns(pl.lit("west").alias("region")))
    few = found(frame[:10].with_columns(pl.lit("north").alias("region")))
    assert "WATCH-CONSTANT" not in few


@pytest.mark.parametrize(("every", "severity"), [(30, "warning"), (3, "error")])
def test_values_that_were_never_seen(every: int, severity: str) -> None:
    new = pl.when(pl.int_range(900) % every == 0).then(pl.lit("mars")).otherwise("region")
    finding = found(rows(900, 4).with_columns(new.alias("region")))["WATCH-CATEGORY"]
    assert finding.severity == severity
    assert finding.rows == 900 // every


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (pl.col("fee") * 1000, "multiplied by 1000"),
        (pl.col("fee") / 100, "divided by 100"),
        (pl.col("fee") * 2.54, "inches"),
        (pl.col("fee") * 1.8 + 32, "Fahrenheit"),
        (pl.col("fee") * -1, "sign"),
    ],
)
def test_another_unit_in_all_rows(turn: pl.Expr, words: str) -> None:
    finding = found(rows(1000, 5).with_columns(turn.alias("fee")))["WATCH-UNIT"]
    assert words in finding.message
    assert "all rows" in finding.message


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_another_unit_in_five_of_a_hundred_rows(factor: float) -> None:
    part = pl.when(pl.int_range(4000) % 20 == 0).then(pl.col("age") * factor).otherwise("age")
    finding = found(rows(4000, 6).with_columns(part.alias("age")))["WATCH-UNIT"]
    assert 150 <= finding.rows <= 250
    assert "100" in finding.message


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "turn", [pl.col("fee") * 1.3, pl.col("age") + 3, pl.col("age") * 1.5, pl.col("age") + 15]
)
def test_a_shift_is_no_unit(seed: int, turn: pl.Expr) -> None:
    name = turn.meta.output_name()
    assert "WATCH-UNIT" not in found(rows(2000, 50 + seed).with_columns(turn.alias(name)))


def test_missing_cells_in_a_stretch_of_rows() -> None:
    blocks, missing = np.full(20, 100), np.full(20, 5)
    missing[7] = 60
    finding = found(rows(2000, 7), blocks=blocks, missing={"fee": missing})["WATCH-MISSING"]
    assert finding.rows == 60
    assert "60% of one stretch" in finding.message


def test_a_row_again_and_again() -> None:
    counts = count(PROFILE.columns, rows(500, 8))
    cells = {"fee": 5, "region": 0}
    seen = Seen(repeated=100, sampled=500, cells=cells)
    assert [b.code for b in broken(PROFILE, counts, seen)] == ["WATCH-REPEATED"]
    common = Seen(repeated=100, sampled=500, cells={"region": 0})
    assert broken(PROFILE, counts, common) == ()


def test_silence_skew_and_warnings() -> None:
    frame = rows(500, 9)
    silent = found(frame, silent=7200.0, usual=600.0)["WATCH-SILENT"]
    assert "2 hours" in silent.message
    skew = found(frame, asked=200, skewed=3, off=0.25)["WATCH-SKEW"]
    assert (skew.rows, skew.severity) == (3, "error")
    assert "WATCH-WARNED" in found(frame, warned=200)
    assert found(frame, warned=20, silent=5.0, usual=600.0, asked=200) == {}


def test_every_code_is_explained_where_people_look() -> None:
    page = Path(__file__).parents[3] / "docs" / "howto" / "watch-a-model.md"
    assert [code for code in CODES if f"`{code}`" not in page.read_text()] == []


def test_the_tail_bounds_the_binomial() -> None:
    rng = np.random.default_rng(0)
    draws = rng.binomial(200, 0.1, 200_000)
    for hits in (25, 30, 40):
        assert tail(hits, 200, 0.1) >= (draws >= hits).mean()
    assert tail(20, 200, 0.1) == 1.0
    assert tail(200, 200, 0.1) == pytest.approx(0.1**200)
    assert tail(3, 10, 0.0) == 0.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "3 seconds"), (150, "2.5 minutes"), (7200, "2 hours"), (2e5, "2.3 days")],
)
def test_spans_read_well(seconds: float, text: str) -> None:
    assert span(seconds) == text
