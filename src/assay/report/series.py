"""Curve records of the examinations as figures: degradation, contributions, dependence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.records.report import Curve
from assay.report.charts import Plot, span
from assay.report.figure import CLASS_STYLES, MOST_BARS, Figure, bar_rows
from assay.report.text import cut, number, percent, plural

MOST_TEXTS = 12
"""Categories that a picture of dependence shows."""
LETTERS = 42
"""So many fit under a picture, side by side."""


def degradation(curve: Curve) -> Figure:
    """Draw how much is lost as the rows get worse, a line for each kind of trouble."""
    shown = list(curve.data["series"].items())[: len(CLASS_STYLES)]
    steps = max(len(one["loss"]) for _, one in shown)
    ends = [v for _, one in shown for key in ("loss", "low", "high") for v in one[key]]
    metric = str(curve.data["metric"])
    plot = Plot(
        (0.7, steps + 0.3), span([0.0, *ends], 0.06), "Trouble, from mild to strong",
        f"{metric} lost", x_names=_names(steps),
    )  # fmt: skip
    plot.line(plot.x, (0, 0), "guide")
    rows = []
    for at, (style, (name, one)) in enumerate(zip(CLASS_STYLES, shown, strict=False)):
        # Whiskers side by side: over each other nobody could tell them apart.
        xs = [1 + i + 0.05 * (at - (len(shown) - 1) / 2) for i in range(len(one["loss"]))]
        plot.line(xs, one["loss"], style)
        points = zip(xs, one["label"], one["loss"], one["low"], one["high"], strict=True)
        for x, label, loss, low, high in points:
            plot.whisker(x, low, high, style)
            plot.dot(x, loss, f"{name}, {label}: {number(loss)}", style)
            rows.append((name, label, number(loss), f"{number(low)} to {number(high)}"))
    caption = (
        "Every line is one kind of trouble, made worse step by step; the bars are 95% intervals. "
        f"At the dotted line nothing is lost of the {metric} of "
        f"{number(curve.data['headline'])}."
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        tuple(zip(CLASS_STYLES, (name for name, _ in shown), strict=False)),
        ("Trouble", "How strong", "Lost", "95% interval"), tuple(rows), note=curve.note,
    )  # fmt: skip


def _names(steps: int) -> dict[float, str]:
    """Return what stands under the steps: a word at each end."""
    return {1.0: "mild", float(steps): "strong"} if steps > 1 else {1.0: "mild"}


def thresholds(curve: Curve) -> Figure:
    """Draw which share of the picks is right, and which share is found, by threshold."""
    data = curve.data
    at = data["threshold"]
    plot = Plot((0, 1), (0, 1), "Threshold, a probability", "Share")
    if data.get("chosen") is not None:
        plot.line((data["chosen"], data["chosen"]), (0, 1), "guide")
    plot.line(at, data["recall"], "c1")
    plot.line(at, data["precision"], "c0")
    caption = (
        "From left to right fewer rows are picked: more of the picks are right, and fewer of the "
        "rows that should be picked are found. The dotted line is the threshold that was chosen."
    )
    rows = tuple(
        (number(t), percent(p), percent(r))
        for t, p, r in zip(at, data["precision"], data["recall"], strict=True)
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        (("c0", "Picks that are right"), ("c1", "Found of those there are")),
        ("Threshold", "Right", "Found"), rows, note=curve.note,
    )  # fmt: skip


def contributions(curve: Curve) -> Figure:
    """Draw the mean size of each column's share in the answers."""
    bars, rows = bar_rows(curve.data)
    rest = len(bars) - MOST_BARS
    more = f" The {MOST_BARS} strongest of {len(bars)} columns are drawn." if rest > 0 else ""
    unit = f", in {curve.data['unit']}" if curve.data.get("unit") else ""
    caption = (
        f"How far each column moves an answer up or down, on average{unit}; the whisker is the 95% "
        f"interval. This is about the model, not about causes.{more}"
    )
    return Figure(
        curve.kind, curve.title, caption, bars=tuple(bars[:MOST_BARS]),
        header=("Column", "Share", "95% interval"), rows=tuple(rows[:60]), note=curve.note,
    )  # fmt: skip


def dependence(curve: Curve) -> Figure:
    """Draw how the answer goes with one column, all others left as they are."""
    data = curve.data
    named = any(isinstance(x, str) for x in data["x"])
    count = min(len(data["x"]), MOST_TEXTS) if named else len(data["x"])
    x, mean, low, high = (list(data[key][:count]) for key in ("x", "mean", "low", "high"))
    y = span([*mean, *low, *high])
    column, label = str(data["column"]), str(data.get("y_label", "Answer"))
    plot = (
        _of_texts(x, mean, low, high, y, (column, label))
        if named
        else Plot(span(x, 0), y, column, label)
    )
    if not named:
        plot.between(x, low, high, "champion")
        plot.line(x, mean, "champion")
    left = len(data["x"]) - count
    more = f" {plural(left, 'more value')} not shown." if left else ""
    caption = (
        "The line is the mean answer when every row is given this value; eight in ten single rows "
        if not named
        else "The dot is the mean answer when every row is given this value; eight in ten single "
        "rows "
    ) + f"lie within the {'bars' if named else 'shade'}.{more}"
    rows = tuple(
        (a if isinstance(a, str) else number(a), number(b), f"{number(c)} to {number(d)}")
        for a, b, c, d in zip(x, mean, low, high, strict=True)
    )
    return Figure(
        curve.kind, curve.title, caption, plot.render(curve.title, caption),
        header=("Value", label, "Eight in ten rows"), rows=rows, note=curve.note,
    )  # fmt: skip


def _of_texts(
    x: Sequence[Any],
    mean: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    y: tuple[float, float],
    axes: tuple[str, str],
) -> Plot:
    """Return a plot with a dot and a bar for each category, few of them named below."""
    column, label = axes
    every = max(1, -(-len(x) // 4))
    shown = range(0, len(x), every)
    names = {float(i): cut(x[i], LETTERS // len(shown)) for i in shown}
    plot = Plot((-0.5, len(x) - 0.5), y, column, label, x_names=names)
    for i, (name, value, a, b) in enumerate(zip(x, mean, low, high, strict=True)):
        plot.whisker(i, a, b, "champion")
        plot.dot(i, value, f"{cut(name, 40)}: {number(value)}", "champion")
    return plot
