"""What the contract of families compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions


def difference(one: Predictions, other: Predictions) -> float:
    """Return the largest difference, relative to numbers above 1; NaN counts as infinite."""
    scale = 1.0 if one.values.ndim == 2 else np.maximum(1.0, np.abs(one.values))
    gap: NDArray[np.float64] = np.abs(one.values - other.values) / scale
    return float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0))


def cells_of(row: pl.DataFrame, names: Sequence[str]) -> list[object]:
    """Return a frame of one row as the cells that `Predictor.row` takes."""
    cells: list[object] = []
    for name in names:
        column = row[name]
        if column.dtype.is_temporal():
            column = column.cast(pl.Datetime("us")).cast(pl.Int64)
        missing = float("nan") if column.dtype.is_float() else None
        cells.append(missing if column.null_count() else column.item())
    return cells
