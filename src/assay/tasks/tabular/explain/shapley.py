"""Shapley values: exact where the model allows, else sampled with the error of the sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.explain.hybrids import Game
from assay.tasks.tabular.models.boosting import Boosting
from assay.tasks.tabular.models.linear import Linear
from assay.tasks.tabular.models.model import TabularModel

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

CHAINS = 4
"""Orders in which the columns of a row join, in pairs of one and its reverse."""
MOST_BACKGROUND = 1_000


@dataclass(frozen=True)
class Exact:
    """Contributions (n, features) to the score (n,) of each row, which they sum to with `base`."""

    values: Floats
    base: Floats
    score: Floats


def exact(model: Any, frame: pl.DataFrame, background: pl.DataFrame, codes: Codes) -> Exact | None:
    """Return a member's exact Shapley values for (n,) class codes, None when it has no such.

    Boosted trees: TreeSHAP of LightGBM (Lundberg et al. 2020, Nature Machine Intelligence 2,
    algorithm 2), where a column that is not known takes both branches by how many training rows
    took them. Linear models: weight times distance from the mean of the training rows, exact where
    a column that is not known takes other rows' values. Both are on the model's own score: the
    log-odds of the class, or the number. What an encoder made of a column is summed back to it.
    """
    if not isinstance(model, TabularModel):
        return None
    if isinstance(model.core, Boosting):
        return _of_trees(model.core, model.encoder, frame, codes)
    if isinstance(model.core, Linear):
        return _of_line(model.core, model.encoder, frame, background[:MOST_BACKGROUND], codes)
    return None


def _of_trees(core: Boosting, encoder: Encoder, frame: pl.DataFrame, codes: Codes) -> Exact:
    booster = lightgbm.Booster(model_str=core.text)
    x = encoder.tree(frame)
    found = np.asarray(booster.predict(x, pred_contrib=True)).reshape(len(x), core.outputs, -1)
    score = np.asarray(booster.predict(x, raw_score=True)).reshape(len(x), -1)
    rows = np.arange(len(x))
    if core.classes and core.outputs == 1:
        sign = np.where(codes == 1, 1.0, -1.0)
        picked, reached = found[:, 0] * sign[:, None], score[:, 0] * sign
    else:
        picked, reached = found[rows, codes], score[rows, codes]
    widths = [plan.tree_width for plan in encoder.plans]
    return Exact(_summed(picked[:, :-1], widths), picked[:, -1], reached)


def _of_line(
    core: Linear, encoder: Encoder, frame: pl.DataFrame, background: pl.DataFrame, codes: Codes
) -> Exact:
    x, usual = encoder.linear(frame), encoder.linear(background).mean(axis=0)
    weights, bias = core.weights, core.bias
    if core.classes and weights.shape[1] == 2:  # the log-odds of one against the other
        weights, bias = weights - weights[:, ::-1], bias - bias[::-1]
    mine = weights.T[codes]
    base = mine @ usual + bias[codes]
    widths = [plan.linear_width for plan in encoder.plans]
    score: Floats = (mine * x).sum(axis=1) + bias[codes]
    return Exact(_summed(mine * (x - usual), widths), base, score)


def _summed(parts: Floats, widths: list[int]) -> Floats:
    """Return (n, features): the columns of each feature of the encoded (n, columns) summed."""
    stops = np.cumsum(widths)
    return np.stack(
        [
            parts[:, stop - width : stop].sum(axis=1)
            for stop, width in zip(stops, widths, strict=True)
        ],
        axis=1,
    )


@dataclass(frozen=True)
class Sampled:
    """Sampled contributions: `draws` is (pairs of chains, n, players)."""

    draws: Floats

    @property
    def values(self) -> Floats:
        """Return the (n, players) means."""
        mean: Floats = self.draws.mean(axis=0)
        return mean

    @property
    def each_error(self) -> Floats:
        """Return the (n, players) standard error of each value by itself."""
        error: Floats = self.draws.std(axis=0, ddof=1) / np.sqrt(len(self.draws))
        return error

    @property
    def errors(self) -> Floats:
        """Return the (players,) standard error of one value, pooled over the rows."""
        error: Floats = np.sqrt(self.draws.var(axis=0, ddof=1).mean(axis=0) / len(self.draws))
        return error


def sampled(game: Game, chains: int, seed: int) -> Sampled:
    """Return interventional Shapley values of the model as it is served, by sampling.

    Along a chain the columns of a random training row are replaced by the row's own, one after
    the other, and each is credited with how the answer changes (Štrumbelj and Kononenko 2014,
    Knowledge and Information Systems 41). Each order is walked in reverse too, with the same
    training row, which cancels much of the noise (Mitchell et al. 2022, JMLR 23, section 4).
    The values of a row sum to its answer less the mean answer of the training rows drawn.
    """
    draw = np.random.default_rng(seed)
    n, players, pairs = game.frame.height, len(game.players), max(2, chains // 2)
    order = draw.permuted(np.tile(np.arange(players), (pairs * n, 1)), axis=1)
    order = np.stack([order, order[:, ::-1]])  # (2, pairs * n, players)
    place = np.argsort(order, axis=2)
    steps = np.arange(players + 1)
    own = place[:, :, None, :] < steps[:, None]  # (2, pairs * n, steps, players)
    row = np.tile(np.repeat(np.arange(n), players + 1), 2 * pairs)
    other = draw.integers(0, game.background.height, pairs * n)
    other = np.tile(np.repeat(other, players + 1), 2)
    answers = game.values(row, other, own.reshape(-1, players))
    gains = np.diff(answers.reshape(2, pairs * n, players + 1), axis=2)
    credit = np.take_along_axis(gains, place, axis=2).mean(axis=0)
    return Sampled(credit.reshape(pairs, n, players))
