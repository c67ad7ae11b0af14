"""Which columns the answers rest on."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions, Predictor, Rows
from assay.records.report import Curve
from assay.records.snapshot import Problem

MOST_ROWS = 2000
FEWEST_ROWS = 200
MOST_COLUMNS = 60
BINS = 10
REPEATS = (3, 10)
ANSWERS = 40_000
"""Rows that are predicted in all, about: keeps it within two seconds or so."""


def importance(problem: Problem, predictor: Predictor, rows: Rows, seed: int) -> tuple[Curve, ...]:
    """Return the permutation importance of each column (Breiman 2001, section 10).

    A column's values are shuffled among the rows, and the growth of the loss (log loss, or root
    mean squared error in units of the target) is averaged over the repeats; `low` and `high` are
    two standard deviations around the mean. Of many columns the 60 that the answers go along with
    most are measured.
    """
    if rows.target is None or not rows.frame.height:
        return ()
    draw = np.random.default_rng(seed)
    share = ANSWERS // (min(len(problem.features), MOST_COLUMNS) * REPEATS[0])
    most = int(np.clip(share, FEWEST_ROWS, MOST_ROWS))
    kept = np.sort(draw.permutation(rows.frame.height)[:most])
    frame, y = rows.frame[kept], rows.target[kept]
    columns = _associated(predictor, frame, problem.features)
    repeats = int(np.clip(ANSWERS // (frame.height * len(columns)), *REPEATS))
    base = _loss(predictor.predict(frame), y)
    growth = np.zeros((len(columns), repeats))
    for i, name in enumerate(columns):
        shuffled = [frame.with_columns(_shuffled(frame[name], draw)) for _ in range(repeats)]
        answers = predictor.predict(pl.concat(shuffled))
        for j in range(repeats):
            part = slice(j * frame.height, (j + 1) * frame.height)
            growth[i, j] = _loss(Predictions(answers.values[part], answers.classes), y) - base
    mean, spread = growth.mean(axis=1), 2 * growth.std(axis=1, ddof=1)
    order = np.argsort(-mean, kind="stable")
    data = {
        "columns": [columns[i] for i in order],
        "mean": mean[order].tolist(),
        "low": (mean - spread)[order].tolist(),
        "high": (mean + spread)[order].tolist(),
    }
    loss = "log loss" if problem.classes else "root mean squared error"
    note = f"Growth of the {loss} on {frame.height} rows when a column is shuffled."
    if len(columns) < len(problem.features):
        note += f" {len(columns)} of {len(problem.features)} columns were measured."
    return (Curve(kind="importance", title="What the answers rest on", data=data, note=note),)


def _shuffled(column: pl.Series, draw: np.random.Generator) -> pl.Series:
    return column[draw.permutation(len(column))]


def _associated(predictor: Predictor, frame: pl.DataFrame, names: tuple[str, ...]) -> list[str]:
    """Return the columns, of many those whose values go along with the answers most."""
    if len(names) <= MOST_COLUMNS:
        return list(names)
    answers = predictor.predict(frame).values.reshape(frame.height, -1)
    answers = answers - answers.mean(axis=0)
    strength = [_between(frame[name], answers) for name in names]
    order = np.argsort(-np.array(strength), kind="stable")[:MOST_COLUMNS]
    return [names[i] for i in np.sort(order)]


def _between(column: pl.Series, answers: NDArray[np.float64]) -> float:
    """Return how much the mean answers of ten ranges of a column, and of missing, differ."""
    ranks = column.rank("min").cast(pl.Float64).to_numpy()
    bins = np.nan_to_num((ranks - 1) * (BINS / len(column)), nan=BINS).astype(np.int64)
    sums = (np.arange(BINS + 1)[:, None] == bins).astype(np.float64) @ answers
    counts = np.bincount(bins, minlength=BINS + 1)[:, None]
    return float((sums**2 / np.maximum(counts, 1)).sum())


def _loss(found: Predictions, y: NDArray[np.int64] | NDArray[np.float64]) -> float:
    if found.values.ndim == 1:
        return float(np.sqrt(np.mean((found.values - y) ** 2)))
    picked = found.values[np.arange(len(y)), y.astype(np.int64)]
    return float(-np.log(np.clip(picked, 1e-15, 1.0)).mean())
