"""A row as at most 128 bounded numbers that show how its columns go together.

Everything but the chosen pairs follows from the profiles of the columns and a fixed seed, so the
same features are made again years later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from assay.watch.columns.form import ColumnProfile

Real = NDArray[np.float32]

SINGLE, CHOSEN, SQUARE, MIXED, WAVES = 40, 16, 16, 48, 32
"""Features of each sort at most: of columns, of the pairs that depended most on each other, of
squares, of all other pairs (several in one), and of all columns at once."""
_PAIRS = 1024
_BOUND = 3.0


@dataclass(frozen=True)
class Plan:
    """What to make of the cells of a row.

    `tables` holds for each column the score of each cell, mean 0 and variance 1 over training;
    the rest says into which feature, with which sign, a score, its square or a product goes.
    """

    tables: tuple[Real, ...]
    pairs: tuple[tuple[int, int], ...]
    size: int

    @classmethod
    def of(
        cls, columns: Sequence[ColumnProfile], pairs: tuple[tuple[int, int], ...], size: int
    ) -> Plan:
        """Return the plan for these columns and pairs, with `size` features at most."""
        return cls(tuple(_table(column) for column in columns), pairs, size)


def plan_of(columns: Sequence[ColumnProfile], codes: NDArray[np.int32], most: int) -> Plan:
    """Return a plan whose pairs are those that depend most on each other in `codes`."""
    tables = tuple(_table(column) for column in columns)
    scores = _scores(tables, codes[:: -(-len(codes) // 5_000)])
    with np.errstate(invalid="ignore", divide="ignore"):
        linked = np.abs(np.nan_to_num(np.corrcoef(scores, rowvar=False)))
    first, second = np.triu_indices(len(tables), 1)
    best = np.argsort(-linked[first, second], kind="stable")[:CHOSEN]
    pairs = tuple((int(first[i]), int(second[i])) for i in best)
    return Plan(tables, pairs, most)


def features(plan: Plan, codes: NDArray[np.int32]) -> Real:
    """Return (n, plan.size or fewer) features of rows given as cells, (n, columns)."""
    scores = _scores(plan.tables, codes)
    columns = scores.shape[1]
    rng = np.random.default_rng(6)
    parts = [
        np.stack([scores[:, i] * scores[:, j] for i, j in plan.pairs], axis=1),
        _mixed(scores, SINGLE, rng),
        _mixed(scores**2, SQUARE, rng),
        _products(scores, _others(columns, set(plan.pairs), rng), rng),
        _waves(scores, rng),
    ]
    return np.concatenate(parts, axis=1)[:, : plan.size]


def _mixed(scores: Real, most: int, rng: np.random.Generator) -> Real:
    """Return the columns, or sums of several with random signs where there are more than `most`."""
    count = scores.shape[1]
    if count <= most:
        return scores
    signs = np.zeros((count, most), dtype=np.float32)
    signs[np.arange(count), rng.permutation(count) % most] = rng.choice([-1.0, 1.0], count)
    mixed: Real = scores @ signs
    return mixed


def _others(
    columns: int, chosen: set[tuple[int, int]], rng: np.random.Generator
) -> list[tuple[int, int]]:
    if columns * (columns - 1) // 2 <= 4 * _PAIRS:
        pairs = [pair for pair in combinations(range(columns), 2) if pair not in chosen]
        picked = rng.permutation(len(pairs))[:_PAIRS]
        return [pairs[i] for i in picked]
    drawn = rng.integers(0, columns, size=(_PAIRS, 2)).tolist()
    return [(i, j) for i, j in drawn if i != j and (min(i, j), max(i, j)) not in chosen]


def _products(scores: Real, pairs: list[tuple[int, int]], rng: np.random.Generator) -> Real:
    """Return sums of products with random signs, each pair in one (Pham & Pagh 2013)."""
    size = min(MIXED, len(pairs))
    found = np.zeros((len(scores), size), dtype=np.float32, order="F")
    signs = rng.choice(np.array([-1.0, 1.0], dtype=np.float32), len(pairs))
    for place, (pair, sign) in enumerate(zip(pairs, signs, strict=True)):
        found[:, place % size] += sign * scores[:, pair[0]] * scores[:, pair[1]]
    return found


def _waves(scores: Real, rng: np.random.Generator) -> Real:
    """Return cosines of random sums (Rahimi & Recht 2007): what pairs alone do not show."""
    columns = scores.shape[1]
    turned = rng.normal(size=(columns, WAVES)) * (1.5 / columns**0.5)
    waves: Real = np.cos(
        scores @ turned.astype(np.float32) + rng.uniform(0, 2 * np.pi, WAVES).astype(np.float32)
    )
    return waves


def _scores(tables: Sequence[Real], codes: NDArray[np.int32]) -> Real:
    scores = np.empty(codes.shape, dtype=np.float32, order="F")
    for i, table in enumerate(tables):
        scores[:, i] = table[codes[:, i]]
    return scores


def _table(column: ColumnProfile) -> Real:
    """Return the score of each cell: ranks of numbers, a fixed draw for each category.

    Bounded, so that a rare category cannot carry a feature; what is missing or unknown is 0.
    """
    counts = np.asarray(column.counts[: column.bins], dtype=np.float64)
    total = counts.sum()
    scores = np.zeros(len(column.counts))
    if not total:
        return scores.astype(np.float32)
    if column.kind == "number":
        scores[: column.bins] = (np.cumsum(counts) - counts / 2.0) / total - 0.5
    else:
        scores[: column.bins] = [
            _draw(column.name, label) for label in column.labels[: column.bins]
        ]
    share = counts / total
    scores[: column.bins] -= scores[: column.bins] @ share
    spread = float(scores[: column.bins] ** 2 @ share) ** 0.5
    if spread < 1e-9:
        return np.zeros(len(scores), dtype=np.float32)
    bounded: Real = np.clip(scores / spread, -_BOUND, _BOUND).astype(np.float32)
    return bounded


def _draw(column: str, value: str) -> float:
    """Return a number from -1 to 1 that is always the same for a value of a column."""
    digest = blake2b(f"{column}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2.0**63 - 1.0
