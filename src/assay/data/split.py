"""Which rows train, validate and test: by chance, stratum, group, time, or a column that says so.

A split is one int8 per row, its part:

- `TEST` (-1): a test row;
- `LEFT_OUT` (-2): neither trained on nor tested on, only under `group_time_on`;
- 0, 1, …: a training row, and the fold in which it is validated;
- `ONLY_TRAIN` (127): a training row that no fold validates.

Without an order in time, fold k trains on every training row outside of k. With one, the folds are
blocks in time order and fold k trains on the `ONLY_TRAIN` rows, which come first, and the folds
before k (expanding windows: Hyndman and Athanasopoulos, Forecasting, 3rd ed., section 5.10).
With `folds = 1` there is one fixed validation part, fold 0, of `VALID_SHARE` of the training rows.
"""

from __future__ import annotations

import heapq
from difflib import get_close_matches

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.errors import DataError, SpecError
from assay.kernel.family import class_labels
from assay.records.snapshot import Problem
from assay.records.spec import SplitSection

Parts = NDArray[np.int8]
Indices = NDArray[np.int64]

TEST, LEFT_OUT, ONLY_TRAIN = -1, -2, 127
VALID_SHARE = 0.2
"""Share of the training rows that `folds = 1` validates on."""

_BINS = 10  # strata of a number
_TRIES = 10  # random orders of the groups, of which the most even one is kept


def split(
    policy: SplitSection, problem: Problem, table: pl.DataFrame, test_rows: int = 0
) -> tuple[str, Parts, str]:
    """Set the test rows aside and share the training rows out among folds.

    The same policy, problem and table always give the same parts. Where the last `test_rows` rows
    came as a test table of their own, they are the test rows.

    Returns:
        The policy in words, the (n,) parts, and a note on what a reader should know, or "".

    Raises:
        SpecError: the policy names a column that the table does not have.
        DataError: the column cannot carry the policy, or a part would be empty.
    """
    rng = np.random.default_rng(policy.seed)
    if test_rows:
        words, note = "data.test", ""
        last = np.arange(table.height) >= table.height - test_rows
        parts = _fold(policy, last, _strata(table, policy.stratify_on or _label(problem)), rng)
    elif policy.group_time_on is not None:
        group, time = policy.group_time_on
        words = f"group_time_on {group}, {time}"
        parts, note = _by_group_and_time(policy, table, group, time, rng)
    elif policy.time_on is not None:
        words = f"time_on {policy.time_on}"
        parts, note = _by_time(policy, _times(table, policy.time_on, "time_on"))
    elif policy.group_on is not None:
        words = f"group_on {policy.group_on}"
        groups = _groups(table, policy.group_on, "group_on")
        parts, note = _by_group(policy, groups, _strata(table, _label(problem)), rng)
    elif policy.predefined_on is not None:
        words = f"predefined_on {policy.predefined_on}"
        test = _predefined(table, policy.predefined_on, policy.test_values)
        parts, note = _fold(policy, test, _strata(table, _label(problem)), rng), ""
    else:
        on = policy.stratify_on or _label(problem)
        words = f"stratify_on {on}" if on else "random"
        parts, note = _by_stratum(policy, _strata(table, on), on, rng)
    _check_parts(parts, words, is_ordered(policy))
    return words, parts, note


def refold(
    policy: SplitSection, problem: Problem, table: pl.DataFrame, parts: Parts, repeat: int
) -> Parts:
    """Return `parts` with other folds by the same policy, the test rows as they are.

    The same `repeat` gives the same folds. Folds in time have no second order: ValueError.
    """
    if is_ordered(policy):
        raise ValueError("folds in time have one order")
    rng = np.random.default_rng([policy.seed, repeat])
    kept = parts >= 0
    found = parts.copy()
    if policy.group_on is not None:
        groups = _groups(table, policy.group_on, "group_on")
        sizes = np.bincount(groups[kept], minlength=int(groups.max()) + 1)
        present = np.flatnonzero(sizes)
        bins = np.zeros(len(sizes), np.int8)
        bins[present] = _even_bins(sizes[present].astype(np.float64), policy.folds, rng)
        found[kept] = bins[groups[kept]]
        return found
    strata = _strata(table, policy.stratify_on or _label(problem))
    found[kept] = _fold(policy, ~kept, strata, rng)[kept]
    return found


