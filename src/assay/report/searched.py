"""What the search tried: every candidate with its interval, and the champion's recipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from assay.metrics import METRICS
from assay.records.fitted import Leaderboard, Member, Members, Pool, Trial
from assay.report import figures, strips
from assay.report.charts import span
from assay.report.text import count, cut, duration, listing, number, percent, plural
from assay.report.view import RunView

FIRST_TRIALS = 15
"""Candidates that a reader sees without unfolding the rest, besides members and a baseline."""

MOST_TRIALS = 200
MOST_MEMBERS = 8
TUNED = "_tuned_"
"""Stands in the name of a candidate that tuning made of another."""


@dataclass(frozen=True)
class TrialRow:
    """One candidate of the search; `weight` is its share of the champion, empty for none."""

    name: str
    kind: str
    baseline: bool
    score: str
    interval: str
    svg: Markup | None
    weight: str
    weight_svg: Markup | None
    off: str
    rounds: str
    seconds: str
    note: str


@dataclass(frozen=True)
class Recipe:
    """How the champion is mixed: the weight of each candidate, and how answers are pooled."""

    weights: dict[str, float]
    pool: Pool


@dataclass(frozen=True)
class Scale:
    """The ends of the pictures' scale, and whether they draw intervals or folds."""

    low: float
    high: float
    intervals: bool


def mixed(board: Leaderboard, members: Members | None) -> Recipe:
    """Return the recipe of the form that was chosen, else of what the search proposed."""
    found = board if members is None else members
    return Recipe({name: w for name, w in found.weights.items() if w}, found.pool)


def ranked(board: Leaderboard) -> list[Trial]:
    """Return the trials that have a score, best first, then the others that were begun."""
    sign = -1 if higher(board.metric) else 1
    done = [t for t in board.trials if t.score is not None and t.status == "done"]
    done.sort(key=lambda t: sign * (t.score or 0.0))
    order = {"discarded": 0, "skipped": 1, "failed": 2, "done": 3}
    rest = [t for t in board.trials if (t.score is None or t.status != "done") and begun(t)]
    return [*done, *sorted(rest, key=lambda t: order[t.status])]


def begun(trial: Trial) -> bool:
    """Return False for a candidate whose turn never came."""
    return trial.status != "skipped" or trial.seconds > 0


def higher(metric: str) -> bool:
    """Return True when a larger value of the metric is better, or nobody knows."""
    return metric not in METRICS or METRICS[metric].higher_is_better


def trial_rows(board: Leaderboard, members: Members | None = None) -> tuple[TrialRow, ...]:
    """Return the trials, best first, then the baselines; all pictures share one scale."""
    recipe = mixed(board, members)
    trials = ranked(board)[:MOST_TRIALS]
    # The trivial baseline is often so far off that it would squeeze all others into one dot.
    near = [*_near(trials, board), board.baseline]
    scale = Scale(*span(_ends(near), 0.06), any(trial.low is not None for trial in near))
    return (
        *(_trial(t, board.metric, recipe, scale) for t in trials),
        *(_trial(t, board.metric, recipe, scale, baseline=True) for t in board.baselines),
    )


def parted(rows: Sequence[TrialRow]) -> tuple[tuple[TrialRow, ...], tuple[TrialRow, ...]]:
    """Return the rows to show at once and those to fold away: a long list hides what matters."""
    if len(rows) <= FIRST_TRIALS:
        return tuple(rows), ()
    baseline = next((row for row in rows if row.baseline), None)
    first = [
        row
        for place, row in enumerate(rows)
        if place < FIRST_TRIALS - 1 or row.weight or row is baseline
    ]
    return tuple(first), tuple(row for row in rows if row not in first)


def _near(trials: Sequence[Trial], board: Leaderboard) -> list[Trial]:
    """Return the trials no further off the best than twice the baseline, or its interval, is."""
    done = [t for t in trials if t.score is not None and t.status == "done"]
    if not done or board.baseline.score is None:
        return done
    best = done[0].score or 0.0
    wide = (done[0].high or 0.0) - (done[0].low or 0.0)
    reach = 2 * max(abs(best - board.baseline.score), wide)
    return [t for t in done if abs((t.score or 0.0) - best) <= reach] or done


def _ends(trials: Sequence[Trial]) -> list[float]:
    """Return the ends of the intervals; the scores of the folds where no trial has one."""
    if all(trial.low is None for trial in trials):
        return [score for trial in trials for score in trial.scores]
    ends = (end for trial in trials for end in (trial.low, trial.score, trial.high))
    return [end for end in ends if end is not None]


def _trial(
    trial: Trial,
    metric: str,
    recipe: Recipe,
    scale: Scale,
    *,
    baseline: bool = False,
) -> TrialRow:
    name = trial.candidate.name
    svg, off = _picture(trial, scale, "baseline" if baseline else "champion")
    weight = recipe.weights.get(name, 0.0)
    whole = sum(map(abs, recipe.weights.values()))
    items = [(name, abs(weight), "champion"), ("others", whole - abs(weight), "rest")]
    rounds = sorted(trial.rounds)
    between = ""
    if trial.low is not None and trial.high is not None:
        between = f"{figures.fine(metric, trial.low)} to {figures.fine(metric, trial.high)}"
    return TrialRow(
        name=name,
        kind=trial.candidate.kind if trial.candidate.kind != name else "",
        baseline=baseline,
        score=figures.fine(metric, trial.score) if trial.score is not None else "–",
        interval=between,
        svg=svg,
        weight=weight_text(weight, recipe.pool) if weight else "",
        weight_svg=strips.parts(items, f"Weight of {cut(name)}", 8) if weight else None,
        off=off,
        rounds=f"{rounds[0]}–{rounds[-1]}" if rounds else "",
        seconds=duration(trial.seconds) if trial.seconds else "",
        note="; ".join(_notes(trial)),
    )


