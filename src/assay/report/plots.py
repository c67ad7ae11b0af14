"""Curve records as figures: a picture, how to read it, and its numbers as a table.

A kind that is not in `DRAW` is skipped, so a family may hand on curves this page does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from assay.records.report import Curve
from assay.report import series
from assay.report.charts import Plot, span
from assay.report.figure import CLASS_STYLES, MOST_BARS, Cell, Figure, bar_rows
from assay.report.text import count, number, percent

MOST_CLASSES = 12


BOTH = (("champion", "Champion"), ("baseline", "Baseline"))


def figures(curves: Sequence[Curve]) -> tuple[Figure, ...]:
    """Return a figure for every curve of a known kind that has data, the wide ones last."""
    known = (c for c in curves if c.kind in DRAW and any(c.data.values()))
    drawn = (draw(curve) for curve in known for draw in DRAW[curve.kind])
    return tuple(sorted(drawn, key=lambda figure: figure.wide))


def _value_at(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """Return y at the last point whose x is not beyond `x` (xs ascending)."""
    return max((b for a, b in zip(xs, ys, strict=True) if a <= x + 1e-12), default=ys[0])


def _roc(curve: Curve) -> Figure:
    data = curve.data
    plot = Plot((0, 1), (0, 1), data["x_label"], data["y_label"])
    plot.line((0, 1), (0, 1), "guide")
    plot.band(data["x"], data["y"], "champion")
    has_baseline = bool(data["baseline_x"])
    if has_baseline:
        plot.line(data["baseline_x"], data["baseline_y"], "baseline")
    plot.line(data["x"], data["y"], "champion")
    rows = []
    for at in (0.01, 0.05, 0.1, 0.2, 0.5):
        row = [percent(at), percent(_value_at(data["x"], data["y"], at))]
        if has_baseline:
            row.append(percent(_value_at(data["baseline_x"], data["baseline_y"], at)))
        rows.append(tuple(row))
    tenth = rows[2]
    against = f" (baseline {tenth[2]})" if has_baseline else ""
    caption = (
        f"If one in ten of the negative rows may be flagged by mistake, {tenth[1]} of the positive "
        f"rows are found{against}. Closer to the top left corner is better; the dotted diagonal "
        "is a coin toss."
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        BOTH if has_baseline else BOTH[:1],
        ("False alarms allowed", "Found by champion", "Found by baseline")[: len(tenth)],
        tuple(rows), note=curve.note,
    )  # fmt: skip


def _precision_recall(curve: Curve) -> Figure:
    data = curve.data
    plot = Plot((0, 1), (0, 1), data["x_label"], data["y_label"])
    has_baseline = bool(data["baseline_x"])
    if has_baseline:
        plot.line(data["baseline_x"], data["baseline_y"], "baseline")
    plot.line(data["x"], data["y"], "champion")
    rows = []
    for recall in (0.25, 0.5, 0.75, 0.9):
        row = [percent(recall), percent(_best_beyond(data["x"], data["y"], recall))]
        if has_baseline:
            best = _best_beyond(data["baseline_x"], data["baseline_y"], recall)
            row.append(percent(best))
        rows.append(tuple(row))
    caption = (
        f"To find half of the positive rows, {rows[1][1]} of the flagged rows are right. "
        "Higher is better; the curve falls as more of the positive rows are to be found."
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        BOTH if has_baseline else BOTH[:1],
        ("To be found", "Right, champion", "Right, baseline")[: len(rows[0])],
        tuple(rows), note=curve.note,
    )  # fmt: skip


def _best_beyond(recalls: Sequence[float], precisions: Sequence[float], recall: float) -> float:
    pairs = zip(recalls, precisions, strict=True)
    return max((p for r, p in pairs if r >= recall - 1e-12), default=0.0)


def _calibration(curve: Curve) -> Figure:
    data = curve.data
    top = max(1e-9, *data["predicted"], *data["high"])
    end = next((e for e in (0.05, 0.1, 0.2, 0.5, 1.0) if top <= e), 1.0)
    # The note says what the probability is of; it reads best as the name of the axis.
    label = f"Predicted {curve.note or 'probability'}"
    plot = Plot((0, end), (0, end), label, "Observed share")
    plot.line((0, end), (0, end), "guide")
    points = zip(
        data["predicted"], data["observed"], data["low"], data["high"], data["count"], strict=True
    )
    rows = []
    for predicted, observed, low, high, n in points:
        plot.whisker(predicted, low, high, "champion")
        hover = f"predicted {percent(predicted)}, observed {percent(observed)}, {count(n)} rows"
        plot.dot(predicted, observed, hover, "champion")
        interval = f"{percent(low)} to {percent(high)}"
        rows.append((percent(predicted), percent(observed), interval, count(n)))
    caption = (
        "Each dot is a group of test rows with similar scores; the bar is its 95% interval. On "
        "the dotted line, of the rows given 30%, 30% come true."
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        header=("Predicted", "Observed", "95% interval", "Rows"), rows=tuple(rows),
    )  # fmt: skip


def _confusion(curve: Curve) -> Figure:
    classes, counts = _fold(curve.data["classes"], curve.data["counts"])
    matrix = tuple(
        tuple(Cell(n, n / (sum(row) or 1), i == j) for j, n in enumerate(row))
        for i, row in enumerate(counts)
    )
    right = sum(row[i] for i, row in enumerate(counts))
    total = sum(sum(row) for row in counts) or 1
    caption = (
        f"{count(right)} of {count(total)} test rows ({percent(right / total)}) got the right "
        "class. A row is what was true, a column what the model said; shading is the share of "
        "the row."
    )
    return Figure(
        curve.kind, curve.title, caption, classes=tuple(classes), matrix=matrix, note=curve.note
    )


def _fold(classes: list[str], counts: list[list[int]]) -> tuple[list[str], list[list[int]]]:
    """Keep the largest classes and put the others together, so that the table stays readable."""
    if len(classes) <= MOST_CLASSES:
        return classes, counts
    largest = sorted(range(len(classes)), key=lambda i: -sum(counts[i]))[: MOST_CLASSES - 1]
    groups = [[i] for i in sorted(largest)]
    groups.append([i for i in range(len(classes)) if i not in largest])
    folded = [[sum(counts[i][j] for i in a for j in b) for b in groups] for a in groups]
    rest = f"{len(groups[-1])} other classes"
    return [*(classes[g[0]] for g in groups[:-1]), rest], folded


def _score_histogram(curve: Curve) -> Figure:
    edges, series = curve.data["edges"], curve.data["series"]
    shown = list(series.items())[: len(CLASS_STYLES)]
    shares = {name: [n / (sum(counts) or 1) for n in counts] for name, counts in shown}
    top = max((max(s, default=0.0) for s in shares.values()), default=1.0) or 1.0
    plot = Plot((edges[0], edges[-1]), (0, top * 1.08), "Score", "Share of the class")
    for style, values in zip(CLASS_STYLES, shares.values(), strict=False):
        xs = [edge for edge in edges for _ in (0, 1)][1:-1]
        ys = [value for value in values for _ in (0, 1)]
        plot.band(xs, ys, style)
        plot.line(xs, ys, style)
    caption = "How the scores spread within each true class. The less they overlap, the better."
    names = tuple(name for name, _ in shown)
    rows = tuple(
        (f"{number(a)} to {number(b)}", *(count(counts[i]) for _, counts in shown))
        for i, (a, b) in enumerate(pairwise(edges))
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        tuple(zip(CLASS_STYLES, names, strict=False)), ("Score", *names), rows, note=curve.note,
    )  # fmt: skip


def _predicted_actual(curve: Curve) -> Figure:
    actual, predicted = curve.data["actual"], curve.data["predicted"]
    ends = span([*actual, *predicted])
    plot = Plot(ends, ends, "Actual", "Predicted")
    plot.line(ends, ends, "guide")
    plot.cloud(actual, predicted, "champion")
    caption = (
        "Each dot is a test row. On the dotted line the prediction is exactly right; "
        "above it the model says too much, below it too little."
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption), note=curve.note
    )


def _residuals(curve: Curve) -> Figure:
    edges, counts = curve.data["edges"], curve.data["counts"]
    plot = Plot(
        (edges[0], edges[-1]), (0, max(counts) * 1.08 or 1), "Actual minus predicted", "Test rows"
    )
    plot.bars(edges, counts, "champion")
    if edges[0] < 0 < edges[-1]:
        plot.line((0, 0), plot.y, "guide")
    caption = (
        "How far off the predictions are. Right of zero the truth was higher than predicted, "
        "left of it lower."
    )
    rows = tuple(
        (f"{number(a)} to {number(b)}", count(n))
        for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        header=("Error", "Rows"), rows=rows,
    )  # fmt: skip


def _residual_spread(curve: Curve) -> Figure:
    predicted, residual = curve.data["predicted"], curve.data["residual"]
    plot = Plot(span(predicted), span(residual), "Predicted", "Actual minus predicted")
    plot.cloud(predicted, residual, "champion")
    plot.line(plot.x, (0, 0), "guide")
    caption = (
        "Errors against predictions, a dot for each row. The cloud should lie evenly around zero; "
        "a bend or a funnel says that the model misses something."
    )
    title = "Errors by prediction"
    return Figure(curve.kind, title, caption, plot.render(title, caption), note=curve.note)


def _importance(curve: Curve) -> Figure:
    bars, rows = bar_rows(curve.data)
    rest = len(bars) - MOST_BARS
    more = f" The {MOST_BARS} strongest of {len(bars)} columns are drawn." if rest > 0 else ""
    caption = (
        "How much worse the model gets when one column is shuffled, so that it says nothing; the "
        f"whisker is the 95% interval. This is about the model, not about causes.{more}"
    )
    return Figure(
        curve.kind, curve.title, caption, bars=tuple(bars[:MOST_BARS]),
        header=("Column", "Importance", "95% interval"), rows=tuple(rows[:60]), note=curve.note,
    )  # fmt: skip


def _learning(curve: Curve) -> Figure:
    sizes, train, valid = (curve.data[k] for k in ("rows", "train", "valid"))
    y = span([*train, *valid], 0.12)
    plot = Plot(span(sizes, 0.03), y, "Training rows", "Score")
    for values, style in ((train, "baseline"), (valid, "champion")):
        plot.line(sizes, values, style)
        for n, score in zip(sizes, values, strict=True):
            plot.dot(n, score, f"{count(n)} rows: {number(score)}", style)
    caption = (
        "If the solid line still gets better at the right end, more rows would help. A wide gap "
        "between the lines means that the model learns its training rows by heart."
    )
    rows = tuple(
        (count(n), number(a), number(b)) for n, a, b in zip(sizes, train, valid, strict=True)
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        (("champion", "Rows held out"), ("baseline", "Rows trained on")),
        ("Training rows", "Trained on", "Held out"), rows, note=curve.note,
    )  # fmt: skip


DRAW: dict[str, tuple[Callable[[Curve], Figure], ...]] = {
    "roc": (_roc,),
    "precision_recall": (_precision_recall,),
    "calibration": (_calibration,),
    "confusion": (_confusion,),
    "score_histogram": (_score_histogram,),
    "predicted_actual": (_predicted_actual,),
    "residuals": (_residuals, _residual_spread),
    "importance": (_importance,),
    "learning": (_learning,),
    "thresholds": (series.thresholds,),
    "degradation": (series.degradation,),
    "contributions": (series.contributions,),
    "dependence": (series.dependence,),
}
