"""An additive model of what a score does not say, with the doubt about it.

For a class the log-odds of the event are those of the answered probability, times one plus a
slope, plus an effect of the score's bin and one of each column's cell. For a number the logarithm
of the expected absolute error is a constant plus such effects. Every term's effects are drawn
from a normal law around 0 whose width is found from the data (empirical Bayes: MacKay 1992, Neural
Computation 4, by the EM steps of Tipping 2001, JMLR 1, section 2): a term that tells nothing is
shrunken away, and a cell that was never seen has an effect of unknown sign and the usual size.
What is kept is the mode and draws of the posterior around it (Laplace's approximation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.watch.columns.form import ColumnProfile

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

MOST_ROWS = 20_000
"""Rows that a fit looks at; of the rarer outcome up to half of them."""
MOST_TERMS = 40
"""Columns that may have effects: those whose cells' residuals stand out most."""
GROUPS = 8
"""Groups that the cells of a column are merged into, beside the last two cells."""
DRAWS = 16
UNSEEN = 1.4
"""How much wider draws lie than the posterior: what columns do together is left out of the model,
and is taken to be as much in doubt as what they do one by one."""
STEPS, SETTLED = 16, 6
"""Newton steps, and after how many the information hardly changes and is kept to the last."""
HALVINGS = 8
NARROWEST, WIDEST = 0.05, 1.5
"""Bounds of the width of a term's effects."""
FIXED = 4
"""Places before those of the terms: the intercept, the slope, and what both are more on rows out of
fold, which models of fewer rows answered: it is told apart, and left out of estimates."""
FIXED_WIDTHS = (1.5, 0.5, 0.3, 0.15)
"""The widths of these."""


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """Where the effect of each cell of a column stands among the effects; "" is the score."""

    column: str
    places: tuple[int, ...]


@dataclass(frozen=True)
class Told:
    """Rows of an event or an error: the score's bin and offset, the cells, and what happened.

    `codes` is (n, columns), `bins` and `offset` (n,): the log-odds of the score, or the logarithm
    of the mean error; `slope` (n,) is what the slope multiplies. `outcome` is (n,): 1.0 where the
    event happened, or the absolute error. `fold` (n,) is 1.0 for rows out of fold, else 0.0.
    """

    codes: Codes
    bins: NDArray[np.int64]
    offset: Floats
    slope: Floats
    outcome: Floats
    fold: Floats
    kind: Literal["event", "error"]

    def expected(self, shift: Floats) -> Floats:
        """Return the outcome's (n,) means after an additive shift."""
        return mean_of(self.kind, self.offset + shift)

    def take(self, index: NDArray[np.int64]) -> Told:
        """Return these rows."""
        return Told(
            self.codes[index], self.bins[index], self.offset[index], self.slope[index],
            self.outcome[index], self.fold[index], self.kind,
        )  # fmt: skip


def mean_of(kind: str, scale: Floats) -> Floats:
    """Return the means of outcomes on the additive scale."""
    if kind == "error":
        return np.exp(np.clip(scale, -300, 300))
    result: Floats = np.exp(-np.logaddexp(0.0, -scale))
    return result


def centred(kind: str, scale: Floats) -> Floats:
    """Return (1 + draws, n) additive numbers whose draws mean what those of the posterior do.

    A curve drags the mean of what is drawn around a point away from it: to a half for chances
    (MacKay 1992, Neural Computation 4, "The evidence framework applied to classification networks",
    equation 3.2), upwards for an exponential. What UNSEEN adds to the spread is not to do so.
    """
    spread = scale[1:].var(axis=0, ddof=1) * (1 - UNSEEN**-2)
    if kind == "error":
        return np.vstack([scale[:1], scale[1:] - spread / 2])
    further = np.sqrt(1 + np.pi * spread / 8) - 1
    return np.vstack([scale[:1], scale[1:] + scale[0] * further])


