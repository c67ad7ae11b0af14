"""How numbers, categories, booleans and dates become columns of a matrix.

Each plan is a frozen record of what training saw. `tree`, `linear` and `spline` write the plan's
columns into `out`, an (n, width) slice; the last two may rely on `out` being zero. The spline
columns of a plan are its linear ones, and after them, for a number, one for each bin between
its knots: 0 below the bin, 1 above, and linear inside (piecewise-linear encoding: Gorishniy,
Rubachev and Babenko 2022, "On embeddings for numerical features in tabular deep learning").
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.base import Record

Matrix = NDArray[np.float64]

LARGEST = 1e30
"""Numbers are clipped here: forests work in 32-bit floats, and add them up on the way."""
SMALLEST = 1.0000000180025095e-35
"""Numbers this close to zero are zero: LightGBM's `kZeroThreshold` treats them so."""
LEVELS = 5000
"""Categories with a code of their own, at most."""
RARE = 3
"""Categories seen less often share the code of unseen ones."""
HOT = 100
"""Categories with a column of their own in the linear view, at most."""
MANY = 20
"""Above this many levels, the tree view adds how frequent the level was."""
HEAVY = 5.0
"""A number is heavy-tailed when its 99.5th centile lies this many spreads out."""
BINS = (4, 32)
"""Bins of the spline view of a number, fewest and most, as many rows in each."""
GAP = 1e-4
"""Knots are at least this far apart, so that a bin never magnifies the last bits of a number."""
FIT_ROWS = 100_000
"""Rows that the scale of a number is learned from, at most: every k-th of them."""
FAR = 200_000_000_000_000_000
"""Dates are clipped to ±6,300 years around 1970, in microseconds."""


class NumberPlan(Record, frozen=True, kw_only=True, tag="tabular.number@1"):
    """A number: ``z = (x - center) / spread``, asinh if heavy-tailed, clipped, standardised.

    `knots` are on the scale of the standardised number; none for one with too few values.
    """

    name: str
    center: float
    spread: float
    heavy: bool
    low: float
    high: float
    mean: float
    std: float
    missing: bool
    knots: tuple[float, ...] = ()

    tree_width = 1

    @property
    def linear_width(self) -> int:
        """Return 1, or 2 with the indicator of missing values."""
        return 1 + self.missing

    def tree(self, column: pl.Series, out: Matrix) -> None:
        """Write the number itself."""
        out[:, 0] = tame(column)

    def linear(self, column: pl.Series, out: Matrix) -> None:
        """Write the standardised number, the median where it is missing."""
        x = tame(column)
        absent = np.isnan(x)
        x[absent] = self.center
        z = np.clip(_robust(x, self.center, self.spread, self.heavy), self.low, self.high)
        out[:, 0] = (z - self.mean) / self.std
        if self.missing:
            out[:, 1] = absent

    @property
    def spline_width(self) -> int:
        """Return the linear columns and one for each bin."""
        return self.linear_width + max(0, len(self.knots) - 1)

    def spline(self, column: pl.Series, out: Matrix) -> None:
        """Write the linear columns, and how far the number is through each bin."""
        self.linear(column, out[:, : self.linear_width])
        self.bins(out[:, 0], out[:, self.linear_width :])

    def bins(self, scaled: Matrix, out: Matrix) -> None:
        """Write how far a standardised number is through each bin, in 0 to 1."""
        for i, (low, high) in enumerate(pairwise(self.knots)):
            out[:, i] = np.clip((scaled - low) * (1.0 / (high - low)), 0.0, 1.0)


