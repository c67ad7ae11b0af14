"""Rows made worse in ways that happen: what is missing, noisy, new, extreme, or swapped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

FAR = 10.0
"""An extreme value lies this many times further from the middle than the end of what was seen."""
UNSEEN = "never seen before"
MIXES = 8
"""Different choices of the columns that are swapped, dealt out among the rows."""


@dataclass(frozen=True)
class Bench:
    """Rows to be damaged, and training rows that say what is usual; both (rows, features)."""

    frame: pl.DataFrame
    train: pl.DataFrame
    seed: int

    def draw(self) -> np.random.Generator:
        """Return the same draws each time: stronger damage hits the same cells and more."""
        return np.random.default_rng(self.seed)

    @property
    def numbers(self) -> list[str]:
        """Return the number columns in which training saw at least two values."""
        seen = self.train.select(pl.selectors.numeric())
        return [column.name for column in seen if column.drop_nulls().n_unique() > 1]

    @property
    def categories(self) -> list[str]:
        """Return the columns of text."""
        return self.train.select(pl.selectors.string()).columns


Damage = Callable[[Bench, float], pl.DataFrame | None]


@dataclass(frozen=True)
class Strain:
    """One kind of damage from mild to strong; `standard` is the place of the usual strength.

    `what` names it inside a sentence, `form` says a strength in words. `damage` gives the
    frame damaged, None where this table has nothing to damage so much. `everyday` damage is to be
    expected wherever the model is used.
    """

    name: str
    title: str
    what: str
    strengths: tuple[float, ...]
    standard: int
    form: str
    damage: Damage
    advice: str
    everyday: bool = False

    def label(self, strength: float) -> str:
        """Return a strength as a person reads it."""
        return self.form.format(strength)


def missing(bench: Bench, share: float) -> pl.DataFrame | None:
    """Blank this share of all cells."""
    return _replaced(bench, bench.frame.columns, share, {})


def noise(bench: Bench, size: float) -> pl.DataFrame | None:
    """Add normal noise to every number, `size` standard deviations of the training rows wide."""
    draw, columns = bench.draw(), []
    for name in bench.numbers:
        seen = bench.train[name].drop_nulls().cast(pl.Float64).to_numpy()
        spread = float(np.std(seen[np.isfinite(seen)])) if np.isfinite(seen).any() else 0.0
        rough = bench.frame[name] + pl.Series(draw.normal(0, size * spread, bench.frame.height))
        columns.append(rough.cast(bench.frame[name].dtype, strict=False).alias(name))
    return bench.frame.with_columns(columns) if columns else None


def unseen(bench: Bench, share: float) -> pl.DataFrame | None:
    """Replace this share of the cells of text by a value that training never saw."""
    return _replaced(bench, bench.categories, share, dict.fromkeys(bench.categories, UNSEEN))


def extreme(bench: Bench, share: float) -> pl.DataFrame | None:
    """Move this share of the numbers ten times as far out as training ever saw."""
    far, high_or_low = {}, np.random.default_rng(bench.seed + 1)
    for name in bench.numbers:
        seen = bench.train[name].drop_nulls().cast(pl.Float64).to_numpy()
        seen = seen[np.isfinite(seen)]
        if len(seen):
            middle, reach = (seen.max() + seen.min()) / 2, (seen.max() - seen.min()) / 2
            far[name] = float(middle + FAR * reach * high_or_low.choice([-1.0, 1.0]))
    return _replaced(bench, list(far), share, far)


def swapped(bench: Bench, pairs: float) -> pl.DataFrame | None:
    """Swap so many pairs of columns of one type in every row, different ones from row to row."""
    draw, frame = bench.draw(), bench.frame
    mix = pl.Series(draw.integers(0, MIXES, frame.height))
    swaps: list[dict[str, str]] = []
    for _ in range(MIXES):
        found = _pairs(frame, draw)
        if len(found) < pairs:
            return None
        both = [pair for one, two in found[: int(pairs)] for pair in ((one, two), (two, one))]
        swaps.append(dict(both))
    columns = {name: frame[name] for name in frame.columns}
    for number, swap in enumerate(swaps):
        here = mix == number
        for name, other in swap.items():
            columns[name] = frame[other].zip_with(here, columns[name]).alias(name)
    return pl.DataFrame(columns)


def _pairs(frame: pl.DataFrame, draw: np.random.Generator) -> list[tuple[str, str]]:
    """Return disjoint pairs of columns of one type, in random order."""
    kinds: dict[str, list[str]] = {}
    for name, kind in frame.schema.items():
        kinds.setdefault(str(kind), []).append(name)
    found = []
    for names in kinds.values():
        order = [names[i] for i in draw.permutation(len(names))]
        found += list(zip(order[::2], order[1::2], strict=False))
    return [found[i] for i in draw.permutation(len(found))]


def _replaced(
    bench: Bench, names: list[str], share: float, values: dict[str, Any]
) -> pl.DataFrame | None:
    """Replace a share of the cells of these columns, by null where `values` lacks the column."""
    if not names:
        return None
    hit = bench.draw().random((len(names), bench.frame.height)) < share
    columns = []
    for name, cells in zip(names, hit, strict=True):
        old, value = bench.frame[name], values.get(name)
        new = pl.Series(name, [value], dtype=pl.Float64 if old.dtype.is_numeric() else old.dtype)
        new = new.cast(old.dtype, strict=False).new_from_index(0, len(old))
        columns.append(new.zip_with(pl.Series(cells), old))
    return bench.frame.with_columns(columns)


_SHARES = (0.05, 0.1, 0.2, 0.4)
STRAINS = (
    Strain(
        name="missing",
        title="Missing values",
        what="missing values",
        strengths=_SHARES,
        standard=1,
        form="{:.0%} of the cells",
        damage=missing,
        advice="count their missing cells, and fill or refuse rows that lack too much",
        everyday=True,
    ),
    Strain(
        name="noise",
        title="Noise on numbers",
        what="noise on the numbers",
        strengths=(0.1, 0.2, 0.5, 1.0),
        standard=1,
        form="{:.0%} of the usual spread",
        damage=noise,
        advice="make sure that numbers are measured as they were for training",
        everyday=True,
    ),
    Strain(
        name="unseen",
        title="Categories never seen",
        what="categories never seen before",
        strengths=_SHARES,
        standard=1,
        form="{:.0%} of the cells with text",
        damage=unseen,
        advice="look for new categories, and train again when they come",
        everyday=True,
    ),
    Strain(
        name="extreme",
        title="Extreme numbers",
        what="extreme numbers",
        strengths=_SHARES,
        standard=1,
        form="{:.0%} of the numbers",
        damage=extreme,
        advice="check their numbers against the range that training saw",
    ),
    Strain(
        name="swapped",
        title="Columns swapped",
        what="swapped columns",
        strengths=(1.0, 2.0, 4.0),
        standard=0,
        form="pairs in each row: {:.0f}",
        damage=swapped,
        advice="hand them over by column name, and check what each column holds",
    ),
)
"""What is done to the rows, in one visible list."""
