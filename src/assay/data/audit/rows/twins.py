"""Test rows that stand in training as well: exactly, nearly, or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import lgamma
from typing import Any

import numpy as np
import polars as pl

from assay.data.audit.leaks.single import given_away
from assay.data.audit.rows.chance import (
    Bools,
    Chance,
    Hashes,
    chance_of,
    chosen,
    finest,
    hashes_of,
    keys_of,
)
from assay.data.audit.rows.nearest import beyond_chance, fine_columns, nearest
from assay.data.audit.score import Floats, Ints, to_unit
from assay.data.audit.subject import SEED, Subject, percent, records, show
from assay.data.audit.values.columns import id_like
from assay.records.audit import Finding, Severity

MANY_COPIES = 0.01
"""Share of test rows with a twin in training from which the copies can decide a verdict."""
MANY_NEAR, MOST_NEAR = 0.02, 0.05
"""The same for near twins, which may be separate cases: to be noticed, and to decide."""
FEWEST_COPIES = 10
FEWEST_NEAR = 3
SAME_ANSWER, TELLING = 0.9, 0.3
"""Chance-corrected agreement from which a twin's answer is the row's own, and says something."""
WHOLE = 0.5
"""Share of a declared test part with twins from which it is taken for the training rows."""
UNLIKELY = 0.01
"""Expected number of rows so alike from which a pair is not put down to chance."""
MOST_TEST, MOST_CELLS = 5_000, 5_000_000
BLOCKS = 4
TRIED = 6
"""Rows of a bucket that a test row is compared with."""
EXAMPLES = 5


TOLD: dict[Severity, str] = {
    "error": ", and their answers are nearly always the same.",
    "warning": ", and their answers are alike beyond chance.",
    "note": ". Their answers differ, so they may well be separate cases.",
}


@dataclass(frozen=True)
class Search:
    """The rows among which copies are looked for: `test` and `train` are row numbers."""

    subject: Subject
    columns: tuple[str, ...]
    test: Ints
    train: Ints

    @cached_property
    def table(self) -> pl.DataFrame:
        """Return the test rows, then the training rows, of the columns that are compared."""
        rows = np.concatenate([self.test, self.train])
        return chosen(self.subject.table, self.columns)[rows]

    @cached_property
    def chance(self) -> Chance:
        """Return how often these rows agree by chance."""
        return chance_of(self.table)


@dataclass(frozen=True)
class Twins:
    """Test rows and their training twins, with how they differ, in words."""

    test: Ints
    train: Ints
    differ: str


def duplicates(subject: Subject) -> Iterator[Finding]:
    """Find test rows whose features stand in a training row as well."""
    search = _search(subject)
    if search is None:
        return
    test, twin = _twins(subject, search.columns)
    if not len(test):
        return
    share = len(test) / len(subject.test)
    agreement = agreement_of(subject, test, twin)
    chance = _expected(search)
    many = share >= MANY_COPIES and len(test) >= FEWEST_COPIES
    severe = many and agreement >= SAME_ANSWER and chance < share / 10
    whole = severe and share >= WHOLE and subject.test_is_given
    reason = ", and nearly always its answer: the test repeats what was learnt." if severe else "."
    if whole:
        reason = " and its answer: the test part is the training part, or a part of it, once more."
    yield Finding(
        code="TEST-IS-TRAIN" if whole else "DUPLICATE-ROWS-SPLIT",
        severity="error" if severe else "warning" if share >= MANY_COPIES else "note",
        where="rows",
        message=f"{len(test):,} of {len(subject.test):,} test rows ({percent(share)}) have the "
        f"same features as a training row{reason}",
        evidence={
            "test_rows": len(subject.test),
            "with_a_twin": len(test),
            "share": show(share),
            "same_answer_beyond_chance": show(agreement),
            "share_expected_by_chance": show(chance),
            "pairs": pairs_of(subject, test, twin, search.columns),
        },
        hint="declare another test part: this one cannot tell learning from remembering"
        if whole
        else "remove the copies from the data, or group the split by what they share (group_on); "
        "if such rows are truly separate cases, accept the finding with the reason",
    )


def near_duplicates(subject: Subject) -> Iterator[Finding]:
    """Find test rows that equal a training row but for a column or two, or but for noise."""
    search = _search(subject)
    if search is None:
        return
    found = max((_but_for_few(search), _but_for_noise(search)), key=lambda twins: len(twins.test))
    count, asked = len(found.test), len(search.test)
    if count < FEWEST_NEAR or count / asked < MANY_COPIES:
        return
    agreement = agreement_of(subject, found.test, found.train)
    many = count >= FEWEST_COPIES and count / asked >= MOST_NEAR
    severe = many and agreement >= SAME_ANSWER
    severity: Severity = "error" if severe else "warning" if agreement >= TELLING else "note"
    sampled = {} if asked == len(subject.test) else {"sampled_from": len(subject.test)}
    yield Finding(
        code="NEAR-DUPLICATES-SPLIT",
        severity=severity,
        where="rows",
        message=f"{count:,} of {asked:,} test rows ({percent(count / asked)}) equal a training row "
        f"but for {found.differ}{TOLD[severity]}",
        evidence={
            "test_rows": asked,
            **sampled,
            "with_a_near_twin": count,
            "share": show(count / asked),
            "same_answer_beyond_chance": show(agreement),
            "differ_in": found.differ,
            "pairs": pairs_of(subject, found.test, found.train, search.columns),
        },
        hint="find out whether such rows are the same case recorded twice; if so keep one of them, "
        "or group the split by what they share (group_on)",
    )


def _search(subject: Subject) -> Search | None:
    """Return the rows to compare, without the columns that name a row or know the answer."""
    ignored = given_away(subject) | set(id_like(subject))
    columns = tuple(name for name in subject.features if name not in ignored)
    if not columns or not len(subject.test) or not len(subject.train):
        return None
    rng = np.random.default_rng(SEED)
    most = max(MOST_CELLS // len(columns), 1_000)
    return Search(
        subject,
        columns,
        _some(subject.test, min(MOST_TEST, most), rng),
        _some(subject.train, most, rng),
    )


def _some(rows: Ints, most: int, rng: np.random.Generator) -> Ints:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _twins(subject: Subject, columns: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Return the test rows with a twin in training, and the first such twin of each."""
    return matches(chosen(subject.table, columns).hash_rows().to_numpy(), subject)


