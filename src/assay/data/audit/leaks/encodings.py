"""Columns that were computed from the target itself: LEAK-ENCODED.

A column may be the mean, or the sum, of the target over all rows of a customer, a shop or a town.
Such a column is told from an honest property of the town by what nobody could know: it repeats
the chance in the mean of these very rows. A mean over the test rows too carries their answers
into training; one that leaves the own row out mirrors the own answer.

The remedy, means over other folds only, is in Micci-Barreca, "A preprocessing scheme for
high-cardinality categorical attributes" (SIGKDD Explorations 2001), and scikit-learn's
TargetEncoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from scipy.special import chdtr

from assay.data.audit.leaks.single import given_away
from assay.data.audit.score import LARGEST, Floats, Ints, to_unit
from assay.data.audit.subject import SEED, Subject, plain, records, show
from assay.records.audit import Finding

PRIORS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 200.0, 300.0, 500.0, 1000.0)
"""Rows of prior that smooth a mean towards the mean of all rows."""
CHANCE = 1e-9
"""Largest probability that a column from elsewhere comes so close to the mean of these rows."""
EXACT = 1e-6
MOST_MOVED = 0.03
"""Share of pairs that may step another way than the answers, in a mirror of them."""
OWN_ANSWER = 0.99
"""Share of a column's spread within a category that the own answer explains: a mirror of it."""
SCREENED = 2_000
MOST_SORTED = 200_000
FEWEST_PAIRS = 10
MOST_DISTINCT = 0.7
"""Values over rows of a category; of more, hardly one repeats."""
MOST_CLASSES = 10
FEWEST_CATEGORIES = 4
EXAMPLES = 6
TINY = 1e-12


@dataclass(frozen=True)
class Keys:
    """A category: its values (n,) in the known rows, and (m, 2) pairs of rows that share one."""

    name: str
    values: pl.Series
    pairs: Ints

    @cached_property
    def codes(self) -> Ints:
        """Return (n,) numbers of the values, 0 where missing."""
        return self.values.rank("dense").fill_null(0).to_numpy().astype(np.int64)


@dataclass(frozen=True)
class Match:
    """How well a column repeats a statistic of the target.

    `misfit` is the squared distance over that of an independent column: about 1 for the best
    honest one, 0 for a repeat. `with_test` says that the statistic is over the test rows too.
    """

    kind: str
    misfit: float
    with_test: bool = False


def encoded_targets(subject: Subject) -> Iterator[Finding]:
    """Find columns that repeat a statistic of the target over the rows of a category."""
    numbers = [n for n in subject.features if _is_number(subject, n)]
    known = np.flatnonzero(subject.known & (subject.parts > -2))
    if not numbers or len(known) < 2 * FEWEST_CATEGORIES:
        return
    table = subject.table if len(known) == subject.table.height else subject.table[known]
    drawn: Ints = np.random.default_rng(SEED).permutation(len(known))[:MOST_SORTED]
    columns = [c for c in table.iter_columns() if c.name != subject.problem.target]
    keys = [found for values in columns if (found := _keys(values, drawn))]
    answers = list(_answers(subject, known))
    for name in numbers:
        values = plain(table[name]).cast(pl.Float64).to_numpy()
        values = np.where(np.abs(values) < LARGEST, values, np.nan)
        spread = float(np.nanstd(values)) if np.isfinite(values).any() else 0.0
        for key in keys:
            match = None
            if key.name != name and _is_stepwise(values, spread, answers, key.pairs):
                match = _best_match(subject, key, known, values, answers)
            if match is not None:
                yield _finding(subject, name, key, known, match)
                break


def _is_number(subject: Subject, name: str) -> bool:
    values = subject.table[name]
    if not values.dtype.is_numeric() or name in given_away(subject):
        return False
    return values[:SCREENED].n_unique() > 2 or values.n_unique() > 2


