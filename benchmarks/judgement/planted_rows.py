"""Leaks by rows, by time and by preparation: copies, entities, order, what saw the test rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
from planting import (
    COPY_CODES,
    FITTED_CODES,
    GROUP_CODES,
    ORDER_CODES,
    TIME_CODES,
    TRANSFORM_CODES,
    Planted,
    answer,
    finest,
    kind,
    numeric,
)
from tables import Base


def _with_copies(base: Base, share: float, rng: np.random.Generator) -> tuple:
    """Return a table of the same height, a share of it copies, with each row's origin."""
    rows = base.table.height
    copies = int(rows * share)
    first = rng.permutation(rows)[: rows - copies]  # a file may be sorted by its answer
    origin = np.concatenate([first, rng.choice(first, copies)])
    origin = origin[rng.permutation(rows)]
    return base.table[origin], origin


@kind("copies of rows", COPY_CODES)
def copies(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """5, 20 or 50 % of the rows are exact copies of others."""
    table, origin = _with_copies(base, (0.05, 0.2, 0.5)[level], rng)
    return Planted(table, origin=origin)


@kind("copies but for an id", COPY_CODES)
def copies_with_id(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """5, 20 or 50 % of the rows are copies, told apart by a number that is new in each row."""
    table, origin = _with_copies(base, (0.05, 0.2, 0.5)[level], rng)
    entered = rng.permutation(10 * table.height)[: table.height].astype(np.float64) + 0.5
    return Planted(table.with_columns(pl.Series("entered", entered)), origin=origin)


@kind("copies with noise", COPY_CODES)
def near_copies(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """30 % of the rows are copies, each number off by 5, 1 or 0.1 % of its spread."""
    table, origin = _with_copies(base, 0.3, rng)
    share = (0.05, 0.01, 0.001)[level]
    noise = [
        pl.col(name) + pl.Series(rng.normal(size=table.height)) * share * (table[name].std() or 0.0)
        for name in numeric(base)
    ]
    return Planted(table.with_columns(noise), origin=origin)


def _entities(base: Base, level: int, rng: np.random.Generator) -> tuple:
    """Return rows of entities, five each: half of the columns and mostly the target are shared."""
    rows = base.table.height
    first = rng.permutation(rows)  # a file may be sorted by its answer
    origin = first[rng.permutation(np.arange(rows) % max(rows // 5, 2))]
    features = [name for name in base.table.columns if name != base.target]
    shared = [str(name) for name in rng.permutation(features)[: (len(features) + 1) // 2]]
    own = rng.random(rows) >= (0.25, 0.10, 0.0)[level]
    told = base.table[base.target]
    answers = pl.select(pl.when(pl.Series(own)).then(told[origin]).otherwise(told)).to_series()
    table = base.table.with_columns(
        *(base.table[name][origin] for name in shared), answers.alias(base.target)
    )
    return table, origin


@kind("entity on both sides", GROUP_CODES)
def entity(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Five rows a member; they share half of the columns, and mostly the answer."""
    table, origin = _entities(base, level, rng)
    names = rng.permutation(9_000)[np.unique(origin, return_inverse=True)[1]] + 1_000
    member = pl.Series("member", [f"M{name}" for name in names])
    return Planted(table.with_columns(member), origin=origin)


@kind("hidden entity on both sides", GROUP_CODES)
def hidden_entity(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """The same, with no column that names the member."""
    table, origin = _entities(base, level, rng)
    return Planted(table, origin=origin)


@kind("row order", ORDER_CODES)
def row_order(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A file sorted by the target, more or less, whose last fifth is the test part."""
    told = answer(base)
    told = told + rng.normal(size=len(told)) * (3.0, 2.0, 1.2)[level] * told.std()
    table = base.table[np.argsort(told)]
    part = ["test" if row >= 0.8 * len(told) else "train" for row in range(len(told))]
    return Planted(
        table.with_columns(pl.Series("part", part)), split={"predefined_on": "part"}, honest={}
    )


@kind("times that overlap", TIME_CODES)
def overlap(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Weeks with a level of their own, and test rows from the same weeks as the training rows."""
    told = answer(base)
    rows = len(told)
    blurred = told + rng.normal(size=rows) * (4.0, 2.0, 1.0)[level] * told.std()
    week = rng.permutation(40)[np.argsort(np.argsort(blurred)) * 40 // rows]
    day = [
        datetime(2022, 1, 3) + timedelta(weeks=int(w), hours=int(rng.integers(168))) for w in week
    ]
    part = np.where(rng.random(rows) < 0.2, "test", "train")
    table = base.table.with_columns(pl.Series("day", day), pl.Series("part", part)).sort("day")
    return Planted(table, split={"predefined_on": "part"}, honest={"time_on": "day"})


@kind("scaled on all rows", FITTED_CODES)
def scaled(base: Base, level: int, rng: np.random.Generator) -> Planted:  # noqa: ARG001
    """One, half or all of the numbers brought to mean 0 and deviation 1 over the whole file."""
    names = numeric(base)
    chosen = names[: (1, max(len(names) // 2, 1), len(names))[level]]
    varied = [name for name in chosen if base.table[name].std()]
    table = base.table.with_columns(
        (pl.col(name) - pl.col(name).mean()) / pl.col(name).std(ddof=0) for name in varied
    )
    return Planted(table, split=base.split)


@kind("filled in from all rows", FITTED_CODES)
def imputed(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """5, 15 or 40 % of a number filled in with the mean of the whole file."""
    name = finest(base)
    gone = pl.Series(rng.random(base.table.height) < (0.05, 0.15, 0.4)[level])
    kept = pl.when(gone).then(None).otherwise(pl.col(name).cast(pl.Float64))
    table = base.table.with_columns(kept.alias(name)).with_columns(
        pl.col(name).fill_null(pl.col(name).mean())
    )
    return Planted(table, split=base.split)


@kind("test is train shuffled", COPY_CODES)
def test_is_train(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A declared test part of which 20, 50 or all of 100 rows stand in training."""
    rows = base.table.height
    place = rng.permutation(rows)
    train, fresh = place[: int(rows * 0.75)], place[int(rows * 0.75) :]
    known = int(len(fresh) * (0.2, 0.5, 1.0)[level])
    test = np.concatenate([rng.choice(train, known, replace=False), fresh[known:]])
    origin = np.concatenate([train, test])
    part = pl.Series("part", ["train"] * len(train) + ["test"] * len(test))
    table = base.table[origin].with_columns(part)
    return Planted(table, origin=origin, split={"predefined_on": "part"})


_STANDARDISE = "(pl.col(name) - pl.col(name).mean()) / pl.col(name).std()"
_SMOOTHED = "pl.col(name) - pl.col(name).tail(200).mean()"
_LATE_FILL = (
    "pl.when(pl.int_range(pl.len()) < 60).then(pl.col(name)).otherwise(pl.col(name).rank())"
)
_TRANSFORM = """import polars as pl


def prepare(frame):
    name = {name!r}
    return frame.with_columns(({rule}).alias(name))
"""


@kind("transform fitted on all rows", TRANSFORM_CODES)
def transform(base: Base, level: int, rng: np.random.Generator) -> Planted:  # noqa: ARG001
    """A project's own transform that scales, centres, or ranks the later rows among all rows."""
    rule = (_LATE_FILL, _SMOOTHED, _STANDARDISE)[level]
    name = finest(base)
    return Planted(base.table, split=base.split, transform=_TRANSFORM.format(name=name, rule=rule))
