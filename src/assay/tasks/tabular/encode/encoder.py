"""Rows to matrices: one encoder, fitted inside the fold, used for training and for serving.

There are three views of a row. The *tree* view keeps numbers as they are, missing ones as NaN, and
turns categories into codes. The *linear* view is complete and scaled: imputed, robust to heavy
tails, one-hot, and hashed words weighted by rarity. The *spline* view adds to it, for each number,
how far it is through each of its bins. Needs numpy and polars only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.base import Record
from assay.tasks.tabular.encode.columns import (
    BINS,
    BooleanPlan,
    CategoryPlan,
    DatePlan,
    NumberPlan,
    fit_boolean,
    fit_category,
    fit_date,
    fit_number,
)
from assay.tasks.tabular.encode.target import TargetPlan
from assay.tasks.tabular.encode.text import TextPlan, fit_text

SPLINE_COLUMNS = 300
"""Columns that the bins of all numbers make, at most, unless each has the fewest."""

Plan = NumberPlan | CategoryPlan | BooleanPlan | DatePlan | TextPlan | TargetPlan


class Encoder(Record, frozen=True, kw_only=True, tag="tabular.encoder@1"):
    """What was learned about each feature, in the order of the features."""

    plans: tuple[Plan, ...]

    def tree(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Return the (n, columns) tree view: finite or NaN."""
        return self._view(frame, "tree")

    def linear(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Return the (n, columns) linear view: always finite."""
        return self._view(frame, "linear")

    def spline(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Return the (n, columns) spline view: always finite."""
        return self._view(frame, "spline")

    def _view(self, frame: pl.DataFrame, view: str) -> NDArray[np.float64]:
        out = np.zeros((frame.height, getattr(self, f"{view}_width")))
        start = 0
        for plan in self.plans:
            stop = start + getattr(plan, f"{view}_width")
            getattr(plan, view)(frame[plan.name], out[:, start:stop])
            start = stop
        return out

    @property
    def tree_width(self) -> int:
        """Return the number of columns of the tree view."""
        return sum(plan.tree_width for plan in self.plans)

    @property
    def linear_width(self) -> int:
        """Return the number of columns of the linear view."""
        return sum(plan.linear_width for plan in self.plans)

    @property
    def spline_width(self) -> int:
        """Return the number of columns of the spline view."""
        return sum(plan.spline_width for plan in self.plans)

    @property
    def tree_sources(self) -> NDArray[np.int64]:
        """Return, for each column of the tree view, the index of the feature it came from."""
        return np.repeat(np.arange(len(self.plans)), [plan.tree_width for plan in self.plans])


def fit_encoder(
    frame: pl.DataFrame, features: Sequence[str], text: Sequence[str] = (), bins: int = 0
) -> Encoder:
    """Learn the encoder from training rows; columns named in `text` hold free text.

    `bins` are those of the spline view of a number; 0 lets rows and columns decide.
    """
    bins = bins or _bins(frame.select(features))
    return Encoder(plans=tuple(_fit_plan(frame[name], name in text, bins) for name in features))


def _bins(frame: pl.DataFrame) -> int:
    """Return about the cube root of the rows, a power of two; fewer when there are many numbers."""
    numbers = sum(dtype.is_numeric() for dtype in frame.dtypes)
    root = 2 ** round(np.log2(max(1, frame.height)) / 3)
    fewest, most = BINS
    return int(np.clip(min(root, SPLINE_COLUMNS // max(1, numbers)), fewest, most))


def _fit_plan(column: pl.Series, is_text: bool, bins: int) -> Plan:
    if column.dtype.is_numeric():
        return fit_number(column, bins)
    if column.dtype == pl.Boolean:
        return fit_boolean(column)
    if column.dtype.is_temporal():
        return fit_date(column, bins)
    return fit_text(column) if is_text else fit_category(column)
