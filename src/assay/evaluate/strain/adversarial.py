"""The smallest plausible change of a row that flips its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.evaluate.case import Case
from assay.evaluate.strain.counterfactual import counterfactuals
from assay.evaluate.strain.moves import Asked, Column, Move, changed, described
from assay.evaluate.strain.shift import along_with
from assay.metrics.intervals.linear import critical, wilson
from assay.records.report import Estimate, Examination, tabled

Codes = NDArray[np.int64]

ANSWERS = 10_000
FEWEST_ROWS, MOST_ROWS = 30, 200
MOST_COLUMNS, RANKED_ROWS = 60, 1_000
STEPS = (0.02, 0.05, 0.1)
"""How far a number moves, in shares of the training rows that lie between."""
SHAKY = 0.2
"""More answers than this that a small change flips are worth a look."""
PAIRED = 3
"""The strongest moves of each row that are tried two at a time."""
SHOWN, EXAMPLES = 10, 3


@dataclass(frozen=True)
class Search:
    """What was found for n sampled rows.

    `steps` are moves of ordered columns by the largest of `STEPS`, `switches` moves of other
    columns to another common value; `step_kept` and `switch_kept` are (moves, n) margins.
    `pair_kept` (pairs, n) are those of the row's strongest steps two at a time, and `pairs`
    (pairs, 2, n) which ones.
    """

    frame: pl.DataFrame
    codes: Codes
    steps: list[Move]
    switches: list[Move]
    step_kept: NDArray[np.float64]
    switch_kept: NDArray[np.float64]
    pairs: Codes
    pair_kept: NDArray[np.float64]

    @property
    def by_one(self) -> NDArray[np.bool_]:
        """Return (n,) whether a small step of one column flips the answer."""
        return np.asarray((self.step_kept <= 0).any(axis=0))

    @property
    def by_two(self) -> NDArray[np.bool_]:
        """Return (n,) whether small steps of one or two columns flip the answer."""
        return self.by_one | np.asarray((self.pair_kept <= 0).any(axis=0))

    @property
    def by_switch(self) -> NDArray[np.bool_]:
        """Return (n,) whether another common value in one column flips the answer."""
        return np.asarray((self.switch_kept <= 0).any(axis=0))


def examine(case: Case) -> Examination | None:
    """Return how many answers a small change flips, through which columns, with examples.

    Small is a move of one or two ordered columns (numbers, dates), each to a value of training
    whose mid-rank is at most a tenth of the training rows away; `flip_rate` counts the sampled
    test rows for which such a move is found. Two columns are tried for the strongest moves of a
    row, and of many columns the 60 that matter most, so the rate is a lower bound. Another common
    value of one column is counted apart. None for numbers, and when nothing can be moved.
    """
    if not case.problem.classes:
        return None
    columns = [Column.of(case.train.table[name]) for name in _main(case)]
    steps = [Move(c, way * STEPS[-1]) for c in columns if c.ordered for way in (1, -1)]
    switches = [Move(c, value=v) for c in columns if len(c.levels) > 1 for v in c.levels]
    if not steps and not switches:
        return None
    most = int(np.clip(ANSWERS // (len(steps) + len(switches)), FEWEST_ROWS, MOST_ROWS))
    chosen = np.random.default_rng(case.seed).permutation(len(case.test.truth))[:most]
    asked = Asked(case.predict, case.problem.positive_code if case.problem.positive else None)
    search = _search(asked, case.features[chosen], steps, switches)
    return _told(case, asked, search, case.test.places[chosen], columns)


def _main(case: Case) -> list[str]:
    """Return the columns that are changed: all, of many those the answers go along with most."""
    features = list(case.problem.features)
    if len(features) <= MOST_COLUMNS:
        return features
    some = np.arange(0, len(case.test.truth), max(1, len(case.test.truth) // RANKED_ROWS))
    return along_with(case.features[some], case.champion.take(some))[:MOST_COLUMNS]


def _search(asked: Asked, frame: pl.DataFrame, steps: list[Move], switches: list[Move]) -> Search:
    codes = asked.predict(frame).codes(asked.code)
    step_kept = asked.each(frame, steps, codes)
    pairs = _strongest_pairs(step_kept, steps)
    pair_kept = np.zeros((len(pairs), len(codes)))
    for number, pair in enumerate(pairs):
        pair_kept[number] = asked.kept(asked.predict(_moved(frame, steps, pair)), codes)
    switch_kept = asked.each(frame, switches, codes)
    return Search(frame, codes, steps, switches, step_kept, switch_kept, pairs, pair_kept)


def _strongest_pairs(kept: NDArray[np.float64], steps: list[Move]) -> Codes:
    """Return (pairs, 2, n) moves: the strongest of each row's best columns, two at a time."""
    columns = len(steps) // 2
    if columns < 2:
        return np.zeros((0, 2, kept.shape[1]), dtype=np.int64)
    ways = kept.reshape(columns, 2, -1)
    better = 2 * np.arange(columns)[:, None] + ways.argmin(axis=1)
    best = np.argsort(ways.min(axis=1), axis=0, kind="stable")[:PAIRED]
    moves = np.take_along_axis(better, best, axis=0)
    both = [(i, j) for i in range(len(moves)) for j in range(i)]
    return np.stack([np.stack([moves[i], moves[j]]) for i, j in both])