def is_ordered(policy: SplitSection) -> bool:
    """Return True when the folds of this policy are blocks in time order."""
    return policy.time_on is not None or policy.group_time_on is not None


def folds_of(parts: Parts) -> list[int]:
    """Return the folds that some row is validated in, in order."""
    found = np.unique(parts)
    return [int(fold) for fold in found if 0 <= fold < ONLY_TRAIN]


def train_valid(parts: Parts, fold: int, ordered: bool) -> tuple[Indices, Indices]:
    """Return the row numbers that `fold` trains on and validates on, each in table order."""
    if ordered:
        train = (parts == ONLY_TRAIN) | ((parts >= 0) & (parts < fold))
    else:
        train = (parts >= 0) & (parts != fold)
    return np.flatnonzero(train), np.flatnonzero(parts == fold)


def _label(problem: Problem) -> str | None:
    """Return the target when it has classes to stratify on."""
    return problem.target if problem.classes else None


def _column(table: pl.DataFrame, name: str, key: str, *, full: bool = True) -> pl.Series:
    if name not in table.columns:
        near = get_close_matches(name, table.columns, n=3)
        raise SpecError(
            "SPLIT-COLUMN",
            f"the table has no column called {name}",
            where=f"split.{key}",
            got=name,
            allowed=near or table.columns[:20],
            hint="name a column of the table; `assay check` lists them",
        )
    column = table[name]
    if full and column.null_count():
        raise DataError(
            "SPLIT-MISSING",
            f"{column.null_count()} rows have no value in {name}, so no side to go to",
            where=f"split.{key}",
            got=name,
            hint="fill these cells, leave the rows out of the source, or split on another column",
        )
    return column


def _codes(column: pl.Series) -> Indices:
    """Number the values of a column 0, 1, … in sorted order; missing is the last one."""
    ranks = column.rank("dense").cast(pl.Int64)
    filled = ranks.fill_null(column.n_unique())
    return filled.to_numpy().astype(np.int64) - 1


