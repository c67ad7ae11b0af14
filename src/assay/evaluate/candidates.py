"""Which candidates are really worse than the best, judged by their folds.

Folds share most of their training rows, so the plain paired t test calls far too many differences
real. The corrected resampled t test adds the share that is tested to the variance of a mean of
folds: 1/k + test rows / training rows (Nadeau and Bengio 2003, Machine Learning 52, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from assay.evaluate.case import Case
from assay.evaluate.compare import holm
from assay.metrics import Metric, get
from assay.records.fitted import Leaderboard, Trial
from assay.records.report import Examination, tabled

LEVEL = 0.95
MOST_LINES = 20
TITLE = "Which candidates are really worse than the best"


def corrected_t(
    differences: Sequence[float] | NDArray[np.float64], test_share: float
) -> tuple[float, float, float]:
    """Return the ends of a 95 % interval of the mean difference, and its two-sided p-value.

    `differences` has one number per fold, `test_share` is test rows over training rows of a fold
    (1 / (k - 1) for k folds). Needs two folds. Source: Nadeau and Bengio 2003, section 4.
    """
    each = np.asarray(differences, dtype=np.float64)
    folds, mean = len(each), float(each.mean())
    error = float(np.sqrt(each.var(ddof=1) * (1 / folds + test_share)))
    half = float(stdtrit(folds - 1, (1 + LEVEL) / 2)) * error
    if error == 0:
        return mean, mean, 1.0 if mean == 0 else 0.0
    return mean - half, mean + half, 2 * float(stdtr(folds - 1, -abs(mean) / error))


def examine(case: Case) -> Examination | None:
    """Return which finished candidates are worse than the best one by more than chance explains.

    None where fewer than two candidates have the same two folds or more.
    """
    board, metric = case.leaderboard, get(case.leaderboard.metric)
    ranked = _ranked(board, metric)
    if len(ranked) < 2:
        return None
    leader, others = ranked[0], ranked[1:]
    share = _test_share(len(leader.scores), ordered=case.seal.split.time_on is not None)
    sign = 1 if metric.higher_is_better else -1
    gaps = [sign * np.subtract(leader.scores, trial.scores) for trial in others]
    tests = [corrected_t(gap, share) for gap in gaps]
    adjusted = holm([p for _, _, p in tests])
    alike = [t for t, p in zip(others, adjusted, strict=True) if p >= 1 - LEVEL]
    lines = [_line(leader, metric)]
    for trial, gap, (low, high, _), p in zip(others, gaps, tests, adjusted, strict=True):
        lines.append({**_line(trial, metric), **_against(metric, float(gap.mean()), low, high, p)})
    return Examination(
        name="candidates",
        title="Is the best candidate really the best?",
        reading=_reading(leader, others, alike, metric),
        advice=_advice(alike),
        tables=tabled({TITLE: lines[:MOST_LINES]}),
    )


def _ranked(board: Leaderboard, metric: Metric) -> list[Trial]:
    """Return the finished trials with every fold, the best mean first."""
    done = [t for t in (*board.baselines, *board.trials) if t.status == "done"]
    folds = max((len(trial.scores) for trial in done), default=0)
    whole = [t for t in done if len(t.scores) == folds and np.isfinite(t.scores).all()]
    if folds < 2:
        return []
    return sorted(whole, key=lambda t: float(np.mean(t.scores)), reverse=metric.higher_is_better)


def _test_share(folds: int, *, ordered: bool) -> float:
    """Return test rows over training rows of a fold; in time, fold k trains on the k before it."""
    if not ordered:
        return 1 / (folds - 1)
    return float(np.mean(1 / np.arange(1, folds + 1)))


def _line(trial: Trial, metric: Metric) -> dict[str, Any]:
    return {
        "Candidate": trial.candidate.name,
        f"{metric.title}, mean of {len(trial.scores)} folds": metric.format(
            float(np.mean(trial.scores))
        ),
        "Worse by": "the best",
        "Between": "",
        "Really worse": "",
        "Chance of such a difference": "",
        "Seconds to train": round(trial.seconds, 2),
    }


def _against(metric: Metric, gap: float, low: float, high: float, p: float) -> dict[str, Any]:
    return {
        "Worse by": metric.format(gap),
        "Between": f"{metric.format(low)} and {metric.format(high)}",
        "Really worse": "yes" if p < 1 - LEVEL else "cannot be told",
        "Chance of such a difference": f"{p:.2g}",
    }


def _reading(leader: Trial, others: list[Trial], alike: list[Trial], metric: Metric) -> str:
    folds, name = len(leader.scores), leader.candidate.name
    base = f"{name} has the best {metric.title} over {folds} folds of the training rows. "
    if not alike:
        return base + f"All {len(others)} other candidates are really worse, not by chance."
    names = ", ".join(t.candidate.name for t in alike[:5])
    names += f" and {len(alike) - 5} more" if len(alike) > 5 else ""
    text = f"{len(alike)} of the {len(others)} others cannot be told from it: {names}."
    quick = min(alike, key=lambda t: t.seconds)
    if quick.seconds < leader.seconds / 2:
        times = leader.seconds / max(quick.seconds, 0.01)
        text += f" Of these, {quick.candidate.name} trains {times:.0f} times as fast."
    return base + text


def _advice(alike: list[Trial]) -> str:
    if not alike:
        return ""
    return (
        "Where one of them is simpler, easier to explain or cheaper to run, nothing measured here "
        "speaks against taking it."
    )
