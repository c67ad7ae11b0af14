"""A column as the profile keeps it, and the counts of a window over the same cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "category"]
"""How cells are told apart. Dates are numbers (seconds since 1970, UTC), booleans categories; texts
and vectors are looked at through views, each of which is one of the two."""

NEVER_SEEN, NOT_FINITE, MISSING, RARE = "never seen", "not finite", "missing", "another known value"


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """How the values of one column, or of one view of it, were distributed at training time.

    `of` names the column that a view looks at, `view` which look it is ("" for the values
    themselves). A number falls into `len(edges) + 1` bins, bin i up to and without `edges[i]`; the
    first bin lies below all that training saw, the last above. A category falls into one cell for
    each of `values`, from frequent to rare, and where `known` is not empty into one more for the
    values that training knew besides; these are kept as fingerprints (`words.py`). Two more cells
    follow: what fits no other (a category that was never seen, an infinite number), and missing.

    `counts` has one number for each cell, and adds up to `rows`. Rows that chose the cells of a
    category with rare values are not counted, so that a value may be never seen in those that are.
    `low`, `high`, `mean`, `std` are of finite numbers. `matters` is the column's share of what the
    model's answers rest on, None where unknown.
    """

    name: str
    of: str
    view: str = ""
    kind: Kind
    rows: int
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    known: bytes = b""
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None
    matters: float | None = None

    @property
    def bins(self) -> int:
        """Return how many cells there are without the last two."""
        return len(self.counts) - 2

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what each cell holds, in words: one for each of `counts`."""
        if self.kind == "category":
            more = (RARE,) * (self.bins - len(self.values))
            return (*self.values, *more, NEVER_SEEN, MISSING)
        if len(self.edges) < 2 or self.low is None or self.high is None:
            return (*(f"bin {i}" for i in range(self.bins)), NOT_FINITE, MISSING)
        ends = (self.low, *self.edges[1:-1], self.high)
        names = ((f"{low:g}", f"{high:g}") for low, high in pairwise(ends))
        inner = (low if low == high else f"{low} to {high}" for low, high in names)
        return (f"below {self.low:g}", *inner, f"above {self.high:g}", NOT_FINITE, MISSING)


@dataclass
class Counts:
    """What a window holds of each column; two of them add up to the counts of both together.

    `cells` maps a column's name to (bins + 2,) int64 as in `ColumnProfile.counts`; `moments` maps
    a number's name to (5,) float64: finite values, their sum, sum of squares, least and greatest.
    """

    rows: int = 0
    cells: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    moments: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both; columns that only one has are taken as they are."""
        return Counts(
            self.rows + other.rows,
            _both(self.cells, other.cells, np.add),
            _both(self.moments, other.moments, _merged),
        )


Array = TypeVar("Array")


def _both(
    one: dict[str, Array], other: dict[str, Array], how: Callable[[Array, Array], Array]
) -> dict[str, Array]:
    shared = {name: how(one[name], other[name]) for name in one if name in other}
    return one | other | shared


def _merged(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        total = one + other
    total[3], total[4] = min(one[3], other[3]), max(one[4], other[4])
    return total
