"""Metrics in the words of people who know no statistics: as cases in a hundred where that fits."""

from __future__ import annotations

from dataclasses import dataclass

from assay.records.report import Estimate
from assay.report import figures
from assay.report.numbers import HUNDRED, Book, Num, Text, say
from assay.report.text import capital, number
from assay.report.words import METRIC_TERMS


@dataclass(frozen=True)
class Measure:
    """A metric in plain words; `form` says whether it is counted in cases of a hundred."""

    metric: str
    words: str
    form: str

    @property
    def label(self) -> Text:
        """Return what is counted, with the hundred marked as the scale that it is."""
        return say(capital(self.words), hundred=HUNDRED)

    def number(self, book: Book, *steps: object, gap: bool = False) -> Num:
        """Return the number at a place in this measure; a `gap` of two keeps a digit."""
        if self.form == "hundred" and gap:
            return book.num(*steps, form="hundred", show=lambda value: number(round(value, 1)))
        if self.form == "hundred":
            return book.cases(*steps)
        return book.num(*steps, show=lambda value: figures.value(self.metric, value))

    def said(self, book: Book, *steps: object, gap: bool = False) -> Text:
        """Return an estimate or a gate with its interval: `53 (between 49 and 57)`."""
        keys = ("value", "low", "high")
        value, low, high = (self.number(book, *steps, key, gap=gap) for key in keys)
        if low.exact == high.exact:
            return say("{value}", value=value)
        return say("{value} (between {low} and {high})", value=value, low=low, high=high)


_IN_A_HUNDRED = {
    "accuracy": "right answers, of {hundred} cases",
    "balanced_accuracy": "right answers, of {hundred} cases, every class counting the same",
    "recall": "cases found, of {hundred} that there are",
    "precision": "picks that are right, of {hundred} picks",
    "specificity": "cases rightly left alone, of {hundred} that should be",
    "roc_auc": "pairs of cases put in the right order, of {hundred} (half is guessing)",
    "roc_auc_ovr": "pairs of cases put in the right order, of {hundred} (half is guessing)",
    "r2": "parts of the differences between cases explained, of {hundred}",
    "mape": "error in parts of the true value, of {hundred}",
    "average_odds_difference": "difference between groups in cases found and false alarms, of "
    "{hundred} cases",
    "equalized_odds_difference": "largest difference between groups in cases found or false "
    "alarms, of {hundred} cases",
    "equal_opportunity_difference": "difference between groups in cases found, of {hundred} that "
    "there are",
    "demographic_parity_difference": "difference between groups in cases picked, of {hundred} "
    "cases",
    "flip_rate": "answers that a small change turns around, of {hundred}",
    "switch_rate": "answers that another word in the case turns around, of {hundred}",
    "label_noise": "recorded answers that look wrong, of {hundred}",
    "conformal_coverage": "true answers inside the range or set given, of {hundred}",
}
_AS_IT_IS = {
    "mae": "how far an answer is off, on average",
    "median_ae": "what half of the answers are off by at most",
    "rmse": "how far an answer is off, large errors counting more",
    "brier": "how far the probabilities are from what happened (zero is perfect)",
    "log_loss": "how surprised the model is by what happened (zero is perfect)",
    "ece": "how far the probabilities are off from what happens, on average",
    "average_precision": "how right the picks are over all lengths of the list (one is perfect)",
    "latency_p50": "the usual time for one answer",
    "latency_p99": "the time for one of the slowest answers",
    "package_bytes": "the size of the model",
    "robustness_missing": "what is lost of the main measure when values are missing",
    "robustness_noise": "what is lost of the main measure when numbers are a little off",
    "robustness_unseen": "what is lost of the main measure when words are new to it",
    "robustness_extreme": "what is lost of the main measure when numbers are far off",
    "robustness_swapped": "what is lost of the main measure when columns are mixed up",
    "robustness_shift": "what is lost of the main measure when the mix of cases changes",
}


def measure(metric: str) -> Measure:
    """Return a metric in plain words; one without words of its own keeps its title."""
    if metric in _IN_A_HUNDRED:
        return Measure(metric, _IN_A_HUNDRED[metric], "hundred")
    # a title or an explanation may hold braces or a digit; words of our own do not
    return Measure(metric, _AS_IT_IS.get(metric, _own(metric)), "value")


def _own(metric: str) -> str:
    words = METRIC_TERMS.get(metric, figures.title(metric)).split(";")[0]
    return words.replace("{", "(").replace("}", ")")


def clearly_below(part: Estimate, whole: Estimate, *, higher_is_better: bool) -> bool:
    """Return True when all of a part's interval is worse than the value of the whole."""
    return part.high < whole.value if higher_is_better else part.low > whole.value
