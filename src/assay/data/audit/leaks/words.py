"""Text that names the answer: LEAK-TEXT.

A remark "closed as fraud" tells the label to any model that reads. The class's own name in a text
is looked for first; then any other word that hardly stands in texts of another class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.data.audit.leaks.probe import Probe, probe_of
from assay.data.audit.leaks.single import given_away
from assay.data.audit.score import Ints
from assay.data.audit.subject import Subject, percent, records, show
from assay.kernel.family import class_labels
from assay.records.audit import Finding, Severity

FEWEST = 15
"""Texts that must have a word, or a name, before anything is said about it."""
SPACES = 1.0
"""Spaces in a cell on average from which a column is text."""
PURE = 0.97
COMMON = 0.8
"""Share of all rows from which a class is too common for a word to stand for it."""
COVERED = 0.25
"""Share of a class's texts that one pure word must stand in; an honest word reaches 0.15."""
NAMED = 0.9
"""Agreement beyond chance of the class that a text names with its own, from which it is a leak."""
NAMED_ROWS = 0.02
CERTAIN_ROWS = 0.2
CERTAIN_COVERED = 0.6
EXAMPLES = 5
BETWEEN_WORDS = r"""[\s.,;:!?\"'()\[\]{}/\\]+"""


@dataclass(frozen=True)
class Word:
    """A word, the class it stands for, how many texts have it, and how many of that class."""

    word: str
    code: int
    rows: int
    right: int


def telling_words(subject: Subject) -> Iterator[Finding]:
    """Find text columns in which a word, or the class's own name, settles the class."""
    probe = probe_of(subject) if subject.problem.classes else None
    if probe is None:
        return
    given = given_away(subject)
    codes = subject.target[probe.rows].astype(np.int64)
    for name in subject.features:
        texts = subject.table[name][probe.rows]
        if name in given or texts.dtype != pl.String or not _is_text(texts):
            continue
        found = _named(probe, name, texts, codes) or _word(probe, name, texts, codes)
        if found is not None:
            yield found


def _is_text(texts: pl.Series) -> bool:
    spaces = texts.str.count_matches(" ").mean()
    return isinstance(spaces, float) and spaces >= SPACES and texts.n_unique() > FEWEST


def _plain(texts: pl.Series) -> pl.Series:
    """Return texts in lower case, words parted by one blank, with a blank at both ends.

    Signs that a class may be named by, as in ">50K", are kept.
    """
    return " " + texts.str.to_lowercase().str.replace_all(BETWEEN_WORDS, " ") + " "


def _named(probe: Probe, name: str, texts: pl.Series, codes: Ints) -> Finding | None:
    """Judge texts that hold the name of exactly one class."""
    spoken = _plain(texts).fill_null("")
    labels = _plain(class_labels(pl.Series(probe.subject.problem.classes))).str.strip_chars()
    holds = np.column_stack(
        [
            (spoken.str.contains(f" {label} ", literal=True)).to_numpy()
            if label
            else np.zeros(len(codes), bool)
            for label in labels
        ]
    )
    one = holds.sum(axis=1) == 1
    told = holds.argmax(axis=1)
    rows = int(one.sum())
    if rows < max(FEWEST, NAMED_ROWS * len(codes)):
        return None
    share = np.bincount(codes, minlength=len(labels)) / len(codes)
    named = np.bincount(told[one], minlength=len(labels)) / rows
    right, chance = float((told == codes)[one].mean()), float(share @ named)
    if chance >= 1 or (right - chance) / (1 - chance) < NAMED:
        return None
    target = probe.subject.problem.target
    sure = rows >= CERTAIN_ROWS * len(codes)
    return _finding(
        probe,
        name,
        f"The text in {name} names the class of {target} in {rows:,} of {len(codes):,} training "
        f"rows, rightly in {percent(right)} of them.",
        "error" if sure else "warning",
        {"texts_that_name_a_class": rows, "right": show(right), "by_chance": show(chance)},
        one & (told == codes),
    )


def _word(probe: Probe, name: str, texts: pl.Series, codes: Ints) -> Finding | None:
    """Judge the single words of texts."""
    share = np.bincount(codes, minlength=len(probe.subject.problem.classes)) / len(codes)
    words = [
        word
        for word in _words(texts, codes)
        if word.right >= PURE * word.rows
        and share[word.code] <= COMMON
        and word.right >= COVERED * share[word.code] * len(codes)
    ]
    if not words:
        return None
    best = max(words, key=lambda word: word.right)
    covered = best.right / (share[best.code] * len(codes))
    label = show(probe.subject.problem.classes[best.code])
    return _finding(
        probe,
        name,
        f"The word “{best.word}” in {name} stands in {best.rows:,} training rows; {best.right:,} "
        f"of them are {label}, which is {percent(float(covered))} of all {label}.",
        "error" if covered >= CERTAIN_COVERED else "warning",
        {
            "word": show(best.word),
            "texts_with_it": best.rows,
            "of_the_class": best.right,
            "share_of_the_class": show(float(covered)),
        },
        _plain(texts).fill_null("").str.contains(f" {best.word} ", literal=True).to_numpy(),
    )


def _words(texts: pl.Series, codes: Ints) -> Iterator[Word]:
    """Return each word that enough texts have, with the class most of them are of."""
    frame = pl.DataFrame({"word": _plain(texts).str.strip_chars().str.split(" "), "code": codes})
    single = frame.with_columns(pl.col("word").list.unique()).explode("word").drop_nulls()
    counts = single.group_by("word", "code").len(name="right")
    whole = counts.group_by("word").agg(
        pl.col("code").sort_by("right", "code").last(),
        pl.col("right").sum().alias("rows"),
        pl.col("right").max(),
    )
    for word, code, rows, right in whole.filter(pl.col("rows") >= FEWEST).sort("word").rows():
        yield Word(word, code, rows, right)


def _finding(
    probe: Probe,
    name: str,
    message: str,
    severity: Severity,
    evidence: dict[str, Any],
    shown: np.ndarray[Any, np.dtype[np.bool_]],
) -> Finding:
    target = probe.subject.problem.target
    rows = probe.rows[shown][:EXAMPLES]
    table = probe.subject.table[rows]
    examples = records(
        ["row", name, target], zip((rows + 1).tolist(), table[name], table[target], strict=True)
    )
    return Finding(
        code="LEAK-TEXT",
        severity=severity,
        where=name,
        message=message,
        evidence={**evidence, "rows": len(probe.rows), "examples": examples},
        hint=f"if {name} is written when {target} is known, drop it, or cut that part of the text "
        "out; if it is written before, accept LEAK-TEXT for it, with the reason",
    )
