"""Are groups treated alike? Rates by group and by intersection, and how far they are apart.

The definitions are those of fairlearn, which is the oracle of the tests. n rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.evaluate.case import Case
from assay.evaluate.cells import of_a_gap, redrawn
from assay.evaluate.fairness.mitigation import enough, gap
from assay.evaluate.slices import MISSING, bins
from assay.metrics.intervals.linear import critical, wilson
from assay.records.report import Estimate, Examination, tabled

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

LINES = 20
DEFINITIONS = ("demographic_parity", "equal_opportunity", "equalized_odds", "average_odds")
SERIOUS, LOOK = 0.1, 0.02
"""Differences from which it is serious, and from which one should look."""
_MEANING = {
    "demographic_parity": "the share of rows that are called positive",
    "equal_opportunity": "the share of true positives that are found",
    "equalized_odds": "the larger of the differences in true positives found and in false alarms",
    "average_odds": "the mean of the differences in true positives found and in false alarms",
}
_CELLS = 4
"""Of each group: truth and answer, negative and positive."""


@dataclass(frozen=True)
class Grouping:
    """A column, or several together: the values of the groups and each row's group.

    `scored` marks the groups with rows enough; `cells` (n,) has each row's cell, four to a group.
    """

    name: str
    values: tuple[str, ...]
    scored: NDArray[np.bool_]
    cells: Codes

    @property
    def counts(self) -> Floats:
        """Return (groups, 2, 2) counts: truth by answer, negative first."""
        counts = np.bincount(self.cells, minlength=_CELLS * len(self.values))
        return counts.astype(np.float64).reshape(-1, 2, 2)


def examine(case: Case) -> Examination | None:
    """Compare the groups of the project file; None when it names none, or the task has no yes."""
    columns, problem = case.seal.fairness.columns, case.problem
    if not columns or problem.positive is None or len(case.test.truth) == 0:
        return None
    positive = case.test.truth == problem.positive_code
    called = case.champion.codes(problem.positive_code) == problem.positive_code
    words = {
        name: [MISSING if v is None else v for v in bins(case.test.table[name])] for name in columns
    }
    groupings = [grouping(name, labels, positive, called) for name, labels in joined(words)]
    rng = np.random.default_rng(case.seed)
    found = {each.name: differences(each, rng, case.groups) for each in groupings}
    known = {name: each for name, each in found.items() if each}
    numbers = _worst(known)
    concern, advice = _judged(case, numbers)
    return Examination(
        name="fairness",
        title="Are groups treated alike?",
        reading=_reading(case, known, groupings),
        concern=concern,
        advice=advice,
        numbers=numbers,
        tables=tabled(_tables(known, groupings)),
    )


def joined(words: dict[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield each column's (n,) words, those of every two columns, and of all of them together."""
    names = list(words)
    sizes = sorted({1, min(2, len(names)), len(names)})
    for size in sizes:
        for chosen in combinations(names, size):
            labels = [
                " × ".join(row) for row in zip(*(words[name] for name in chosen), strict=True)
            ]
            yield " × ".join(chosen), labels


def grouping(
    name: str, words: list[str], positive: NDArray[np.bool_], called: NDArray[np.bool_]
) -> Grouping:
    """Return the groups of (n,) words with their cells, and which have rows enough."""
    values, place = np.unique(np.array(words, dtype=str), return_inverse=True)
    rows = np.bincount(place)
    hits = np.bincount(place, positive)
    scored = np.array([enough(int(n), int(k)) for n, k in zip(rows, hits, strict=True)])
    cells = _CELLS * place + 2 * positive + called
    return Grouping(name, tuple(values.tolist()), scored, cells)


def rates_of(counts: Floats) -> Floats:
    """Return (3, …) from (…, 2, 2) counts: the share called of positives, of negatives, of all."""
    called, rows = counts[..., 1], counts.sum(axis=-1)
    parts = (called[..., 1], rows[..., 1]), (called[..., 0], rows[..., 0])
    everyone = called.sum(axis=-1), rows.sum(axis=-1)
    return np.stack(
        [
            np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
            for top, bottom in (*parts, everyone)
        ]
    )


def differences(
    found: Grouping, rng: np.random.Generator, units: NDArray[Any] | None
) -> dict[str, Estimate]:
    """Return the largest difference between scored groups by each definition, with its interval.

    Empty when fewer than two groups can be scored. The average odds difference is the mean of the
    differences in true and in false positive rate, each without its sign (Bellamy et al. 2018, AI
    Fairness 360).
    """
    if found.scored.sum() < 2:
        return {}
    rates = rates_of(found.counts[found.scored])
    drawn = redrawn(found.cells, _CELLS * len(found.values), rng, units)
    again = rates_of(drawn.reshape(len(drawn), -1, 2, 2)[:, found.scored])
    n = int(found.counts[found.scored].sum())
    return {
        name: of_a_gap(
            float(gap(name, np.ptp(rates, axis=-1))), gap(name, np.ptp(again, axis=-1)), n
        )
        for name in DEFINITIONS
    }