class CategoryPlan(Record, frozen=True, kw_only=True, dict=True, tag="tabular.category@1"):
    """A category: its levels from frequent to rare, with their counts in training."""

    name: str
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    hot: int
    missing: bool

    @property
    def tree_width(self) -> int:
        """Return 1, or 2 with the frequency when there are many levels."""
        return 1 + (len(self.levels) > MANY)

    @property
    def linear_width(self) -> int:
        """Return the one-hot levels, one for all others, and one for missing."""
        return self.hot + 1 + self.missing

    spline_width = linear_width

    def tree(self, column: pl.Series, out: Matrix) -> None:
        """Write the code by frequency (unseen: the one after the last) and the log count."""
        codes = self.codes(column)
        out[:, 0] = np.where(codes < 0, np.nan, codes)
        if self.tree_width == 2:
            counts = np.log1p(np.array([*self.counts, 0, 0], dtype=np.float64))
            out[:, 1] = counts[codes]  # -1, missing, reads the last

    def linear(self, column: pl.Series, out: Matrix) -> None:
        """Write the one-hot levels."""
        codes = self.codes(column)
        place = np.where(codes < 0, self.hot + 1, np.minimum(codes, self.hot))
        rows = np.flatnonzero(place < self.linear_width)
        out[rows, place[rows]] = 1.0

    spline = linear

    def codes(self, column: pl.Series) -> NDArray[np.int64]:
        """Return each row's level, `len(levels)` for an unseen one, -1 for a missing one."""
        text = column.cast(pl.String)
        found = text.cast(self._enum, strict=False).to_physical().cast(pl.Int64)
        if not found.null_count():
            return found.to_numpy().copy()
        known = found.to_numpy()  # doubles, NaN where there is no level
        codes = np.where(np.isnan(known), -1, known).astype(np.int64)
        if found.null_count() > text.null_count():
            codes[(codes < 0) & text.is_not_null().to_numpy()] = len(self.levels)
        return codes

    @cached_property
    def _enum(self) -> pl.Enum:
        return pl.Enum(self.levels)


class BooleanPlan(Record, frozen=True, kw_only=True, tag="tabular.boolean@1"):
    """A boolean."""

    name: str
    missing: bool

    tree_width = 1

    @property
    def linear_width(self) -> int:
        """Return 1, or 2 with the indicator of missing values."""
        return 1 + self.missing

    spline_width = linear_width

    def tree(self, column: pl.Series, out: Matrix) -> None:
        """Write 0, 1 or NaN."""
        out[:, 0] = column.cast(pl.Float64).to_numpy()

    def linear(self, column: pl.Series, out: Matrix) -> None:
        """Write -0.5 or 0.5, and 0 where it is missing."""
        x = column.cast(pl.Float64).to_numpy()
        absent = np.isnan(x)
        out[:, 0] = np.where(absent, 0.0, x - 0.5)
        if self.missing:
            out[:, 1] = absent

    spline = linear


class DatePlan(Record, frozen=True, kw_only=True, tag="tabular.date@1"):
    """A date-time: its place on the time line, and its parts as cycles; UTC."""

    name: str
    seconds: NumberPlan
    timed: bool
    """Whether training rows have three hours of the day or more; see `fit_date`."""

    @property
    def tree_width(self) -> int:
        """Return seconds, year, month, day and weekday, and the hour if there is one."""
        return 5 + self.timed

    @property
    def linear_width(self) -> int:
        """Return the seconds and a sine and cosine for each cycle."""
        return self.seconds.linear_width + 4 + 2 * self.timed

    def tree(self, column: pl.Series, out: Matrix) -> None:
        """Write the parts as numbers."""
        moments = _moments(column)
        out[:, 0] = _seconds(moments)
        for i, part in enumerate(self._parts(moments, ("year", "month", "day", "weekday"))):
            out[:, i + 1] = part

    def linear(self, column: pl.Series, out: Matrix) -> None:
        """Write the scaled seconds, and month, weekday and hour as angles."""
        moments = _moments(column)
        width = self.seconds.linear_width
        self.seconds.linear(pl.Series(_seconds(moments)), out[:, :width])
        parts = self._parts(moments, ("month", "weekday"))
        for i, (part, period) in enumerate(zip(parts, (12, 7, 24), strict=False)):
            angle = np.nan_to_num(part) * (2 * np.pi / period)
            known = ~np.isnan(part)
            out[:, width + 2 * i] = np.sin(angle) * known
            out[:, width + 2 * i + 1] = np.cos(angle) * known

    @property
    def spline_width(self) -> int:
        """Return the linear columns and one for each bin of the seconds."""
        return self.linear_width + max(0, len(self.seconds.knots) - 1)

    def spline(self, column: pl.Series, out: Matrix) -> None:
        """Write the linear columns, and how far the seconds are through each bin."""
        self.linear(column, out[:, : self.linear_width])
        self.seconds.bins(out[:, 0], out[:, self.linear_width :])

    def _parts(self, moments: pl.Series, names: tuple[str, ...]) -> list[Matrix]:
        wanted = names + (("hour",) if self.timed else ())
        return [getattr(moments.dt, name)().cast(pl.Float64).to_numpy() for name in wanted]


