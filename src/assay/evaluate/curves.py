"""The data of the plots: few points, drawn without visible loss, as plain lists.

What each kind's `data` holds:

- `roc`, `precision_recall`: `x`, `y`, `baseline_x`, `baseline_y` (lists), `x_label`, `y_label`
- `calibration`: `predicted`, `observed`, `low`, `high`, `count`, one item per bin
- `confusion`: `classes`, and `counts` with one row per actual class
- `score_histogram`: `edges`, and `series` with the counts of each class
- `predicted_actual`: `actual`, `predicted`
- `residuals`: `edges` and `counts` of the histogram; `predicted` and `residual` of sampled rows
- `learning`: `rows`, `train`, `valid`; where there was time `refits`, a dict: `rows`, `models`,
  their `scores`, and the parts of their squared error (`squared`) and wrong labels (`labels`)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.answers.calibration import calibration_curve
from assay.kernel.family import Predictions
from assay.metrics import Metric
from assay.metrics.base import Truth
from assay.metrics.weighted import Floats, Rows, Weighted, divide
from assay.records.report import Curve
from assay.records.snapshot import Problem

POINTS = 200
SAMPLED = 1_500
SCORE_BINS = 25
RESIDUAL_BINS = 40
MOST_CLASSES = 30


def curves(
    problem: Problem, truth: Truth, predictions: Predictions, baseline: Predictions
) -> tuple[Curve, ...]:
    """Return the plots that fit the problem's task; a plot that the rows cannot give is left out.

    `truth` is (n,) codes into `problem.classes` or numbers; both predictions are of these rows.
    """
    code = problem.positive_code
    rows = Rows.of(truth, predictions, code)
    if not problem.classes:
        return _predicted_actual(rows), _residuals(rows)
    drawn: list[Curve] = []
    if problem.positive is not None:
        if 0 < rows.positive.sum() < rows.n:
            other = Rows.of(truth, baseline, code)
            drawn += [_roc(rows, other), _precision_recall(rows, other)]
        note = f"probability of {problem.positive}"
        drawn.append(calibration_curve(rows.score, rows.positive, "Calibration", note))
        drawn.append(_score_histogram(rows, problem))
    else:
        hits = rows.truth == rows.labels
        chosen = rows.values.max(axis=1)
        note = "probability of the predicted class"
        drawn.append(calibration_curve(chosen, hits, "Calibration", note))
    return (*drawn, _confusion(rows, problem.classes))


def learning_curve(
    sizes: Sequence[int],
    train: Sequence[float],
    valid: Sequence[float],
    metric: Metric,
    refits: dict[str, Any] | None = None,
) -> Curve:
    """Return the plot of a metric on seen and unseen rows against the rows trained on.

    `refits` is what `diagnosis` needs to know of models fitted again on other rows, where there
    was time for them.
    """
    data: dict[str, Any] = {"rows": list(sizes), "train": list(train), "valid": list(valid)}
    if refits is not None:
        data["refits"] = refits
    return Curve(kind="learning", title=f"Learning curve ({metric.title})", data=data)


def _roc(rows: Rows, baseline: Rows) -> Curve:
    (x, y), (base_x, base_y) = (_thinned(*_roc_points(model)) for model in (rows, baseline))
    return _paired("roc", "ROC curve", (x, y), (base_x, base_y), "False positive rate", "Recall")


def _precision_recall(rows: Rows, baseline: Rows) -> Curve:
    one, two = (_thinned(*_precision_recall_points(model)) for model in (rows, baseline))
    title = "Precision and recall"
    return _paired("precision_recall", title, one, two, "Recall", "Precision")


def _paired(
    kind: str,
    title: str,
    champion: tuple[Floats, Floats],
    baseline: tuple[Floats, Floats],
    x_label: str,
    y_label: str,
) -> Curve:
    data = {
        "x": _plain(champion[0]),
        "y": _plain(champion[1]),
        "baseline_x": _plain(baseline[0]),
        "baseline_y": _plain(baseline[1]),
        "x_label": x_label,
        "y_label": y_label,
    }
    return Curve(kind=kind, title=title, data=data)


def _found(rows: Rows) -> tuple[Floats, Floats]:
    """Return how many positives and negatives score at least each distinct score."""
    hits, others = Weighted(rows, np.ones((1, rows.n))).ties(rows.positive_code)
    return np.cumsum(hits[0]), np.cumsum(others[0])


def _roc_points(rows: Rows) -> tuple[Floats, Floats]:
    hits, others = _found(rows)
    return np.r_[0.0, others / others[-1]], np.r_[0.0, hits / hits[-1]]


def _precision_recall_points(rows: Rows) -> tuple[Floats, Floats]:
    hits, others = _found(rows)
    precision = divide(hits, hits + others, 0.0)
    return np.r_[0.0, hits / hits[-1]], np.r_[precision[0], precision]


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return at most `POINTS` points, evenly spaced along the line, both ends included."""
    if len(x) <= POINTS:
        return x, y
    along = np.r_[0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))]
    places = np.searchsorted(along, np.linspace(0, along[-1], POINTS - 1))
    kept = np.unique(np.r_[0, np.minimum(places, len(x) - 1), len(x) - 1])
    return x[kept], y[kept]


