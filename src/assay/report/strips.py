"""Pictures one line high that stretch with their table cell: intervals, dots, bars, histograms.

Positions are percentages and sizes pixels, so nothing is distorted and no text shrinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from assay.report.charts import Scale, picture, tag
from assay.report.text import cut, number, percent


@dataclass(frozen=True)
class Bar:
    """An interval with its point, drawn in the style of `champion`, `baseline` or a verdict."""

    low: float
    value: float
    high: float
    style: str
    hover: str = ""


def _across(domain: tuple[float, float]) -> Scale:
    return Scale(*domain, 1.5, 98.5)


def _pc(value: float) -> str:
    return f"{value:.2f}%"


def intervals(
    bars: Sequence[Bar],
    domain: tuple[float, float],
    *,
    title: str,
    threshold: float | None = None,
    good: str = "",
) -> Markup:
    """Draw intervals under each other on one scale, a threshold, and the side that passes.

    `good` is `right`, `left`, or nothing when neither side is better.
    """
    x = _across(domain)
    height = 6 + 16 * len(bars)
    marks: list[Markup] = []
    if threshold is not None:
        at = x(threshold)
        start, width = (at, 100 - at) if good == "right" else (0.0, at)
        if good:
            marks.append(
                tag("rect", x=_pc(start), width=_pc(width), y=0, height=height, class_="pass")
            )
        marks.append(
            tag("line", x1=_pc(at), x2=_pc(at), y1=0, y2=height, class_="threshold")
        )  # fmt: skip
    for row, bar in enumerate(bars):
        marks.extend(_interval(bar, x, 11 + 16 * row))
    desc = "; ".join(f"{b.hover or number(b.value)}" for b in bars)
    if threshold is not None:
        desc += f"; threshold {number(threshold)}"
    return picture(marks, title, desc, class_="strip", width="100%", height=height)


def _interval(bar: Bar, x: Scale, y: int) -> Iterable[Markup]:
    hover = tag("title", bar.hover)
    style = f"interval {bar.style}"
    yield tag(
        "line", hover, x1=_pc(x(bar.low)), x2=_pc(x(bar.high)), y1=y, y2=y, class_=style
    )  # fmt: skip
    for end in (bar.low, bar.high):
        yield tag(
            "line", x1=_pc(x(end)), x2=_pc(x(end)), y1=y - 4, y2=y + 4, class_=f"{style} cap"
        )  # fmt: skip
    yield tag("circle", hover, cx=_pc(x(bar.value)), cy=y, r=5, class_=f"point {bar.style}")


def dots(
    values: Sequence[float], mean: float, domain: tuple[float, float], title: str, style: str
) -> Markup:
    """Draw the score of each fold as a dot and their mean as a stroke."""
    x = _across(domain)
    marks = [tag("line", x1="0%", x2="100%", y1=11, y2=11, class_="grid")]
    marks += [
        tag("circle", tag("title", number(v)), cx=_pc(x(v)), cy=11, r=4, class_=f"fold {style}")
        for v in values
    ]
    at = _pc(x(mean))
    marks.append(tag("line", x1=at, x2=at, y1=2, y2=20, class_=f"mean {style}"))
    desc = f"mean {number(mean)}; " + ", ".join(number(v) for v in values)
    return picture(marks, title, desc, class_="strip", width="100%", height=22)


def histogram(counts: Sequence[int], title: str) -> Markup:
    """Draw a small histogram of a column."""
    most = max(counts, default=0) or 1
    steps = []
    for i, number_of in enumerate(counts):
        height = max(26 * number_of / most, 1.0 if number_of else 0.0)
        steps.append(f"M{i} 28v-{height:.1f}h.86v{height:.1f}z")
    desc = ", ".join(str(n) for n in counts)
    box = f"0 0 {max(len(counts), 1)} 28"
    return picture(
        [tag("path", d="".join(steps))], title, desc,
        class_="spark", viewBox=box, preserveAspectRatio="none", width="100%", height=28,
    )  # fmt: skip


def parts(items: Sequence[tuple[str, float, str]], title: str, height: int = 12) -> Markup:
    """Draw shares of a whole as one divided bar; each item is a label, an amount and a style."""
    total = sum(amount for _, amount, _ in items) or 1.0
    marks, start = [], 0.0
    for label, amount, style in items:
        part = amount / total
        hover = tag("title", f"{cut(label, 60)}: {percent(part)}")
        marks.append(
            tag(
                "rect", hover, x=_pc(100 * start), width=_pc(max(100 * part - 0.4, 0.2)),
                y=0, height=height, class_=f"part {style}",
            )
        )  # fmt: skip
        start += part
    desc = ", ".join(f"{cut(label, 60)} {percent(amount / total)}" for label, amount, _ in items)
    return picture(marks, title, desc, class_="strip", width="100%", height=height)


def bar(
    domain: tuple[float, float], value: float, low: float, high: float, title: str, hover: str
) -> Markup:
    """Draw a bar from zero with a whisker for its interval."""
    x = _across(domain)
    zero, end = sorted((x(0.0), x(value)))
    marks = [
        tag("line", x1=_pc(x(0.0)), x2=_pc(x(0.0)), y1=0, y2=20, class_="grid"),
        tag("rect", x=_pc(zero), width=_pc(end - zero), y=4, height=12, class_="bar champion"),
        tag("line", x1=_pc(x(low)), x2=_pc(x(high)), y1=10, y2=10, class_="whisker ink"),
    ]
    return picture(marks, title, hover, class_="strip", width="100%", height=20)
