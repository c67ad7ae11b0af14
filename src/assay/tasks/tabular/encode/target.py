"""Categories as what the target was in their rows.

A level becomes the mean of the target over its rows, pulled towards the mean of all rows by as
much as chance between levels explains. For the rows it was learned from, the mean comes from other
rows (cross-fitting: Micci-Barreca 2001, ACM SIGKDD Explorations 3; Pargent et al. 2022,
Computational Statistics 37), so that no row sees its own target. These parts are random also where
the project is split by group or by time: all of them lie within the training rows, and what they
cannot keep apart there costs accuracy, not an honest score.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.base import Record
from assay.tasks.tabular.encode.columns import MANY, CategoryPlan, Matrix

FOLDS = 5
"""Parts of the training rows: each part is encoded by the means of the others."""
MOST_CLASSES = 5
"""Classes that get a column each; with more, categories stay codes."""
FEWEST_LEVELS = 3
"""Levels from which their order matters to a tree."""


class TargetPlan(Record, frozen=True, kw_only=True, dict=True, tag="tabular.target@1"):
    """A category whose level `i` reads row `i` of `means`, (levels + 2, outputs).

    The last two rows are those of unseen and of missing values. The tree view has these means and,
    as for codes, the log count where there are many levels.
    """

    category: CategoryPlan
    means: tuple[tuple[float, ...], ...]

    @property
    def name(self) -> str:
        """Return the column's name."""
        return self.category.name

    @property
    def tree_width(self) -> int:
        """Return one for each mean, and one for the frequency when there are many levels."""
        return int(self.table.shape[1])

    @property
    def linear_width(self) -> int:
        """Return the width of the one-hot levels."""
        return self.category.linear_width

    spline_width = linear_width

    def tree(self, column: pl.Series, out: Matrix) -> None:
        """Write the means and the log count."""
        out[:] = self.table[self.category.codes(column)]  # -1, missing, reads the last

    def linear(self, column: pl.Series, out: Matrix) -> None:
        """Write the one-hot levels."""
        self.category.linear(column, out)

    spline = linear

    @cached_property
    def table(self) -> Matrix:
        """Return (levels + 2, tree_width): what each level, an unseen and a missing one read."""
        means = np.array(self.means)
        if len(self.category.levels) <= MANY:
            return means
        counts = np.log1p(np.array([*self.category.counts, 0, 0], dtype=np.float64))
        return np.column_stack([means, counts])


def fit_target(
    plan: CategoryPlan, column: pl.Series, wanted: Matrix, seed: int
) -> tuple[TargetPlan, Matrix]:
    """Learn the means of `wanted`, (n, outputs), for each level of `column`.

    Returns the plan, and the (n, tree_width) view of these very rows, each part encoded by the
    means of the others.
    """
    codes = plan.codes(column)
    whole = TargetPlan(category=plan, means=_listed(_means(codes, wanted, len(plan.levels))))
    part = np.random.default_rng(seed).permutation(len(codes)) % FOLDS
    view = np.empty((len(codes), whole.tree_width))
    whole.tree(column, view)
    for number in range(min(FOLDS, len(codes))):
        mine = part == number
        if mine.all():
            continue
        means = _means(codes[~mine], wanted[~mine], len(plan.levels))
        view[mine, : wanted.shape[1]] = means[codes[mine]]
    return whole, view


def _means(codes: NDArray[np.int64], wanted: Matrix, levels: int) -> Matrix:
    """Return (levels + 2, outputs): the shrunken means of each level, of unseen and of missing.

    With `m` as the variance within levels over that between them (one-way analysis of variance),
    a level of `n` rows has the weight ``n / (n + m)``, the mean of all rows the rest.
    """
    place = np.where(codes < 0, levels + 1, codes)
    count = np.bincount(place, minlength=levels + 2).astype(np.float64)[:, None]
    middle = wanted.mean(axis=0)
    apart = (wanted - middle).T
    sums = np.stack([np.bincount(place, y, levels + 2) for y in apart], axis=1)
    own = sums / np.maximum(count, 1.0)
    seen = int((count > 0).sum())
    rows = len(codes)
    told = (count * own**2).sum(axis=0)
    within = np.maximum((apart**2).sum(axis=1) - told, 0.0) / max(1, rows - seen)
    between = (told - (seen - 1) * within) / max(rows - (count**2).sum() / rows, 1e-9)
    pull = within / np.maximum(between, 1e-12 * (within + 1e-300))
    means: Matrix = middle + own * (count / (count + np.maximum(pull, 1e-9)))
    return means


def _listed(means: Matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in means.tolist())