def _score_histogram(rows: Rows, problem: Problem) -> Curve:
    edges = np.linspace(0, 1, SCORE_BINS + 1)
    series = {
        name: np.histogram(rows.score[rows.truth == code], edges)[0].tolist()
        for code, name in enumerate(problem.classes)
    }
    data: dict[str, Any] = {"edges": _plain(edges), "series": series}
    title = f"Scores for {problem.positive}, by actual class"
    return Curve(kind="score_histogram", title=title, data=data)


def _confusion(rows: Rows, classes: tuple[str, ...]) -> Curve:
    """Return the confusion matrix; beyond `MOST_CLASSES` the rarest classes are one."""
    names, truth, labels, note = list(classes), rows.truth, rows.labels, ""
    if len(classes) > MOST_CLASSES:
        often = np.argsort(-np.bincount(truth, minlength=len(classes)), kind="stable")
        kept = np.sort(often[: MOST_CLASSES - 1])
        place = np.full(len(classes), len(kept))
        place[kept] = np.arange(len(kept))
        names = [classes[code] for code in kept] + ["(other)"]
        truth, labels = place[truth], place[labels]
        note = f"the {len(classes) - len(kept)} rarest classes are taken together"
    size = len(names)
    counts = np.bincount(truth * size + labels, minlength=size * size).reshape(size, size)
    data = {"classes": names, "counts": counts.tolist()}
    return Curve(kind="confusion", title="Confusion matrix", data=data, note=note)


def _predicted_actual(rows: Rows) -> Curve:
    kept = _sample(rows.n)
    data = {"actual": _plain(rows.truth[kept]), "predicted": _plain(rows.values[kept])}
    title = "Predicted and actual"
    return Curve(kind="predicted_actual", title=title, data=data, note=_sample_note(rows.n))


def _residuals(rows: Rows) -> Curve:
    """Return actual minus predicted: its histogram (ends gathered), and against the prediction."""
    residual = -rows.error
    low, high = np.quantile(residual, [0.005, 0.995])
    counts, edges = np.histogram(np.clip(residual, low, high), RESIDUAL_BINS)
    kept = _sample(rows.n)
    data = {
        "edges": _plain(edges),
        "counts": counts.tolist(),
        "predicted": _plain(rows.values[kept]),
        "residual": _plain(residual[kept]),
    }
    return Curve(kind="residuals", title="Residuals", data=data, note=_sample_note(rows.n))


def _sample(n: int) -> NDArray[np.int64]:
    """Return the positions of the rows to draw, always the same for the same n."""
    if n <= SAMPLED:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, SAMPLED, replace=False))


def _sample_note(n: int) -> str:
    return f"{SAMPLED:,} of {n:,} rows, drawn at random" if n > SAMPLED else ""


def _plain(values: NDArray[Any]) -> list[float]:
    """Return plain floats with six significant digits: no plot shows more."""
    return [float(f"{value:.6g}") for value in values]