def tame(column: pl.Series) -> Matrix:
    """Return a number column as (n,) floats: NaN or finite, without the tiniest and largest."""
    x: Matrix = np.clip(column.cast(pl.Float64).to_numpy(), -LARGEST, LARGEST)
    x[np.abs(x) <= SMALLEST] = 0.0
    return x


def fit_number(column: pl.Series, bins: int = BINS[0]) -> NumberPlan:
    """Learn the scale of a number and its knots; an empty or constant one becomes all zero."""
    x = tame(column)
    known = x[~np.isnan(x)]
    missing = known.size < x.size
    if known.size == 0:
        known = np.zeros(1)
    known = np.sort(known[:: -(-known.size // FIT_ROWS)])
    low, center, high = np.quantile(known, (0.25, 0.5, 0.75))
    spread = (high - low) / 1.349 or float(known.std()) or 1.0
    tails = np.abs(np.quantile(known, (0.005, 0.995)) - center) / spread
    heavy = bool(tails.max() > HEAVY)
    z = _robust(known, center, spread, heavy)
    low, high = np.quantile(z, (0.001, 0.999))
    z = np.clip(z, low, high)
    mean, std = float(z.mean()), float(z.std()) or 1.0
    return NumberPlan(
        name=column.name,
        center=float(center),
        spread=float(spread),
        heavy=heavy,
        low=float(low),
        high=float(high),
        mean=mean,
        std=std,
        missing=missing,
        knots=_knots((z - mean) / std, bins),
    )


def _knots(scaled: Matrix, bins: int) -> tuple[float, ...]:
    """Return the ends of `bins` bins of sorted numbers, fewer where there are few values.

    Values that fill bins of their own are knots, and the others are divided without them.
    """
    values = np.unique(scaled)
    if len(values) > bins + 1:
        found, counts = np.unique(
            np.quantile(scaled, np.linspace(0, 1, bins + 1)), return_counts=True
        )
        often = found[counts > 1]
        rest = scaled[~np.isin(scaled, often)]
        others = np.quantile(rest, np.linspace(0, 1, bins + 1 - len(often)))
        values = np.union1d(often, others)
    values = values.round(6)
    kept = values[np.append(True, np.diff(values) > GAP)]
    return tuple(kept.tolist()) if len(kept) > 2 else ()


def fit_category(column: pl.Series) -> CategoryPlan:
    """Learn the levels of a category, from frequent to rare, ties in the order of the text."""
    counts = column.cast(pl.String).drop_nulls().rename("level").value_counts(name="n")
    enough = RARE if len(column) >= 100 else 1
    kept = counts.filter(pl.col("n") >= enough).sort(["n", "level"], descending=[True, False])
    kept = kept.head(LEVELS)
    return CategoryPlan(
        name=column.name,
        levels=tuple(kept["level"]),
        counts=tuple(kept["n"]),
        hot=min(HOT, int((kept["n"] >= max(enough, len(column) // 1000)).sum())),
        missing=column.null_count() > 0,
    )


def fit_boolean(column: pl.Series) -> BooleanPlan:
    """Learn whether a boolean can be missing."""
    return BooleanPlan(name=column.name, missing=column.null_count() > 0)


def fit_date(column: pl.Series, bins: int = BINS[0]) -> DatePlan:
    """Learn the span of a date-time, and whether it has hours that tell something.

    Those are three different ones at least: days without a time have two in UTC where clocks
    change with the season. Minutes never count.
    """
    moments = _moments(column)
    seconds = fit_number(pl.Series(column.name, _seconds(moments)), bins)
    hours = moments.dt.hour().drop_nulls().n_unique()
    return DatePlan(name=column.name, seconds=seconds, timed=hours > 2)


def _robust(x: Matrix, center: float, spread: float, heavy: bool) -> Matrix:
    z = np.clip((x / spread) - (center / spread), -LARGEST, LARGEST)
    return np.arcsinh(z) if heavy else z


def _moments(column: pl.Series) -> pl.Series:
    epoch = column.cast(pl.Datetime("us")).cast(pl.Int64).clip(-FAR, FAR)
    return epoch.cast(pl.Datetime("us"))


def _seconds(moments: pl.Series) -> Matrix:
    seconds: Matrix = moments.cast(pl.Int64).cast(pl.Float64).to_numpy() / 1e6
    return seconds
