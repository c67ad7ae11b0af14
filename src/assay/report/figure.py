"""What a chart is on the page, and the rows of bars that several charts share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from assay.report.strips import bar
from assay.report.text import cut

CLASS_STYLES = ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7")
MOST_BARS = 20


@dataclass(frozen=True)
class Cell:
    """One cell of a confusion matrix: a count, its share of the row, and whether it is right."""

    count: int
    share: float
    right: bool


@dataclass(frozen=True)
class Figure:
    """A chart as the page shows it; `legend` pairs a style with its label."""

    kind: str
    title: str
    caption: str
    svg: Markup | None = None
    legend: tuple[tuple[str, str], ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    bars: tuple[tuple[str, Markup, str], ...] = ()
    classes: tuple[str, ...] = ()
    matrix: tuple[tuple[Cell, ...], ...] = ()
    note: str = ""

    @property
    def wide(self) -> bool:
        """Return True for a figure that needs the whole width of the page."""
        return bool(self.bars) or len(self.classes) > 4


Bars = list[tuple[str, Markup, str]]


def bar_rows(data: Mapping[str, Any]) -> tuple[Bars, list[tuple[str, str, str]]]:
    """Return a bar with its interval for each column, the largest first, and the same as rows.

    `data` has `columns`, `mean`, `low` and `high` of equal length.
    """
    found = zip(data["columns"], data["mean"], data["low"], data["high"], strict=True)
    ranked = sorted(found, key=lambda row: -row[1])
    domain = (min(0.0, *data["low"]), max(1e-12, *data["high"]))
    digits = max(0, 2 - math.floor(math.log10(domain[1])))
    bars: Bars = []
    rows = []
    for name, mean, low, high in ranked:
        mean_, low_, high_ = (f"{v:,.{digits}f}".replace("-", "−") for v in (mean, low, high))
        numbers = (mean_, f"{low_} to {high_}")
        hover = f"{cut(name)}: {numbers[0]} ({numbers[1]})"
        bars.append((name, bar(domain, mean, low, high, cut(name), hover), numbers[0]))
        rows.append((cut(name), *numbers))
    return bars, rows