def _worst(known: dict[str, dict[str, Estimate]]) -> dict[str, Estimate]:
    """Return each definition's difference in the grouping where it is largest."""
    if not known:
        return {}
    return {
        f"{name}_difference": max((each[name] for each in known.values()), key=lambda e: e.value)
        for name in DEFINITIONS
    }


def _reading(case: Case, known: dict[str, dict[str, Estimate]], groupings: list[Grouping]) -> str:
    small = sum(int((~each.scored).sum()) for each in groupings)
    tail = f" {_groups(small)} too small to say anything about." if small else ""
    if not known:
        return "No two groups have rows enough to compare: nothing is said about fairness." + tail
    definition = case.seal.fairness.definition
    name = max(known, key=lambda key: known[key][definition].value)
    gap_, where = known[name][definition], next(g for g in groupings if g.name == name)
    hits, alarms, called = rates_of(where.counts)
    by = {"demographic_parity": called, "average_odds": hits + alarms}.get(definition, hits)
    scored = np.flatnonzero(where.scored)
    top, least = scored[by[scored].argmax()], scored[by[scored].argmin()]
    return (
        f"Groups by {name} differ most: {100 * gap_.value:.1f} points (between "
        f"{100 * gap_.low:.1f} and {100 * gap_.high:.1f}) in {_MEANING[definition]}. "
        f"Of those who are {case.problem.positive}, {hits[top]:.0%} are found among "
        f"{where.values[top]} and {hits[least]:.0%} among {where.values[least]}; the others get "
        f"a false alarm in {alarms[top]:.1%} and {alarms[least]:.1%}." + tail
    )


def _groups(count: int) -> str:
    return "One group is" if count == 1 else f"{count} groups are"


def _judged(case: Case, numbers: dict[str, Estimate]) -> tuple[Any, str]:
    if not numbers:
        return "look", "Bring more rows of each group, or name columns with fewer values."
    fairness = case.seal.fairness
    apart = numbers[f"{fairness.definition}_difference"]
    concern = "serious" if apart.low >= SERIOUS else "look" if apart.low >= LOOK else "none"
    if concern == "none":
        wide = apart.high >= SERIOUS
        return "none", (
            "No difference beyond chance is shown, but these rows could hide one of "
            f"{100 * apart.high:.0f} points: bring more rows before you rely on it."
            if wide
            else "No difference that matters is shown by this definition; the table has the others."
        )
    if fairness.mitigate == "none":
        return concern, (
            "Decide whether the difference is justified. If it is not, fairness.mitigate = "
            '"thresholds" (a threshold for each group), "reweigh" or "constrain" lessen it, at '
            "some cost in accuracy that the report then shows."
        )
    return concern, (
        f'A difference is left after fairness.mitigate = "{fairness.mitigate}". Try another '
        "mitigation, or a single column; the same definition must be the one that matters to you."
    )


def _tables(
    known: dict[str, dict[str, Estimate]], groupings: list[Grouping]
) -> dict[str, tuple[dict[str, Any], ...]]:
    tables = {f"By {each.name}": _lines(each) for each in groupings}
    if known:
        tables["Differences"] = tuple(
            {
                "groups": name,
                "definition": definition.replace("_", " "),
                "difference": round(each[definition].value, 4),
                "between": f"{each[definition].low:.3f} and {each[definition].high:.3f}",
            }
            for name, each in known.items()
            for definition in DEFINITIONS
        )[:LINES]
    return tables


def _lines(found: Grouping) -> tuple[dict[str, Any], ...]:
    """Return the rates of each group, the largest first; those too small are named only."""
    counts = found.counts
    rows = counts.sum(axis=(1, 2))
    order = np.argsort(-rows, kind="stable")[:LINES]
    return tuple(_line(found.values[g], counts[g], scored=bool(found.scored[g])) for g in order)


def _line(value: str, counts: Floats, *, scored: bool) -> dict[str, Any]:
    rows, called = counts.sum(), counts[:, 1]
    line: dict[str, Any] = {"group": value, "rows": int(rows)}
    if not scored:
        return line | {"note": "too few rows to score"}
    right = counts[0, 0] + counts[1, 1]
    shares = {
        "called positive": (called.sum(), rows),
        "positives found": (called[1], counts[1].sum()),
        "false alarms": (called[0], counts[0].sum()),
        "right when called": (called[1], called.sum()),
        "right": (right, rows),
    }
    return line | {name: _share(*pair) for name, pair in shares.items()} | {"note": ""}


def _share(top: float, bottom: float) -> str:
    if bottom == 0:
        return "none called"
    low, high = wilson(top / bottom, bottom, critical(0.95))
    return f"{top / bottom:.1%} ({low:.1%} to {high:.1%})"
