"""A part of the page for readers who are not technical: sentences, a table, a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from assay.report.charts import picture, tag
from assay.report.numbers import Text

DOTS, GAP = 10, 12.0
"""A hundred dots, ten by ten."""


@dataclass(frozen=True)
class Table:
    """A small table; the first cell of a row names it."""

    header: tuple[Text | str, ...]
    rows: tuple[tuple[Text, ...], ...]


@dataclass(frozen=True)
class Part:
    """A title, sentences, points, a table, and pictures with a line under each."""

    title: str
    lines: tuple[Text, ...] = ()
    points: tuple[Text, ...] = ()
    table: Table | None = None
    pictures: tuple[tuple[Markup, Text], ...] = ()

    @property
    def texts(self) -> Iterator[Text]:
        """Yield every text of the part in the order of the page."""
        yield from (text for _, text in self.pictures)
        yield from self.lines
        if self.table is not None:
            yield from (cell for row in self.table.rows for cell in row)
        yield from self.points


def hundred(filled: float, style: str) -> Markup:
    """Draw a hundred dots, the first `filled` of them (rounded) full."""
    full = round(filled)
    dots = [
        tag(
            "circle",
            cx=GAP * (i % DOTS) + GAP / 2,
            cy=GAP * (i // DOTS) + GAP / 2,
            r=4.4,
            class_=f"case {style}" if i < full else "case empty",
        )
        for i in range(DOTS * DOTS)
    ]
    size = GAP * DOTS
    return picture(
        dots,
        "A hundred cases as dots",
        "As many dots are full as the sentence beside them says.",
        viewBox=f"0 0 {size:.0f} {size:.0f}",
        class_="hundred",
    )
