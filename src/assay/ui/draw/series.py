"""Numbers over time: traffic, latency, a metric with its intervals, an effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from assay.records.watch import Measured
from assay.report import figures
from assay.report.charts import Plot, span
from assay.report.figure import Figure
from assay.report.strips import histogram
from assay.report.text import cut, duration, number, plural
from assay.ui.draw import times
from assay.ui.fold.logs import Bucket
from assay.ui.fold.watched import Window

STYLES = {"broken": "rejected", "unclear": "inconclusive"}
FEWEST = 2
"""Points that make a line."""

MANY, LARGE, SMALL = 30, 4.0, 2.6
"""Windows from which dots are drawn smaller, and their sizes."""


def traffic(buckets: Sequence[Bucket]) -> Figure | None:
    """Draw the rows answered in each stretch of time."""
    if not buckets:
        return None
    edges = [buckets[0].start, *(bucket.end for bucket in buckets)]
    rows = [bucket.rows for bucket in buckets]
    plot = Plot(
        (edges[0], edges[-1]), (0.0, max(*rows, 1.0) * 1.05), "Time (UTC)", "Rows answered",
        x_names=times.names(edges[0], edges[-1]),
    )  # fmt: skip
    for left, right, count in zip(edges[:-1], edges[1:], rows, strict=True):
        plot.bars((left, right), (count,), "champion")
    each = duration(edges[1] - edges[0])
    caption = f"{plural(round(sum(rows)), 'row')} in the log. Each bar is {each}."
    return Figure("traffic", "Traffic", caption, plot.render("Traffic", caption))


def latency(buckets: Sequence[Bucket]) -> Figure | None:
    """Draw median and 99th percentile of the time an answer took."""
    seen = [b for b in buckets if b.p50 is not None and b.p99 is not None]
    if len(seen) < FEWEST:
        return None
    xs = [(b.start + b.end) / 2 for b in seen]
    p50, p99 = ([getattr(b, name) / 1e3 for b in seen] for name in ("p50", "p99"))
    plot = Plot(
        (xs[0], xs[-1]), (0.0, max(p99) * 1.08), "Time (UTC)", "Milliseconds",
        x_names=times.names(xs[0], xs[-1]),
    )  # fmt: skip
    plot.line(xs, p99, "c1")
    plot.line(xs, p50, "c0")
    caption = "Of a sample of the rows in each file of the log, from request to answer."
    return Figure(
        "latency", "Latency", caption, plot.render("Latency", caption),
        legend=(("c0", "Median"), ("c1", "99th percentile")),
    )  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A window and what was measured in it."""

    window: Window
    found: Measured


def performance(points: Sequence[Point]) -> Figure:
    """Draw one metric over windows: whiskers are intervals, the dotted line is the sealed gate."""
    name = points[0].found.metric
    said = [p for p in points if p.found.value is not None]
    ends = [v for p in said for v in (p.found.low, p.found.value, p.found.high) if v is not None]
    threshold = next((p.found.threshold for p in reversed(points) if p.found.threshold is not None),
                     None)  # fmt: skip
    if not said:
        return _unsaid(points)
    limits = [] if threshold is None else [threshold]
    plot = _over_windows([p.window for p in points], [*ends, *limits], figures.title(name))
    if threshold is not None:
        plot.line(plot.x, (threshold, threshold), "guide")
    for point in said:
        _measured(plot, point, LARGE if len(said) <= MANY else SMALL)
    rows = tuple(_row(point) for point in points)
    caption = _caption(points, said, threshold)
    return Figure(
        name, figures.title(name), caption, plot.render(figures.title(name), caption),
        legend=_legend(said), header=("Window", "Value", "95% interval", "Rows", ""), rows=rows,
    )  # fmt: skip


def _unsaid(points: Sequence[Point]) -> Figure:
    """Return the place of a metric of which nobody can say anything."""
    name, reason = points[-1].found.metric, points[-1].found.reason
    caption = f"Of {plural(len(points), 'window')} nobody can say: {reason or 'no rows'}."
    return Figure(name, figures.title(name), caption)


