"""A finding's evidence as a small picture, where its numbers sum rows up.

Tables of example rows are no picture: only counts, shares and means of groups are drawn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from assay.report import strips
from assay.report.charts import Plot, span
from assay.report.evidence import cell, name_of, rows_of
from assay.report.text import count, cut, number, percent

STYLES = ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7")
MOST_LINES = 12
Line = Mapping[str, Any]

_SUMS = re.compile(r"rows|share|count|mean|least|most|(share|mean|median) .+|.+ = .+")
"""Headings of columns that sum rows up."""


@dataclass(frozen=True)
class Drawing:
    """A picture: one chart, or a bar for each line."""

    caption: str
    svg: Markup | None = None
    legend: tuple[tuple[str, str], ...] = ()
    bars: tuple[tuple[str, Markup, str], ...] = ()


def drawings(evidence: Mapping[str, Any]) -> dict[str, Drawing]:
    """Return a picture for each table of the evidence that sums rows up, by the table's name."""
    found = {name_of(key): _drawing(name_of(key), value) for key, value in evidence.items()}
    return {name: drawing for name, drawing in found.items() if drawing is not None}


def _drawing(name: str, value: Any) -> Drawing | None:
    lines = rows_of(value)
    if not lines or len(lines) < 2:
        return None
    numeric = [key for key in lines[0] if all(_is_number(line.get(key)) for line in lines)]
    start = next((key for key in lines[0] if str(key).startswith("from ")), None)
    label = next((key for key in lines[0] if key not in numeric and key != start), None)
    crossed = isinstance(value, Mapping) and isinstance(next(iter(value.values())), Mapping)
    drawn = [key for key in numeric if key != start and (crossed or _SUMS.fullmatch(str(key)))]
    if start is not None:
        levels = [key for key in drawn if key != "rows"]
        return _over(name, lines, start, levels[0]) if levels else None
    if label is None or not drawn:
        return None
    return _by_label(name, lines[:MOST_LINES], label, drawn, crossed=crossed)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _by_label(
    name: str, lines: Sequence[Line], label: str, drawn: list[str], *, crossed: bool
) -> Drawing:
    parts = drawn if crossed else [key for key in drawn if " = " in str(key)]
    if len(parts) > 1:
        return _divided(name, lines, label, parts[: len(STYLES)])
    if {"least", "mean", "most"} <= set(drawn):
        return _ranges(name, lines, label)
    # A share says more than the rows that it is a share of.
    best = next((key for key in drawn if key != "rows" and key != "count"), drawn[0])
    return _lengths(name, lines, label, best)


def _divided(name: str, lines: Sequence[Line], label: str, parts: Sequence[str]) -> Drawing:
    """Draw each line as a bar divided by the answer."""
    bars = tuple(
        (
            cell(line[label]),
            strips.parts(
                [(key, float(line[key]), style) for key, style in zip(parts, STYLES, strict=False)],
                f"{name}: {cut(line[label])}",
                14,
            ),
            count(int(sum(line[key] for key in parts))),
        )
        for line in lines
        if sum(line[key] for key in parts) > 0
    )
    legend = tuple((style, key) for style, key in zip(STYLES, parts, strict=False))
    caption = (
        "Each bar is the rows with one value, divided by their answer; the number counts them."
    )
    return Drawing(caption, legend=legend, bars=bars)


def _lengths(name: str, lines: Sequence[Line], label: str, key: str) -> Drawing:
    values = [float(line[key]) for line in lines]
    domain = (min(0.0, *values), max(1e-12, *values))
    shares = "share" in key and min(values) >= 0 and max(values) <= 1
    bars = tuple(
        (
            cell(line[label]),
            strips.bar(domain, value, value, value, f"{name}: {cut(line[label])}", number(value)),
            percent(value) if shares else number(value),
        )
        for line, value in zip(lines, values, strict=True)
    )
    return Drawing(f"The longer the bar, the larger the {cut(key, 40)}.", bars=bars)


def _ranges(name: str, lines: Sequence[Line], label: str) -> Drawing:
    """Draw the least, mean and largest answer of each line on one scale."""
    domain = span([float(line[key]) for line in lines for key in ("least", "most")], 0.02)
    bars = tuple(
        (
            cell(line[label]),
            strips.intervals(
                [strips.Bar(line["least"], line["mean"], line["most"], "champion")],
                domain,
                title=f"{name}: {cut(line[label])}",
            ),
            number(line["mean"]),
        )
        for line in lines
    )
    caption = "Each line is the rows with one value, from the least answer to the largest; the dot "
    return Drawing(caption + "and the number are their mean.", bars=bars)


def _over(name: str, lines: Sequence[Line], start: str, level: str) -> Drawing:
    """Draw a level in blocks of rows in their order."""
    ys = [float(line[level]) for line in lines]
    xs = list(range(1, len(ys) + 1))
    names = {float(i): cut(cell(lines[i - 1][start]), 12) for i in (1, len(ys))}
    plot = Plot((0.4, len(ys) + 0.6), span(ys, 0.12), start, level, x_names=names)
    plot.line(xs, ys, "champion")
    for x, y, line in zip(xs, ys, lines, strict=True):
        plot.dot(x, y, f"{start} {cell(line[start])}: {number(y)}", "champion")
    caption = (
        "Each dot is a block of rows, in their order. Were the order without meaning, the dots "
        "would lie nearly level."
    )
    return Drawing(caption, svg=plot.render(name, caption))