def _keys(values: pl.Series, drawn: Ints) -> Keys | None:
    """Return a column as a category: text, or whole numbers, most of whose values repeat.

    It is judged by the rows `drawn`.
    """
    if not _is_key(values):
        return None
    codes = values[drawn].rank("dense").fill_null(0).to_numpy()
    order = np.argsort(codes, kind="stable")
    same = np.flatnonzero(np.diff(codes[order]) == 0)
    distinct = len(order) - len(same)
    if len(same) < FEWEST_PAIRS or distinct < 2 or distinct > MOST_DISTINCT * len(order):
        return None
    chosen = np.random.default_rng(SEED).permutation(same)[:SCREENED]
    return Keys(
        values.name, values, np.column_stack([drawn[order[chosen]], drawn[order[chosen + 1]]])
    )


def _is_key(values: pl.Series) -> bool:
    if values.dtype.is_float():
        some = values[:SCREENED].drop_nulls()
        return bool((some == some.round()).all())
    return values.dtype in (pl.String, pl.Boolean)


def _answers(subject: Subject, known: Ints) -> Iterator[Floats]:
    """Return the target of the known rows, (n,): up to 1, or 1 for one class and 0 for others."""
    target = subject.target[known]
    classes = subject.problem.classes
    if not classes:
        yield to_unit(target.astype(np.float64))
    elif len(classes) == 2:
        yield (target == 1).astype(np.float64)
    else:
        for code in range(min(len(classes), MOST_CLASSES)):
            yield (target == code).astype(np.float64)


def _best_match(
    subject: Subject, key: Keys, known: Ints, values: Floats, answers: list[Floats]
) -> Match | None:
    """Return the closest repeat of a statistic, or None where the column may come from elsewhere.

    The column is stepwise. One that differs within a category is held against leave-one-out means,
    others against means and sums; each over all rows and over training rows.
    """
    present = np.isfinite(values)
    training = present & (subject.parts[known] >= 0)
    found = []
    for answer in answers:
        for used in (training, present) if training.sum() < present.sum() else (training,):
            match = _match(key.codes[used], values[used], answer[used])
            if match is not None:
                found.append(replace(match, with_test=used is present))
    return min(found, key=lambda match: match.misfit, default=None)


def _is_stepwise(values: Floats, spread: float, answers: list[Floats], pairs: Ints) -> bool:
    """Return True where values agree within a category, or differ there as the answers do.

    `pairs` (m, 2) are rows of the same category, `spread` the standard deviation of all values.
    """
    steps = np.diff(values[pairs], axis=1)[:, 0]  # NaN where unknown
    known = np.isfinite(steps)
    if known.sum() < len(steps) / 2:
        return False
    moved = np.abs(steps) > EXACT * spread
    if moved[known].mean() <= 1 - OWN_ANSWER:
        return True
    turns = np.sign([np.diff(answer[pairs], axis=1)[:, 0] for answer in answers])
    same = known & (turns == 0).all(axis=0)
    if same.sum() >= FEWEST_PAIRS and moved[same].mean() > MOST_MOVED:
        return False
    agreed = [np.sign(steps[known & (turn != 0)]) * turn[known & (turn != 0)] for turn in turns]
    return any(len(a) >= FEWEST_PAIRS and abs(a.mean()) >= 1 - MOST_MOVED for a in agreed)


def _match(codes: Ints, values: Floats, answer: Floats) -> Match | None:
    counts = np.bincount(codes).astype(np.float64)
    safe = np.maximum(counts, 1)
    centre = np.bincount(codes, weights=values) / safe
    sums = np.bincount(codes, weights=answer)
    within, own = values - centre[codes], answer - (sums / safe)[codes]
    used = np.flatnonzero(counts)
    chance = float((own**2).sum()) / max(len(codes) - len(used), 1)
    if chance <= TINY or values.std() <= TINY:
        return None
    if float(np.abs(within).max()) > EXACT * values.std():
        misfit = _mirror_misfit(codes, counts, within, own)
        near = misfit <= 1 - OWN_ANSWER
        return Match("mean of the other rows", misfit) if near else None
    if len(used) < FEWEST_CATEGORIES:
        return None
    misfit, kind = _repeat_misfit(centre[used], np.asarray(sums[used], float), counts[used], chance)
    freedom = max(len(used) - 3, 1)
    return Match(kind, misfit) if chdtr(freedom, misfit * freedom) < CHANCE else None


