"""What the records mean, in plain sentences: the verdict, the split, the limits, the terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.records.decision import Decision, GateResult
from assay.records.report import Comparison, SliceResult
from assay.report import figures
from assay.report.text import capital, count, cut, listing, p_value, percent, plural, sentence
from assay.report.view import RunView

SMALL_SLICE = 50
"""Rows below which a slice is flagged."""


@dataclass(frozen=True)
class Verdict:
    """The outcome as one word and one sentence; `style` names its look, `sign` its symbol."""

    style: Literal["accepted", "rejected", "inconclusive", "stopped"]
    word: str
    sign: str
    sentence: str


def verdict(view: RunView) -> Verdict:
    """Say how the run came out."""
    if view.decision is not None:
        return _decided(view, view.decision)
    if view.audit.blocking:
        found = plural(len(view.audit.blocking), "problem")
        said = (
            f"The data audit found {found} that would make any score misleading, so nothing was "
            f"trained. {sentence(cut(view.audit.blocking[0].message, 300))}"
        )
        return Verdict("stopped", "Stopped by the audit", "■", said)
    reason = sentence(cut(view.reason or "The run did not reach a verdict.", 300))
    return Verdict("stopped", "Stopped", "■", reason)


def _decided(view: RunView, decision: Decision) -> Verdict:
    gates = decision.gates
    if not gates:
        reason = sentence(cut(decision.reason or "No gate was set.", 300))
        sign = {"accepted": "✓", "rejected": "✕"}.get(decision.verdict, "?")
        return Verdict(decision.verdict, decision.verdict.capitalize(), sign, reason)
    failed = [g for g in gates if g.verdict == decision.verdict]
    of = f"{len(failed)} of {len(gates)} gates" if len(gates) > 1 else "the gate"
    if decision.verdict == "accepted":
        all_ = {1: "The gate", 2: "Both gates"}.get(len(gates), f"All {len(gates)} gates")
        holds = "holds" if len(gates) == 1 else "hold"
        said = f"{all_} {holds}, with the whole interval on the right side.{_headline(view)}"
        return Verdict("accepted", "Accepted", "✓", said)
    names = listing(f"“{cut(figures.gate_name(g), 60)}” ({_found(g)})" for g in failed[:4])
    if decision.verdict == "rejected":
        said = f"{capital(of)} failed, with the whole interval on the wrong side: {names}."
        return Verdict("rejected", "Rejected", "✕", said)
    needed = max((g.rows_needed or 0 for g in failed), default=0)
    more = f" About {count(needed)} test rows would decide." if needed else ""
    said = f"The test rows cannot decide {of}: {names}.{more}"
    return Verdict("inconclusive", "Inconclusive", "?", said)


def _headline(view: RunView) -> str:
    primary, report = view.problem.primary, view.report
    if report is None or primary not in report.champion.metrics:
        return ""
    found = report.champion.metrics[primary]
    return (
        f" On {plural(report.rows, 'test row')} that it had never seen, the model reached a "
        f"{figures.title(primary)} of {figures.value(primary, found.value)} (95% interval "
        f"{figures.interval(primary, found)})."
    )


def _found(gate: GateResult) -> str:
    low, high = (figures.value(gate.metric, end) for end in (gate.low, gate.high))
    found = figures.value(gate.metric, gate.value)
    return found if low == high else f"{found}, interval {low} to {high}"


def paired(comparison: Comparison) -> str:
    """Say how champion and baseline differ on the same rows."""
    name, found = figures.title(comparison.metric), comparison.difference
    if comparison.champion == comparison.baseline:
        return "The champion is the baseline itself: nothing that was tried scored better."
    size = figures.value(comparison.metric, abs(found.value))
    low, high = (figures.signed(comparison.metric, end) for end in (found.low, found.high))
    tail = f"(95% interval {low} to {high}, {p_value(comparison.p_value)})"
    on = f"On the same {plural(found.n, 'test row')}"
    if found.low > 0:
        return f"{on} the champion is better than the baseline by {size} in {name} {tail}."
    if found.high < 0:
        return f"{on} the champion is worse than the baseline by {size} in {name} {tail}."
    if size == figures.value(comparison.metric, 0.0):
        return f"{on} champion and baseline are level in {name} {tail}."
    side = "ahead" if found.value >= 0 else "behind"
    return (
        f"{on} the champion is {side} by {size} in {name}, which may be chance: the interval of "
        f"the difference contains zero {tail}."
    )


def split_policy(view: RunView) -> str:
    """Say how test rows were set aside."""
    policy, _, columns = view.split.policy.partition(" ")
    on, seed = f"“{cut(columns, 60)}”", view.split.seed
    said = {
        "stratify_on": f"at random with equal shares of each {on}, seed {seed}",
        "group_on": f"so that no value of {on} is on both sides, seed {seed}",
        "time_on": f"by time: the test rows are the latest by {on}",
        "group_time_on": f"by group and time ({on}): later rows, and no group on both sides",
        "predefined_on": f"as the column {on} says",
        "data.test": "by coming in a table of their own",
    }
    return f"Test rows were set aside {said.get(policy, f'at random, with seed {seed}')}."


def small(result: SliceResult) -> bool:
    """Return True for a slice with too few rows to say much."""
    return result.rows < SMALL_SLICE or not result.metrics


def limits(view: RunView) -> tuple[str, ...]:
    """Say what these numbers do not tell, each sentence drawn from a record."""
    found = [*_data_limits(view), *_test_limits(view)]
    found += [
        f"The finding {cut(finding.code, 40)} on {cut(finding.where, 60)} was accepted by a "
        f"person: “{sentence(cut(finding.accepted, 200))}”"
        for finding in view.audit.findings
        if finding.accepted is not None
    ]
    return tuple(found)


def _data_limits(view: RunView) -> list[str]:
    found = []
    times = [c for c in view.snapshot.columns if c.type == "datetime" and c.low is not None]
    if not times:
        found.append(
            "The data carry no date, so it is unknown which time they describe and whether the "
            "model still holds today."
        )
    elif "time" not in view.split.policy:
        found.append(
            "The test rows come from the same time as the training rows. How well the model does "
            "on later data was not measured."
        )
    open_findings = [
        f for f in view.audit.findings if f.severity == "warning" and f.accepted is None
    ]
    if open_findings:
        found.append(f"The audit left {plural(len(open_findings), 'warning')} open.")
    return found


def _test_limits(view: RunView) -> list[str]:
    report = view.report
    if report is None:
        return ["No model was trained, and the test rows were not used."]
    found = [
        "Intervals are 95% intervals: about one in twenty misses the true value, and they speak "
        "for rows like the test rows only."
    ]
    itself = report.champion.name == report.baseline.name
    if report.comparison.difference.low <= 0 and not itself:
        found.append(
            f"The champion was not shown to beat the baseline “{cut(report.baseline.name, 40)}”, "
            "which is simpler."
        )
    if view.test_reads > 1:
        found.append(
            f"The test rows were read {view.test_reads} times. Each further look makes the "
            "result a little too good."
        )
    weak = [s for s in report.slices if small(s)]
    if weak:
        names = listing(f"{cut(s.column, 30)} = {cut(s.value, 30)}" for s in weak[:3])
        more = f" and {len(weak) - 3} more" if len(weak) > 3 else ""
        found.append(f"Some slices are too small to judge: {names}{more}.")
    if not report.slices:
        found.append("No slices were asked for, so weak groups may hide in the average.")
    if view.leaderboard is not None and view.leaderboard.stopped_by == "budget":
        found.append("The search stopped at its budget; a larger one may find a better model.")
    return found


def positive_share(view: RunView) -> str:
    """Say how common the positive class is, or nothing where that makes no sense."""
    if view.problem.positive is None:
        return ""
    try:
        target = view.snapshot.column(view.problem.target)
    except KeyError:
        return ""
    rows = target.rows - target.missing
    hits = dict(target.top).get(view.problem.positive)
    return percent(hits / rows) if hits is not None and rows else ""


GLOSSARY: dict[str, str] = {
    "Audit": "Checks of the data that run before training and look for what would make scores lie.",
    "Baseline": "The simplest sensible model. A better one has to beat it to be worth its cost.",
    "Calibration": "Whether a probability means what it says: of the rows given 30%, 30% happen.",
    "Champion": "The best model of the search, trained again on all training rows.",
    "Confidence interval": "The range that would hold the true value in 95 of 100 such tests.",
    "Cross-validation": "Training on some parts (folds) of the training rows and scoring on the "
    "part left out, in turn. Used to choose a model; the test rows stay untouched.",
    "Digest": "A fingerprint of content (SHA-256). If one character changes, it changes.",
    "Gate": "A rule that was set before training and that the model must meet.",
    "Inconclusive": "The interval lies on both sides of the threshold: more test rows are needed.",
    "Leakage": "A column that knows the answer, because it was filled in afterwards.",
    "Parity": "Whether the exported package answers exactly as the trained model does.",
    "p-value": "How often chance alone would give a difference at least this large.",
    "Seal": "The question, metric, split and gates, fixed by a digest before the first training.",
    "Slice": "The rows with one value of one column, scored by themselves.",
    "Test rows": "Rows set aside at the start, used once to judge the finished model.",
}

METRIC_TERMS: dict[str, str] = {
    "accuracy": "The share of rows that get the right class.",
    "average_precision": "The mean precision over all levels of recall; a coin toss gets the "
    "share of positive rows, 1 is perfect.",
    "balanced_accuracy": "The mean of the recall of each class, rare classes count as much.",
    "brier": "The mean squared distance of probability and outcome; 0 is perfect.",
    "ece": "How far the probabilities are off from the observed shares, on average.",
    "f1": "A mean of precision and recall that is high only when both are.",
    "f1_macro": "F1 of each class, every class counted the same.",
    "f1_weighted": "F1 of each class, weighted by its rows.",
    "log_loss": "How surprised the model is by the truth; sure and wrong costs most. 0 is perfect.",
    "mae": "How far a prediction is off, on average, in the unit of the target.",
    "mape": "How far a prediction is off, on average, as a share of the true value.",
    "mcc": "The correlation of predicted and true class; 0 is guessing, 1 is perfect.",
    "median_ae": "Half of the predictions are off by less than this.",
    "precision": "Of the rows that the model flags, the share that is right.",
    "r2": "The share of the target's variance that the model explains; 1 is perfect.",
    "recall": "Of the rows that should be flagged, the share that the model finds.",
    "rmse": "The typical error in the unit of the target; large errors count more.",
    "roc_auc": "How often the model ranks a random positive row above a random negative one; 0.5 "
    "is a coin toss, 1 is perfect.",
    "roc_auc_ovr": "ROC-AUC of each class against all others, averaged.",
    "specificity": "Of the rows that should not be flagged, the share that is left alone.",
}


def glossary(view: RunView) -> dict[str, str]:
    """Return the terms of this report in alphabetical order, its metrics under their titles."""
    used = view.report.champion.metrics if view.report else {}
    metrics = {figures.title(m): METRIC_TERMS[m] for m in used if m in METRIC_TERMS}
    return dict(sorted((GLOSSARY | metrics).items(), key=lambda term: term[0].lower()))
