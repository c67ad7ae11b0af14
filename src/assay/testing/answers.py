"""What the contract of families compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Model, Predictions, Rows
from assay.records.snapshot import Problem


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


def answered(problem: Problem, served: Predictions) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the (n,) classes that rows are answered with, and their probabilities.

    For numbers, these, and "" for each class.
    """
    if not problem.classes:
        return ("",) * len(served.values), served.values
    codes = served.codes(problem.positive_code if problem.positive is not None else None)
    names = tuple(problem.classes[code] for code in codes)
    return names, served.values[np.arange(len(codes)), codes]


def blended(members: Sequence[tuple[Model, float]], frame: pl.DataFrame) -> Predictions:
    """Return the weighted sum of the answers of fitted models."""
    answers = [(model.predict(frame), weight) for model, weight in members]
    values = np.sum([answer.values * weight for answer, weight in answers], axis=0)
    return Predictions(values, answers[0][0].classes)


def evenly(models: Sequence[Model]) -> list[tuple[Model, float]]:
    """Return the models as members of equal weight."""
    return [(model, 1 / len(models)) for model in models]


def equal(one: Model, other: Model, frame: pl.DataFrame) -> bool:
    """Return True where both answer with the same finite numbers."""
    values = one.predict(frame).values
    same = np.array_equal(values, other.predict(frame).values)
    return same and bool(np.isfinite(values).all())


def spoilt(rows: Rows, seed: int) -> Rows:
    """Return other rows of the same form: order, pairing with the target, and cells changed."""
    mixed = np.random.default_rng(seed).permutation(rows.frame.height)
    cells = (pl.col(name).shuffle(seed=i) for i, name in enumerate(rows.frame.columns))
    frame = rows.frame.with_columns(cells)[mixed]
    return Rows(frame, rows.truth[::-1].copy())
