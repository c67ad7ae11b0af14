"""Where the rows of `alarms.py` come from, and what can be done to them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

TARGET, ANSWER = "label", "probability_yes"
CATEGORIES = (2, 2, 3, 4, 6, 8, 12, 20, 50, 200)
NORMAL = [f"normal_{i}" for i in range(8)]

Rng = np.random.Generator
Draw = Callable[[Rng, int], pl.DataFrame]


@dataclass(frozen=True)
class Field:
    """A column's name and type."""

    name: str
    type: str


def mixed(rng: Rng, n: int) -> pl.DataFrame:
    """Return fresh rows: 20 numbers that partly go together, 10 categories, labels, answers."""
    hidden = rng.normal(size=(n, 3))
    made: dict[str, object] = {}
    for i, name in enumerate(NORMAL):
        made[name] = 50 + 10 * (0.6 * hidden[:, i % 3] + 0.8 * rng.normal(size=n))
    for i in range(4):
        made[f"amount_{i}"] = np.exp(2 + 0.7 * rng.normal(size=n) + 0.3 * hidden[:, i % 3])
    for i in range(3):
        made[f"wait_{i}"] = rng.exponential(30.0, n)
    for i in range(2):
        made[f"mostly_zero_{i}"] = np.where(rng.random(n) < 0.9, 0.0, rng.exponential(5.0, n))
    for i, rate in enumerate((1.5, 12.0)):
        made[f"count_{i}"] = rng.poisson(rate, n).astype(float)
    made["share"] = pl.Series(rng.random(n)).set(pl.Series(rng.random(n) < 0.02), None)
    for i, k in enumerate(CATEGORIES):
        weights = 1 / np.arange(1, k + 1) ** 1.1
        cells = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], rng.random(n))
        words = pl.Series([f"v{j}" for j in range(k)], dtype=pl.String)
        made[f"category_{i}"] = words.gather(cells)
    chance = 1 / (1 + np.exp(1.2 - 1.3 * hidden[:, 0] - 0.5 * (cells % 3)))
    made[ANSWER] = chance
    made[TARGET] = np.where(rng.random(n) < chance, "yes", "no")
    return pl.DataFrame(made)


def resampled(table: pl.DataFrame) -> Draw:
    """Return rows drawn from a table with replacement: the table is the whole population."""
    return lambda rng, n: table[rng.integers(0, table.height, n)]


def real() -> dict[str, Draw]:
    """Return the populations that are tables of $ASSAY_DATA."""
    folder = Path(os.environ["ASSAY_DATA"])
    names = ("adult_census", "bank_marketing", "beijing_pm25")
    return {name: resampled(pl.read_parquet(folder / f"{name}.parquet")) for name in names}


def fields_of(rows: pl.DataFrame) -> list[Field]:
    """Return the inputs among the columns."""
    inputs = rows.drop(TARGET, ANSWER, strict=False)
    kinds = {name: dtype.is_numeric() for name, dtype in inputs.schema.items()}
    return [Field(name, "number" if number else "category") for name, number in kinds.items()]


def mean_moved(rows: pl.DataFrame, _: Rng, name: str, by: float = 0.25) -> pl.DataFrame:
    """Return the rows with one normal column moved by `by` standard deviations (of 10)."""
    return rows.with_columns(pl.col(name) + 10.0 * by)


def share_doubled(rows: pl.DataFrame, rng: Rng, name: str) -> pl.DataFrame:
    """Return the rows with one category twice as frequent, at the cost of all others."""
    chosen = RARER[name]
    share = float((rows[name] == chosen).mean())
    turned = pl.Series(rng.random(rows.height) < share / (1 - share)) & (rows[name] != chosen)
    return rows.with_columns(pl.when(turned).then(pl.lit(chosen)).otherwise(name).alias(name))


RARER = {f"category_{i}": f"v{j}" for i, j in ((2, 1), (3, 2), (4, 2), (5, 1), (6, 2))}
"""A category of each that a tenth to a quarter of the rows have."""


def unit_mixed(rows: pl.DataFrame, rng: Rng, name: str) -> pl.DataFrame:
    """Return the rows with 5 % of one column a thousand times larger."""
    wrong = pl.Series(rng.random(rows.height) < 0.05)
    return rows.with_columns(pl.when(wrong).then(pl.col(name) * 1000).otherwise(name).alias(name))


def labels_flipped(rows: pl.DataFrame, rng: Rng, name: str) -> pl.DataFrame:
    """Return the rows with a fifth of the labels the other way round."""
    turned = pl.Series(rng.random(rows.height) < 0.2)
    other = pl.when(pl.col(name) == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    return rows.with_columns(pl.when(turned).then(other).otherwise(name).alias(name))