def effect(windows: Sequence[Window], values: Sequence[float], flagged: Sequence[bool],
           least: float, column: str) -> Figure:  # fmt: skip
    """Draw how far a column lies from the reference, window by window."""
    plot = _over_windows(windows, [0.0, least * 1.5, *values], "Effect", floor=0.0)
    plot.line(plot.x, (least, least), "guide")
    xs = [float(window.number) for window in windows]
    if len(xs) >= FEWEST:
        plot.line(xs, values, "champion")
    for x, value, flag in zip(xs, values, flagged, strict=True):
        plot.dot(x, value, f"window {x:.0f}: {number(value)}", "rejected" if flag else "champion")
    caption = (
        "Jensen-Shannon distance to the reference, without what chance adds: 0 is the same "
        "distribution, 1 has nothing in common. Below the dotted line nothing is an alarm."
    )
    title = f"Effect of {cut(column, 40)} over time"
    return Figure(
        "effect", title, caption, plot.render(title, caption),
        legend=(("champion", "Steady"), ("rejected", "Flagged")),
    )  # fmt: skip


def _over_windows(
    windows: Sequence[Window], values: Sequence[float], label: str, floor: float | None = None
) -> Plot:
    first, last = windows[0].number, windows[-1].number
    low, high = span(values, 0.08)
    steps = [windows[place].number for place in {0, len(windows) // 2, len(windows) - 1}]
    known = {window.number: window for window in windows}
    ends_at = [times.epoch(window.until) or 0.0 for window in (windows[0], windows[-1])]
    names = {float(n): _name(known, n, ends_at[1] - ends_at[0]) for n in steps}
    ends = (first - 0.5, last + 0.5)
    return Plot(ends, (low if floor is None else floor, high), "Window", label, x_names=names)


def _name(windows: dict[int, Window], number_: int, spanned: float) -> str:
    at = times.epoch(windows[number_].until) if number_ in windows else None
    return f"{number_}" if at is None else times.short(at, spanned)


def _measured(plot: Plot, point: Point, size: float) -> None:
    found, x = point.found, float(point.window.number)
    style = STYLES.get(found.standing, "champion") + (" estimated" if found.estimated else "")
    if found.low is not None and found.high is not None:
        plot.whisker(x, found.low, found.high, style)
    how = "estimated" if found.estimated else "measured"
    hover = f"window {x:.0f}: {figures.value(found.metric, found.value or 0.0)} {how}"
    plot.dot(x, found.value or 0.0, hover, style, size)


def _legend(said: Sequence[Point]) -> tuple[tuple[str, str], ...]:
    pairs = []
    if any(not p.found.estimated for p in said):
        pairs.append(("champion", "Measured with labels"))
    if any(p.found.estimated for p in said):
        pairs.append(("champion estimated", "Estimated without labels"))
    for standing, style in STYLES.items():
        if any(p.found.standing == standing for p in said):
            pairs.append((style, f"Gate {standing}"))
    return tuple(pairs)


def _caption(points: Sequence[Point], said: Sequence[Point], threshold: float | None) -> str:
    name = points[0].found.metric
    parts = ["Each dot is a window, the bar its 95% interval."]
    if threshold is not None:
        parts.append(f"The dotted line is the sealed gate at {figures.value(name, threshold)}.")
    if len(said) < len(points):
        left = plural(len(points) - len(said), "window")
        parts.append(f"Of {left} nobody can say.")
    return " ".join(parts)


def _row(point: Point) -> tuple[str, ...]:
    found = point.found
    show = [figures.value(found.metric, v) for v in (found.low, found.high) if v is not None]
    value = "–" if found.value is None else figures.value(found.metric, found.value)
    how = "estimated" if found.estimated else "measured"
    return (str(point.window.number), value, " to ".join(show) or "–", f"{found.n:,}",
            found.reason or how)  # fmt: skip


def spark(buckets: Sequence[Bucket], title: str) -> Markup:
    """Draw traffic as bars one line high."""
    return histogram([round(bucket.rows) for bucket in buckets], title)