def matches(hashes: Hashes, subject: Subject) -> tuple[Ints, Ints]:
    """Return the test rows whose hash a training row has too, and the first such row of each."""
    known, first = np.unique(hashes[subject.train], return_index=True)
    place = np.minimum(np.searchsorted(known, hashes[subject.test]), len(known) - 1)
    found = known[place] == hashes[subject.test]
    return subject.test[found], subject.train[first[place[found]]]


def _expected(search: Search) -> float:
    """Return the share of test rows that would have a twin in training by chance."""
    rows = np.arange(len(search.test))
    everywhere = np.ones((len(rows), len(search.columns)), bool)
    log = search.chance.log_share(rows, everywhere, equal=True)
    return float(np.minimum(np.exp(log + np.log(len(search.subject.train))), 1).mean())


def _but_for_few(search: Search) -> Twins:
    """Return the pairs that differ in one column, or in two of ten and more, beyond chance.

    The columns are dealt to four blocks: rows that differ in two columns agree in two blocks.
    """
    hashes = hashes_of(search.table)
    width, asked = hashes.shape[1], len(search.test)
    few = 0 if width < 3 else 1 if width < 10 else 2
    apart = np.full(asked, width)
    twin = np.zeros(asked, np.int64)
    order = finest(search.table)
    for pair in combinations(range(BLOCKS), 2):
        key = keys_of(hashes, np.concatenate([order[block::BLOCKS] for block in pair]))
        for candidate, same in _candidates(key, asked):
            differ = (hashes[:asked] != hashes[candidate]).sum(axis=1)
            closer = same & (differ < apart)
            apart[closer], twin[closer] = differ[closer], candidate[closer]
    rows = np.flatnonzero((apart > 0) & (apart <= few))
    rows = rows[_improbable(search, rows, hashes[rows] == hashes[twin[rows]])]
    differ_in = _named(search, hashes[rows] != hashes[twin[rows]])
    return Twins(search.test[rows], search.train[twin[rows] - asked], differ_in)


def _candidates(key: Hashes, asked: int) -> Iterator[tuple[Ints, Bools]]:
    """Yield for each of the first rows a later row and whether it has the same key."""
    order = np.argsort(key[asked:], kind="stable")
    known = key[asked:][order]
    left = np.searchsorted(known, key[:asked])
    for step in range(TRIED):
        place = np.minimum(left + step, len(known) - 1)
        yield order[place] + asked, known[place] == key[:asked]


