"""Rows to matrices: one encoder, fitted inside the fold, used for training and for serving.

There are two views of a row. The *tree* view keeps numbers as they are, missing ones as NaN, and
turns categories into codes. The *linear* view is complete and scaled: imputed, robust to heavy
tails, one-hot, and hashed words weighted by rarity. Needs numpy and polars only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.base import Record
from assay.tasks.tabular.encode.columns import (
    BooleanPlan,
    CategoryPlan,
    DatePlan,
    NumberPlan,
    fit_boolean,
    fit_category,
    fit_date,
    fit_number,
)
from assay.tasks.tabular.encode.text import TextPlan, fit_text

Plan = NumberPlan | CategoryPlan | BooleanPlan | DatePlan | TextPlan


class Encoder(Record, frozen=True, kw_only=True, tag="tabular.encoder@1"):
    """What was learned about each feature, in the order of the features."""

    plans: tuple[Plan, ...]

    def tree(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Return the (n, columns) tree view: finite or NaN."""
        out = np.empty((frame.height, self.tree_width))
        start = 0
        for plan in self.plans:
            stop = start + plan.tree_width
            plan.tree(frame[plan.name], out[:, start:stop])
            start = stop
        return out

    def linear(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Return the (n, columns) linear view: always finite."""
        out = np.zeros((frame.height, self.linear_width))
        start = 0
        for plan in self.plans:
            stop = start + plan.linear_width
            plan.linear(frame[plan.name], out[:, start:stop])
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
    def tree_sources(self) -> NDArray[np.int64]:
        """Return, for each column of the tree view, the index of the feature it came from."""
        return np.repeat(np.arange(len(self.plans)), [plan.tree_width for plan in self.plans])


def fit_encoder(frame: pl.DataFrame, features: Sequence[str], text: Sequence[str] = ()) -> Encoder:
    """Learn the encoder from training rows; columns named in `text` hold free text."""
    return Encoder(plans=tuple(_fit_plan(frame[name], name in text) for name in features))


def _fit_plan(column: pl.Series, is_text: bool) -> Plan:
    if column.dtype.is_numeric():
        return fit_number(column)
    if column.dtype == pl.Boolean:
        return fit_boolean(column)
    if column.dtype.is_temporal():
        return fit_date(column)
    return fit_text(column) if is_text else fit_category(column)