def _moved(frame: pl.DataFrame, steps: list[Move], pair: Codes) -> pl.DataFrame:
    """Return the frame after each row made its own two moves (2, n)."""
    for number in np.unique(pair):
        name = steps[number].column.name
        here = pl.Series((pair == number).any(axis=0))
        frame = frame.with_columns(steps[number].apply(frame[name]).zip_with(here, frame[name]))
    return frame


def _told(
    case: Case, asked: Asked, search: Search, places: Codes, columns: list[Column]
) -> Examination:
    n = len(search.codes)
    numbers: dict[str, Estimate] = {}
    parts = []
    if search.steps:
        rate = numbers["flip_rate"] = _share(search.by_two, n)
        parts.append(
            f"{_percent(rate)} of the answers flip when one or two numbers of the row move a "
            "little (to a value that training has, at most a tenth of its rows away)."
        )
    if search.switches:
        rate = numbers["switch_rate"] = _share(search.by_switch, n)
        parts.append(
            f"{_percent(rate)} flip when one column takes another of its common values instead."
        )
    classes = case.problem.classes
    tables = {
        "Columns that flip most": _columns(search),
        "The smallest changes that were found": _examples(asked, search, places, classes),
        "What would have to be different": counterfactuals(
            asked, search.frame, search.codes, places, columns, classes
        ),
    }
    shaky = "flip_rate" in numbers and numbers["flip_rate"].low > SHAKY
    return Examination(
        name="smallest_changes",
        title="The smallest change that flips an answer",
        reading=f"{n:,} test rows were changed as little as possible. " + " ".join(parts),
        concern="look" if shaky else "none",
        advice="Answers near the border are open: where much hangs on one, let a person decide.",
        numbers=numbers,
        tables=tabled(tables),
    )


def _share(flipped: NDArray[np.bool_], n: int) -> Estimate:
    low, high = wilson(float(flipped.mean()), float(n), critical(0.95))
    return Estimate(value=float(flipped.mean()), low=low, high=high, n=n, method="wilson")


def _percent(rate: Estimate) -> str:
    return f"{rate.value:.0%} (between {rate.low:.0%} and {rate.high:.0%})"


def _columns(search: Search) -> tuple[dict[str, Any], ...]:
    """Return the share of the rows that each column flips alone, the strongest first."""
    flips: dict[str, NDArray[np.bool_]] = {}
    ways: dict[str, str] = {}
    for moves, kept, way in (
        (search.steps, search.step_kept, "a small step"),
        (search.switches, search.switch_kept, "another common value"),
    ):
        for move, margin in zip(moves, kept, strict=True):
            name = move.column.name
            flips[name] = flips.get(name, np.zeros(len(search.codes), dtype=bool)) | (margin <= 0)
            ways[name] = way
    ranked = sorted(flips, key=lambda name: -flips[name].mean())[:SHOWN]
    return tuple(
        {"Column": name, "Flips": f"{flips[name].mean():.1%} of the answers", "How": ways[name]}
        for name in ranked
        if flips[name].any()
    )


def _examples(
    asked: Asked, search: Search, places: Codes, classes: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    """Return the rows that the smallest steps flip: of one column first, then of two."""
    found = [*_single(asked, search), *_double(search)]
    lines = []
    for row, moves in found[:EXAMPLES]:
        one = search.frame[row]
        lines.append(described(asked, one, changed(one, moves), int(places[row]), classes))
    return tuple(lines)


def _single(asked: Asked, search: Search) -> list[tuple[int, list[Move]]]:
    """Return each row that one step flips with the smallest of `STEPS`, smallest first."""
    rows = np.flatnonzero(search.by_one)
    found: dict[int, list[Move]] = {}
    for step in STEPS:
        moves = [Move(move.column, step if move.step > 0 else -step) for move in search.steps]
        kept = (
            search.step_kept[:, rows]
            if step == STEPS[-1]
            else asked.each(search.frame[rows], moves, search.codes[rows])
        )
        for row in np.flatnonzero((kept <= 0).any(axis=0)):
            found.setdefault(int(rows[row]), [moves[int(kept[:, row].argmin())]])
    return list(found.items())


def _double(search: Search) -> list[tuple[int, list[Move]]]:
    """Return each row that only two steps together flip."""
    found = []
    for row in np.flatnonzero(search.by_two & ~search.by_one):
        pair = search.pairs[int(search.pair_kept[:, row].argmin()), :, row]
        found.append((int(row), [search.steps[number] for number in pair]))
    return found
