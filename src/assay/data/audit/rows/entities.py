"""The same entity, such as a customer, on both sides of the split: declared, named, or hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.data.audit.leaks.single import given_away
from assay.data.audit.rows.chance import Bools, Hashes, chance_of, chosen, hashes_of, keys_of
from assay.data.audit.rows.twins import agreement_of, matches, pairs_of
from assay.data.audit.score import Floats, Ints
from assay.data.audit.subject import SEED, Subject, percent, show
from assay.data.audit.values.columns import ENTITY_NAME, ID_NAME, id_like
from assay.records.audit import Finding, Severity

EXAMPLES = 5
NAMED = 3
"""Columns that a message names."""
MOST_ROWS, MOST_CELLS = 20_000, 400_000
"""Rows, and rows times columns, among which alike ones are looked for."""
DRAWS = 60
"""Random sets of columns in which alike rows are looked for."""
MOST_PAIRS = 2_000
"""Pairs that a draw adds at most."""
STRIKING = 300
"""The most striking pairs tell which columns an entity keeps."""
KEPT = 0.95
"""Share of striking pairs, alike in one column, that agree in every column that an entity keeps."""
TRIED = 5
"""Sets of columns that are tried as those of an entity."""
FEWEST_PAIRS = 15
FEWEST_KEPT, TRIVIAL = 3, 0.2
"""Columns that an entity keeps, at least, and the entropy up to which one does not count."""
LARGEST = 50
"""Rows of an entity, in the mean, beyond which it is rather a group or a class."""
MANY_ROWS = 0.05
"""Share of test rows with training rows of the same entity from which it is worth a word."""
MOST_OF_TEST = 0.2
"""The same from which it can decide a verdict."""
BEYOND = 8.0
"""Times the share expected by chance; the most in honest real tables is 6.3."""
TELLING, DECIDING = 0.3, 0.9
"""Chance-corrected agreement of an entity's answers from which it matters, and decides."""


TOLD: dict[Severity, str] = {
    "error": "and nearly always the answer: the test asks about ones that training has seen.",
    "warning": "and often the answer.",
}


@dataclass(frozen=True)
class _Alike:
    """Pairs of rows: (m, columns) where they agree, and (m,) the log chance that two rows do."""

    agree: Bools
    chance: Floats


@dataclass(frozen=True)
class _Mates:
    """Test rows with a training row of the same entity, which is told by the `kept` columns.

    `share` is that of the test rows with one, `expected` the share that would have one by chance,
    `size` the mean number of training rows of an entity.
    """

    kept: tuple[str, ...]
    test: Ints
    mate: Ints
    share: float
    expected: float
    size: float

    @property
    def beyond_chance(self) -> bool:
        """Return True when there are many mates, more than by chance, in small entities."""
        return self.share >= max(MANY_ROWS, BEYOND * self.expected) and self.size <= LARGEST


def groups(subject: Subject) -> Iterator[Finding]:
    """Find entities, such as customers, with rows on both sides of the split."""
    declared = _declared(subject)
    if declared is not None and declared in subject.table.columns:
        yield from _overlap(subject, declared, "error")
    elif declared is None:
        for name in _named(subject):
            yield from _overlap(subject, name, "warning")


def hidden(subject: Subject) -> Iterator[Finding]:
    """Find entities that no column names: sets of rows that keep the same values in many columns.

    Pairs of rows are looked for that agree in more than chance explains; the columns in which
    nearly all of the most striking pairs agree are those that an entity keeps. Entities whose rows
    have answers of their own cannot make a test look better, and are not reported.
    """
    if _declared(subject) or subject.policy.time_on or not len(subject.test):
        return
    given = given_away(subject) | set(id_like(subject))
    columns = [name for name in subject.features if name not in given]
    if len(columns) <= FEWEST_KEPT:
        return
    found = [_mates(subject, kept) for kept in _kept_columns(subject, columns)]
    found = [mates for mates in found if mates.beyond_chance and not _has_name(subject, mates)]
    rated = [(mates, agreement_of(subject, mates.test, mates.mate)) for mates in found]
    telling = [one for one in rated if one[1] >= TELLING]
    if telling:
        yield _suspect(subject, *max(telling, key=lambda one: one[0].share))


