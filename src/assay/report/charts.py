"""Small SVG charts: elements that escape what they are given, scales, axes and marks.

Colours come from the page's style sheet by class, so one drawing serves light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from markupsafe import Markup, escape

from assay.report.text import cut, harmless, number

WIDTH, HEIGHT = 360.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 350.0, 10.0, 226.0
"""The plotting area. 360 units wide, so that 12.5-unit text stays legible on a phone."""

LAYERS = 8
FEWEST_NAMES, MOST_NAMES = 3, 6
"""Names on an axis of logarithms."""

Point = tuple[float, float]


def tag(element: str, *children: object, **attributes: object) -> Markup:
    """Return an element; children and attribute values are escaped, floats get one decimal.

    `class_` stands for `class`, and `stroke_width` for `stroke-width`; None leaves one out.
    """
    pairs = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _value(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(harmless(child)) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(element, pairs, inside)


def _value(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else harmless(value)


def picture(children: Iterable[Markup], title: str, desc: str, **attributes: object) -> Markup:
    """Return an SVG image that a screen reader can name and describe."""
    head = (tag("title", title), tag("desc", desc))
    return tag("svg", *head, *children, role="img", **attributes)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers inside [low, high], about as many as asked (steps of 1, 2, 2.5, 5)."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((s * power for s in (1, 2, 2.5, 5) if s * power >= rough), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


@dataclass(frozen=True)
class Scale:
    """A straight map from the numbers [low, high] to the coordinates [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value, kept inside the ends."""
        if self.high <= self.low:
            return (self.start + self.end) / 2
        part = (value - self.low) / (self.high - self.low)
        return self.start + min(max(part, 0.0), 1.0) * (self.end - self.start)


def span(values: Iterable[float], pad: float = 0.04) -> tuple[float, float]:
    """Return the range of the values, a little wider; (0, 1) when there are none."""
    found = list(values)
    if not found:
        return 0.0, 1.0
    low, high = min(found), max(found)
    room = (high - low) * pad if high > low else abs(high) * pad or 1.0
    return low - room, high + room


@dataclass
class Plot:
    """A chart with two axes, built up mark by mark; `x_names` stand in place of numbers on x."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    marks: list[Markup] = field(default_factory=list)
    x_names: dict[float, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.to_x = Scale(*self.x, LEFT, RIGHT)
        self.to_y = Scale(*self.y, BOTTOM, TOP)

    def at(self, x: float, y: float) -> Point:
        """Return the coordinates of a point."""
        return self.to_x(x), self.to_y(y)

    def line(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """Draw a line through the points."""
        steps = ("{:.1f} {:.1f}".format(*self.at(x, y)) for x, y in zip(xs, ys, strict=True))
        self.marks.append(tag("path", d="M" + "L".join(steps), class_=f"line {style}"))

    def band(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """Fill the area between the points and the foot of the chart."""
        points = [(xs[0], self.y[0]), *zip(xs, ys, strict=True), (xs[-1], self.y[0])]
        steps = ("{:.1f} {:.1f}".format(*self.at(x, y)) for x, y in points)
        self.marks.append(tag("path", d="M" + "L".join(steps) + "Z", class_=f"band {style}"))

    def between(
        self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], style: str
    ) -> None:
        """Fill the area between two lines over the same points."""
        points = [*zip(xs, high, strict=True), *reversed(list(zip(xs, low, strict=True)))]
        steps = ("{:.1f} {:.1f}".format(*self.at(x, y)) for x, y in points)
        self.marks.append(tag("path", d="M" + "L".join(steps) + "Z", class_=f"band {style}"))

    def cloud(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """Draw many small dots, in a few paths so that overlapping ones look darker."""
        steps = ["M{:.1f} {:.1f}h0".format(*self.at(x, y)) for x, y in zip(xs, ys, strict=True)]
        for part in range(LAYERS):
            if steps[part::LAYERS]:
                d = "".join(steps[part::LAYERS])
                self.marks.append(tag("path", d=d, class_=f"cloud {style}"))

    def dot(self, x: float, y: float, hover: str, style: str, size: float = 4.0) -> None:
        """Draw one dot that says its numbers when pointed at."""
        cx, cy = self.at(x, y)
        self.marks.append(
            tag("circle", tag("title", hover), cx=cx, cy=cy, r=size, class_=f"dot {style}")
        )

    def word(self, x: float, y: float, text: str) -> None:
        """Write a word above a point, on the side of it that has room."""
        cx, cy = self.at(x, y)
        late = cx > (LEFT + RIGHT) / 2
        self.marks.append(
            tag(
                "text", text, x=cx - 9 if late else cx + 9, y=max(cy - 8, TOP + 10),
                class_="label end" if late else "label",
            )
        )  # fmt: skip

    def steps(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """Draw a line that stays level up to the next point and jumps there."""
        across = [x for x in xs for _ in (0, 1)][1:]
        self.line([*across, self.x[1]], [y for y in ys for _ in (0, 1)], style)

    def whisker(self, x: float, low: float, high: float, style: str) -> None:
        """Draw an upright interval."""
        (x1, y1), (_, y2) = self.at(x, low), self.at(x, high)
        self.marks.append(tag("line", x1=x1, x2=x1, y1=y1, y2=y2, class_=f"whisker {style}"))

    def bars(self, edges: Sequence[float], heights: Sequence[float], style: str) -> None:
        """Draw a histogram; each bar says its range and height when pointed at."""
        for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
            (x1, y1), (x2, y2) = self.at(left, height), self.at(right, self.y[0])
            hover = f"{number(left)} to {number(right)}: {number(height)}"
            self.marks.append(
                tag(
                    "rect", tag("title", hover), x=x1 + 0.5, y=y1,
                    width=max(x2 - x1 - 1, 0.5), height=y2 - y1, class_=f"bar {style}",
                )
            )  # fmt: skip

    def render(self, title: str, desc: str) -> Markup:
        """Return the finished image."""
        return picture(
            [*self._axes(), *self.marks], title, desc,
            viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}", class_="plot",
        )  # fmt: skip

    def _axes(self) -> Iterable[Markup]:
        for value, name in names(ticks(*self.y)).items():
            y = self.to_y(value)
            yield tag("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_="grid")
            yield tag("text", name, x=LEFT - 6, y=y + 4, class_="end")
        below = self.x_names or names(ticks(*self.x))
        for value, name in below.items():
            yield tag("text", name, x=self.to_x(value), y=BOTTOM + 17, class_="middle")
        middle = (LEFT + RIGHT) / 2
        yield tag("line", x1=LEFT, x2=RIGHT, y1=BOTTOM, y2=BOTTOM, class_="axis")
        yield tag("text", cut(self.x_label, 44), x=middle, y=BOTTOM + 37, class_="middle label")
        yield tag(
            "text", cut(self.y_label, 34), x=0.0, y=0.0, class_="middle label",
            transform=f"translate(10 {(TOP + BOTTOM) / 2:.0f}) rotate(-90)",
        )  # fmt: skip


def names(values: Sequence[float]) -> dict[float, str]:
    """Return the ticks with their texts, with as many digits as they need."""
    gap = min((abs(b - a) for a, b in pairwise(values)), default=math.inf)
    for digits in range(3, 7):
        if all(abs(float(f"{value:.{digits}g}") - value) <= gap / 50 for value in values):
            break
    return {value: tick(value, digits) for value in values}


def log_names(low: float, high: float) -> dict[float, str]:
    """Return names for an axis of logarithms (to ten) from `low` to `high`, few and round."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5)):
        found = [math.log10(d * 10.0**power) for power in powers for d in digits]
        inside = [at for at in found if low <= at <= high]
        if len(inside) >= FEWEST_NAMES:
            break
    inside = inside if len(inside) > 1 else [low, high]
    every = -(-len(inside) // MOST_NAMES)
    return {at: tick(10.0**at) for at in inside[::every]}


def tick(value: float, digits: int = 3) -> str:
    """Return a tick's number in few characters: 0.25, 20k, 1.5M."""
    value = 0.0 if abs(value) < 1e-12 else value
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            divisor = 1e3 if letter == "k" else limit
            return f"{value / divisor:.{digits}g}{letter}".replace("-", "−")
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
    return text.replace("-", "−")
