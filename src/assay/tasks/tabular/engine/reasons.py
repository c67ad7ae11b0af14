"""Why a row was answered so, from the package alone: Shapley values against one typical row.

A set of columns is worth the answer for the row that has the row's own cells there and the typical
row's elsewhere (baseline Shapley: Sundararajan and Najmi 2020, "The many Shapley values for model
explanation", ICML, section 2.3). Columns whose cell is the typical one contribute nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Answering, Explanation
from assay.records.fitted import Signature
from assay.tasks.tabular.encode.columns import BooleanPlan, CategoryPlan, DatePlan, NumberPlan
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.encode.target import TargetPlan

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
"""(sets, columns): which columns have the row's own cell."""

EXACT = 10
"""Columns that differ from the typical row, at most, for all their sets to be asked."""
ASKED = 1_024
"""Answers that are asked for a row where not all sets are, about."""
FEWEST_ORDERS = 8
SEED = 20_260_301
MOST = 2_500
"""Answers that are asked at a time: bounds the memory, and one thread gives them."""

_TYPES: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "datetime": pl.Datetime("us"),
}
_DAY = 86_400


def reference(signature: Signature, encoders: Sequence[Encoder]) -> pl.DataFrame:
    """Return the typical row: medians, the most frequent levels, False, and no text."""
    cells = {plan.name: _typical(plan) for encoder in reversed(encoders) for plan in encoder.plans}
    columns = []
    for field in signature.inputs:
        cell = cells.get(field.name)
        kind = _TYPES.get(field.type, pl.String())
        columns.append(pl.Series(field.name, [cell]).cast(kind))
    return pl.DataFrame(columns)


def _typical(plan: Any) -> object:
    match plan:
        case NumberPlan(center=center):
            return center
        case CategoryPlan(levels=levels) | TargetPlan(category=CategoryPlan(levels=levels)):
            return levels[0] if levels else None
        case BooleanPlan():
            return False
        case DatePlan(seconds=NumberPlan(center=center), timed=timed):
            step = 1 if timed else _DAY
            return int(center // step) * step * 1_000_000
        case _:
            return None


def explain(
    signature: Signature, typical: pl.DataFrame, frame: pl.DataFrame, answering: Answering
) -> Explanation:
    """Return the contributions of every column to the answers for `frame`.

    For a class, to the probability of the class that a row is answered with. A row with few columns
    that are not typical is explained exactly, by all their sets; another by orders in which they
    join, each walked in reverse too (Mitchell et al. 2022, JMLR 23, section 4), always the same.
    """
    names = typical.columns
    frame = frame.select(pl.col(name).cast(typical[name].dtype) for name in names)
    differs = np.column_stack(
        [frame[name].ne_missing(typical[name].new_from_index(0, frame.height)).to_numpy()
         for name in names]
    )  # fmt: skip
    counts = differs.sum(axis=1)
    games = {int(k): _game(int(k)) for k in np.unique(counts)}
    sizes = np.array([len(games[int(k)].sets) for k in counts], dtype=np.int64)
    parts = [
        _part(signature, typical, frame[start:stop], differs[start:stop], games, answering)
        for start, stop in _parts(sizes)
    ]
    of = tuple(name for part in parts for name in part.of)
    base, credit, values = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("base", "contributions", "values")
    )
    method = _method([games[k] for k in sorted(games)])
    return Explanation(tuple(names), typical, of, base, credit, values, method)


@dataclass(frozen=True)
class _Game:
    """The sets that are asked for k columns, and what each says of each column.

    `weights` is (k, sets): a row's contributions are `weights @ answers`. `orders` is 0 where all
    sets are asked. The first set is empty, the last one all columns.
    """

    sets: Mask
    weights: Floats
    orders: int


def _game(k: int) -> _Game:
    return _every_set(k) if k <= EXACT else _orders(k)


