"""A column's distribution in a window beside the reference, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from assay.report.charts import picture, tag
from assay.report.text import cut, percent
from assay.watch.columns.form import ColumnProfile

MOST = 40
"""Cells that are drawn; those with the smallest shares are summed up below."""


@dataclass(frozen=True)
class Beside:
    """One cell: its share in the reference and in the window, and both as bars."""

    name: str
    reference: str
    window: str
    svg: Markup


def beside(column: ColumnProfile, counts: Sequence[int]) -> tuple[list[Beside], int]:
    """Return the cells that hold something, and how many more there are than are drawn."""
    whole, rows = sum(column.counts) or 1, sum(counts) or 1
    cells = [
        (name, a / whole, b / rows)
        for name, a, b in zip(column.labels, column.counts, counts, strict=True)
        if a or b
    ]
    kept = cells
    if len(cells) > MOST:
        large = sorted(cells, key=lambda cell: -max(cell[1], cell[2]))[:MOST]
        kept = [cell for cell in cells if cell in large]
    top = max((max(a, b) for _, a, b in kept), default=1.0) or 1.0
    return [_row(name, a, b, top) for name, a, b in kept], len(cells) - len(kept)


def _row(name: str, reference: float, window: float, top: float) -> Beside:
    bars = [
        tag("rect", x=0, y=1, height=9, width=f"{100 * reference / top:.2f}%",
            class_="bar baseline"),
        tag("rect", x=0, y=12, height=9, width=f"{100 * window / top:.2f}%", class_="bar champion"),
    ]  # fmt: skip
    said = percent(reference), percent(window)
    svg = picture(bars, cut(name, 60), f"reference {said[0]}, window {said[1]}", class_="strip",
                  width="100%", height=22)  # fmt: skip
    return Beside(name, *said, svg)