def _declared(subject: Subject) -> str | None:
    policy = subject.policy
    return policy.group_on or (policy.group_time_on[0] if policy.group_time_on else None)


def _named(subject: Subject) -> list[str]:
    """Return the columns that seem to name whom a row is about, when no group is declared."""
    if subject.policy.time_on:
        return []
    target = subject.problem.target
    return [n for n in subject.table.columns if n != target and _is_entity(subject, n)]


def _is_entity(subject: Subject, name: str) -> bool:
    """Return True for an identifier whose values repeat: named like one, or read as one."""
    column = subject.snapshot.column(name)
    present = column.rows - column.missing
    named = ID_NAME.search(name) or ENTITY_NAME.search(name)
    if not (named or column.type == "id") or present < 0.9 * column.rows:
        return False
    values = subject.table[name]
    if values.dtype.is_float():
        whole = values.drop_nulls()
        if not bool((whole == whole.round()).all()):
            return False
    elif values.dtype != pl.String:
        return False
    return 20 <= column.unique <= 0.9 * present and column.unique >= 0.005 * present


def _overlap(subject: Subject, name: str, severity: Severity) -> Iterator[Finding]:
    values = subject.table[name]
    train = values[subject.train].drop_nulls().unique()
    test = values[subject.test]
    shared = test.drop_nulls().unique(maintain_order=True)
    shared = shared.filter(shared.is_in(train.implode()))
    if shared.is_empty():
        return
    rows = int(test.is_in(shared.implode()).sum())
    told = (
        f"The split is grouped by {name}, yet"
        if severity == "error"
        else f"The column {name} seems to name whom a row is about, and"
    )
    yield Finding(
        code="GROUP-OVERLAP",
        severity=severity,
        where=name,
        message=f"{told} {shared.len():,} of its values have both training and test rows.",
        evidence={
            "values": values.n_unique(),
            "values_on_both_sides": shared.len(),
            "test_rows_of_these": rows,
            "share_of_test_rows": show(rows / max(len(subject.test), 1)),
            "examples": [show(value) for value in shared.head(EXAMPLES).to_list()],
        },
        hint=f'set split.group_on = "{name}" if the model must work for ones it has not seen',
    )


