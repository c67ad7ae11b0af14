"""Which columns the answers rest on: permutation importance, and its test against chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Answering, Model, Predictions, Rows
from assay.kernel.loader import load
from assay.records.report import Curve, Estimate, Examination
from assay.records.snapshot import Problem
from assay.tasks.tabular.explain.leading import leading
from assay.tasks.tabular.explain.words import plain

Floats = NDArray[np.float64]
Truth = NDArray[np.int64] | Floats
Predict = Callable[[pl.DataFrame], Predictions]

MOST_ROWS = 2000
FEWEST_ROWS = 200
MOST_COLUMNS = 60
BINS = 10
REPEATS = (3, 10)
ANSWERS = 24_000
"""Rows that are predicted in all, about: keeps it within a second or so."""
SHUFFLED_ROWS, SHUFFLED_ROUNDS = 1_000, 40
"""Rows and rounds of the model that is fitted on shuffled answers."""
NEARLY_ALL = 0.8
"""A column that carries this share of all importance is worth a look."""
_FIT = "assay.tasks.tabular.models.model:fit"


@dataclass(frozen=True)
class Growth:
    """How much the loss grows when a column is shuffled, with 95 % intervals; each (columns,)."""

    columns: list[str]
    mean: Floats
    low: Floats
    high: Floats

    def ranked(self) -> Growth:
        """Return the columns by falling importance."""
        order = np.argsort(-self.mean, kind="stable")
        names = [self.columns[i] for i in order]
        return Growth(names, self.mean[order], self.low[order], self.high[order])


def importance(
    problem: Problem,
    predictor: Answering,
    models: Sequence[tuple[Model, float]],
    rows: Rows,
    train: Rows,
    seed: int,
) -> Examination | None:
    """Return the permutation importance of each column, None for rows without a target.

    Of many columns the 60 that the answers go along with most are measured. As a check of the
    measure itself, a member is fitted once more on shuffled answers: it has nothing to rest on, and
    must lose the importance (Adebayo et al. 2018, NeurIPS, "Sanity checks").
    """
    if rows.target is None:
        return None
    draw = np.random.default_rng(seed)
    share = ANSWERS // (min(len(problem.features), MOST_COLUMNS) * REPEATS[0])
    most = int(np.clip(share, FEWEST_ROWS, MOST_ROWS))
    kept = np.sort(draw.permutation(rows.frame.height)[:most])
    frame, y = rows.frame[kept], rows.target[kept]
    columns = _associated(predictor, frame, problem.features)
    repeats = int(np.clip(ANSWERS // (frame.height * len(columns)), *REPEATS))
    found = growth(predictor.predict, frame, y, columns, repeats, draw).ranked()
    by_chance = _by_chance(problem, models, frame, y, train, found.columns[0], seed)
    return _told(problem, found, by_chance, frame.height)


def growth(
    predict: Predict,
    frame: pl.DataFrame,
    y: Truth,
    columns: Sequence[str],
    repeats: int,
    draw: np.random.Generator,
) -> Growth:
    """Return how much worse the answers get when the values of a column are shuffled among rows.

    Breiman 2001, "Random forests", section 10. The loss is log loss, or the root mean squared
    error in units of the target. The interval is normal: the variance over rows of each row's mean
    growth (by the delta method for the root) and that over the repeats.
    """
    before = _losses(predict(frame), y)
    number = y.dtype.kind == "f"
    mean, error = np.zeros((2, len(columns)))
    for i, name in enumerate(columns):
        shuffled = [frame.with_columns(_shuffled(frame[name], draw)) for _ in range(repeats)]
        answers = predict(pl.concat(shuffled))
        parts = np.split(answers.values, repeats)
        after = np.stack([_losses(Predictions(part, answers.classes), y) for part in parts])
        mean[i] = _level(after.mean(axis=0), number) - _level(before, number)
        pull = _influence(after.mean(axis=0), number) - _influence(before, number)
        levels = [_level(each, number) for each in after]
        chance = float(np.var(levels, ddof=1)) / repeats
        error[i] = np.sqrt(pull.var() / len(y) + chance)
    return Growth(list(columns), mean, mean - 1.96 * error, mean + 1.96 * error)


def _level(losses: Floats, number: bool) -> float:
    return float(np.sqrt(losses.mean()) if number else losses.mean())


def _influence(losses: Floats, number: bool) -> Floats:
    """Return how much each row pulls at the level."""
    level = _level(losses, number)
    if not number:
        return losses - level
    return (losses - level**2) / (2 * level) if level > 0 else np.zeros_like(losses)


def _losses(found: Predictions, y: Truth) -> Floats:
    if found.values.ndim == 1:
        squares: Floats = (found.values - y) ** 2
        return squares
    picked = found.values[np.arange(len(y)), y.astype(np.int64)]
    surprise: Floats = -np.log(np.clip(picked, 1e-15, 1.0))
    return surprise


def _shuffled(column: pl.Series, draw: np.random.Generator) -> pl.Series:
    return column[draw.permutation(len(column))]


def _associated(predictor: Answering, frame: pl.DataFrame, names: tuple[str, ...]) -> list[str]:
    """Return the columns, of many those whose values go along with the answers most."""
    if len(names) <= MOST_COLUMNS:
        return list(names)
    return along_with(predictor, frame, names)[:MOST_COLUMNS]


def along_with(predictor: Answering, frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the columns by how much the mean answers of ten ranges of their values differ."""
    answers = predictor.predict(frame).values.reshape(frame.height, -1)
    answers = answers - answers.mean(axis=0)
    strength = [_between(frame[name], answers) for name in names]
    return [names[i] for i in np.argsort(-np.array(strength), kind="stable")]


