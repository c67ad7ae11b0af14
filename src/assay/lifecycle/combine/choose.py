"""Which candidates answer together, and how: only as many as the rows can tell from noise.

Every combination is made on the rows of all folds but one and scored on that one's rows, so that
no row is scored by weights that it helped to choose (nested cross-validation; Stone 1974, JRSS B
36). The fewest members within one standard error of the best are taken (Breiman et al. 1984,
Classification and Regression Trees, section 3.4.3), and one alone where that scores no worse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from assay.kernel.family import Predictions
from assay.lifecycle.combine.greedy import picked, shares, unlike
from assay.lifecycle.combine.objective import (
    PICK_ROWS,
    Sample,
    loss_of,
    picks_by,
    view_of,
)
from assay.lifecycle.combine.stack import sharpness, stacked
from assay.metrics import Metric, get
from assay.metrics.base import Truth
from assay.metrics.intervals.linear import linear
from assay.metrics.pool import pool
from assay.metrics.weighted import Floats, Rows
from assay.records.fitted import Pool
from assay.records.snapshot import Problem

MOST_CELLS = 400_000
"""Ways are compared on at most so many rows times classes."""
SHARP_CELLS = 20_000
MOST_BLOCKS = 5
NOISE = 1.0
"""Fewer members are as good as more when they are behind by at most so many standard errors."""

Weights = tuple[dict[str, float], Pool]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Combination:
    """Weights by name in their pool, and the score on rows that had no say.

    `steps` has the members in the order in which they were added, with the score that each led to.
    """

    weights: dict[str, float]
    pool: Pool
    score: float
    steps: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Table:
    """What ways are made from and compared on: n rows, each in a block that is scored at once.

    `kind` is the loss that picks go by, `sample` the rows they are made on. Where that is the log
    loss, `sharp` has for each candidate the weight that suits it alone, so that one is not passed
    over for being too sure of itself.
    """

    metric: Metric
    problem: Problem
    truth: Truth
    predictions: Mapping[str, Floats]
    blocks: Codes
    kind: str
    sample: Sample
    sharp: Mapping[str, float]

    @property
    def code(self) -> int:
        """Return the positive class's code."""
        return self.problem.positive_code

    @cached_property
    def views(self) -> dict[str, Floats]:
        """Return what blends linearly, on the sample's rows, of candidates that are not alike."""
        rows = self.sample.index
        every = {
            name: view_of(self.kind, self.truth[rows], self.alone(name, rows), self.code)
            for name in self.predictions
        }
        loss = loss_of(self.kind, self.truth[rows], self.sample.weight, self.code)
        return {name: every[name] for name in unlike(loss, every)}

    def alone(self, name: str, rows: Codes | slice) -> Floats:
        """Return a candidate's answers to some rows, as sure as suits it."""
        values, weight = self.predictions[name][rows], self.sharp.get(name)
        return values if weight is None else pool(Pool(scale="log"), [(values, weight)])

    def inside(self, block: int | None) -> Sample:
        """Return the sample's rows outside of `block`, all of them for None."""
        return self.sample if block is None else self.sample.where(self._outside(block))

    def _outside(self, block: int) -> NDArray[np.bool_]:
        outside: NDArray[np.bool_] = self.blocks[self.sample.index] != block
        return outside

    def picks(self, block: int | None) -> list[str]:
        """Return the names picked in order by the rows outside of `block`."""
        kept = slice(None) if block is None else self._outside(block)
        rows = self.inside(block)
        loss = loss_of(self.kind, self.truth[rows.index], rows.weight, self.code)
        return picked(loss, {name: view[kept] for name, view in self.views.items()})

    def answers(self, made: Mapping[int, Weights]) -> Floats:
        """Return the answers to every row of the weights that its block had no say in."""
        found = np.empty_like(next(iter(self.predictions.values())))
        for block, (weights, how) in made.items():
            rows = self.blocks == block
            found[rows] = pool(how, [(self.predictions[n][rows], w) for n, w in weights.items()])
        return found


@dataclass(frozen=True)
class Way:
    """One way to combine: its weights from all rows, and its answers to rows without a say."""

    table: Table
    weights: Weights
    values: Floats

    @cached_property
    def score(self) -> float:
        """Return the metric of the answers."""
        return self._value(self.table.metric)

    @cached_property
    def loss(self) -> float:
        """Return what ways are compared by, less being better."""
        judge = judged_by(self.table.metric)
        value = self.score if judge is self.table.metric else self._value(judge)
        return -value if judge.higher_is_better else value

    @cached_property
    def influence(self) -> Floats:
        """Return the (n,) influence of each row on the loss, but for its sign."""
        answers = Predictions(self.values, self.table.problem.classes)
        found = linear(
            judged_by(self.table.metric), Rows.of(self.table.truth, answers, self.table.code)
        )
        return np.zeros(len(self.values)) if found is None else found.influence

    def _value(self, metric: Metric) -> float:
        answers = Predictions(self.values, self.table.problem.classes)
        return metric.compute(self.table.truth, answers, self.table.code)

    def rivals(self, best: Way) -> bool:
        """Return True when it is `best`, or behind it by no more than noise."""
        if self is best:
            return True
        spread = float(np.sqrt(((self.influence - best.influence) ** 2).sum()))
        return self.loss - best.loss <= NOISE * spread


