"""What a learning curve says: too simple, too wild, in need of more rows, or done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.case import Case
from assay.metrics import METRICS, Metric
from assay.metrics.base import Truth
from assay.records.report import Estimate, Examination, tabled

Floats = NDArray[np.float64]
Verdict = Literal["more rows", "perhaps", "overfit", "underfit", "enough"]

DRAWS = 500
EXPONENTS = np.linspace(0.1, 1.5, 29)
"""How fast a learning curve falls: measured ones lie mostly between 0.2 and 1."""
FACTOR = 2.0
WORTH = 0.02
"""A gain of this share of the error that is left is worth the rows."""
SURE = 0.25
"""More rows would help when the low end of the gain is at least this share of it."""
WILD = 0.25
"""From this share of the squared error on, the draw of the training rows decides too much."""
MET = 0.05
"""The curves have met when the error on unseen rows is larger by at most this share."""
APART = 2.0
"""Where refits are missing, so many times the error on rows it has seen is learning by heart."""
SETTLED = 0.02
"""The error has stopped falling when the last step of the curve took off less than this share."""
FEWEST_POINTS, FEWEST_REFITS = 3, 3
HINTS: dict[Verdict, str] = {
    "more rows": "Collect more rows like these; they will pay.",
    "perhaps": "Collect more rows if they are cheap, and see whether the curve goes on.",
    "overfit": "Make the model simpler (fewer leaves, more penalty) or average more models; "
    "more rows would help too.",
    "underfit": "Look for better columns, or for a model that can bend more.",
    "enough": "Spend effort on better columns rather than on more rows.",
}


@dataclass(frozen=True)
class Split:
    """A mean loss and its parts; what noise cannot be told from bias is in `bias`."""

    loss: float
    bias: float
    variance: float

    def data(self) -> dict[str, float]:
        """Return the parts by name."""
        return {"loss": self.loss, "bias": self.bias, "variance": self.variance}


def squared_parts(truth: Truth, values: Floats) -> Split:
    """Split the mean squared error of m models into bias and variance.

    `values` is (m, n) numbers, or (m, n, k) probabilities, of which the Brier score over all
    classes is split. Both parts are corrected for the number of models and sum to the loss (Geman,
    Bienenstock and Doursat 1992, Neural Computation 4).
    """
    wanted = truth if values.ndim == 2 else np.eye(values.shape[2])[truth]
    loss = _squares(values - wanted).mean()
    variance = _squares(values - values.mean(axis=0)).mean() * len(values) / (len(values) - 1)
    return Split(float(loss), float(loss - variance), float(variance))


def _squares(gaps: Floats) -> Floats:
    squares: Floats = gaps**2 if gaps.ndim == 2 else (gaps**2).sum(axis=2)
    return squares


def labelled_parts(truth: Truth, labels: NDArray[np.int64]) -> Split:
    """Split the share of wrong labels of m models, (m, n) codes, into bias and net variance.

    Domingos 2000, ICML, "A unified bias-variance decomposition": the bias of a row is whether the
    label that most models give is wrong; the variance adds on rows where that is right, and
    subtracts where it is wrong and some models are right by deviating.
    """
    codes = np.arange(int(max(labels.max(), truth.max())) + 1)
    votes = (labels[:, :, None] == codes).sum(axis=0)
    loss = float((labels != truth).mean())
    bias = float((votes.argmax(axis=1) != truth).mean())
    return Split(loss, bias, loss - bias)


def gain(rows: Floats, errors: Floats, spread: Floats, models: int, seed: int) -> Estimate:
    """Return how much the error falls with twice the rows, by a power law with a range.

    error = a + b · rows^-c with a, b ≥ 0 (Hestness et al. 2017, arXiv:1712.00409; Viering and Loog
    2023, IEEE TPAMI 45, on how far to trust it). The range is a parametric bootstrap: the law is
    fitted again to points moved by t-distributed noise of `spread` (p,), which `models` refits
    told; it holds only while new rows are like the old ones.
    """
    draw = np.random.default_rng(seed)
    noise = draw.standard_t(models - 1, (DRAWS, len(errors))) * spread
    gains = _power_law(rows, np.concatenate([errors[None], errors + noise]), spread)
    low, high = np.quantile(gains[1:], [0.025, 0.975])
    value = float(gains[0])
    return Estimate(
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        n=int(rows[-1]),
        method="power law, parametric bootstrap",
    )


def _power_law(rows: Floats, errors: Floats, spread: Floats) -> Floats:
    """Return the (d,) gains that the best law of each set of (d, p) errors foretells."""
    weight = 1 / np.maximum(spread, 1e-12) ** 2
    x = (rows[:, None] / rows[-1]) ** -EXPONENTS  # (p, exponents)
    mean_x, mean_y = weight @ x / weight.sum(), errors @ weight / weight.sum()
    centred = x - mean_x
    slope = (errors - mean_y[:, None]) @ (weight[:, None] * centred)
    slope = slope / np.maximum(weight @ centred**2, 1e-300)
    slope = np.maximum(slope, 0.0)
    floor = mean_y[:, None] - slope * mean_x
    through_zero = errors @ (weight[:, None] * x) / (weight @ x**2)
    slope, floor = np.where(floor < 0, through_zero, slope), np.maximum(floor, 0.0)
    fitted = floor[:, :, None] + slope[:, :, None] * x.T  # (d, exponents, p)
    missed = ((errors[:, None, :] - fitted) ** 2 * weight).sum(axis=2)
    best = missed.argmin(axis=1)
    b = slope[np.arange(len(errors)), best]
    found: Floats = b * (1 - FACTOR ** -EXPONENTS[best])
    return found


def examine(case: Case) -> Examination | None:
    """Return the diagnosis of the learning curve, None when it has fewer than two points."""
    data = case.learning.data
    if len(data.get("rows", ())) < 2:
        return None
    metric, refits = case.primary, data.get("refits")
    seen, unseen = (_errors(metric, data[name]) for name in ("train", "valid"))
    numbers = _numbers(data, unseen, case.seed)
    verdict = _verdict(seen, unseen, numbers)
    tables = {}
    if refits:
        what = f"Where the error comes from ({refits['models']} models, each fitted on other rows)"
        tables[what] = _lines(refits)
    return Examination(
        name="learning",
        title="Would more rows help?",
        reading=_reading(case, metric, data, verdict, numbers),
        concern="look" if verdict in ("overfit", "underfit") else "none",
        advice=HINTS[verdict],
        numbers=numbers,
        tables=tabled(tables),
    )


def _errors(metric: Metric, values: list[float]) -> Floats:
    """Return how far scores are from perfect: less is better, 0 the least where there is one."""
    scores = np.array(values, dtype=np.float64)
    if not metric.higher_is_better:
        return scores
    return (metric.high if np.isfinite(metric.high) else 1.0) - scores


def _numbers(data: dict[str, Any], unseen: Floats, seed: int) -> dict[str, Estimate]:
    """Return the gain that twice the rows promise, and the share of variance, where known."""
    refits = data.get("refits")
    if not refits or len(refits["scores"]) < FEWEST_REFITS:
        return {}
    found = {}
    rows = np.array(data["rows"], dtype=np.float64)
    spread = float(np.std(refits["scores"], ddof=1))
    if len(rows) >= FEWEST_POINTS and spread > 0:
        each = spread * np.sqrt(refits["rows"] / rows)
        found["gain_of_twice_the_rows"] = gain(rows, unseen, each, refits["models"], seed)
    parts = refits["squared"]
    if parts["loss"] > 0:
        share = float(np.clip(parts["variance"] / parts["loss"], 0.0, 1.0))
        found["variance_share"] = Estimate(
            value=share, low=share, high=share, n=refits["models"], method="no interval"
        )
    return found


def _verdict(seen: Floats, unseen: Floats, numbers: dict[str, Estimate]) -> Verdict:
    more, variance = numbers.get("gain_of_twice_the_rows"), numbers.get("variance_share")
    if variance is not None and variance.value >= WILD:
        return "overfit"
    if more is not None and more.value >= WORTH * unseen[-1]:
        return "more rows" if more.low >= SURE * more.value else "perhaps"
    if unseen[-1] - seen[-1] <= MET * unseen[-1]:
        return "underfit"
    if more is not None:
        return "enough"
    # Without refits only the curve itself tells: apart by much, or still falling at its end.
    if variance is None and unseen[-1] >= APART * seen[-1]:
        return "overfit"
    return "perhaps" if unseen[-2] - unseen[-1] >= SETTLED * unseen[-2] else "enough"


def _reading(
    case: Case, metric: Metric, data: dict[str, Any], verdict: Verdict, numbers: dict[str, Estimate]
) -> str:
    train, valid = data["train"][-1], data["valid"][-1]
    parts = [
        f"Trained on {data['rows'][-1]:,} rows, the leading candidate reaches "
        f"{metric.title} {metric.format(valid)} on rows it has not seen and "
        f"{metric.format(train)} on those it has."
    ]
    more = numbers.get("gain_of_twice_the_rows")
    if more is not None:
        value, low, high = (metric.format(end) for end in (more.value, more.low, more.high))
        parts.append(
            f"Twice the rows would make it better by about {value} (between {low} and {high}), if "
            "the new rows are like these."
        )
    else:
        parts.append(
            "How much more rows would bring was not measured: the time was short, or the rows few."
        )
    told = {
        "overfit": "It overfits: which rows it was trained on decides {share} of its error."
        if "variance_share" in numbers
        else "It overfits: it knows the rows that it has seen much better than others.",
        "underfit": "It does nearly as badly on rows it has seen: it is too simple for them, or "
        "the columns do not tell more{others}.",
        "more rows": "More rows would help.",
        "perhaps": "More rows may help, but that is not sure.",
        "enough": "It has about as many rows as it can use.",
    }[verdict]
    share = numbers["variance_share"].value if "variance_share" in numbers else 0.0
    parts.append(told.format(share=f"{share:.0%}", others=_others(case, metric)))
    return " ".join(parts)


def _others(case: Case, metric: Metric) -> str:
    """Return what the candidates of other kinds say about the columns."""
    scored = [t for t in case.leaderboard.trials if t.score is not None]
    best: dict[str, float] = {}
    for trial in scored:
        score = float(trial.score or 0.0)
        known = best.get(trial.candidate.kind)
        if known is None or metric.better(score, known):
            best[trial.candidate.kind] = score
    if len(best) < 2:
        return ""
    errors = _errors(metric, list(best.values()))
    alike = bool(np.ptp(errors) <= MET * errors.min())
    return (
        f"; {len(best)} kinds of model do about equally well, so it is the columns" if alike else ""
    )


def _lines(refits: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    names = {"squared": "Squared error", "labels": "Share of wrong answers"}
    return tuple(
        {
            "Error": names[name],
            "In all": METRICS["mae"].format(refits[name]["loss"]),
            "Of it always there (bias, and what no model can know)": METRICS["mae"].format(
                refits[name]["bias"]
            ),
            "Of it from the draw of the rows (variance)": METRICS["mae"].format(
                refits[name]["variance"]
            ),
        }
        for name in names
        if name in refits
    )