def _improbable(search: Search, rows: Ints, agree: Bools) -> Bools:
    """Say of each pair whether fewer than `UNLIKELY` rows would agree so by chance."""
    expected = search.chance.log_share(rows, agree) + _log_ways(agree)
    return np.asarray(expected + np.log(len(search.train)) < np.log(UNLIKELY))


def _log_ways(agree: Bools) -> Floats:
    """Return the log of the number of ways to choose the columns that differ, (m,)."""
    width = agree.shape[1]
    few = (~agree).sum(axis=1)
    return np.array([lgamma(width + 1) - lgamma(k + 1) - lgamma(width - k + 1) for k in few])


def _named(search: Search, differ: Bools) -> str:
    """Name the columns that nearly all pairs differ in, if there are such."""
    if not len(differ):
        return ""
    common = np.flatnonzero(differ.mean(axis=0) >= 0.8)
    names = " and ".join(show(search.columns[place]) for place in common)
    return names or ("one column" if differ.sum(axis=1).max() == 1 else "one or two columns")


def _but_for_noise(search: Search) -> Twins:
    """Return the pairs that are much closer than the neighbours of their place in the table."""
    none = Twins(search.test[:0], search.train[:0], "")
    found = nearest(search.table, len(search.test))
    if found is None:
        return none
    near = beyond_chance(found)
    rows, twins = found.rows[near], found.first[near]
    fine, enough = fine_columns(search.table), MANY_NEAR
    if fine.mean() < 0.5:  # the law of distances is one of numbers: ask the other columns too
        kept = _improbable_noisy(search, rows, twins + len(search.test), fine)
        rows, twins, enough = rows[kept], twins[kept], MOST_NEAR
    if len(rows) < enough * len(search.test):
        return none
    return Twins(search.test[rows], search.train[twins], "small differences")


def _improbable_noisy(search: Search, rows: Ints, twins: Ints, fine: Bools) -> Bools:
    """Say the same of pairs whose fine columns agree when their levels are neighbours.

    Noise alone may move a cell far among many that are nearly equal: a fine column that does not
    agree is not held against the pair.
    """
    chance = search.chance
    fine = fine[chance.columns]
    apart = np.abs(chance.levels[rows] - chance.levels[twins])
    near = np.where(fine, apart <= 1, apart == 0)
    agree = np.zeros((len(rows), len(search.columns)), bool)
    agree[:, chance.columns] = near
    roughly = (near & fine).sum(axis=1) * np.log(3)
    expected = chance.log_share(rows, agree) + _log_ways(near[:, ~fine]) + roughly
    return np.asarray(expected + np.log(len(search.train)) < np.log(UNLIKELY))


def pairs_of(
    subject: Subject, test: Ints, twin: Ints, columns: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the first pairs: row numbers from 1, the values of the test row, and both answers."""
    target = subject.problem.target
    shown = columns[:3]
    rows, twins = (subject.table[which[:EXAMPLES]] for which in (test, twin))
    header = ["test row", "training row", *shown, f"{target} (test)", f"{target} (training)"]
    values = zip(
        (test[:EXAMPLES] + 1).tolist(),
        (twin[:EXAMPLES] + 1).tolist(),
        *(rows[name] for name in shown),
        rows[target],
        twins[target],
        strict=True,
    )
    return records(header, values)


def agreement_of(subject: Subject, rows: Ints, twins: Ints) -> float:
    """Return Cohen's kappa of the answers of both, for numbers the intraclass correlation.

    Both are 0 for chance and 1 for equal answers (Fleiss and Cohen, Educational and Psychological
    Measurement 33, 1973, show that they are one measure); less than 0 is given as 0.
    """
    kept = subject.known[rows]
    own, other = subject.target[rows[kept]], subject.target[twins[kept]]
    if not len(own):
        return 0.0
    if not subject.problem.classes:
        own, other = np.split(to_unit(np.concatenate([own, other]).astype(np.float64)), 2)
        spread = 2 * float(np.concatenate([own, other]).var())
        return max(1 - float(((own - other) ** 2).mean()) / spread, 0.0) if spread else 0.0
    size = len(subject.problem.classes)
    shares = [
        np.bincount(codes.astype(np.int64), minlength=size) / len(own) for codes in (own, other)
    ]
    expected = float(shares[0] @ shares[1])
    agreed = float((own == other).mean())
    return max((agreed - expected) / (1 - expected), 0.0) if expected < 1 else 0.0
