"""The bootstrap: resampled weights of rows or groups, and the metrics under them.

The weights are exponential, which makes a draw one from the posterior of Rubin's Bayesian bootstrap
(1981, Annals of Statistics 9): no row ever falls out, so no draw loses a class. Above `BAG` rows
the draws are made on bags of rows that stand for the rest (Kleiner, Talwalkar, Sarkar and Jordan
2014, "A scalable bootstrap for massive data", JRSS B 76). A bag takes the hardest rows whole and
thins the easy ones, because the hard ones carry the variance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from assay.errors import DataError
from assay.evaluate.linear import Groups
from assay.metrics import Metric
from assay.metrics.weighted import Floats, Rows, Weighted

BAG = 4_000
BAGS = 4
TIER = 250
GROUPS_IN_BAG = 400
DEEP = 5
"""Bags of rows that few groups may fill; beyond, rows are thinned inside each group."""
FEWEST = 10
"""Rows that thinning leaves of each class in each group, where there are so many."""
DENSE = 30
CHUNK = 1_000_000
"""Weights held at once: 8 MB, so that several passes stay near the processor."""


@dataclass(frozen=True)
class Bag:
    """Rows that stand for all: their positions, the unit of each, and the units' mean weight.

    `share` is how many rows of its unit each row stands for, None for one.
    """

    index: NDArray[np.int64]
    unit: NDArray[np.int64] | None
    scale: Floats
    share: Floats | None = None

    def spread(self, weights: Floats) -> Floats:
        """Return the (…, rows) weights that (…, units) weights give."""
        weights = weights if self.unit is None else weights[..., self.unit]
        return weights if self.share is None else weights * self.share


def bags(samples: list[Rows], groups: Groups | None, rng: np.random.Generator) -> list[Bag]:
    """Return one bag of everything when that is small, else several that represent it."""
    rows = samples[0]
    count = rows.n if groups is None else int(groups.max()) + 1
    few = groups is not None and count <= GROUPS_IN_BAG
    if rows.n <= BAG or (few and rows.n <= BAG * DEEP):
        return [Bag(np.arange(rows.n), groups, np.ones(count))]
    if groups is not None and few:
        return [_thin_groups(samples, groups)]
    if groups is None:
        tiers = _tiers(rows)
        return [_thin(tiers, rng) for _ in range(BAGS)]
    keep = max(GROUPS_IN_BAG, count * BAG // rows.n)
    return [_some_groups(groups, count, keep, rng) for _ in range(BAGS)]


def _tiers(rows: Rows) -> list[NDArray[np.int64]]:
    """Split each class's rows, hardest first, into tiers of 250, 250, 500, 1,000 and so on."""
    classes = max(rows.classes, 1)
    hardness = rows.surprise if rows.classes else np.abs(rows.error)
    first = max(TIER // max(classes // 2, 1), 10)
    tiers = []
    for code in range(classes):
        members = np.flatnonzero(rows.truth == code) if rows.classes else np.arange(rows.n)
        members = members[np.argsort(-hardness[members], kind="stable")]
        doublings = int(np.ceil(np.log2(max(len(members) / first, 1))))
        tiers += np.split(members, [first * 2**step for step in range(doublings)])
    return [tier for tier in tiers if len(tier)]


def _thin(tiers: list[NDArray[np.int64]], rng: np.random.Generator) -> Bag:
    """Take the same number of rows from every tier, evenly spaced from a random start."""
    most = max(BAG // len(tiers), 10)
    index, scale = [], []
    for tier in tiers:
        step = max(len(tier) / most, 1.0)
        picked = tier[np.arange(rng.random() * (step - 1), len(tier), step).astype(np.int64)]
        index.append(picked)
        scale.append(np.full(len(picked), len(tier) / len(picked)))
    return Bag(np.concatenate(index), None, np.concatenate(scale))


def _thin_groups(samples: list[Rows], groups: Groups) -> Bag:
    """Keep every group, of each class in it the extremes, and of every few rows alike the middle.

    So the sum over a group hardly changes, and with it what differs from group to group.
    """
    rows = samples[0]
    strata = groups * max(rows.classes, 1) + (rows.truth if rows.classes else 0)
    losses = [sample.surprise if rows.classes else sample.error for sample in samples]
    if len(losses) == 2:  # what is measured is by how much they differ
        losses[0] = np.abs(losses[0]) - np.abs(losses[1])
    order = np.lexsort((losses[0], strata))
    index, share = [], []
    for members in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
        keep = min(max(len(members) * BAG * DEEP // rows.n, FEWEST), len(members))
        end = keep // 8  # the extreme rows carry much of the variance, and are like no others
        rest = members[end : len(members) - end]
        keep -= 2 * end
        if len(losses) == 2:  # alike in blocks of the difference, and there in the other's loss
            block = np.arange(len(rest)) * int(np.sqrt(keep)) // len(rest)
            rest = rest[np.lexsort((losses[1][rest], block))]
        middle = rest[((np.arange(keep) + 0.5) * len(rest) / keep).astype(np.int64)]
        index += [members[:end], middle, members[len(members) - end :]]
        share += [np.ones(end), np.full(keep, len(rest) / keep), np.ones(end)]
    kept = np.concatenate(index)
    return Bag(kept, groups[kept], np.ones(int(groups.max()) + 1), np.concatenate(share))


def _some_groups(groups: Groups, count: int, keep: int, rng: np.random.Generator) -> Bag:
    chosen = np.sort(rng.permutation(count)[:keep])
    index = np.flatnonzero(np.isin(groups, chosen))
    unit = np.searchsorted(chosen, groups[index])
    return Bag(index, unit, np.full(keep, count / keep))


def _chunks(bag: Bag, cells: int, replicates: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield weights of the bag's rows; each unit's has its scale for mean and for variance.

    `cells` is the size of a confusion matrix, which is held once for each weighting too.
    """
    size = max(1, CHUNK // max(len(bag.index), cells))
    for start in range(0, replicates, size):
        shape = (min(size, replicates - start), len(bag.scale))
        drawn = rng.standard_exponential(shape)
        if (bag.scale != 1).any():
            drawn = bag.scale + np.sqrt(bag.scale) * (drawn - 1)
        yield bag.spread(drawn)


Formula = Callable[[Metric, Weighted], Floats]


def draws(
    metrics: list[Metric],
    samples: list[Rows],
    groups: Groups | None,
    replicates: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return each metric's (replicates,) errors under resampling.

    With two samples, predictions of the same rows by two models, the errors are those of the
    first's metric minus the second's, both under the same weights. Raises DataError
    INTERVAL-UNDEFINED when most draws leave a metric without a meaning.
    """
    parts: dict[str, list[Floats]] = {metric.name: [] for metric in metrics}
    chosen = bags(samples, groups, rng)
    cells = samples[0].classes ** 2
    for bag in chosen:
        taken = [rows.take(bag.index) for rows in samples]
        base = bag.spread(bag.scale)
        centres = {m.name: _signed(m, taken, base[None, :], None)[0] for m in metrics}
        for weights in _chunks(bag, cells, -(-replicates // len(chosen)), rng):
            for metric in metrics:
                values = _signed(metric, taken, weights, rng)
                parts[metric.name].append(values - centres[metric.name])
    return {name: _finite(name, np.concatenate(values)) for name, values in parts.items()}


def _finite(name: str, errors: Floats) -> Floats:
    """Return the draws in which the metric had a meaning; most must."""
    known = errors[np.isfinite(errors)]
    if 2 * len(known) < len(errors):
        raise DataError(
            "INTERVAL-UNDEFINED",
            f"{name} loses its meaning on most resamples of the test rows",
            where=name,
            hint="choose another metric, or set aside a larger share of the data with split.test",
        )
    return known


def _signed(
    metric: Metric, samples: list[Rows], weights: Floats, rng: np.random.Generator | None
) -> Floats:
    """Return the first sample's metric, less the second's when there is one."""
    values = [_values(metric, Weighted(rows, weights), rng) for rows in samples]
    return values[0] if len(values) == 1 else values[0] - values[1]


def _values(metric: Metric, sample: Weighted, rng: np.random.Generator | None) -> Floats:
    """Return the metric, labels joined by two rows of doubt: for two classes Jeffreys' prior.

    Without it a model with no error at all would seem to be without doubt as well.
    """
    if metric.counts is None or rng is None:
        return metric.values(sample)
    confusion = sample.confusion
    seen = confusion.sum(axis=2, keepdims=True) > 0
    doubt = _doubt(len(confusion), sample.rows.classes, rng)
    return metric.counts(confusion + doubt * seen, sample.rows.positive_code)


def _doubt(draws: int, classes: int, rng: np.random.Generator) -> Floats:
    """Return draws of two rows in all, spread over the classes and the labels they may get."""
    if classes <= DENSE:
        return rng.standard_gamma(2 / classes**2, (draws, classes, classes))
    doubt = np.zeros((draws, classes, classes))
    codes = np.arange(classes)
    for label in (codes, (codes + 1) % classes):  # right, and one wrong label for all of them
        doubt[:, codes, label] = rng.standard_gamma(1 / classes, (draws, classes))
    return doubt


def expanded(z: float, units: int) -> float:
    """Return the critical value widened for few units (Hesterberg 2015, American Statistician)."""
    return z * float(np.sqrt(units / (units - 1)))


def ends(metric: Metric, errors: Floats, z: float) -> tuple[float, float]:
    """Return the ends of the errors' interval.

    Draws of labels are a posterior already, and their plain percentiles are taken; for the rest
    the percentiles are corrected for bias (Efron 1981, Canadian Journal of Statistics 9).
    """
    shift = 0.0
    if metric.counts is None:
        below = float((errors < 0).mean() + (errors == 0).mean() / 2)
        shift = 2 * float(np.clip(ndtri(below), -1, 1))
    low, high = np.quantile(errors, [float(ndtr(shift - z)), float(ndtr(shift + z))])
    return float(low), float(high)
