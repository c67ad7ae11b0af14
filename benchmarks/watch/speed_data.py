"""Tables of the speed benchmark: two thirds numbers, one third categories, 1 % missing; five moved.

Runs with numpy and polars, or pandas alone for a peer's environment: the tables lie in Parquet.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

TARGET = "answer"
MISSING = 0.01
PLANTED = ("n00", "n01", "n02", "c00", "c04")
"""Mean up by 0.25 sd; spread 1.3 times; 5 % in other units; two levels 0.5 to 0.56; a share x2."""


def names(columns: int) -> tuple[list[str], list[str]]:
    """Return the names of the numbers and of the categories."""
    categories = columns // 3
    return (
        [f"n{i:02d}" for i in range(columns - categories)],
        [f"c{i:02d}" for i in range(categories)],
    )


def table(rows: int, columns: int, seed: int, *, moved: bool) -> pl.DataFrame:
    """Return rows of one population, with the planted changes where `moved`."""
    draw = np.random.default_rng(seed)
    numbers, categories = names(columns)
    made = [_gone(draw, pl.Series(n, _number(draw, i, rows, moved))) for i, n in enumerate(numbers)]
    levels = np.geomspace(2, 200, max(2, len(categories))).astype(int)
    for i, name in enumerate(categories):
        shares = _shares(int(levels[i]), i, moved=moved)
        words = pl.Series([f"level {k}" for k in range(len(shares))], dtype=pl.String)
        codes = np.minimum(np.searchsorted(np.cumsum(shares), draw.random(rows)), len(shares) - 1)
        made.append(_gone(draw, words.gather(codes).alias(name)))
    score = sum(made[i].fill_null(0.0).to_numpy() for i in (3, 8, 13))
    noise = draw.logistic(size=rows)
    return pl.DataFrame([*made, pl.Series(TARGET, np.where(score + noise > 0, "yes", "no"))])


def write(path: Path, rows: int, columns: int, seed: int, *, moved: bool, part: int) -> None:
    """Write a table, made in parts so that it may be larger than memory."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.mkdir(exist_ok=True)
    for number, start in enumerate(range(0, rows, part)):
        some = table(min(part, rows - start), columns, seed * 1000 + number, moved=moved)
        some.write_parquet(draft / f"{number:04d}.parquet")
    pl.scan_parquet(draft / "*.parquet").sink_parquet(path)
    for file in draft.iterdir():
        file.unlink()
    draft.rmdir()


def _number(draw: np.random.Generator, place: int, rows: int, moved: bool) -> np.ndarray:
    kind = place % 5
    if kind == 0:
        values = draw.normal(50.0, 12.0, rows)
    elif kind == 1:
        values = draw.lognormal(3.0, 0.8, rows)
    elif kind == 2:
        values = draw.gamma(2.0, 40.0, rows).round(2)
    elif kind == 3:
        values = draw.integers(0, 40, rows).astype(float) / 20 - 1
    else:
        values = np.where(draw.random(rows) < 0.4, 0.0, draw.exponential(3.0, rows))
    if moved and place == 0:
        values = values + 0.25 * 12.0
    if moved and place == 1:
        values = np.exp((np.log(values) - 3.0) * 1.3 + 3.0)
    if moved and place == 2:
        values = np.where(draw.random(rows) < 0.05, values * 100, values)
    return values


def _shares(levels: int, place: int, *, moved: bool) -> np.ndarray:
    shares = np.ones(2) if levels == 2 else np.random.default_rng(place).gamma(1.0, size=levels)
    shares = shares / shares.sum()
    if moved and place == 0:
        shares[0] += 0.06
        shares[1:] *= (1 - shares[0]) / shares[1:].sum()
    if moved and place == 4:
        shares[0] *= 2
    return shares / shares.sum()


def _gone(draw: np.random.Generator, series: pl.Series) -> pl.Series:
    return series.set(pl.Series(draw.random(len(series)) < MISSING), None)
