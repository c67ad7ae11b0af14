"""How the answer goes along with one column while the others stay: partial dependence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Answering, Rows
from assay.records.report import Curve, Examination
from assay.records.snapshot import Problem
from assay.tasks.tabular.explain.hybrids import explained, told
from assay.tasks.tabular.explain.words import of_what, plain

MOST_COLUMNS = 4
MOST_ROWS = 60
POINTS = 12
MOST_TRAIN = 20_000
ENDS = (0.1, 0.9)
"""Of the single rows' lines, the middle 80 % are drawn as a band."""


def dependence(
    problem: Problem, predictor: Answering, rows: Rows, train: Rows, ranked: Sequence[str]
) -> Examination | None:
    """Return partial dependence with the spread of the single rows' lines for the first columns.

    Friedman 2001, Annals of Statistics 29, section 8.2; Goldstein et al. 2015, Journal of
    Computational and Graphical Statistics 24, for the single lines. Numbers and dates take
    quantiles of the training rows, other columns their most common values. None when no column
    varies.
    """
    step = max(1, -(-rows.frame.height // MOST_ROWS))
    frame = rows.frame.select(problem.features).gather_every(step)
    codes = explained(problem, predictor, frame)
    curves: list[Curve] = []
    spans: list[float] = []
    for name in ranked:
        grid = _grid(train.frame[name])
        if len(grid) < 2 or len(curves) == MOST_COLUMNS:
            continue
        asked = pl.concat(
            [frame.with_columns(point.new_from_index(0, frame.height)) for point in grid]
        )
        answers = told(predictor.predict(asked), np.tile(codes, len(grid)))
        lines = answers.reshape(len(grid), frame.height)
        curves.append(_curve(problem, name, grid, lines))
        spans.append(float(np.ptp(lines.mean(axis=1))))
    if not curves:
        return None
    widest = int(np.argmax(spans))
    size = f"{100 * spans[widest]:.1f} points" if problem.classes else plain(spans[widest])
    return Examination(
        name="dependence",
        title="How the answer follows single columns",
        reading=f"While all else stays as it is, {curves[widest].title} moves the mean "
        f"{of_what(problem)} by {size} from its lowest to its highest point. The band holds the "
        "middle 80 % of single rows: where it is wide, the effect differs from row to row. This is "
        "about the model, not about causes.",
        curves=tuple(curves),
    )


def _grid(seen: pl.Series) -> list[pl.Series]:
    """Return the values to try, each as a column of one: in order, or the most common first."""
    known = seen.gather_every(max(1, len(seen) // MOST_TRAIN)).drop_nulls()
    if not len(known):
        return []
    if seen.dtype.is_numeric() or seen.dtype.is_temporal():
        ordered = known.sort()
        places = np.linspace(0.02, 0.98, POINTS) * (len(ordered) - 1)
        values = ordered.gather(places.round().astype(np.int64)).unique(maintain_order=True)
    else:
        counts = known.rename("value").value_counts(name="rows")
        values = counts.sort(["rows", "value"], descending=[True, False])["value"].head(POINTS)
    return [values.gather([place]).rename(seen.name) for place in range(len(values))]


def _curve(problem: Problem, name: str, grid: list[pl.Series], lines: NDArray[np.float64]) -> Curve:
    low, high = np.quantile(lines, ENDS, axis=1)
    what = of_what(problem)
    data = {
        "column": name,
        "x": [_plain(point[0]) for point in grid],
        "mean": lines.mean(axis=1).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "y_label": what[0].upper() + what[1:],
    }
    note = f"{lines.shape[1]} rows; the band holds the middle 80 % of them"
    return Curve(kind="dependence", title=name, data=data, note=note)


def _plain(value: Any) -> float | str:
    """Return a grid value as JSON: a number, or text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return float(f"{value:.6g}")
