"""What a planted leak is: how one is made, what must be found, and how it is taken away again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from tables import Base

WEAK, MIDDLE, STRONG = 0, 1, 2
STRENGTHS = ("weak", "middle", "strong")
CLASSES = ("binary", "multiclass")
ALL = (*CLASSES, "regression")

COLUMN_CODES = frozenset(
    {
        "LEAK-TARGET", "LEAK-SUSPECT", "LABEL-COPY", "LEAK-JOINT", "LEAK-ID", "LEAK-TEXT",
        "LEAK-ENCODED", "LEAK-AFTER", "LEAK-FUTURE",
    }
)  # fmt: skip
"""Codes that say of a column that it gives the answer away."""
COPY_CODES = frozenset({"DUPLICATE-ROWS-SPLIT", "NEAR-DUPLICATES-SPLIT", "TEST-IS-TRAIN"})
GROUP_CODES = COPY_CODES | {"GROUP-OVERLAP", "GROUP-SUSPECT"}
TIME_CODES = frozenset({"TIME-OVERLAP", "TIME-ORDER"})
ORDER_CODES = frozenset({"ROW-ORDER", "LABEL-SHIFT"})
FITTED_CODES = frozenset({"PREPARED-ON-ALL"})
TRANSFORM_CODES = frozenset({"TRANSFORM-LEAK", "TRANSFORM-NOT-ROWWISE"})


@dataclass(frozen=True)
class Planted:
    """A table with a leak in it, and the way to a table or a split without.

    `columns` is what a finding must name one of; none when the rows are the fault. The leak is gone
    without the columns `drop`, or when rows of one `origin` (n,) stay on one side, or under the
    `honest` split policy. `transform` is the code of a project's own transform.
    """

    table: pl.DataFrame
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    origin: NDArray[np.int64] | None = None
    split: dict[str, Any] = field(default_factory=dict)
    honest: dict[str, Any] | None = None
    transform: str = ""


@dataclass(frozen=True)
class Case:
    """One planted leak: the kind, how strong, in which table, and the codes that would name it."""

    kind: str
    strength: str
    base: Base
    codes: frozenset[str]
    planted: Planted

    @property
    def name(self) -> str:
        """Return the case in words."""
        return f"{self.kind}, {self.strength}, {self.base.name}"


Plant = Callable[[Base, int, np.random.Generator], Planted]


@dataclass(frozen=True)
class Kind:
    """A kind of leak: the tasks it applies to, the codes that name it, and how it is planted."""

    name: str
    tasks: tuple[str, ...]
    codes: frozenset[str]
    plant: Plant


KINDS: dict[str, Kind] = {}


def kind(
    name: str, codes: frozenset[str] = COLUMN_CODES, tasks: tuple[str, ...] = ALL
) -> Callable[[Plant], Plant]:
    """Enter a function into the list of kinds."""

    def enter(plant: Plant) -> Plant:
        KINDS[name] = Kind(name, tasks, codes, plant)
        return plant

    return enter


def codes(base: Base) -> NDArray[np.int64]:
    """Return (n,) class codes, the positive class last; a number is cut into eighths."""
    values = base.table[base.target]
    if base.task == "regression":
        place = (values.rank("ordinal").to_numpy() - 1) / len(values)
        return (place * 8).astype(np.int64)
    labels = values.cast(pl.String)
    order = sorted(labels.unique().to_list(), key=lambda label: (label == base.positive, label))
    return labels.replace_strict(order, range(len(order)), return_dtype=pl.Int64).to_numpy()


def labels(base: Base) -> list[str]:
    """Return each row's class, or the eighth of a number, as text."""
    if base.task == "regression":
        return [f"level {code}" for code in codes(base)]
    return base.table[base.target].cast(pl.String).to_list()


def answer(base: Base) -> NDArray[np.float64]:
    """Return (n,) what a leak tells: the class code, or the number in standard deviations."""
    if base.task != "regression":
        return codes(base).astype(np.float64)
    values = base.table[base.target].cast(pl.Float64).to_numpy()
    return (values - values.mean()) / values.std()


def flag(base: Base) -> NDArray[np.bool_]:
    """Return (n,) True for the positive or last class, or for the largest quarter of a number."""
    found = codes(base)
    return found >= 6 if base.task == "regression" else found == found.max()


def blurred(
    base: Base, level: int, rng: np.random.Generator, shares: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Return the answer with normal noise, a share of its standard deviation for each strength."""
    told = answer(base)
    return told + rng.normal(size=len(told)) * shares[level] * told.std()


def mistaken(values: NDArray[Any], share: float, rng: np.random.Generator) -> NDArray[Any]:
    """Return the values with a share of the rows replaced by a random other row's."""
    wrong = rng.random(len(values)) < share
    return np.where(wrong, rng.permutation(values), values)


def flipped(found: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return class codes with a share of them moved to another class."""
    size = int(found.max()) + 1
    wrong = rng.random(len(found)) < share
    return np.where(wrong, (found + rng.integers(1, max(size, 2), len(found))) % size, found)


def numeric(base: Base) -> list[str]:
    """Return the features that hold numbers."""
    return [
        name
        for name in base.table.columns
        if name != base.target and base.table[name].dtype.is_numeric()
    ]


def finest(base: Base) -> str:
    """Return the number with the most distinct values."""
    return max(numeric(base), key=lambda name: base.table[name].n_unique())


def gaps(values: Any, filled: NDArray[np.bool_]) -> pl.Series:
    """Return the values with the rows that are not filled missing."""
    series = pl.Series(values)
    return pl.select(pl.when(pl.Series(filled)).then(series).otherwise(None)).to_series()


def added(base: Base, **columns: Any) -> Planted:
    """Return the table with more columns, which are the leak."""
    table = base.table.with_columns(pl.Series(name, values) for name, values in columns.items())
    names = tuple(columns)
    return Planted(table, columns=names, drop=names, split=base.split)
