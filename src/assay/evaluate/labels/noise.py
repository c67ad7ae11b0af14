"""How many given labels are wrong, and which, from predictions made out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.metrics.weighted import Floats, divide
from assay.records.report import Estimate

Ints = NDArray[np.int64]

FEWEST = 20
"""Rows that a model must give to a class before its wrong labels can be told."""
BINS = 20
RATES: Floats = 0.98 * np.linspace(0, 1, 121) ** 2
"""Rates of wrong labels that are weighed against each other, close together near 0."""
RISES: Floats = np.geomspace(0.5, 8, 9)
"""How fast disagreement grows from the surest rows of a class to the least sure."""
HEIGHTS: Floats = np.linspace(0, 1, 41)
FLAT = 1.5
"""From this rise on, disagreement stops falling before the surest rows: what is left is noise."""
HALF = 0.5
"""Share of the rows whose noise must be told from overlap to speak of the whole."""
DRAWS = 2_000
TINY = 1e-4
SUREST = 5_000
"""Rows of a class beyond which more rows make its rate no surer: the curve is no exact law."""
FAR = 0.7
"""Share of all answers that must be nearer to a prediction than the own one to disagree."""
SETTLED = 0.6
"""R² of mean distances from which a far answer is more likely wrong than hard to predict."""
METHOD = "disagreement among the surest rows, 95 % of a grid posterior"
METHOD_NUMBER = (
    "answers as far off as any other row's, among the surest rows; 95 % of a grid posterior"
)


@dataclass(frozen=True)
class ClassNoise:
    """Among rows that truly are of a class: the share with another label.

    `rows` are those that the model gives to the class. `settled` says that the classes' own
    overlap does not pass for noise here: disagreement stopped falling among the surest rows.
    """

    rate: float
    low: float
    high: float
    rows: int
    settled: bool


@dataclass(frozen=True)
class Noise:
    """The share of wrong labels, and (n,) how suspicious each row is: more is worse.

    `classes` has one entry a class, None where too few rows were given to it; empty for a number.
    `settled` is the share of rows in classes whose noise can be told from overlap.
    """

    rate: Estimate
    suspicion: Floats
    classes: tuple[ClassNoise | None, ...] = ()
    settled: float = 1.0


def confident_joint(given: Ints, probabilities: Floats) -> Floats:
    """Return (K, K) how many rows of each given class seem to be of each true class.

    `given` (n,) are codes, `probabilities` (n, K) out of fold. A row counts for the class that is
    at least as probable as it is on average among that class's own rows. Rows of the answer add up
    to the given counts. Source: Northcutt, Jiang and Chuang 2021, JAIR 70, equations 1 to 3.
    """
    size = probabilities.shape[1]
    counts = np.bincount(given, minlength=size)
    own = probabilities[np.arange(len(given)), given]
    threshold = divide(
        np.bincount(given, own, size).astype(np.float64), counts.astype(np.float64), np.inf
    )
    sure = probabilities >= threshold - 1e-6
    counted = sure.any(axis=1)
    guess = np.where(sure, probabilities, -1.0).argmax(axis=1)
    cells = given[counted] * size + guess[counted]
    joint = np.bincount(cells, minlength=size**2).reshape(size, size).astype(np.float64)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1.0))
    calibrated: Floats = joint / joint.sum(axis=1, keepdims=True) * counts[:, None]
    return calibrated


def margins(given: Ints, probabilities: Floats) -> Floats:
    """Return (n,) the best other class's probability less the given class's, from -1 to 1.

    The normalised margin of Northcutt, Jiang and Chuang 2021, JAIR 70, section 3.2, turned round.
    """
    rows = np.arange(len(given))
    own = probabilities[rows, given]
    others = probabilities.copy()
    others[rows, given] = -np.inf
    best: Floats = others.max(axis=1) - own
    return best


def label_noise(given: Ints, probabilities: Floats, seed: int = 0) -> Noise:
    """Return how many class labels are wrong, `given` (n,) codes, `probabilities` (n, K).

    The confident joint counts rows of overlapping classes as wrong. Where a model is surest of a
    class, overlap fades and only wrong labels are left to disagree: the rows of each predicted
    class are put in order of its probability, and the disagreement at place q from the surest (0)
    to the least sure (1) is taken as r + a q^b. The posterior of r on a grid, over all a and b,
    gives the noise of a class, and the true classes' shares (from the given ones and the noise)
    the whole. Only the order of the rows matters, not whether probabilities are calibrated.
    Where disagreement still falls among the surest rows, overlap and noise look the same, and the
    interval begins at what the other classes show. Where answers depend on chance and no row is
    sure, as in who will buy, that chance counts as noise: nothing in the data tells them apart.

    Sources: the surest rows as anchors, Liu and Tao 2016, IEEE TPAMI 38, section 4.2, and
    Patrini et al. 2017, CVPR, equation 12; noise and overlap cannot be told apart without them,
    Scott 2015, AISTATS, section 3.
    """
    size = probabilities.shape[1]
    labels = probabilities.argmax(axis=1)
    rng = np.random.default_rng(seed)
    classes: list[ClassNoise | None] = []
    draws, rates = np.zeros((size, DRAWS)), np.zeros(size)
    mistaken = (1 - np.eye(size)) / max(size - 1, 1)
    for code in range(size):
        rows = np.flatnonzero(labels == code)
        classes.append(None)
        if len(rows) < FEWEST:
            continue
        rows = rows[np.argsort(-probabilities[rows, code], kind="stable")]
        weights, rise = _posterior(given[rows] != code)
        noise = classes[code] = _class_noise(weights, rise, len(rows))
        draws[code], rates[code] = rng.choice(RATES, DRAWS, p=weights), noise.rate
        mistaken[code] = _mistaken_for(given[rows], code, mistaken[code])
    share = _true_shares(given, _flow(rates, mistaken))
    settled, known = _settled(classes, share)
    few = [code for code in range(size) if classes[code] is None]
    draws[few], rates[few] = known, known
    value = float(share @ draws.mean(axis=1))
    held = float(share[settled].sum())
    low, high = _ends(draws, share, settled, known)
    low = min(low, value) if held >= HALF else 0.0
    rate = Estimate(value=value, low=low, high=max(high, value), n=len(given), method=METHOD)
    careful = np.where(settled, rates, np.minimum(rates, known)) if held >= HALF else value
    suspicion = _suspicion(given, probabilities, _flow(careful, mistaken))
    return Noise(rate, suspicion, tuple(classes), held)


def _suspicion(given: Ints, probabilities: Floats, flow: Floats) -> Floats:
    """Return (n,) how probable a wrong label is, by Bayes' rule from the noise of the classes.

    It may pass 1 where a label is rarer than even noise would make it.
    """
    true = np.clip(np.linalg.lstsq(flow.T, probabilities.T, rcond=None)[0].T, 0, None)
    true /= np.maximum(true.sum(axis=1, keepdims=True), TINY)
    rows = np.arange(len(given))
    wrong = (true * flow.T[given]).sum(axis=1) - true[rows, given] * flow[given, given]
    chance: Floats = wrong / np.maximum(probabilities[rows, given], TINY)
    return chance


def _posterior(wrong: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Return the weights of `RATES` and the mean rise; `wrong` (n,) from the surest row on."""
    bins = np.array_split(wrong, min(BINS, len(wrong) // (FEWEST // 2)))
    bad = np.array([part.sum() for part in bins], np.float64)
    good = np.array([len(part) for part in bins]) - bad
    place = (np.arange(len(bins)) + 0.5) / len(bins)
    rate, height = RATES[None, :, None, None], HEIGHTS[None, None, :, None]
    rise = place ** RISES[:, None]
    share = np.clip(rate + height * (1 - rate) * rise[:, None, None, :], 1e-4, 1 - 1e-4)
    likelihood = np.log(share) @ bad + np.log1p(-share) @ good
    likelihood *= min(1.0, SUREST / len(wrong))
    # Rates stand closer together near 0; a flat prior gives each the width it stands for.
    weights = np.exp(likelihood - likelihood.max()) * np.gradient(RATES)[None, :, None]
    weights /= weights.sum()
    return weights.sum(axis=(0, 2)), float(RISES @ weights.sum(axis=(1, 2)))


def _class_noise(weights: Floats, rise: float, rows: int) -> ClassNoise:
    low, high = _quantiles(weights)
    return ClassNoise(float(weights @ RATES), low, high, rows, rise >= FLAT)


def _quantiles(weights: Floats) -> tuple[float, float]:
    """Return the ends of the middle 95 % of a posterior over `RATES`."""
    ends = np.searchsorted(np.cumsum(weights), [0.025, 0.975])
    low, high = RATES[np.minimum(ends, len(RATES) - 1)]
    return float(low), float(high)


def _mistaken_for(given: Ints, code: int, otherwise: Floats) -> Floats:
    """Return (K,) which labels the wrong ones of a class have, told from its surer half."""
    surer = given[: max(len(given) // 2, FEWEST)]
    counts = np.bincount(surer[surer != code], minlength=len(otherwise)).astype(np.float64)
    return counts / counts.sum() if counts.sum() else otherwise


def _flow(rates: Floats | float, mistaken: Floats) -> Floats:
    """Return (K, K) how the rows of each true class are labelled; `rates` are (K,), or all one."""
    wrong = np.broadcast_to(rates, len(mistaken))
    flow: Floats = np.diag(1 - wrong) + wrong[:, None] * mistaken
    return flow


def _true_shares(given: Ints, flow: Floats) -> Floats:
    """Return (K,) the shares of the true classes that give the labels' shares, least squares."""
    size = len(flow)
    shares = np.bincount(given, minlength=size) / len(given)
    solved = np.clip(np.linalg.lstsq(flow.T, shares, rcond=None)[0], 0, None)
    true: Floats = solved / solved.sum()
    return true


def _settled(classes: list[ClassNoise | None], share: Floats) -> tuple[NDArray[np.bool_], float]:
    """Return (K,) which classes' noise is told from overlap, and their mean rate.

    The rate is 0 when they hold less than half of the rows.
    """
    settled = np.array([bool(c and c.settled) for c in classes])
    rates = np.array([c.rate if c else 0.0 for c in classes])
    held = float(share[settled].sum())
    return settled, float(share[settled] @ rates[settled]) / held if held >= HALF else 0.0


def _ends(
    draws: Floats, share: Floats, settled: NDArray[np.bool_], known: float
) -> tuple[float, float]:
    lowest = np.where(settled[:, None], draws, np.minimum(draws, known))
    return float(np.quantile(share @ lowest, 0.025)), float(np.quantile(share @ draws, 0.975))


def number_noise(truth: Floats, predicted: Floats) -> Noise:
    """Return how many numbers are wrong in the sense that they could be any other row's.

    `truth` and `predicted` are (n,). A row disagrees when more than `FAR` of all answers are
    nearer to its prediction than its own. A right answer hardly ever is so far off where the model
    is sure, an answer of another row in one of `1 - FAR` cases; so the share r of disagreement is
    carried on to the surest rows as for classes, and divided by that. Wrong answers near the right
    one do not count, and cannot be found. `suspicion` is the distance from the prediction, in units
    of what is usual for rows predicted alike. Below an R² of `SETTLED`, nothing
    is settled, and the interval begins at 0.

    Source: Storey 2002, JRSS B 64, equation 6, for the share of a flat part from its upper end.
    """
    z, width = _standard(truth - predicted, predicted)
    values = np.sort(truth)
    own = _between(values, predicted, np.abs(truth - predicted))
    surest = np.argsort(_between(values, predicted, width), kind="stable")
    weights, _ = _posterior((own > FAR)[surest])
    value = float(weights @ RATES)
    low, high = _quantiles(weights)
    spread = np.abs(truth - np.median(truth)).mean()
    settled = bool(np.abs(truth - predicted).mean() ** 2 <= (1 - SETTLED) * spread**2)
    rate = Estimate(
        value=min(value / (1 - FAR), 1.0),
        low=min(low, value) / (1 - FAR) if settled else 0.0,
        high=min(max(high, value) / (1 - FAR), 1.0),
        n=len(truth),
        method=METHOD_NUMBER,
    )
    return Noise(rate, np.abs(z), settled=float(settled))


def _between(values: Floats, middle: Floats, distance: Floats) -> Floats:
    """Return (n,) the share of the sorted values that are nearer to `middle` than `distance`."""
    inside = np.searchsorted(values, middle + distance) - np.searchsorted(
        values, middle - distance, side="right"
    )
    share: Floats = np.maximum(inside, 0) / len(values)
    return share


def _standard(residual: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    """Return (n,) residuals and their width, both by the residuals of rows predicted alike.

    The middle is taken off, and each side divided by its own median distance; the width is the
    mean of both sides' and never 0.
    """
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, int(np.clip(len(order) // 50, 1, BINS)))
    place = np.array([np.median(predicted[part]) for part in parts])
    low, middle, high = np.array(
        [np.quantile(residual[part], [0.25, 0.5, 0.75]) for part in parts]
    ).T
    centred = residual - np.interp(predicted, place, middle)
    sides = [_never_zero(side, residual) for side in (middle - low, high - middle)]
    below, above = (1.4826 * np.interp(predicted, place, side) for side in sides)
    return centred / np.where(centred < 0, below, above), (below + above) / 2


def _never_zero(spread: Floats, residual: Floats) -> Floats:
    typical = float(np.median(spread)) or float(np.abs(residual).mean()) or 1.0
    return np.maximum(spread, 0.1 * typical)
