"""Every metric by name; the names are scikit-learn's where it has one."""

from __future__ import annotations

import difflib

from assay.errors import SpecError
from assay.metrics import counts, weighted
from assay.metrics.base import TASKS, Metric

_BINARY = frozenset({"binary"})
_MULTICLASS = frozenset({"multiclass"})
_CLASSES = _BINARY | _MULTICLASS
_NUMBER = frozenset({"regression"})
_ALL = frozenset(TASKS)
_INF = float("inf")

RARE = 0.1
"""Below this share of positives (or of the smallest class) another headline metric is chosen."""

_CATALOGUE = (
    Metric("roc_auc", "ROC-AUC", _BINARY, True, "score", "delong",
           needs="both", weighted=weighted.roc_auc),
    Metric("average_precision", "Average precision", _BINARY, True, "score", "log-odds",
           needs="positive", weighted=weighted.average_precision),
    Metric("accuracy", "Accuracy", _CLASSES, True, "label", "wilson", counts=counts.accuracy),
    Metric("balanced_accuracy", "Balanced accuracy", _CLASSES, True, "label", "bootstrap",
           counts=counts.balanced_accuracy),
    Metric("precision", "Precision", _BINARY, True, "label", "wilson", counts=counts.precision),
    Metric("recall", "Recall", _BINARY, True, "label", "wilson",
           needs="positive", counts=counts.recall),
    Metric("specificity", "Specificity", _BINARY, True, "label", "wilson",
           needs="negative", counts=counts.specificity),
    Metric("f1", "F1", _BINARY, True, "label", "bootstrap", needs="positive", counts=counts.f1),
    Metric("f1_macro", "F1 (mean of classes)", _MULTICLASS, True, "label", "bootstrap",
           counts=counts.f1_macro),
    Metric("f1_weighted", "F1 (weighted by class)", _MULTICLASS, True, "label", "bootstrap",
           counts=counts.f1_weighted),
    Metric("mcc", "Matthews correlation", _CLASSES, True, "label", "bootstrap",
           low=-1.0, counts=counts.mcc),
    Metric("log_loss", "Log loss", _CLASSES, False, "probabilities", "skewness-corrected",
           high=_INF, weighted=weighted.log_loss),
    Metric("brier", "Brier score", _BINARY, False, "score", "skewness-corrected",
           digits=4, weighted=weighted.brier),
    Metric("ece", "Calibration error", _BINARY, False, "score", "debiased",
           digits=4, weighted=weighted.ece),
    Metric("roc_auc_ovr", "ROC-AUC (one against the rest)", _MULTICLASS, True, "probabilities",
           "delong", needs="every", weighted=weighted.roc_auc_ovr),
    Metric("rmse", "Root mean squared error", _NUMBER, False, "number", "skewness-corrected",
           unit="target", high=_INF, weighted=weighted.rmse),
    Metric("mae", "Mean absolute error", _NUMBER, False, "number", "skewness-corrected",
           unit="target", high=_INF, weighted=weighted.mae),
    Metric("median_ae", "Median absolute error", _NUMBER, False, "number", "order",
           unit="target", high=_INF, weighted=weighted.median_ae),
    Metric("r2", "R²", _NUMBER, True, "number", "skewness-corrected",
           low=-_INF, needs="spread", weighted=weighted.r2),
    Metric("mape", "Mean absolute percentage error", _NUMBER, False, "number", "skewness-corrected",
           high=_INF, needs="nonzero", weighted=weighted.mape),
    *(
        Metric(name, title, _BINARY, False, "examined", "measured")
        for name, title in {
            "demographic_parity_difference": "Demographic parity difference",
            "equal_opportunity_difference": "Equal opportunity difference",
            "equalized_odds_difference": "Equalized odds difference",
            "average_odds_difference": "Average odds difference",
        }.items()
    ),
    *(
        Metric(f"robustness_{name}", f"Loss of the headline under {title}", _ALL, False,
               "examined", "measured", low=-_INF, high=_INF)
        for name, title in {
            "missing": "missing values", "noise": "noise", "unseen": "unseen categories",
            "extreme": "extreme values", "swapped": "swapped columns", "shift": "covariate shift",
        }.items()
    ),
    Metric("flip_rate", "Answers that a small change flips", _CLASSES, False,
           "examined", "measured"),
    Metric("switch_rate", "Answers that another common category flips", _CLASSES, False,
           "examined", "measured"),
    Metric("label_noise", "Wrong training labels", _ALL, False, "examined", "measured"),
    Metric("conformal_coverage", "Coverage of prediction sets", _ALL, True,
           "examined", "measured"),
    Metric("latency_p50", "Latency, median", _ALL, False, "measured", "measured",
           unit="ms", high=_INF, digits=2),
    Metric("latency_p99", "Latency, 99th percentile", _ALL, False, "measured", "measured",
           unit="ms", high=_INF, digits=2),
    Metric("package_bytes", "Package size", _ALL, False, "measured", "measured",
           unit="bytes", high=_INF, digits=0),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _CATALOGUE}
"""Every metric by name, in the order in which help and reports list them."""

_ALSO = {
    "binary": ("roc_auc", "average_precision", "accuracy", "recall", "precision", "brier"),
    "multiclass": ("accuracy", "balanced_accuracy", "f1_macro", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
}


def get(name: str) -> Metric:
    """Return the metric called `name`; raises SpecError METRIC-UNKNOWN."""
    if name in METRICS:
        return METRICS[name]
    near = difflib.get_close_matches(name.lower().replace("-", "_"), METRICS, 1, 0.5)
    raise SpecError(
        "METRIC-UNKNOWN",
        "there is no metric of this name",
        where="metric",
        got=name,
        allowed=tuple(METRICS),
        hint=f"did you mean {near[0]}?" if near else "choose one of the allowed names",
    )


def names_for(task: str) -> tuple[str, ...]:
    """Return the names of the metrics that fit a task, operational ones last."""
    return tuple(metric.name for metric in _CATALOGUE if task in metric.tasks)


def default_primary(task: str, positive_rate: float | None = None) -> tuple[str, str]:
    """Return the headline metric for a task and one sentence that says why.

    `positive_rate` is the share of the positive class, or of the smallest of many classes.
    """
    rare = positive_rate is not None and positive_rate < RARE
    share = f"{positive_rate:.1%}" if positive_rate is not None else ""
    if task == "binary" and rare:
        return "average_precision", (
            f"only {share} of the rows are positive, and average precision looks at them alone"
        )
    if task == "binary":
        return "roc_auc", "it scores the ranking, whatever share of cases one decides to act on"
    if task == "multiclass" and rare:
        return "f1_macro", f"the smallest class has {share} of the rows and counts as much as any"
    if task == "multiclass":
        return "accuracy", "no class is rare, so the share of right answers says what it seems to"
    return "rmse", "it is in the unit of the target and punishes large errors most"


def default_also(task: str, primary: str = "") -> tuple[str, ...]:
    """Return the metrics reported beside the primary one."""
    return tuple(name for name in _ALSO[task] if name != primary)