def _picture(trial: Trial, scale: Scale, style: str) -> tuple[Markup | None, str]:
    """Return the score with its interval, or with the folds as dots, or why there is no picture."""
    score = trial.score
    if score is None or not (scale.intervals or trial.scores):
        return None, ""
    low, high = trial.low, trial.high
    low, high = (score, score) if low is None or high is None else (low, high)
    ends = (low, high) if scale.intervals else trial.scores
    if not scale.low <= min(ends) <= max(ends) <= scale.high:
        return None, "off this scale"
    title = f"Out-of-fold score of {cut(trial.candidate.name)}"
    domain = scale.low, scale.high
    if not scale.intervals:
        return strips.dots(trial.scores, score, domain, title, style), ""
    said = f"{number(score)} ({number(low)} to {number(high)})"
    return strips.intervals([strips.Bar(low, score, high, style, said)], domain, title=title), ""


def _notes(trial: Trial) -> Iterator[str]:
    if trial.status != "done":
        yield f"{trial.status}: {trial.note}".strip(": ")
    elif trial.note:
        yield trial.note
    if trial.rows:
        yield f"fitted on {plural(trial.rows, 'row')}"


def weight_text(weight: float, pool: Pool) -> str:
    """Return a weight as a share, or as it is where weights make no whole."""
    return percent(weight) if pool.scale == "linear" and 0 < weight < 1.001 else number(weight)


def recipe(view: RunView) -> str:
    """Say what the champion is made of."""
    board = view.leaderboard
    if board is None:
        return ""
    made, bags = mixed(board, view.members), bags_of(view)
    members = sorted(made.weights.items(), key=lambda pair: -abs(pair[1]))
    if len(members) == 1:
        name = members[0][0]
        several = f", the mean of {bags[name]} fits" if bags.get(name, 1) > 1 else " alone"
        return f"The champion is “{cut(name)}”{several}."
    named = [f"“{cut(name)}” ({weight_text(w, made.pool)})" for name, w in members[:MOST_MEMBERS]]
    left = len(members) - len(named)
    parts = ", ".join(named) + (f" and {left} more" if left else "")
    models = plural(len(members), "model")
    how = {
        "linear": f"The champion is the weighted mean of {models}: {parts}.",
        "log": f"The champion adds up the log-probabilities of {models}, weighted: {parts}.",
    }
    return how[made.pool.scale] + _bagged([bags.get(name, 1) for name, _ in members])


def bags_of(view: RunView) -> dict[str, int]:
    """Return how many fits stand behind each candidate of the champion."""
    found: Sequence[Member] = view.fitted.members if view.fitted else ()
    return dict(Counter(member.candidate.name for member in found if member.weight))


def _bagged(bags: Sequence[int]) -> str:
    several = [n for n in bags if n > 1]
    if not several:
        return ""
    most = max(several)
    some = "Each" if len(several) == len(bags) else f"{len(several)} of them"
    verb = "is" if len(several) in (1, len(bags)) else "are each"
    return f" {some} {verb} the mean of {most} fits whose seeds differ."


def course(view: RunView) -> str:
    """Say how many candidates were tried, in what time, and what ended the search."""
    board = view.leaderboard
    if board is None:
        return ""
    tried = [t for t in board.trials if begun(t)]
    tuned = sum(TUNED in t.candidate.name for t in tried)
    took = f" in {duration(board.seconds)}" if board.seconds else ""
    parts = f" ({count(len(tried) - tuned)} from the portfolio, {count(tuned)} tuned)"
    said = [
        f"{plural(len(tried), 'candidate was', 'candidates were')} tried{took}"
        f"{parts if tuned else ''}."
    ]
    states = Counter(t.status if begun(t) else "untried" for t in board.trials)
    words = {
        "discarded": "given up early, as clearly behind",
        "failed": "failed",
        "skipped": "not finished in time",
        "untried": "not begun",
    }
    left = [f"{states[key]} {text}" for key, text in words.items() if states[key]]
    said += [f"{listing(left)}.".capitalize()] if left else []
    return " ".join([*said, f"It stopped {ended(view)}."])


def ended(view: RunView) -> str:
    """Say what ended the search, as it follows on "it stopped"."""
    board, budget = view.leaderboard, view.project.budget
    if board is None:
        return "before it began"
    if budget.iterations is not None and board.iterations >= budget.iterations:
        return f"after the {plural(budget.iterations, 'candidate')} it was allowed"
    if any(trial.status == "skipped" for trial in board.trials) or board.stopped_by == "budget":
        limit = budget.seconds
        whole = f" of {duration(limit)} for the whole run" if limit is not None else ""
        return f"for its budget{whole}"
    return "because there was nothing left to try"