def _every_set(k: int) -> _Game:
    sets = (np.arange(2**k)[:, None] >> np.arange(k) & 1).astype(bool)
    size = sets.sum(axis=1)
    joined = np.array([factorial(max(s - 1, 0)) * factorial(k - s) for s in range(k + 1)])
    left = np.array([factorial(s) * factorial(max(k - s - 1, 0)) for s in range(k + 1)])
    weights = np.where(sets.T, joined[size], -left[size]) / factorial(k)
    return _Game(sets, weights, 0)


def _orders(k: int) -> _Game:
    """Return the sets along some orders of k columns and their reverses; each set stands once."""
    pairs = max(FEWEST_ORDERS, ASKED // (k - 1)) // 2
    draw = np.random.default_rng([SEED, k])
    order = draw.permuted(np.tile(np.arange(k), (pairs, 1)), axis=1)
    place = np.argsort(np.concatenate([order, order[:, ::-1]]), axis=1)
    along = place[:, None, :] < np.arange(k + 1)[:, None]  # (orders, k + 1, k)
    sets, which = np.unique(along.reshape(-1, k), axis=0, return_inverse=True)
    which = which.reshape(2 * pairs, k + 1)
    weights = np.zeros((k, len(sets)))
    for column in range(k):
        joins = place[:, column]
        rows = np.arange(2 * pairs)
        np.add.at(weights[column], which[rows, joins + 1], 1.0 / (2 * pairs))
        np.add.at(weights[column], which[rows, joins], -1.0 / (2 * pairs))
    return _Game(sets, weights, 2 * pairs)


def _parts(sizes: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return spans of rows that ask for at most `MOST` answers each, or are one row."""
    group = np.cumsum(sizes) // MOST
    starts = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist()]
    return list(zip(starts, [*starts[1:], len(sizes)], strict=True))


@dataclass(frozen=True)
class _Part:
    of: tuple[str, ...]
    base: Floats
    contributions: Floats
    values: Floats


def _part(
    signature: Signature,
    typical: pl.DataFrame,
    frame: pl.DataFrame,
    differs: Mask,
    games: dict[int, _Game],
    answering: Answering,
) -> _Part:
    asked = [games[int(k)] for k in differs.sum(axis=1)]
    sizes = np.array([len(game.sets) for game in asked], dtype=np.int64)
    stops = np.cumsum(sizes)
    own = np.zeros((int(sizes.sum()), differs.shape[1]), dtype=bool)
    for row, (game, stop) in enumerate(zip(asked, stops, strict=True)):
        own[stop - len(game.sets) : stop, differs[row]] = game.sets
    rows = np.repeat(np.arange(len(asked)), sizes)
    found = answering.predict(_mixed(typical, frame, rows, own))
    values = found.values
    of = ("",) * len(asked)
    if found.classes:
        code = signature.classes.index(signature.positive) if signature.positive else None
        codes = found.take(stops - 1).codes(code)
        of = tuple(found.classes[code] for code in codes)
        values = values[np.arange(len(values)), np.repeat(codes, sizes)]
    credit = np.zeros(differs.shape)
    for row, (game, stop) in enumerate(zip(asked, stops, strict=True)):
        credit[row, differs[row]] = game.weights @ values[stop - len(game.sets) : stop]
    return _Part(of, values[stops - sizes], credit, values[stops - 1])


def _mixed(
    typical: pl.DataFrame, frame: pl.DataFrame, rows: NDArray[np.int64], own: Mask
) -> pl.DataFrame:
    """Return the rows that are asked: the row's own cells where `own` says so, else typical."""
    columns = []
    for number, name in enumerate(typical.columns):
        cells = pl.concat([typical[name], frame[name]])
        columns.append(cells.gather(np.where(own[:, number], rows + 1, 0)))
    return pl.DataFrame(columns)


def _method(games: Sequence[_Game]) -> str:
    orders = {game.orders for game in games if game.orders}
    if not orders:
        return "exact Shapley values against a typical row"
    return f"Shapley values against a typical row, over {min(orders)} orders of the columns"
