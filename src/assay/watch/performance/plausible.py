"""Truths that a window may have, drawn from what is known: metrics of them are the estimate.

A draw takes one of the draws of the additive model, and from it a truth for every row. Metrics of
draws vary with both doubts: how right the model is where, and which truths happen to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.metrics import Metric
from assay.metrics.operate import EDGE, log_odds, two_classes
from assay.metrics.weighted import Floats, Rows, Weighted
from assay.watch.performance.additive import Codes
from assay.watch.performance.known import Known

REPEATS = 8
"""Truths that are drawn from each draw of the model."""
MOST_ROWS = 8_000
"""Rows that truths are drawn for; of more, those whose truth is in doubt are rather taken."""
STEPS, COLDEST, HOTTEST = 4, 0.01, 10.0
"""Newton steps to a temperature, and the bounds of its inverse."""
CERTAIN = 0.02
"""The least doubt that a row counts for when rows are taken."""


@dataclass(frozen=True)
class Window:
    """Rows to estimate on: answers, their chances or expected errors, and the weight of each row.

    `foretold` is (1 + draws, n), as `Known.foretold`.
    """

    known: Known
    answers: Predictions
    foretold: Floats
    weight: Floats
    rows: int

    @property
    def shared(self) -> bool:
        """Return True where one threshold is for all rows."""
        return isinstance(self.answers.threshold, float)

    def take(self, mask: NDArray[np.bool_]) -> Window:
        """Return the rows of a slice."""
        return Window(
            self.known, self.answers.take(mask), self.foretold[:, mask], self.weight[mask],
            round(float(self.weight[mask].sum())),
        )  # fmt: skip


def sampled(known: Known, answers: Predictions, codes: Codes) -> tuple[Window, NDArray[np.int64]]:
    """Return at most MOST_ROWS rows of a window with their weights, and their places in it."""
    n = len(answers.values)
    index, weight = np.arange(n), np.ones(n)
    most = MOST_ROWS * 2 // max(len(known.classes), 2)
    if n > most:
        chance = _chances(known, answers, most)
        index = np.flatnonzero(np.random.default_rng(0).random(n) < chance)
        weight = 1 / chance[index]
        weight *= n / weight.sum()
    part = answers.take(index)
    return Window(known, part, known.foretold(part, codes[index]), weight, n), index


def _chances(known: Known, answers: Predictions, most: int) -> Floats:
    """Return the (n,) chances that a row is taken, about `most` rows in all."""
    n = len(answers.values)
    if not known.classes:
        return np.full(n, most / n)
    likeliest = answers.values.max(axis=1)
    doubt = np.sqrt(np.maximum(likeliest * (1 - likeliest), CERTAIN**2))
    chance: Floats = np.minimum(1.0, doubt * most / doubt.sum())
    return chance


def draws(window: Window, metrics: Sequence[Metric]) -> dict[str, Floats]:
    """Return each metric's (draws, REPEATS) values on plausible truths; NaN where it has none."""
    rng = np.random.default_rng(0)
    lines = window.foretold[1:]
    make = _of_classes(window) if window.known.classes else _of_numbers(window)
    found = {metric.name: np.full((len(lines), REPEATS), np.nan) for metric in metrics}
    for place, line in enumerate(lines):
        samples = make(line, rng)
        for metric in metrics:
            values = [np.where(_fits(metric, s), metric.values(s), np.nan) for s in samples]
            found[metric.name][place] = np.concatenate(values)
    return found


Make = Callable[[Floats, np.random.Generator], list[Weighted]]


def _of_classes(window: Window) -> Make:
    """Return what draws classes: every row stands once for each class, and one has its weight."""
    known, values = window.known, window.answers.values
    n, k = values.shape
    each = np.repeat(window.answers.threshold, n) if window.shared else window.answers.threshold
    rows = Rows(
        np.repeat(np.arange(k), n), np.tile(values, (k, 1)), known.positive, np.tile(each, k)
    )

    def draw(line: Floats, rng: np.random.Generator) -> list[Weighted]:
        below = np.cumsum(chances(known, values, line), axis=1)[:, :-1].T
        drawn = (rng.random((REPEATS, 1, n)) >= below).sum(axis=1)
        hit = drawn[:, None, :] == np.arange(k)[:, None]
        return [Weighted(rows, (hit * window.weight).reshape(REPEATS, k * n))]

    return draw


def chances(known: Known, values: Floats, line: Floats) -> Floats:
    """Return (n, k) chances of the classes when that of the event is `line`, (n,).

    Of many classes the others share the rest as they would if a temperature had moved the likeliest
    one that far (Guo et al. 2017, ICML).
    """
    k = values.shape[1]
    if k == 2:
        return two_classes(line, known.positive)
    rows, top = np.arange(len(values)), values.argmax(axis=1)
    logs = np.log(np.maximum(values, EDGE))
    behind = logs - logs[rows, top][:, None]
    behind[rows, top] = -np.inf
    finite = np.where(np.isfinite(behind), behind, 0.0)
    target, heat = log_odds(line), np.ones(len(values))
    for _ in range(STEPS):
        others = np.exp(heat[:, None] * behind)
        total = others.sum(axis=1)
        steep = np.maximum(-(others * finite).sum(axis=1) / total, EDGE)
        heat = np.clip(heat + (target + np.log(total)) / steep, COLDEST, HOTTEST)
    others = np.exp(heat[:, None] * behind)
    result: Floats = others * ((1 - line) / others.sum(axis=1))[:, None]
    result[rows, top] = line
    return result


def _of_numbers(window: Window) -> Make:
    """Return what draws numbers: the answer less an error of the expected size."""
    errors, values = np.array(window.known.errors), window.answers.values
    bins = window.known.bins(window.answers)

    def draw(line: Floats, rng: np.random.Generator) -> list[Weighted]:
        picked = errors[bins, rng.integers(0, errors.shape[1], (REPEATS, len(values)))]
        return [
            Weighted(Rows(values - line * each, values), window.weight[None]) for each in picked
        ]

    return draw


def _fits(metric: Metric, sample: Weighted) -> NDArray[np.bool_]:
    """Return for each weighting whether its truths let the metric mean anything."""
    if metric.needs is None or not sample.rows.classes:
        return np.ones(len(sample.weights), dtype=bool)
    by_class = sample.sums(sample.rows.truth, sample.rows.classes)
    positive = by_class[:, sample.rows.positive_code]
    fits: dict[str, NDArray[np.bool_]] = {
        "both": (positive > 0) & (positive < sample.total),
        "positive": positive > 0,
        "negative": positive < sample.total,
        "every": np.all(by_class > 0, axis=1),
    }
    return fits[metric.needs]
