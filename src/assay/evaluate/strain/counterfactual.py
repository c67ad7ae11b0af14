"""What would have to be different for a row to be answered differently."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.evaluate.strain.moves import Asked, Column, Move, changed, described

Codes = NDArray[np.int64]

ROWS = (0.25, 0.5, 0.75)
"""Which rows are shown: by how sure their answers are, as shares of the rows."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_CHANGES = 4
MOST_MOVES = 400


def counterfactuals(
    asked: Asked,
    frame: pl.DataFrame,
    codes: Codes,
    places: Codes,
    columns: list[Column],
    classes: tuple[str, ...],
) -> tuple[dict[str, Any], ...]:
    """Return a nearby row with another answer for rows of little, middling and much certainty.

    A greedy search: of all moves of one column to a value that is common in training (a quantile,
    or one of the common categories) the one that weakens the answer most, up to four columns; then
    every change that is not needed is taken back, so that no part of it can be left out (Wachter,
    Mittelstadt and Russell 2018, Harvard Journal of Law and Technology 31, ask for the nearest
    such row; this is a near one). A row for which none is found is left out.
    """
    moves = [
        *(Move(c, value=c.at(q)) for c in columns if c.ordered for q in QUANTILES),
        *(Move(c, value=v) for c in columns if len(c.levels) > 1 for v in c.levels),
    ]
    moves = moves[:: max(1, -(-len(moves) // MOST_MOVES))]
    order = np.argsort(asked.kept(asked.predict(frame), codes), kind="stable")
    lines = []
    for share in ROWS:
        row = int(order[int(share * (len(order) - 1))])
        one = frame[row]
        needed = _search(asked, one, codes[row : row + 1], moves)
        if needed:
            after = changed(one, needed)
            lines.append(described(asked, one, after, int(places[row]), classes))
    return tuple(lines)


def _search(asked: Asked, row: pl.DataFrame, code: Codes, moves: list[Move]) -> list[Move]:
    """Return moves that together flip the answer of one row, empty when none were found."""
    made: list[Move] = []
    for _ in range(MOST_CHANGES):
        used = {move.column.name for move in made}
        left = [move for move in moves if move.column.name not in used]
        kept = asked.each(changed(row, made), left, code)[:, 0]
        if not len(kept):
            break
        made.append(left[int(kept.argmin())])
        if kept.min() <= 0:
            return _pruned(asked, row, code, made)
    return []


def _pruned(asked: Asked, row: pl.DataFrame, code: Codes, made: list[Move]) -> list[Move]:
    """Take back every move without which the answer still flips, the first made first."""
    for move in made[:-1]:
        fewer = [other for other in made if other is not move]
        if asked.kept(asked.predict(changed(row, fewer)), code)[0] <= 0:
            made = fewer
    return made