def terms_of(columns: Sequence[ColumnProfile], bins: int, told: Told) -> tuple[Term, ...]:
    """Return the terms: that of the score's bins first, then those of the columns that may count.

    With more than MOST_TERMS columns those with the largest score statistic are taken.
    """
    chosen = list(range(len(columns)))
    if len(columns) > MOST_TERMS:
        rest = told.outcome - told.expected(np.zeros(1))
        stands = [_stands_out(told.codes[:, at], rest) for at in chosen]
        chosen = sorted(np.argsort(-np.array(stands), kind="stable")[:MOST_TERMS].tolist())
    terms = [Term(column="", places=tuple(range(FIXED, FIXED + bins)))]
    start = FIXED + bins
    for at in chosen:
        groups = _groups(columns[at])
        terms.append(Term(column=columns[at].name, places=tuple(start + g for g in groups)))
        start += max(groups) + 1
    return tuple(terms)


def _stands_out(codes: Codes, rest: Floats) -> float:
    """Return how unlike chance the residuals' sums by cell are, per degree of freedom."""
    count = np.bincount(codes)
    each = np.bincount(codes, rest) ** 2 / np.maximum(count, 1)
    return float(each.sum() / max((count > 0).sum(), 1))


def _groups(column: ColumnProfile) -> list[int]:
    """Return the group of each cell: neighbours of a number, the frequent values of a category."""
    counts = np.array(column.counts[:-2], dtype=np.float64)
    if len(counts) <= GROUPS:
        groups = np.arange(len(counts))
    elif column.kind == "number":
        middle = (np.cumsum(counts) - counts / 2) / max(counts.sum(), 1)
        groups = np.minimum((middle * GROUPS).astype(int), GROUPS - 1)
        groups = np.unique(groups, return_inverse=True)[1]
    else:
        groups = np.full(len(counts), GROUPS - 1)
        groups[np.argsort(-counts, kind="stable")[: GROUPS - 1]] = np.arange(GROUPS - 1)
    last = int(groups.max(initial=-1))
    return [*groups.tolist(), last + 1, last + 2]


def effects(
    draws: Floats, terms: Sequence[Term], names: Sequence[str], told_bins: NDArray[np.int64],
    codes: Codes, slope: Floats,
) -> Floats:  # fmt: skip
    """Return (draws, n) shifts of rows on the additive scale.

    `draws` is (draws, places), `names` those of the columns of `codes`, `slope` (n,) what the slope
    multiplies. A column that `names` lacks adds nothing.
    """
    at = {name: place for place, name in enumerate(names)}
    shift = draws[:, :1] + draws[:, 1:2] * slope
    for term in terms:
        if term.column and term.column not in at:
            continue
        cells = told_bins if not term.column else codes[:, at[term.column]]
        shift += draws[:, np.array(term.places)][:, cells]
    return shift


def fitted(told: Told, terms: Sequence[Term], names: Sequence[str]) -> Floats:
    """Return (1 + DRAWS, places): the most likely effects, and draws that show the doubt."""
    index, weight = _sample(told)
    told = told.take(index)
    width = max(max(term.places) for term in terms) + 1
    design = _design(told, terms, names, width)
    owner = np.zeros(width, dtype=np.int64)
    for number, term in enumerate(terms, start=1):
        owner[list(term.places)] = number
    found, root = _posterior(told, weight, design, owner)
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((width, DRAWS))
    drawn -= drawn.mean(axis=1, keepdims=True)  # so that the mode is the mean of the draws
    drawn *= UNSEEN * np.sqrt(DRAWS / (DRAWS - 1))
    return np.vstack([found, found + np.linalg.solve(root.T, drawn).T])


