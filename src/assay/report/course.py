"""Pictures of a search: its course over time, the building of the ensemble, what each form costs.

A form is a way to serve the champion: all members, some of them, one, or a model that learned
from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from assay.records.fitted import Leaderboard, Members, Shape, Trial
from assay.report import figures
from assay.report.charts import Plot, log_names, span
from assay.report.figure import Figure
from assay.report.searched import TUNED, higher
from assay.report.text import count, cut, duration, number, plural, size
from assay.report.view import RunView

SHOWN = 0.8
"""The part of the candidates, best first, that a picture's scale is made for."""
LEAST, MOST = 4.0, 9.0
"""The radius of the smallest and the largest form."""


def pictures(view: RunView) -> tuple[Figure, ...]:
    """Return the pictures of the search that its records allow."""
    board, members = view.leaderboard, view.members
    found = [over_time(board), built(board)] if board is not None else []
    found += [forms(view, members)] if members is not None else []
    return tuple(figure for figure in found if figure is not None)


def over_time(board: Leaderboard) -> Figure | None:
    """Draw the score of each candidate when it was finished, and the best so far."""
    done = [t for t in (*board.baselines, *board.trials) if _scored(t) and t.at > 0]
    if len(done) < 2:
        return None
    done.sort(key=lambda t: t.at)
    pick, title = max if higher(board.metric) else min, figures.title(board.metric)
    scores = [t.score or 0.0 for t in done]
    best = list(accumulate(scores, pick))
    y = _range(board, [t.score or 0.0 for t in board.trials if _scored(t)])
    plot = Plot((0.0, done[-1].at * 1.02), y, "Seconds of the search", title)
    plot.steps([t.at for t in done], best, "ink")
    if len(board.weights) > 1:
        plot.line(plot.x, (board.score, board.score), "c2")
    for trial, score in zip(done, scores, strict=True):
        said = f"{cut(trial.candidate.name)}: {figures.fine(board.metric, score)}"
        plot.dot(trial.at, score, f"{said}, after {duration(trial.at)}", _style(trial, board))
    off = sum(not y[0] <= score <= y[1] for score in scores)
    lie = plural(off, "candidate lies", "candidates lie")
    edge = f" {lie} beyond the scale, drawn on its edge." if off else ""
    caption = (
        "Each dot is a candidate at the time when it was finished, scored on training rows that "
        f"its fits had not seen ({figures.direction(board.metric)}).{edge}"
    )
    rows = tuple(
        (duration(t.at), cut(t.candidate.name), figures.fine(board.metric, s))
        for t, s, before in zip(done, best, [None, *best[:-1]], strict=True)
        if s != before
    )
    return Figure(
        "course", "The search over time", caption, plot.render("The search over time", caption),
        tuple(_legend(done, board)), ("After", "Best so far", "Score"), rows,
    )  # fmt: skip


def _scored(trial: Trial) -> bool:
    return trial.score is not None and trial.status == "done"


def _style(trial: Trial, board: Leaderboard) -> str:
    if any(trial is baseline for baseline in board.baselines):
        return "c7"
    return "c1" if TUNED in trial.candidate.name else "c0"


def _legend(done: Sequence[Trial], board: Leaderboard) -> list[tuple[str, str]]:
    names = {"c7": "Baselines", "c0": "Portfolio", "c1": "Tuned", "ink": "Best so far"}
    there = {_style(t, board) for t in done} | {"ink"}
    found = [(style, name) for style, name in names.items() if style in there]
    return [*found, ("c2", "The ensemble")] if len(board.weights) > 1 else found


def _range(board: Leaderboard, scores: Sequence[float]) -> tuple[float, float]:
    """Return a range for all but the worst candidates, whose scores say little."""
    ordered = sorted(scores, reverse=higher(board.metric))
    shown = ordered[: max(2, math.ceil(SHOWN * len(ordered)))]
    return span([*shown, board.score], 0.08)


def built(board: Leaderboard) -> Figure | None:
    """Draw the score of the ensemble after each member that was added."""
    if len(board.steps) < 2:
        return None
    names, scores = zip(*board.steps, strict=True)
    title, n = figures.title(board.metric), len(scores)
    plot = Plot((0.5, n + 0.5), span(scores, 0.12), "Member added", title, x_names=_counted(n))
    plot.line(range(1, n + 1), scores, "champion")
    rows = []
    for at, (name, score, before) in enumerate(
        zip(names, scores, [None, *scores[:-1]], strict=True), 1
    ):
        shown = figures.fine(board.metric, score)
        plot.dot(at, score, f"{at}. {cut(name)}: {shown}", "champion")
        rows.append((str(at), cut(name), shown, "–" if before is None else _gain(score - before)))
    caption = (
        "The out-of-fold score of the ensemble after each member that was added; a member added "
        f"again weighs more ({figures.direction(board.metric)}). It stops where another would add "
        "no more than noise."
    )
    return Figure(
        "built", "Building the ensemble", caption,
        plot.render("Building the ensemble", caption),
        header=("Step", "Member", "Score", "Change"), rows=tuple(rows),
    )  # fmt: skip