def _strata(table: pl.DataFrame, name: str | None) -> Indices:
    """Return the stratum of each row; a number of many values is cut into quantiles."""
    if name is None:
        return np.zeros(table.height, np.int64)
    codes = _codes(_column(table, name, "stratify_on", full=False))
    if table.schema[name].is_float() or table.schema[name].is_integer():
        counts = np.bincount(codes)
        if len(counts) > 2 * _BINS:
            before = np.cumsum(counts) - counts
            codes = (before * _BINS // len(codes))[codes]
    return codes


def _groups(table: pl.DataFrame, name: str, key: str) -> Indices:
    codes = _codes(_column(table, name, key))
    count = int(codes.max(initial=-1)) + 1
    if count < 3:
        raise DataError(
            "SPLIT-GROUPS",
            f"{name} has {count} group{'s' if count != 1 else ''}; a group split needs at least 3:"
            " one to test, two to validate",
            where=f"split.{key}",
            got=count,
            hint="split on a column that has more values",
        )
    return codes


def _times(table: pl.DataFrame, name: str, key: str) -> Indices:
    """Return the place of each row's time among the distinct times."""
    column = _column(table, name, key)
    if not (column.dtype.is_temporal() or column.dtype.is_numeric()):
        raise DataError(
            "SPLIT-TIME-TYPE",
            f"{name} holds neither dates nor numbers, so its rows have no order in time",
            where=f"split.{key}",
            got=str(column.dtype),
            hint=f'if it counts time, set data.types."{name}" = "number"; if it holds dates, '
            '"datetime"; or split on another column',
        )
    return _codes(column)


def _predefined(table: pl.DataFrame, name: str, test_values: tuple[str, ...]) -> NDArray[np.bool_]:
    labels = class_labels(_column(table, name, "predefined_on"))
    test = labels.is_in(list(test_values)).to_numpy()
    if not test.any():
        raise DataError(
            "SPLIT-TEST-VALUE",
            f"no row of {name} has a value that marks a test row",
            where="split.test_values",
            got=list(test_values),
            allowed=labels.unique().sort().head(20).to_list(),
            hint="set split.test_values to the values that mark the official test rows",
        )
    return test


def _shuffled_by_stratum(strata: Indices, rng: np.random.Generator) -> Indices:
    """Return row numbers, one stratum after the other, in random order inside each."""
    shuffled = rng.permutation(len(strata))
    return shuffled[np.argsort(strata[shuffled], kind="stable")]


def _every(count: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark `share` of `count` places at even distances from a random start.

    Over rows laid out stratum by stratum this is proportional stratified sampling: each stratum
    is within one row of its exact share (systematic sampling: Cochran, 1977, section 8.1).
    """
    steps = np.floor(np.arange(count + 1) * share + rng.random())
    marks: NDArray[np.bool_] = np.diff(steps) > 0
    return marks


def _by_stratum(
    policy: SplitSection, strata: Indices, on: str | None, rng: np.random.Generator
) -> tuple[Parts, str]:
    order = _shuffled_by_stratum(strata, rng)
    test = np.zeros(len(strata), bool)
    test[order] = _every(len(strata), policy.test, rng)
    sizes = np.bincount(strata) if len(strata) else strata
    small = int(((sizes > 0) & (sizes < policy.folds + 1)).sum()) if on else 0
    note = f"{small} values of {on} have too few rows to be in every part" if small else ""
    return _fold(policy, test, strata, rng), note


def _fold(
    policy: SplitSection, test: NDArray[np.bool_], strata: Indices, rng: np.random.Generator
) -> Parts:
    """Share the rows that are not test rows out among the folds, each stratum evenly."""
    parts = np.full(len(test), TEST, np.int8)
    rows = np.flatnonzero(~test)
    order = rows[_shuffled_by_stratum(strata[rows], rng)]
    if policy.folds == 1:
        parts[order] = np.where(_every(len(order), VALID_SHARE, rng), 0, ONLY_TRAIN)
    else:
        parts[order] = (np.arange(len(order)) + rng.integers(policy.folds)) % policy.folds
    return parts


def _by_group(
    policy: SplitSection, groups: Indices, strata: Indices, rng: np.random.Generator
) -> tuple[Parts, str]:
    counts = _counts(groups, strata)
    leave = max(2, min(policy.folds, len(counts) // 2))
    test_groups = _pick_groups(counts, policy.test, leave, rng)
    parts = np.full(len(counts), TEST, np.int8)
    rest = np.flatnonzero(~test_groups)
    if policy.folds == 1:
        parts[rest] = np.where(_pick_groups(counts[rest], VALID_SHARE, 1, rng), 0, ONLY_TRAIN)
    else:
        parts[rest] = _even_bins(counts[rest].sum(axis=1), policy.folds, rng)
    return parts[groups], f"{test_groups.sum()} of {len(counts)} groups are test groups"


def _counts(groups: Indices, strata: Indices) -> NDArray[np.float64]:
    """Return (groups, strata) row counts."""
    width = int(strata.max()) + 1
    if width > 2 * _BINS:  # too many strata to keep even over whole groups
        width, strata = 1, np.zeros_like(strata)
    flat = np.bincount(groups * width + strata, minlength=(int(groups.max()) + 1) * width)
    return flat.reshape(-1, width).astype(np.float64)


def _pick_groups(
    counts: NDArray[np.float64], share: float, leave: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Pick groups with about `share` of the rows and of every stratum; `leave` some, take one."""
    wanted = counts.sum(axis=0) * share
    best, least = np.zeros(len(counts), bool), np.inf
    for _ in range(_TRIES):
        order = rng.permutation(len(counts))
        reached = np.cumsum(counts[order], axis=0)[:-leave]
        gap = np.abs(reached.sum(axis=1) - wanted.sum()) + np.abs(reached - wanted).sum(axis=1)
        size = int(gap.argmin()) + 1
        if gap[size - 1] < least:
            least = gap[size - 1]
            best = np.zeros(len(counts), bool)
            best[order[:size]] = True
    return best


def _even_bins(sizes: NDArray[np.float64], bins: int, rng: np.random.Generator) -> Parts:
    """Put each group into the emptiest bin, large ones first (Graham, 1969: LPT)."""
    shuffled = rng.permutation(len(sizes))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    heap = [(0.0, number) for number in range(bins)]
    chosen = np.empty(len(sizes), np.int8)
    for group, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        full, number = heap[0]
        chosen[group] = number
        heapq.heapreplace(heap, (full + size, number))
    return chosen


def _by_time(policy: SplitSection, times: Indices) -> tuple[Parts, str]:
    sizes = np.bincount(times, minlength=1)
    before = np.cumsum(sizes) - sizes  # rows earlier than each distinct time
    # Rows of one time stay together: the cut is the border nearest to the share asked for.
    wanted = len(times) * (1 - policy.test)
    first = int(np.abs(before - wanted).argmin())
    first = max(first, 1) if len(sizes) > 1 else first
    parts = np.full(len(times), TEST, np.int8)
    train = times < first
    parts[train] = _blocks(sizes[:first], policy.folds)[times[train]]
    return parts, "test rows are the last ones; fold k trains on the rows before it"


def _blocks(sizes: NDArray[np.int64], folds: int) -> Parts:
    """Cut items of these sizes, already in order, into a block that only trains, and folds."""
    total = max(int(sizes.sum()), 1)
    before = (np.cumsum(sizes) - sizes) / total
    start = 1 - VALID_SHARE if folds == 1 else 1 / (folds + 1)
    place = np.floor((before - start) / ((1 - start) / folds) + 1e-9)
    blocks = np.minimum(place, folds - 1)
    return np.where(blocks < 0, ONLY_TRAIN, blocks).astype(np.int8)


def _by_group_and_time(
    policy: SplitSection, table: pl.DataFrame, group: str, time: str, rng: np.random.Generator
) -> tuple[Parts, str]:
    """Test the groups that come last, on their rows after a cut; train the others before it.

    The cut keeps the largest product of the shares of training and test rows that survive it.
    Folds are whole groups in the order of their mean time.
    """
    groups = _groups(table, group, "group_time_on")
    times = _times(table, time, "group_time_on")
    sizes = np.bincount(groups)
    mean = np.bincount(groups, times) / sizes
    shuffled = rng.permutation(len(sizes))
    order = shuffled[np.argsort(mean[shuffled], kind="stable")]
    reached = np.cumsum(sizes[order])[:-1]
    first = int(np.abs(reached - len(groups) * (1 - policy.test)).argmin()) + 1
    late = np.zeros(len(sizes), bool)
    late[order[first:]] = True
    test = late[groups]
    cut = _best_cut(times, test)
    kept = np.where(test, times >= cut, times < cut)
    parts = np.full(len(groups), LEFT_OUT, np.int8)
    parts[kept & test] = TEST
    train = kept & ~test
    blocks = np.empty(len(sizes), np.int8)
    in_order = order[:first]
    blocks[in_order] = _blocks(
        np.bincount(groups[train], minlength=len(sizes))[in_order], policy.folds
    )
    parts[train] = blocks[groups[train]]
    note = f"{late.sum()} of {len(sizes)} groups are test groups; {(~kept).sum()} rows are left out"
    note += ": test groups before the cut in time, training groups after it. Folds are whole groups"
    return parts, f"{note}, so a fold may train on rows that are later than those it validates"


def _best_cut(times: Indices, test: NDArray[np.bool_]) -> int:
    """Return the time from which test rows count, and up to which (exclusive) training rows do."""
    count = int(times.max()) + 1
    early = np.cumsum(np.bincount(times[~test], minlength=count))[:-1]
    late = test.sum() - np.cumsum(np.bincount(times[test], minlength=count))[:-1]
    return int((early.astype(np.float64) * late).argmax()) + 1 if count > 1 else 0


def _check_parts(parts: Parts, words: str, ordered: bool) -> None:
    """Raise DataError when the test rows, or a fold's training or validation rows, are none."""
    folds = folds_of(parts)
    empty = "test" if not (parts == TEST).any() else "" if folds else "validation"
    for fold in folds:
        if not train_valid(parts, fold, ordered)[0].size:
            empty = empty or "training"
    if empty:
        raise DataError(
            "SPLIT-EMPTY",
            f"the split {words} leaves no {empty} rows",
            where="split",
            got=f"{len(parts)} rows",
            hint="bring more rows, change split.test, or split on another column",
        )
