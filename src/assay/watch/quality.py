"""What is wrong with the rows themselves, before any question of drift.

A finding needs more than chance (a tail of `CHANCE` or less) and more than a trifle, so that all of
them together add next to nothing to the false alarms that `watch.false_alarms` budgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assay.records.watch import Broken
from assay.watch.columns.form import ColumnProfile, Counts
from assay.watch.drift.reading import percent
from assay.watch.profile import Profile
from assay.watch.units import mixed

CODES = {
    "WATCH-ABSENT": "the rows lack a column that the model needs",
    "WATCH-EMPTY": "every cell of a column that training knew filled is missing",
    "WATCH-CONSTANT": "a column that varied has one value in the whole window",
    "WATCH-CATEGORY": "values that training never saw, in more rows than it had others",
    "WATCH-UNIT": "numbers look multiplied, shifted or turned: another unit, in all or some rows",
    "WATCH-MISSING": "cells are missing in a stretch of rows, where few were missing before",
    "WATCH-REPEATED": "the same row comes again and again",
    "WATCH-SILENT": "no rows come where rows used to come",
    "WATCH-SKEW": "the package answers the logged rows otherwise than the server did",
    "WATCH-WARNED": "the server warned of many rows: unseen values, numbers outside of training's",
}
"""Every code of a finding, and what it means."""

CHANCE = 1e-6
LEAST = 20
"""Rows or cells below which only what needs no statistics is said."""
MANY = 0.2
"""A share of rows that is an error rather than a warning."""


@dataclass(frozen=True)
class Seen:
    """What is known of a window's rows beside their counts.

    `blocks` has the rows of stretches of the window in their order, `missing` for each column the
    missing cells of each stretch, (stretches,). `values` are finite numbers of a sample by column.
    `repeated` is how often the commonest row comes in a sample of `sampled` rows, and `cells` its
    cell in each column. `skewed` of `asked` rows were answered otherwise than logged, by `off` at
    most. `silent` is for how many seconds no row has come, `usual` the seconds within which some
    always came.
    """

    absent: Sequence[str] = ()
    blocks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    missing: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    values: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    repeated: int = 0
    sampled: int = 0
    cells: Mapping[str, int] = field(default_factory=dict)
    warned: int = 0
    asked: int = 0
    skewed: int = 0
    off: float = 0.0
    silent: float = 0.0
    usual: float = 0.0
    since: str = ""


def broken(profile: Profile, counts: Counts, seen: Seen) -> tuple[Broken, ...]:
    """Return what is wrong with the rows of a window, errors first.

    `counts` are the window's over `profile.columns`. Views of a column (of a text, say) are not
    looked at one by one: the column's own cells say what is missing.
    """
    found = [*_absent(seen), *_skew(seen), *_silent(seen)]
    gone = {finding.column for finding in found}
    for column in profile.columns:
        cells = counts.cells.get(column.name)
        if cells is None or column.of in gone or int(cells.sum()) < LEAST:
            continue
        for look in _LOOKS:
            one = look(column, cells, counts, seen)
            if one is not None:
                found.append(one)
                gone.add(column.of)
                break
    found += [*_bursts(profile, seen, gone), *_repeated(profile, seen), *_warned(counts, seen)]
    return tuple(sorted(found, key=lambda one: one.severity))


def _absent(seen: Seen) -> Iterator[Broken]:
    for name in seen.absent:
        yield Broken(
            code="WATCH-ABSENT",
            column=name,
            severity="error",
            message=f"the rows have no column {name}",
            since=seen.since,
        )


def _skew(seen: Seen) -> Iterator[Broken]:
    if seen.skewed:
        yield Broken(
            code="WATCH-SKEW",
            column="",
            severity="error",
            message=f"asked again, the package answers {seen.skewed:,} of {seen.asked:,} logged "
            f"rows otherwise, by {seen.off:.3g} at most",
            rows=seen.skewed,
            since=seen.since,
        )


def _silent(seen: Seen) -> Iterator[Broken]:
    if seen.silent > seen.usual > 0:
        yield Broken(
            code="WATCH-SILENT",
            column="",
            severity="error",
            message=f"no row came for {span(seen.silent)}, where one used to come "
            f"within {span(seen.usual)}",
            since=seen.since,
        )


def _empty(
    column: ColumnProfile, cells: NDArray[np.int64], _counts: Counts, seen: Seen
) -> Broken | None:
    rows, share = int(cells.sum()), column.counts[-1] / max(column.rows, 1)
    if int(cells[-1]) < rows or share**rows > CHANCE:
        return None
    return Broken(
        code="WATCH-EMPTY",
        column=column.of,
        severity="error",
        message=f"{column.of} is missing in every row, at training in {percent(share)}",
        rows=rows,
        since=seen.since,
    )


def _constant(
    column: ColumnProfile, cells: NDArray[np.int64], counts: Counts, seen: Seen
) -> Broken | None:
    """A number has one value, or a category one cell, and chance alone would not do that."""
    filled = int(cells[:-1].sum())
    known = max(column.rows - column.counts[-1], 1)
    if filled < LEAST or column.view or (max(column.counts[:-1]) / known) ** filled > CHANCE:
        return None
    place = int(cells[:-1].argmax())
    if int(cells[place]) < filled:
        return None
    if column.kind == "number":
        moments = counts.moments.get(column.name)
        if moments is None or moments[3] < moments[4]:
            return None
        value = f"{moments[3]:.6g}"
    elif place < len(column.values):
        value = column.values[place]
    else:  # many values share this cell
        return None
    return Broken(
        code="WATCH-CONSTANT",
        column=column.of,
        severity="error",
        message=f"{column.of} is {value} in every row, where it used to vary",
        rows=filled,
        since=seen.since,
    )


def _unseen(
    column: ColumnProfile, cells: NDArray[np.int64], _counts: Counts, seen: Seen
) -> Broken | None:
    if column.kind != "category" or column.view:
        return None
    filled, other = int(cells[:-1].sum()), int(cells[-2])
    known = max(column.rows - column.counts[-1], 1)
    before = column.counts[-2] / known
    share = other / max(filled, 1)
    if share < max(0.01, 2 * before) or tail(other, filled, max(before, 1 / known)) > CHANCE:
        return None
    return Broken(
        code="WATCH-CATEGORY",
        column=column.of,
        severity="error" if share >= MANY else "warning",
        message=f"{column.of} has values that training never saw in {percent(share)} of the rows",
        rows=other,
        since=seen.since,
    )


def _unit(
    column: ColumnProfile, _cells: NDArray[np.int64], _counts: Counts, seen: Seen
) -> Broken | None:
    values = seen.values.get(column.name)
    if column.kind != "number" or column.view or values is None:
        return None
    found = mixed(column, values)
    if found is None:
        return None
    part = "in all rows" if found.share > 0.95 else f"in {percent(found.share)} of the rows"
    return Broken(
        code="WATCH-UNIT",
        column=column.of,
        severity="error",
        message=f"{column.of} looks {found.words} {part}",
        rows=round(found.share * int(_cells[:-1].sum())),
        since=seen.since,
    )


_LOOKS: tuple[Callable[[ColumnProfile, NDArray[np.int64], Counts, Seen], Broken | None], ...] = (
    _empty,
    _constant,
    _unit,
    _unseen,
)


def _bursts(profile: Profile, seen: Seen, gone: set[str]) -> Iterator[Broken]:
    """Yield columns that are missing in a stretch of rows, as they were not at training."""
    shares = {c.of: c.counts[-1] / max(c.rows, 1) for c in profile.columns if not c.view}
    looks = max(1, len(shares) * len(seen.blocks))
    for name, missing in seen.missing.items():
        if name not in shares or name in gone:
            continue
        usual = max(shares[name], 1e-3)
        hit = [
            place
            for place, (gaps, rows) in enumerate(zip(missing, seen.blocks, strict=True))
            if rows >= LEAST
            and gaps >= (usual + MANY) * rows
            and tail(int(gaps), int(rows), usual) * looks <= CHANCE
        ]
        if hit:
            rows = int(missing[hit].sum())
            share = rows / int(seen.blocks[hit].sum())
            stretch = "one stretch" if hit[-1] - hit[0] + 1 == len(hit) else "stretches"
            yield Broken(
                code="WATCH-MISSING",
                column=name,
                severity="error",
                message=f"{name} is missing in {percent(share)} of {stretch} of the rows, "
                f"at training in {percent(shares[name])}",
                rows=rows,
                since=seen.since,
            )


def _repeated(profile: Profile, seen: Seen) -> Iterator[Broken]:
    """Yield a row that comes more often than its rarest cell may.

    Whatever the columns have to do with each other, a row is at most as frequent as each of its
    cells alone.
    """
    known = {c.name: c for c in profile.columns}
    rarest = min(
        ((known[n].counts[cell] + 1) / (known[n].rows + 1) for n, cell in seen.cells.items()
         if n in known),
        default=1.0,
    )  # fmt: skip
    share = seen.repeated / max(seen.sampled, 1)
    if seen.repeated < LEAST or share < max(0.05, 2 * rarest):
        return
    if tail(seen.repeated, seen.sampled, rarest) <= CHANCE:
        yield Broken(
            code="WATCH-REPEATED",
            column="",
            severity="warning",
            message=f"one and the same row makes up {percent(share)} of the rows",
            rows=seen.repeated,
            since=seen.since,
        )


def _warned(counts: Counts, seen: Seen) -> Iterator[Broken]:
    share = seen.warned / max(counts.rows, 1)
    if seen.warned >= LEAST and share >= MANY:
        yield Broken(
            code="WATCH-WARNED",
            column="",
            severity="warning",
            message=f"the server warned of {percent(share)} of the rows: of columns it does not "
            "know, values that training never saw, or numbers outside of its range",
            rows=seen.warned,
            since=seen.since,
        )


def tail(hits: int, rows: int, chance: float) -> float:
    """Return an upper bound of the chance of `hits` or more among `rows`, each with `chance`.

    Chernoff's bound by relative entropy (Hoeffding 1963, theorem 1): exact enough far out, where
    it is asked for.
    """
    share = hits / max(rows, 1)
    if share <= chance:
        return 1.0
    if chance <= 0:
        return 0.0
    entropy = share * np.log(share / chance)
    if share < 1:
        entropy += (1 - share) * np.log((1 - share) / (1 - chance))
    return float(np.exp(-rows * entropy))


def span(seconds: float) -> str:
    """Return a span of time in words, to two digits."""
    for unit, size in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} seconds"