def _counted(n: int) -> dict[float, str]:
    every = -(-n // 8)
    return {float(i): str(i) for i in range(1, n + 1, every)}


def _gain(change: float) -> str:
    text = number(float(f"{change:.2g}"))
    return text if change < 0 else f"+{text}"


def forms(view: RunView, members: Members) -> Figure | None:
    """Draw the out-of-fold score of each form against its latency, the chosen one marked."""
    shapes = members.shapes
    if len(shapes) < 2:
        return None
    metric, chosen = view.problem.primary, chosen_shape(members)
    limit = gate_limit(view, "latency_p99")
    times = [math.log10(max(s.latency, 1e-6)) for s in shapes]
    ends = [*times, math.log10(limit)] if limit else times
    x = span(ends, 0.07)
    y = span([s.score for s in shapes], 0.1)
    plot = Plot(
        x, y, "99th percentile of one row, ms (log)", figures.title(metric),
        x_names=log_names(*x),
    )  # fmt: skip
    if limit:
        at = math.log10(limit)
        plot.line((at, at), y, "threshold")
    front = efficient(shapes, higher(metric))
    plot.steps([times[i] for i in front], [shapes[i].score for i in front], "guide")
    largest = max(s.bytes for s in shapes) or 1
    for index, shape in enumerate(shapes):
        hover = f"{cut(shape.name)}: {', '.join(_costs(shape, metric))}"
        radius = LEAST + (MOST - LEAST) * math.sqrt(shape.bytes / largest)
        plot.dot(times[index], shape.score, hover, _mark(index, chosen, front), radius)
    if chosen is not None:
        plot.word(times[chosen], shapes[chosen].score, "chosen")
    return _forms_figure(view, members, plot, limit)


def _mark(index: int, chosen: int | None, front: Sequence[int]) -> str:
    if index == chosen:
        return "c1"
    return "c0" if index in front else "c7"


def _forms_figure(view: RunView, members: Members, plot: Plot, limit: float | None) -> Figure:
    metric, chosen = view.problem.primary, chosen_shape(members)
    gate = f" The dashed line is the gate at {figures.milliseconds(limit)}." if limit else ""
    caption = (
        "Each dot is a form that the champion could take: larger dots are larger files, and along "
        f"the dotted line nothing is both faster and better ({figures.direction(metric)}).{gate}"
    )
    order = sorted(range(len(members.shapes)), key=lambda i: members.shapes[i].latency)
    rows = tuple(
        (cut(shape.name, 40), *_costs(shape, metric), "chosen" if i == chosen else "")
        for i, shape in ((i, members.shapes[i]) for i in order)
    )
    front = efficient(members.shapes, higher(metric))
    there = {_mark(i, chosen, front) for i in order}
    names = {"c1": "Chosen", "c0": "None faster is better", "c7": "Others"}
    legend = tuple((style, name) for style, name in names.items() if style in there)
    title = "Accuracy against latency and size"
    return Figure(
        "forms", title, caption, plot.render(title, caption), legend,
        ("Form", "Score", "Latency, p99", "Size", ""), rows,
    )  # fmt: skip


def _costs(shape: Shape, metric: str) -> tuple[str, str, str]:
    return figures.fine(metric, shape.score), figures.milliseconds(shape.latency), size(shape.bytes)


def chosen_shape(members: Members) -> int | None:
    """Return the place of the form that was chosen, None when it is not among those measured."""
    return next((i for i, shape in enumerate(members.shapes) if shape.chosen), None)


def best_shape(members: Members, metric: str) -> int:
    """Return the place of the form with the best score."""
    sign = 1 if higher(metric) else -1
    return max(range(len(members.shapes)), key=lambda i: sign * members.shapes[i].score)


def efficient(shapes: Sequence[Shape], higher_is_better: bool) -> list[int]:
    """Return the places of the forms that none other beats at once in latency and in score."""
    sign, best = (1 if higher_is_better else -1), -math.inf
    found = []
    for index in sorted(
        range(len(shapes)), key=lambda i: (shapes[i].latency, -sign * shapes[i].score)
    ):
        if sign * shapes[index].score > best:
            best = sign * shapes[index].score
            found.append(index)
    return found


def gate_limit(view: RunView, metric: str) -> float | None:
    """Return the lowest threshold that the gates set on something measured."""
    limits = [g.at_most for g in view.seal.gates if g.metric == metric and g.at_most is not None]
    return min(limits, default=None)


def price(view: RunView) -> str:
    """Say what was given up for speed and size, and why this form was chosen."""
    members = view.members
    if members is None or not members.shapes:
        return ""
    metric, chosen = view.problem.primary, chosen_shape(members)
    said = [f"{count(len(members.shapes))} forms of it were measured in the real engine."]
    said = said if len(members.shapes) > 1 else []
    if chosen is not None:
        shape, best = members.shapes[chosen], members.shapes[best_shape(members, metric)]
        time, weight = figures.milliseconds(shape.latency), size(shape.bytes)
        said.append(
            f"The one chosen, “{cut(shape.name, 60)}”, takes {time} for one row (the slowest of a "
            f"hundred) and {weight}."
        )
        said += [_given_up(view, shape, best)] if shape.name != best.name else []
    said += [f"What decided: {members.why.rstrip('.')}."] if members.why else []
    return " ".join(said)


def over_limit(shape: Shape) -> tuple[str, ...]:
    """Return what a form takes too much of, by the gates: latency, size."""
    words = ("size" if metric == "package_bytes" else "latency" for metric in shape.missed)
    return tuple(dict.fromkeys(words))


def _given_up(view: RunView, shape: Shape, best: Shape) -> str:
    lost = number(float(f"{abs(best.score - shape.score):.2g}"))
    name = figures.title(view.problem.primary)
    asked = over_limit(best)
    if asked:
        return f"The gate on {' and '.join(asked)} costs {lost} in {name}, out of fold."
    return (
        f"The best, “{cut(best.name, 60)}”, scores {lost} better in {name}, out of fold, for "
        f"{figures.milliseconds(best.latency)} and {size(best.bytes)}."
    )
