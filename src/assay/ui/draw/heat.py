"""Drift as a strip for each column: a cell for each window, the darker the larger the effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from assay.records.watch import Moved, WatchVerdict
from assay.report.charts import picture
from assay.report.text import cut, number
from assay.ui.fold.watched import Window

LEVELS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Effects from which a cell is a step darker."""


@dataclass(frozen=True)
class Strip:
    """One column: its strip, its effect in the last window, and how many windows flagged it."""

    column: str
    kind: str
    svg: Markup
    effect: float | None
    flagged: int
    now: bool


def strips(seen: Sequence[tuple[Window, WatchVerdict]]) -> list[Strip]:
    """Return a strip for each column, those flagged last and most on top."""
    cells: dict[str, dict[int, Moved]] = {}
    for window, verdict in seen:
        for moved in verdict.drift:
            cells.setdefault(moved.column, {})[window.number] = moved
    numbers = [window.number for window, _ in seen]
    made = [_strip(column, found, numbers) for column, found in cells.items()]
    return sorted(made, key=lambda s: (not s.now, -s.flagged, -(s.effect or 0.0)))


def level(effect: float) -> int:
    """Return how dark a cell is, 0 to 5."""
    return sum(effect >= step for step in LEVELS)


def _strip(column: str, found: Mapping[int, Moved], numbers: Sequence[int]) -> Strip:
    width = 100 / len(numbers)
    marks = [_cell(found.get(n), n, place * width, width) for place, n in enumerate(numbers)]
    flagged = sum(moved.flagged for moved in found.values())
    desc = f"flagged in {flagged} of {len(found)} windows"
    svg = picture(marks, f"{cut(column, 60)} over windows", desc, class_="strip heat",
                  width="100%", height=28)  # fmt: skip
    last, kind = found.get(numbers[-1]), next(iter(found.values())).kind
    effect = None if last is None else last.effect
    return Strip(column, kind, svg, effect, flagged, last is not None and last.flagged)


def _cell(moved: Moved | None, window: int, x: float, width: float) -> Markup:
    """Return a cell, with a mark below where it was flagged.

    A page has thousands: they are written at once, of numbers alone, so there is nothing to escape.
    """
    if moved is None:
        style, said = "none", "not looked at"
    else:
        style, said = f"h{level(moved.effect)}", f"effect {number(moved.effect)}"
    box = f'x="{x:.3f}%" width="{width * 0.94:.3f}%"'
    text = f'<rect {box} y="2" height="20" class="cell {style}"><title>window {window}: {said}'
    if moved is not None and moved.flagged:
        text += f', flagged</title></rect><rect {box} y="23" height="3" class="cell flag"/>'
    else:
        text += "</title></rect>"
    return Markup(text)  # noqa: S704
