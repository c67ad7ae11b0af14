"""Identifiers that encode the target: LEAK-ID.

A number given to a row should say which row it is, and nothing else. Where its first letter, its
last digits, its length or its order go along with the answer, the number was given when the
answer was known, or the file was put together from one source for each answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.data.audit.leaks.probe import Probe, probe_of
from assay.data.audit.leaks.single import counted, given_away
from assay.data.audit.subject import Subject, percent, show
from assay.data.audit.values.columns import id_like
from assay.records.audit import Finding, Severity

LONGEST = 24
"""Characters from the front of an id that are looked at one by one."""
DIVISORS = (2, 3, 4, 5, 7, 8, 9, 10, 11, 16, 97, 100)
PARTS = 0.25
"""Share of the target from which a part of an id, such as its first letter, says too much."""
SUMS, ROUNDED = 0.05, 0.15
"""The same for a remainder, which stands for nothing in the world, and where it may be rounding."""
ORDER = 0.15
"""The same for the order of ids."""
NOISE = 6
CERTAIN = 0.8
SAME_ORDER = 0.999
DISTINCT = 0.5


@dataclass(frozen=True)
class Part:
    """Something that can be read off an id: its name, its values (n,), and how much is too much."""

    words: str
    values: pl.Series
    limit: float


def telling_ids(subject: Subject) -> Iterator[Finding]:
    """Find ids, used as features or not, of which a part goes along with the target."""
    probe = probe_of(subject)
    if probe is None:
        return
    for name, sure in _ids(subject).items():
        values = subject.table[name][probe.rows]
        rated = [(_excess(probe, part), part) for part in _parts(values, probe, sure=sure)]
        excess, part = max(rated, key=lambda one: one[0], default=(-1.0, None))
        if part is not None and excess >= 0:
            yield _finding(probe, name, part, sure=sure)


def _excess(probe: Probe, part: Part) -> float:
    """Return by how much a part passes its limit, the noise of so few rows allowed for."""
    width = part.values.n_unique() if not part.values.dtype.is_float() else 2
    noise = NOISE * np.sqrt(2 * min(width, 32)) / len(probe.rows)
    return float(probe.share(part.values) - max(part.limit, noise))


def _ids(subject: Subject) -> dict[str, bool]:
    """Return ids with True, and features with so many whole numbers that they may be ids."""
    known = given_away(subject) | {subject.problem.target}
    sure = {column.name for column in subject.snapshot.columns if column.type == "id"}
    sure |= set(id_like(subject))
    found = {}
    for name in subject.table.columns:
        if name not in known and (name in sure or _is_whole(subject, name)):
            found[name] = name in sure
    return found


def _is_whole(subject: Subject, name: str) -> bool:
    values = subject.sampled[name].drop_nulls()
    if name not in subject.features or not values.dtype.is_numeric() or not len(values):
        return False
    return values.n_unique() >= DISTINCT * len(values) and bool((values == values.round()).all())


def _parts(values: pl.Series, probe: Probe, *, sure: bool) -> Iterator[Part]:
    """Return what can be read off an id (n,): letters, length, remainders and order."""
    if values.dtype == pl.String:
        lengths = values.str.len_chars().cast(pl.Float64)
        yield Part("its length", lengths, PARTS)
        longest = lengths.drop_nulls().to_numpy().max(initial=0)
        for place in range(min(int(longest), LONGEST)):
            yield Part(f"its character {place + 1}", values.str.slice(place, 1), PARTS)
        yield Part("its last character", values.str.slice(-1), SUMS)
        yield Part("its last two characters", values.str.slice(-2), SUMS)
        digits = values.str.replace_all(r"\D", "").str.slice(-15)
        number = digits.cast(pl.Int64, strict=False)
    elif values.dtype.is_numeric():
        number = values.cast(pl.Int64, strict=False)
    else:
        return
    if number.null_count() > len(number) / 2:
        return
    for divisor in DIVISORS:
        words = f"its remainder after division by {divisor}"
        limit = SUMS if sure else ROUNDED
        yield Part(words, (number % divisor).cast(pl.String), limit)
    if sure and _order_in_file(number, probe) < SAME_ORDER:  # else it is ROW-ORDER's
        yield Part("its order", number.cast(pl.Float64), ORDER)


def _order_in_file(number: pl.Series, probe: Probe) -> float:
    known = number.is_not_null().to_numpy()
    values, places = number.drop_nulls().to_numpy().astype(np.float64), probe.rows[known]
    if len(values) < 2 or values.std() == 0:
        return 1.0
    return abs(float(np.corrcoef(values, places)[0, 1]))


def _finding(probe: Probe, name: str, part: Part, *, sure: bool) -> Finding:
    subject, share = probe.subject, probe.share(part.values)
    target, used = subject.problem.target, name in subject.features
    says = "only says which row it is" if sure else "may be a number given to a row"
    severity: Severity = "error" if used and share >= CERTAIN else "warning"
    use = "" if used else "; no model sees it, but the rows seem to come from a source an answer"
    return Finding(
        code="LEAK-ID",
        severity=severity,
        where=name,
        message=f"The column {name} {says}, yet {part.words} explains "
        f"{percent(share)} of {target}{use}.",
        evidence={
            "part": part.words,
            "explained": show(share),
            "used_as_feature": used,
            "rows": len(probe.rows),
            "values": counted(subject, part.values, subject.table[probe.rows][target]),
            "examples": [show(value) for value in subject.table[name][probe.rows[:5]].to_list()],
        },
        hint=f"add {name} to data.drop, and find out who gives it out, and when",
    )
