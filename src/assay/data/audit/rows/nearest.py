"""Rows that are closer to each other than the crowd around them: copies with noise.

In a table of intrinsic dimension m the ratio of the distances to the first and to the k-th
neighbour has a known law, whatever the density: its m-th power is the smallest of k - 1 uniform
numbers. Facco, d'Errico, Rodriguez and Laio, "Estimating the intrinsic dimension of datasets by a
minimal neighborhood information" (Scientific Reports 7, 2017), use it for k = 2. Copies break it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.data.audit.rows.chance import Bools
from assay.data.audit.score import LARGEST, Floats, Ints
from assay.data.audit.subject import SEED, plain

K = 5
FEWEST_LEVELS = 20
"""Distinct values from which a column can carry noise."""
FEWEST_NUMBERS = 2
FEWEST_ROWS = 30
MOST_AXES = 64
CUTS = np.geomspace(0.02, 0.6, 18)
"""Ratios below which a pair may be a copy."""
MARGIN = 3.0
"""Times the expected number of close pairs that is still put down to the table's own ways."""
VALLEY, DEEP = 1.5, 2.0
"""Between a cut and so many times the cut, copies are so many times fewer than below it."""
HONEST = 0.6
"""Share of rows, from below, that may be copies when the dimension is estimated."""
NEARLY_ALL = 0.02
MOST_ASKED, MOST_KNOWN, CHUNK = 1_000, 50_000, 100


@dataclass(frozen=True)
class Neighbours:
    """Rows asked about, the nearest known row of each, and how much nearer it is than the k-th.

    `rows` (m,) number the rows that were asked, `first` (m,) the known rows, `ratio` (m,) is in
    (0, 1]; rows that equal a known one are left out. Of many rows a part is asked and known.
    """

    rows: Ints
    first: Ints
    ratio: Floats


def nearest(table: pl.DataFrame, asked: int) -> Neighbours | None:
    """Look for the nearest of the later rows for each of the first `asked` rows of a table.

    Returns None when the columns are too coarse to carry noise, or the rows too few.
    """
    points = _points(table)
    step = max((len(points) - asked) // MOST_KNOWN, 1)
    known = points[asked::step]
    if not points.shape[1] or min(asked, len(known)) < FEWEST_ROWS:
        return None
    rows = np.arange(asked)[:: max(asked // MOST_ASKED, 1)]
    found = [_search(points[part], known) for part in np.array_split(rows, len(rows) // CHUNK + 1)]
    place, distance = (np.concatenate(side) for side in zip(*found, strict=True))
    apart = distance[:, 0] > 0
    ratio = distance[apart, 0] / distance[apart, -1]
    return Neighbours(rows[apart], place[apart] * step, ratio)


def _search(asked: Floats, known: Floats) -> tuple[Ints, Floats]:
    """Return the nearest known row of each, (m,), and the distances to the first K, (m, K)."""
    rough = asked.astype(np.float32) @ known.astype(np.float32).T
    rough = (known**2).sum(axis=1, dtype=np.float32) - 2 * rough
    near = np.argpartition(rough, K, axis=1)[:, :K]
    distance = np.sqrt(((known[near] - asked[:, None]) ** 2).sum(axis=2))
    order = np.argsort(distance, axis=1, kind="stable")
    first = np.take_along_axis(near, order[:, :1], axis=1)[:, 0]
    return first, np.take_along_axis(distance, order, axis=1)


def beyond_chance(found: Neighbours) -> Bools:
    """Say of each row whether its nearest neighbour is closer than chance explains.

    The ratios are cut where the close pairs are the most beyond what the law expects, and where
    few lie just beyond the cut: copies are a crowd of their own, honest likeness fades out. None
    are when there is no such cut.
    """
    none = np.zeros(len(found.rows), bool)
    if len(found.rows) < FEWEST_ROWS:
        return none
    dimension = _dimension(found.ratio)
    best, cut = 0.0, 0.0
    for ratio in CUTS:
        count = int((found.ratio < ratio).sum())
        beyond = int((found.ratio < VALLEY * ratio).sum()) - count
        expected = len(found.rows) * float(_law(ratio, dimension))
        excess = count - MARGIN * expected - beyond
        if excess > best and count >= DEEP * beyond:
            best, cut = excess, ratio
    return found.ratio < cut if best >= NEARLY_ALL * len(found.rows) else none


def fine_columns(table: pl.DataFrame) -> Bools:
    """Say of each column whether it holds numbers fine enough to carry noise."""
    return np.array(
        [c.dtype.is_numeric() and c.n_unique() > FEWEST_LEVELS for c in table.iter_columns()]
    )


def _points(table: pl.DataFrame) -> Floats:
    """Return (n, axes) numbers in robust units; a category's values lie at random places.

    (n, 0) when fewer than `FEWEST_NUMBERS` columns are fine enough to carry noise.
    """
    fine = fine_columns(table)
    if sum(fine) < FEWEST_NUMBERS:
        return np.zeros((table.height, 0))
    order = np.argsort(~fine, kind="stable")[:MOST_AXES]
    rng = np.random.default_rng(SEED)
    axes = [_number(table[:, int(i)]) if fine[i] else _place(table[:, int(i)], rng) for i in order]
    return np.stack(axes, axis=1)


def _number(values: pl.Series) -> Floats:
    """Return a number in robust units, gaps at the median; a rare value keeps its weight."""
    cells = plain(values).cast(pl.Float64).fill_null(np.nan).to_numpy()
    usual = np.abs(cells) < LARGEST
    if not usual.any():
        return np.zeros(len(cells))
    numbers = np.where(usual, cells, np.median(cells[usual]))
    low, high = np.quantile(numbers, (0.05, 0.95))
    scale = max((high - low) / 3.3, numbers.std() / 3) or 1.0
    return np.asarray(np.clip((numbers - np.median(numbers)) / scale, -6, 6))


def _place(values: pl.Series, rng: np.random.Generator) -> Floats:
    codes = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    places = rng.normal(size=int(codes.max(initial=0)) + 1)[codes]
    return np.asarray((places - places.mean()) / (places.std() or 1.0))


def _law(ratio: float, dimension: Floats | float) -> Floats:
    """Return the share of rows whose ratio is smaller by chance."""
    return np.asarray(1 - (1 - ratio**dimension) ** (K - 1))


def _dimension(ratios: Floats) -> float:
    """Return the intrinsic dimension that makes the larger ratios likeliest."""
    start = float(np.quantile(ratios, HONEST))
    kept = np.clip(ratios[ratios >= start], 1e-9, 1 - 1e-9)
    grid = np.geomspace(1.0, 60.0, 120)[:, None]
    power = kept**grid
    log = np.log(grid) + (grid - 1) * np.log(kept) + (K - 2) * np.log1p(-power)
    log -= np.log(np.maximum(1 - _law(start, grid), 1e-300))
    return float(grid[log.sum(axis=1).argmax(), 0])
