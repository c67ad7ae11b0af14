"""Another mix of the same rows: weights that push a column towards one of its tails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.kernel.loader import load
from assay.metrics import Metric
from assay.metrics.base import Truth
from assay.metrics.weighted import Rows, Weighted
from assay.records.report import Estimate

Floats = NDArray[np.float64]

SHIFTS = (0.25, 0.5, 1.0)
"""How far the mean of the column moves, in standard deviations of its ranks."""
STANDARD = 1
MAIN_COLUMNS = 3
STEEPEST = 60.0
FEWEST = 50
REPLICATES = 400
_ROOT = "scipy.optimize:brentq"  # loaded on first use: its import takes a while


@dataclass(frozen=True)
class Tail:
    """A column and the end of it that becomes more frequent: its high values, or its low ones."""

    column: str
    high: bool

    def described(self, kind: pl.DataType) -> str:
        """Return what becomes more frequent, in words."""
        if kind == pl.String:
            return f"{self.column} has a {'common' if self.high else 'rare'} value"
        if kind == pl.Boolean:
            return f"{self.column} is {'true' if self.high else 'false'}"
        return f"{self.column} is {'high' if self.high else 'low'}"


def places(column: pl.Series) -> Floats:
    """Return (n,) standardised ranks of a column, of text the ranks of how common it is.

    A missing value stands in the middle, at 0; a constant column is 0 throughout.
    """
    values = column
    if column.dtype == pl.String:
        common = pl.when(pl.col("x").is_not_null()).then(pl.len().over("x"))
        values = pl.DataFrame({"x": column}).select(common).to_series()
    rank = values.rank("average").cast(pl.Float64).to_numpy().copy()
    known = np.isfinite(rank)
    if not known.any() or np.ptp(rank[known]) == 0:
        return np.zeros(len(column))
    rank[known] = (rank[known] - rank[known].mean()) / rank[known].std()
    found: Floats = np.nan_to_num(rank)
    return found


def tilt(place: Floats, by: float) -> Floats:
    """Return (n,) weights of mean 1, exponential in `place`, that move its mean by `by`.

    The exponential tilt changes the mix least for the move (Csiszár 1975, Annals of
    Probability 3). Where the column cannot move so far the steepest tilt is returned.
    """

    def weights(slope: float) -> Floats:
        raw: Floats = np.exp(slope * place - np.max(slope * place))
        mean_one: Floats = raw / raw.mean()
        return mean_one

    def missed(slope: float) -> float:
        return float((weights(slope) * place).mean()) - by

    if not place.any() or missed(STEEPEST) < 0:
        return weights(STEEPEST if place.any() else 0.0)
    return weights(float(load(_ROOT)(missed, 0.0, STEEPEST, xtol=1e-6)))


def along_with(frame: pl.DataFrame, answers: Predictions) -> list[str]:
    """Return the columns that vary, those first whose ranks the answers go along with most."""
    heard = answers.values.reshape(frame.height, -1)
    heard = heard - heard.mean(axis=0)
    ranked = {column.name: places(column) for column in frame}
    strength = {name: float(((place @ heard) ** 2).sum()) for name, place in ranked.items()}
    return sorted((n for n in ranked if ranked[n].any()), key=lambda name: -strength[name])


def worst_tail(
    metric: Metric, frame: pl.DataFrame, truth: Truth, answers: Predictions, code: int
) -> Tail | None:
    """Return the tail under which the metric loses most, of the columns the answers go along with.

    To be given predictions out of fold, so that the choice has not seen the test rows. None when
    there are too few rows, or no column varies.
    """
    if frame.height < FEWEST or metric.unfit(truth, len(answers.classes), code):
        return None
    rows = Rows.of(truth, answers, code)
    ranked = {name: places(frame[name]) for name in along_with(frame, answers)[:MAIN_COLUMNS]}
    tails = [Tail(name, high) for name in ranked for high in (True, False)]
    if not tails:
        return None
    weights = [
        tilt(ranked[t.column] if t.high else -ranked[t.column], SHIFTS[STANDARD]) for t in tails
    ]
    found = metric.values(Weighted(rows, np.stack(weights)))
    found = np.where(np.isfinite(found), found if metric.higher_is_better else -found, np.inf)
    return tails[int(found.argmin())]


def shifted(
    metric: Metric,
    column: pl.Series,
    tail: Tail,
    rows: Rows,
    groups: NDArray[np.int64] | None,
    seed: int,
) -> list[tuple[float, Estimate]]:
    """Return for each of `SHIFTS` the metric under the new mix, and what is lost by it.

    The loss is turned so that positive is worse; its interval is a bootstrap in which both mixes
    have the same draws. Rows of one group (codes, (n,)) are drawn together.
    """
    place = places(column) * (1 if tail.high else -1)
    units = rows.n if groups is None else int(groups.max()) + 1
    drawn = np.random.default_rng(seed).standard_exponential((REPLICATES, units))
    drawn = drawn if groups is None else drawn[:, groups]
    sign = 1.0 if metric.higher_is_better else -1.0
    alike = np.concatenate([np.ones((1, rows.n)), drawn])
    before = metric.values(Weighted(rows, alike))
    found = []
    for by in SHIFTS:
        after = metric.values(Weighted(rows, alike * tilt(place, by)))
        loss = sign * (before - after)
        draws = loss[1:][np.isfinite(loss[1:])]
        if not np.isfinite(loss[0]) or 2 * len(draws) < REPLICATES:
            break
        low, high = np.quantile(draws, [0.025, 0.975])
        estimate = Estimate(
            value=float(loss[0]),
            low=min(float(low), float(loss[0])),
            high=max(float(high), float(loss[0])),
            n=rows.n,
            method="paired bootstrap" + (", by group" if groups is not None else ""),
        )
        found.append((float(after[0]), estimate))
    return found