def _sample(told: Told) -> tuple[NDArray[np.int64], Floats]:
    """Return the rows that are looked at, and the weight of each."""
    n = len(told.outcome)
    if n <= MOST_ROWS:
        return np.arange(n), np.ones(n)
    rare = told.outcome > 0 if told.kind == "event" else np.zeros(n, dtype=bool)
    if rare.mean() > 0.5:
        rare = ~rare
    some = _spaced(np.flatnonzero(rare), MOST_ROWS // 2)
    rest = _spaced(np.flatnonzero(~rare), MOST_ROWS - len(some))
    index = np.sort(np.concatenate([some, rest]))
    weight = np.where(rare[index], rare.sum() / max(len(some), 1), (~rare).sum() / len(rest))
    return index, weight.astype(np.float64)


def _spaced(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many of the places, evenly spaced."""
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(np.int64)]


def _design(
    told: Told, terms: Sequence[Term], names: Sequence[str], width: int
) -> NDArray[np.float32]:
    at = {name: place for place, name in enumerate(names)}
    design = np.zeros((len(told.slope), width), dtype=np.float32)
    design[:, 0], design[:, 1] = 1.0, told.slope
    design[:, 2], design[:, 3] = told.fold, told.fold * told.slope
    rows = np.arange(len(design))
    for term in terms:
        cells = told.bins if not term.column else told.codes[:, at[term.column]]
        design[rows, np.array(term.places)[cells]] = 1.0
    return design


def _posterior(
    told: Told, weight: Floats, design: NDArray[np.float32], owner: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return the mode of the effects and the Cholesky factor of its precision."""
    found = np.zeros(design.shape[1])
    widths = np.full(len(owner), 0.3**2)
    widths[:FIXED] = np.square(FIXED_WIDTHS)
    size = np.bincount(owner).astype(np.float64)
    for step in range(STEPS):
        slope, each = _slope(told, weight, design, found)
        if step < SETTLED or step == STEPS - 1:
            scaled = design * each.astype(np.float32)[:, None]
            information = (design.T @ scaled).astype(np.float64)
        precision = information + np.diag(1 / widths)
        inverse = np.linalg.inv(precision)
        move = inverse @ (slope - found / widths)
        found = _nearer(told, weight, design, found, move, widths)
        if step < STEPS - 1:
            second = np.bincount(owner, found**2 + np.diag(inverse)) / size
            new = np.clip(second, NARROWEST**2, WIDEST**2)[owner]
            widths = np.where(owner > 0, new, widths)
    root: Floats = np.linalg.cholesky(precision).astype(np.float64)
    return found, root


def _slope(
    told: Told, weight: Floats, design: NDArray[np.float32], found: Floats
) -> tuple[Floats, Floats]:
    """Return the gradient of the log likelihood, and the (n,) information of each row."""
    expected = told.expected(design @ found)
    if told.kind == "event":
        rest, each = told.outcome - expected, expected * (1 - expected)
    else:
        rest = told.outcome / np.maximum(expected, 1e-300) - 1
        spread = max(float(np.average(rest**2, weights=weight)), 1e-6)
        rest, each = rest / spread, np.full(len(rest), 1 / spread)
    slope = design.T @ (weight * rest).astype(np.float32)
    return slope.astype(np.float64), weight * each


def _nearer(
    told: Told, weight: Floats, design: NDArray[np.float32], found: Floats, move: Floats,
    widths: Floats,
) -> Floats:  # fmt: skip
    """Return the effects after as much of a Newton step as makes them likelier."""
    before = _unlikely(told, weight, design, found, widths)
    for _ in range(HALVINGS):
        if _unlikely(told, weight, design, found + move, widths) <= before:
            return found + move
        move = move / 2
    return found


def _unlikely(
    told: Told, weight: Floats, design: NDArray[np.float32], found: Floats, widths: Floats
) -> float:
    """Return minus the log posterior, but for a constant."""
    scale = told.offset + design @ found
    if told.kind == "event":
        each = np.logaddexp(0.0, scale) - told.outcome * scale
    else:
        each = scale + told.outcome * np.exp(-np.clip(scale, -300, 300))
    return float((weight * each).sum() + (found**2 / widths).sum() / 2)