def combine(
    metric: Metric,
    problem: Problem,
    truth: Truth,
    predictions: Mapping[str, Floats],
    folds: NDArray[np.integer],
    seed: int,
) -> Combination:
    """Return the weights of the smallest combination that is within noise of the best.

    `predictions` has each candidate's out-of-fold answers to the same n rows, (n, k) or (n,),
    without NaN; `folds` (n,) says which fold made them. Metrics of labels go by the log loss, and
    themselves decide between ways that it cannot tell apart.
    Raises DataError METRIC-UNDEFINED as `Metric.compute`.
    """
    # one thread: sums over rows are then the same on any machine's number of cores
    with threadpool_limits(1):
        table = _table(metric, problem, truth, predictions, folds, seed)
        picks = table.picks(None)
        ways = list(_ways(table, picks))
        taken = _fewest(ways)
        steps = zip(dict.fromkeys(picks), ways[: taken + 1], strict=False)
        weights, how = ways[taken].weights
        if len(weights) == 1:  # how sure it may be of itself is left to calibration
            weights, how = dict.fromkeys(weights, 1.0), Pool()
        return Combination(
            weights, how, ways[taken].score, tuple((name, way.score) for name, way in steps)
        )


def reweighed(
    metric: Metric, problem: Problem, truth: Truth, predictions: Mapping[str, Floats], seed: int
) -> Combination:
    """Return weights for these candidates, whatever the rows can tell of them.

    The score is that of all rows, which had their say; arguments and errors as for `combine`.
    """
    with threadpool_limits(1):
        table = _table(metric, problem, truth, predictions, np.zeros(len(truth), np.int64), seed)
        picks = table.picks(None)
        weights, how = _fit(table, picks, len(picks), None)
    if len(weights) == 1:
        weights, how = dict.fromkeys(weights, 1.0), Pool()
    values = pool(how, [(predictions[name], weight) for name, weight in weights.items()])
    score = metric.compute(truth, Predictions(values, problem.classes), problem.positive_code)
    return Combination(weights, how, score, ())


def judged_by(metric: Metric) -> Metric:
    """Return the metric that ways are compared by: the log loss for what jumps with labels."""
    return get("log_loss") if metric.takes == "label" or metric.name == "ece" else metric


def _table(
    metric: Metric,
    problem: Problem,
    truth: Truth,
    predictions: Mapping[str, Floats],
    folds: NDArray[np.integer],
    seed: int,
) -> Table:
    n, most = len(truth), MOST_CELLS // max(1, len(problem.classes))
    if n > most:
        some = np.sort(np.random.default_rng(seed).permutation(n)[:most])
        truth, folds = truth[some], folds[some]
        predictions = {name: values[some] for name, values in predictions.items()}
    kind = picks_by(metric, truth, len(problem.classes), problem.positive_code)
    sharp = _sharp(truth, predictions) if kind == "log_loss" else {}
    sample = Sample.of(truth, not problem.classes, PICK_ROWS, seed)
    return Table(metric, problem, truth, predictions, _blocks(folds, seed), kind, sample, sharp)


def _sharp(truth: Truth, predictions: Mapping[str, Floats]) -> dict[str, float]:
    """Return for each candidate the weight that suits it alone; a single number over all rows."""
    cells = next(iter(predictions.values())).size
    some = np.arange(len(truth))[:: 1 + cells // SHARP_CELLS]
    codes = truth[some].astype(np.int64)
    return {name: sharpness(codes, values[some]) for name, values in predictions.items()}


def _blocks(folds: NDArray[np.integer], seed: int) -> Codes:
    """Return (n,) codes of at most a few blocks: the folds, or random ones when there is one."""
    names, codes = np.unique(folds, return_inverse=True)
    if len(names) > 1:
        block: Codes = codes.astype(np.int64) % MOST_BLOCKS
        return block
    shuffled: Codes = np.random.default_rng(seed).permutation(len(folds)) % MOST_BLOCKS
    return shuffled


def _ways(table: Table, picks: Sequence[str]) -> Iterator[Way]:
    """Yield the ways of one member, of two, and so on."""
    if len(table.predictions) == 1:
        yield Way(table, ({picks[0]: 1.0}, Pool()), table.predictions[picks[0]])
        return
    inner = {int(block): table.picks(int(block)) for block in np.unique(table.blocks)}
    for members in range(1, len(set(picks)) + 1):
        made = {block: _fit(table, names, members, block) for block, names in inner.items()}
        yield Way(table, _fit(table, picks, members, None), table.answers(made))


def _fit(table: Table, picks: Sequence[str], members: int, block: int | None) -> Weights:
    """Return the weights of the first so many names, fitted on the rows outside of `block`."""
    first = list(dict.fromkeys(picks))[:members]
    start = shares([name for name in picks if name in first])
    if table.sharp:
        start = {name: share * table.sharp[name] for name, share in start.items()}
    if members == 1:
        return start, Pool(scale="log" if table.sharp else "linear")
    return stacked(table.kind, table.truth, table.predictions, start, table.inside(block))


def _fewest(ways: Sequence[Way]) -> int:
    """Return the place of the fewest members within noise of the best, of one if that is better.

    Where the metric is not what ways are compared by, it decides between those within noise.
    """
    if len(ways) == 1:
        return 0
    best = min(ways[1:], key=lambda way: way.loss)
    near = [place for place, way in enumerate(ways) if place and way.rivals(best)]
    metric = ways[0].table.metric
    if judged_by(metric) is metric:
        return 0 if ways[0].loss <= ways[near[0]].loss else near[0]
    near = [0, *near] if ways[0].rivals(best) else near
    sign = -1 if metric.higher_is_better else 1
    return min(near, key=lambda place: sign * ways[place].score)