def _mirror_misfit(codes: Ints, counts: Floats, within: Floats, own: Floats) -> float:
    """Return what the own answer leaves open of a spread within categories, from 0 to 1."""
    best = 1.0
    for prior in (0.0, 1.0, 10.0):
        mirror = own / np.maximum(counts[codes] - 1 + prior, 1)
        inner = float((mirror * within).sum())
        spread = float((mirror**2).sum() * (within**2).sum())
        best = min(best, 1 - inner**2 / spread) if spread > 0 else best
    return best


def _repeat_misfit(
    centre: Floats, sums: Floats, counts: Floats, chance: float
) -> tuple[float, str]:
    """Return the least misfit of values (categories,) to a linear form of means or sums.

    `chance` is the variance of the target within a category. The misfit is the squared distance
    over the one that the chance in the sums would make.
    """
    forms = [("mean", sums / (counts + prior), 1 / (counts + prior)) for prior in PRIORS]
    forms.append(("sum", sums, counts))
    best = (np.inf, "mean")
    for kind, told, other in forms:
        noise = np.sqrt(counts * chance) * (1.0 if kind == "sum" else other)
        columns = np.column_stack([told, other, np.ones(len(told))]) / noise[:, None]
        scale = np.linalg.norm(columns, axis=0)
        weights = np.linalg.lstsq(columns / scale, centre / noise, rcond=None)[0] / scale
        left = float(((centre / noise - columns @ weights) ** 2).sum())
        misfit = left / max(weights[0] ** 2, TINY) / max(len(told) - 3, 1)
        if weights[0] and misfit < best[0]:
            best = (misfit, kind)
    return best


def _finding(subject: Subject, name: str, key: Keys, known: Ints, match: Match) -> Finding:
    target = subject.problem.target
    mirror = match.kind == "mean of the other rows"
    over = "all rows, the test rows included" if match.with_test else "the training rows"
    harm = (
        "the column mirrors each row's own answer"
        if mirror
        else "each row's own answer is part of what the column tells"
    )
    return Finding(
        code="LEAK-ENCODED",
        severity="error" if mirror or match.with_test else "warning",
        where=name,
        message=f"The column {name} is computed from {target}: it is the {match.kind} of the "
        f"target over {over}, for each value of {key.name}; {harm}.",
        evidence={
            "statistic": match.kind,
            "of_each": show(key.name),
            "test_rows_included": match.with_test,
            "distance_over_chance": show(match.misfit),
            "rows": len(known),
            "categories": _categories(subject, name, key, known),
        },
        hint=f"drop {name}, and let the model learn {key.name} itself; or compute it for each row "
        "from training rows of other folds only",
    )


def _categories(subject: Subject, name: str, key: Keys, known: Ints) -> list[dict[str, Any]]:
    """Return the largest categories: rows, mean target of all and of training rows, the column."""
    target = subject.target[known].astype(np.float64)
    classes, code = subject.problem.classes, subject.problem.positive_code
    frame = pl.DataFrame(
        {
            "key": subject.table[key.name][known].cast(pl.String),
            "target": target == code if classes else target,
            "train": subject.parts[known] >= 0,
            "column": subject.table[name][known],
        }
    )
    wanted = f"share of {classes[code]}" if classes else f"mean {subject.problem.target}"
    told = (
        frame.group_by("key")
        .agg(
            pl.len().alias("rows"),
            pl.col("target").mean().alias("all"),
            pl.col("target").filter(pl.col("train")).mean().alias("training"),
            pl.col("column").min().alias("least"),
            pl.col("column").max().alias("most"),
        )
        .sort("rows", "key", descending=[True, False], nulls_last=True)
        .head(EXAMPLES)
    )
    header = [
        key.name, "rows", f"{wanted}, all rows", f"{wanted}, training rows",
        f"{name}, least", f"{name}, most",
    ]  # fmt: skip
    return records(header, told.rows())