def _between(column: pl.Series, answers: Floats) -> float:
    """Return how much the mean answers of ten ranges of a column, and of missing, differ."""
    ranks = column.rank("min").cast(pl.Float64).to_numpy()
    bins = np.nan_to_num((ranks - 1) * (BINS / len(column)), nan=BINS).astype(np.int64)
    sums = (np.arange(BINS + 1)[:, None] == bins).astype(np.float64) @ answers
    counts = np.bincount(bins, minlength=BINS + 1)[:, None]
    return float((sums**2 / np.maximum(counts, 1)).sum())


def _by_chance(
    problem: Problem,
    models: Sequence[tuple[Model, float]],
    frame: pl.DataFrame,
    y: Truth,
    train: Rows,
    column: str,
    seed: int,
) -> Growth | None:
    """Return the importance of a column for a model fitted on shuffled answers.

    It is the heaviest member, or the heaviest whose rounds can be few, where there is one.
    """
    if not models or train.target is None or train.frame.height < 2:
        return None
    heaviest = max(leading(models), key=lambda m: m.model.candidate.stops_early).model
    draw = np.random.default_rng(seed)
    some = draw.permutation(train.frame.height)[:SHUFFLED_ROWS]
    mixed = Rows(train.frame[some], train.target[draw.permutation(some)])
    model = load(_FIT)(heaviest.candidate, problem, mixed, None, SHUFFLED_ROUNDS, seed, 1)
    few = slice(0, SHUFFLED_ROWS)
    return growth(model.predict, frame[few], y[few], [column], REPEATS[0], draw)


def _told(problem: Problem, found: Growth, chance: Growth | None, rows: int) -> Examination:
    loss = "log loss" if problem.classes else "root mean squared error"
    top, carried = found.columns[0], np.maximum(found.mean, 0.0)
    shares = carried / (carried.sum() or 1.0)
    sure = [n for n, low in zip(found.columns, found.low, strict=True) if low > 0]
    reading = "Shuffling no column makes the answers worse by more than chance."
    if sure:
        reading = (
            f"The answers rest most on {top}: when its values are shuffled the {loss} grows by "
            f"{plain(found.mean[0])} (between {plain(found.low[0])} and {plain(found.high[0])}), "
            f"{shares[0]:.0%} of what all columns do together. {len(sure)} of "
            f"{len(found.columns)} columns matter by more than chance."
        )
    if chance is not None and sure:
        reading += _checked(top, found, chance)
    leaning = bool(sure) and len(found.columns) > 1 and bool(shares[0] >= NEARLY_ALL)
    return Examination(
        name="importance",
        title="What the answers rest on",
        reading=reading,
        concern="look" if leaning else "none",
        advice=f"Nearly everything rests on {top}: make sure that it is known, and right, at the "
        "time of asking."
        if leaning
        else "",
        numbers={}
        if chance is None
        else {"importance_by_chance": _estimate(chance, min(rows, SHUFFLED_ROWS))},
        curves=(_curve(problem, found, loss, rows),),
    )


def _checked(top: str, found: Growth, chance: Growth) -> str:
    """Return a sentence on the model that was fitted on shuffled answers."""
    fitted = " As a check, a model of the same kind was fitted on shuffled answers: there "
    if chance.low[0] > found.low[0]:
        return f"{fitted}{top} counts for {plain(chance.mean[0])}, so this measure says little."
    if chance.mean[0] <= 0:
        return f"{fitted}{top} counts for nothing, as it must."
    return f"{fitted}{top} counts for {plain(chance.mean[0])} only."


def _estimate(one: Growth, rows: int) -> Estimate:
    return Estimate(
        value=float(one.mean[0]),
        low=float(one.low[0]),
        high=float(one.high[0]),
        n=rows,
        method="normal, over rows",
    )


def _curve(problem: Problem, found: Growth, loss: str, rows: int) -> Curve:
    data = {
        "columns": found.columns,
        "mean": found.mean.tolist(),
        "low": found.low.tolist(),
        "high": found.high.tolist(),
    }
    note = f"Growth of the {loss} on {rows} rows when a column is shuffled."
    if len(found.columns) < len(problem.features):
        note += f" {len(found.columns)} of {len(problem.features)} columns were measured."
    return Curve(kind="importance", title="What the answers rest on", data=data, note=note)