def _kept_columns(subject: Subject, columns: list[str]) -> list[tuple[str, ...]]:
    """Return sets of columns that an entity may keep, those that say the most first.

    Of the most striking pairs those that are alike in one column are asked for the columns in which
    nearly all of them agree. Pairs that agree everywhere, or nearly, are copies and not meant.
    """
    rng = np.random.default_rng(SEED)
    most = min(MOST_ROWS, max(MOST_CELLS // len(columns), 1_000))
    rows = np.flatnonzero(subject.parts >= -1)
    rows = rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
    table = chosen(subject.table, columns)[rows]
    hashes = hashes_of(table)
    bits = np.array([_bits(column) for column in hashes.T])
    pairs = _alike(table, hashes, bits, rng)
    agree = pairs.agree[np.argsort(pairs.chance, kind="stable")[:STRIKING]]
    found: dict[tuple[int, ...], float] = {}
    for column in range(len(columns)):
        alike = agree[agree[:, column]]
        if len(alike) < FEWEST_PAIRS:
            continue
        kept = np.flatnonzero(alike.mean(axis=0) >= KEPT)
        if (bits[kept] > TRIVIAL).sum() >= FEWEST_KEPT and len(kept) < len(columns):
            found[tuple(kept)] = float(bits[kept].sum())
    best = sorted(found, key=lambda kept: -found[kept])[:TRIED]
    return [tuple(columns[place] for place in kept) for kept in best]


def _alike(table: pl.DataFrame, hashes: Hashes, bits: Floats, rng: np.random.Generator) -> _Alike:
    """Return pairs of rows that agree in one of many random sets of columns, each pair once."""
    chance = chance_of(table)
    left, right = (np.concatenate(side) for side in zip(*_drawn(hashes, bits, rng), strict=True))
    _, once = np.unique(left * len(hashes) + right, return_index=True)
    left, right = left[once], right[once]
    agree = hashes[left] == hashes[right]
    differ = (~agree).sum(axis=1) > min(2, agree.shape[1] // 4)
    return _Alike(agree[differ], chance.log_share(left[differ], agree[differ]))


def _drawn(hashes: Hashes, bits: Floats, rng: np.random.Generator) -> Iterator[tuple[Ints, Ints]]:
    """Draw sets of columns, each large enough to tell most rows apart; yield rows alike in one."""
    rows, width = hashes.shape
    spread = bits + 1e-3
    for _ in range(DRAWS):
        order = rng.choice(np.arange(width), width, replace=False, p=spread / spread.sum())
        enough = int(np.searchsorted(np.cumsum(spread[order]), np.log(rows))) + 1
        key = keys_of(hashes, np.sort(order[:enough]))
        by_key = rng.permutation(rows)
        by_key = by_key[np.argsort(key[by_key], kind="stable")]
        same = np.flatnonzero(key[by_key[1:]] == key[by_key[:-1]])
        if len(same) > MOST_PAIRS:
            same = rng.choice(same, MOST_PAIRS, replace=False)
        one, other = by_key[same], by_key[same + 1]
        yield np.minimum(one, other), np.maximum(one, other)


def _bits(values: Hashes) -> float:
    """Return the entropy of a column's pairs: minus the log of the chance that two rows agree."""
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    agree = float((counts * (counts - 1)).sum()) / max(len(values) * (len(values) - 1), 1)
    return -float(np.log(max(agree, 1 / len(values))))


def _mates(subject: Subject, kept: tuple[str, ...]) -> _Mates:
    """Look for training rows of the same entity; chance is that of entities, each taken once."""
    table = chosen(subject.table, kept)
    hashes = table.hash_rows()
    test, mate = matches(hashes.to_numpy(), subject)
    once = np.flatnonzero(hashes.is_first_distinct().to_numpy())
    some = np.sort(np.random.default_rng(SEED).permutation(once)[:MOST_ROWS])
    everywhere = np.ones((len(some), len(kept)), bool)
    log = chance_of(table[some]).log_share(np.arange(len(some)), everywhere, equal=True)
    expected = float(np.minimum(np.exp(log + np.log(len(once))), 1).mean())
    size = len(subject.train) / max(hashes.gather(subject.train).n_unique(), 1)
    return _Mates(kept, test, mate, len(test) / len(subject.test), expected, size)


def _has_name(subject: Subject, found: _Mates) -> bool:
    """Return True when a column that seems to name entities says the same: it is reported."""
    names = [subject.table[name] for name in _named(subject)]
    same = [float(values[found.test].eq_missing(values[found.mate]).mean()) for values in names]  # type: ignore[arg-type]  # a share
    return max(same, default=0.0) >= KEPT


def _suspect(subject: Subject, found: _Mates, agreement: float) -> Finding:
    kept = found.kept
    decides = agreement >= DECIDING and found.share >= MOST_OF_TEST
    severity: Severity = "error" if decides else "warning"
    names = ", ".join(show(name) for name in kept[:NAMED])
    names += f" and {len(kept) - NAMED} more columns" if len(kept) > NAMED else ""
    return Finding(
        code="GROUP-SUSPECT",
        severity=severity,
        where=", ".join(kept[:EXAMPLES]),
        message=f"{len(found.test):,} test rows ({percent(found.share)}) share {names} with a "
        f"training row, as if both were about the same one, {TOLD[severity]}",
        evidence={
            "columns": [show(name) for name in kept],
            "test_rows_of_these": len(found.test),
            "share_of_test_rows": show(found.share),
            "share_expected_by_chance": show(found.expected),
            "rows_of_one_in_training": show(found.size),
            "same_answer_beyond_chance": show(agreement),
            "pairs": pairs_of(subject, found.test, found.mate, kept),
        },
        hint="find out whom or what the rows are about; add a column that names it and set "
        "split.group_on to it",
    )
