"""The threshold from which an answer is positive: how it is chosen, and what it brings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.answers.rules import FEWEST, Ladder, Rule, ladder, rule_of
from assay.evaluate.case import Case
from assay.evaluate.cells import percentiles, redrawn
from assay.kernel.family import Predictions
from assay.metrics import get
from assay.metrics.intervals.estimates import estimates
from assay.metrics.intervals.linear import critical, wilson
from assay.metrics.operate import two_classes
from assay.records.report import Curve, Estimate, Examination, tabled
from assay.records.spec import AnswersSection

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DOUBTS = 2.0
"""Standard errors by which another threshold must be cheaper than the one that theory gives."""
GRID = np.linspace(0, 1, 51)
"""Thresholds that are drawn; those that call no row are left out."""
TRIED = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def choose_threshold(answers: AnswersSection, score: Floats, positive: Mask) -> tuple[float, str]:
    """Return the threshold that the project's rule gives on (n,) rows out of fold, and why.

    A share to act on, a precision or a recall is met on these rows; costs take the threshold that
    is best for right probabilities (Elkan 2001) unless another is cheaper by more than chance.
    """
    if answers.threshold is not None:
        return answers.threshold, f"threshold {answers.threshold:g}, as the project says"
    if not 0 < positive.sum() < len(positive):
        return 0.5, "threshold 0.5: the rows to choose it on are all of one class"
    rule, steps = rule_of(answers), ladder(score, positive)
    if answers.costs:
        return _cheapest(rule, steps)
    if answers.capacity is None and answers.precision is None and answers.recall is None:
        return 0.5, "threshold 0.5: no rule chooses another"
    yes, no = float(steps.hits[-1]), float(steps.alarms[-1])
    worth = rule.worth(steps.hits, steps.alarms, yes, no)
    if np.isneginf(worth).all():
        return _most_precise(answers, steps)
    step = int(worth.argmax())
    return steps.threshold(step), _why(answers, steps, step)


def _cheapest(rule: Rule, steps: Ladder) -> tuple[float, str]:
    alarm, miss = rule.costs
    yes, no = float(steps.hits[-1]), float(steps.alarms[-1])
    plain = alarm / (alarm + miss)
    worth = rule.worth(steps.hits, steps.alarms, yes, no)
    best, given = int(worth.argmax()), steps.step(plain)
    hits = abs(steps.hits[best] - steps.hits[given])
    alarms = abs(steps.alarms[best] - steps.alarms[given])
    noise = DOUBTS * np.sqrt(miss**2 * hits + alarm**2 * alarms) / (yes + no)
    named = f"a false alarm costs {alarm:g} and a miss {miss:g}"
    if worth[best] - worth[given] <= noise:
        return round(plain, 9), f"threshold {plain:.4g}: {named}, and the probabilities are right"
    found = steps.threshold(best)
    return found, (
        f"threshold {found:g}: {named}; on rows out of fold it is cheaper by more than chance than "
        f"{plain:.4g}, which would be best if the probabilities were right"
    )


def _most_precise(answers: AnswersSection, steps: Ladder) -> tuple[float, str]:
    """Return the threshold of the highest precision when the one asked for is out of reach."""
    called = steps.hits + steps.alarms
    share = np.divide(steps.hits, called, out=np.zeros_like(called), where=called > 0)
    step = int(np.where(called >= min(FEWEST, steps.hits[-1]), share, -1.0).argmax())
    found = steps.threshold(step)
    return found, (
        f"threshold {found:g}: no threshold reaches a precision of {answers.precision:.0%} on rows "
        f"out of fold; this one has the highest, {share[step]:.0%}"
    )


def _why(answers: AnswersSection, steps: Ladder, step: int) -> str:
    called = steps.hits[step] + steps.alarms[step]
    share = called / (steps.hits[-1] + steps.alarms[-1])
    recall = steps.hits[step] / steps.hits[-1]
    precision = steps.hits[step] / max(called, 1.0)
    found = f"threshold {steps.threshold(step):g}: on rows out of fold it"
    if answers.capacity is not None:
        return f"{found} calls {share:.1%} of the rows, within the {answers.capacity:.1%} allowed"
    if answers.precision is not None:
        return (
            f"{found} is the lowest with a precision of {answers.precision:.0%} "
            f"(it has {precision:.1%}, and finds {recall:.1%} of the positives)"
        )
    return (
        f"{found} is the highest with a recall of {answers.recall:.0%} "
        f"(it finds {recall:.1%}, and {precision:.1%} of those called are right)"
    )


def examine(case: Case) -> Examination | None:
    """Show what the chosen threshold brings on the test rows, and what others would bring."""
    problem = case.problem
    if problem.positive is None or len(case.test.truth) == 0:
        return None
    positive = case.test.truth == problem.positive_code
    score = case.champion.values[:, problem.positive_code].round(9)
    called = case.champion.codes(problem.positive_code) == problem.positive_code
    costs = rule_of(case.seal.answers).costs
    numbers = _shares(case, positive, called) | _costs(case, positive, called, score >= 0.5, costs)
    concern, advice = _judged(case, numbers)
    return Examination(
        name="thresholds",
        title="From a score to an answer",
        reading=_reading(case, numbers, positive),
        concern=concern,
        advice=advice,
        numbers=numbers,
        tables=tabled(
            {
                "At the chosen threshold": _confusion(problem.positive, positive, called),
                "Other thresholds": _lines(score, positive, costs),
            }
        ),
        curves=(_curve(case, score, positive),) if positive.any() else (),
    )


def _curve(case: Case, score: Floats, positive: Mask) -> Curve:
    """Return the share of the called that is right, and the share found, by threshold."""
    above = {True: np.sort(score[positive]), False: np.sort(score[~positive])}
    hits, alarms = (
        len(scores) - np.searchsorted(scores, GRID, side="left") for scores in above.values()
    )
    some = hits + alarms > 0
    chosen = None if case.operating.thresholds else case.operating.threshold
    return Curve(
        kind="thresholds",
        title="What other thresholds would bring",
        data={
            "threshold": [round(float(each), 2) for each in GRID[some]],
            "precision": (hits[some] / (hits + alarms)[some]).tolist(),
            "recall": (hits[some] / positive.sum()).tolist(),
            "chosen": chosen,
        },
        note="" if chosen is not None else "Each group has a threshold of its own.",
    )


def _shares(case: Case, positive: Mask, called: Mask) -> dict[str, Estimate]:
    """Return the share of rows called positive, precision and recall, where they mean something."""
    wanted = [get(name) for name in ("precision", "recall")]
    fit = [m for m in wanted if len(positive) > 1 and not m.unfit(positive.astype(np.int64), 2, 1)]
    answers = Predictions(two_classes(called.astype(np.float64), 1))
    found = estimates(
        fit,
        positive.astype(np.int64),
        answers,
        positive_code=1,
        groups=case.groups,
        seed=case.seed,
    )
    share = float(called.mean())
    low, high = wilson(share, len(called), critical(0.95))
    flagged = Estimate(value=share, low=low, high=high, n=len(called), method="wilson")
    return {"flagged": flagged, **found}


def _costs(
    case: Case, positive: Mask, called: Mask, at_half: Mask, costs: tuple[float, float]
) -> dict[str, Estimate]:
    """Return the cost per row, and what is saved against a half and against all and none called.

    Without costs of the project's own each wrong answer counts as one.
    """
    alarm, miss = costs
    cells = 4 * positive + 2 * called + at_half
    yes, chosen, half = np.array([[i >> 2, i >> 1 & 1, i & 1] for i in range(8)]).T

    def priced(answer: NDArray[np.int64]) -> Floats:
        price: Floats = alarm * (1 - yes) * answer + miss * yes * (1 - answer)
        return price

    here = priced(chosen)
    ways = {
        "cost": here,
        "saved_against_half": priced(half) - here,
        "saved_against_none": priced(np.zeros_like(yes)) - here,
        "saved_against_all": priced(np.ones_like(yes)) - here,
    }
    counts = np.bincount(cells, minlength=8)
    drawn = redrawn(cells, 8, np.random.default_rng(case.seed), case.groups)
    drawn = drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1e-300)
    n = len(cells)
    return {
        name: percentiles(float(counts @ price) / n, drawn @ price, n)
        for name, price in ways.items()
    }


def _reading(case: Case, numbers: dict[str, Estimate], positive: Mask) -> str:
    name, flagged = case.problem.positive, numbers["flagged"]
    where = (
        f"its group's threshold ({case.operating.group})"
        if case.operating.thresholds
        else f"{case.operating.threshold:.4g}"
    )
    text = (
        f'A row is answered "{name}" when its probability is at least {where}: '
        f"{flagged.value:.1%} of the test rows are."
    )
    if "recall" in numbers:
        found, right = numbers["recall"], numbers["precision"]
        text += (
            f" Of the {int(positive.sum()):,} that truly are, {found.value:.0%} are found (between "
            f"{found.low:.0%} and {found.high:.0%}); of those called, {right.value:.0%} are right "
            f"(between {right.low:.0%} and {right.high:.0%})."
        )
    if case.seal.answers.costs:
        saved = numbers["saved_against_half"]
        text += (
            f" Against a threshold of a half it saves {_amount(saved.value)} per row (between "
            f"{_amount(saved.low)} and {_amount(saved.high)}), in the unit of the costs."
        )
    return text


def _amount(value: float) -> str:
    return get("mae").format(value)


def _judged(case: Case, numbers: dict[str, Estimate]) -> tuple[Any, str]:
    """Say whether the rule that the threshold was chosen by holds on the test rows."""
    answers = case.seal.answers
    floors = {"precision": answers.precision, "recall": answers.recall}
    for name, floor in floors.items():
        if floor is not None and name in numbers and numbers[name].high < floor:
            return "serious", (
                f"The {name} of {floor:.0%} that the threshold was chosen for is not reached on "
                "the test rows. Choose a stricter one, or find out how these rows differ."
            )
    if answers.capacity is not None and numbers["flagged"].low > answers.capacity:
        return "look", (
            f"More rows are called than the {answers.capacity:.1%} you can act on: take the "
            "highest scores first, and find out why these rows score higher than the training rows."
        )
    if answers.costs:
        simple = min(("none", "all"), key=lambda way: numbers[f"saved_against_{way}"].value)
        saved = numbers[f"saved_against_{simple}"]
        if saved.low <= 0:
            worse = saved.high < 0
            shown = "would be cheaper" if worse else "may be no dearer"
            return "serious" if worse else "look", (
                f"With these costs it {shown} to call {simple} of the rows positive without asking "
                "the model: check the costs, and bring better features before you rely on it."
            )
    if answers == AnswersSection(calibrate=answers.calibrate, coverage=answers.coverage):
        return "none", (
            "Nobody chose this threshold. If a miss and a false alarm do not cost the same, state "
            "answers.costs; if you can act on a share of the rows only, state answers.capacity."
        )
    return "none", ""


def _confusion(name: str, positive: Mask, called: Mask) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "truly": word,
            f"answered {name}": int((rows & called).sum()),
            "answered otherwise": int((rows & ~called).sum()),
        }
        for word, rows in ((name, positive), (f"not {name}", ~positive))
    )


def _lines(score: Floats, positive: Mask, costs: tuple[float, float]) -> tuple[dict[str, Any], ...]:
    """Return what some round thresholds, one for all rows, would bring."""
    lines = []
    for threshold in TRIED:
        called = score >= threshold
        hits, alarms = int((called & positive).sum()), int((called & ~positive).sum())
        misses = int(positive.sum()) - hits
        cost = (costs[0] * alarms + costs[1] * misses) / len(score)
        lines.append(
            {
                "threshold": threshold,
                "called": f"{called.mean():.1%}",
                "precision": f"{hits / (hits + alarms):.1%}" if hits + alarms else "none called",
                "recall": f"{hits / (hits + misses):.1%}" if hits + misses else "none there",
                "cost per row": float(f"{cost:.4g}"),
            }
        )
    return tuple(lines)
