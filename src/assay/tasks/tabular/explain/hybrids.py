"""Rows that take some columns from one row and the rest from another, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Answering, Predictions, Rows
from assay.records.snapshot import Problem
from assay.tasks.tabular.explain.importance import along_with

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_PLAYERS = 20
OTHERS = "(all other columns)"
MOST_BACKGROUND = 1_000


@dataclass(frozen=True)
class Game:
    """Rows to explain, training rows to compare with, and the players among the columns.

    Of many columns the last player is all the others together. `codes` (n,) is the class whose
    probability is explained in each row; for a number it is 0 throughout.
    """

    predictor: Answering
    frame: pl.DataFrame
    background: pl.DataFrame
    players: tuple[str, ...]
    codes: Codes

    @property
    def owner(self) -> dict[str, int]:
        """Return which player each column belongs to."""
        last = len(self.players) - 1
        known = {name: i for i, name in enumerate(self.players)}
        return {name: known.get(name, last) for name in self.frame.columns}

    def gathered(self, values: Floats) -> Floats:
        """Return (n, players): the (n, columns) contributions summed by player."""
        found = np.zeros((len(values), len(self.players)))
        for column, player in enumerate(self.owner.values()):
            found[:, player] += values[:, column]
        return found

    def values(self, row: Codes, other: Codes, own: Mask) -> Floats:
        """Return (m,) answers to rows `row` whose players not in `own` come from `other`.

        `row` (m,) counts in `frame`, `other` (m,) in `background`, `own` is (m, players).
        """
        both = pl.concat([self.frame, self.background])
        far = other + self.frame.height
        taken = [
            both[name].gather(np.where(own[:, player], row, far))
            for name, player in self.owner.items()
        ]
        return told(self.predictor.predict(pl.DataFrame(taken)), self.codes[row])


def told(answers: Predictions, codes: Codes) -> Floats:
    """Return (n,) numbers, or the probability of each row's class of `codes`."""
    if answers.values.ndim == 1:
        return answers.values
    picked: Floats = answers.values[np.arange(len(codes)), codes]
    return picked


def game(
    problem: Problem, predictor: Answering, rows: Rows, train: Rows, most: int, seed: int
) -> Game:
    """Draw at most `most` rows to explain and training rows to compare with.

    Of two classes the positive one is explained, of more each row's own answer.
    """
    draw = np.random.default_rng(seed)
    features = list(problem.features)
    frame = rows.frame.select(features)[np.sort(draw.permutation(rows.frame.height)[:most])]
    some = draw.permutation(train.frame.height)[:MOST_BACKGROUND]
    background = train.frame.select(features)[some]
    players = tuple(features)
    if len(features) > MOST_PLAYERS:
        first = along_with(predictor, background, features)[: MOST_PLAYERS - 1]
        players = (*first, OTHERS)
    return Game(predictor, frame, background, players, explained(problem, predictor, frame))


def explained(problem: Problem, predictor: Answering, frame: pl.DataFrame) -> Codes:
    """Return (n,) the class whose probability is explained: the positive one, or the answer."""
    if len(problem.classes) > 2:
        return predictor.predict(frame).codes()
    return np.full(frame.height, problem.positive_code if problem.classes else 0)
