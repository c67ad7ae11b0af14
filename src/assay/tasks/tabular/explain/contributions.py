"""How much each column contributes to the answers, up or down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Answering, Model, Rows
from assay.kernel.loader import load
from assay.records.report import Curve, Estimate, Examination, tabled
from assay.records.snapshot import Problem
from assay.tasks.tabular.explain.hybrids import MOST_PLAYERS, OTHERS, Game, game
from assay.tasks.tabular.explain.leading import leading
from assay.tasks.tabular.explain.words import of_what, plain

Floats = NDArray[np.float64]

ANSWERS = 10_000
FEWEST_ROWS, MOST_ROWS = 20, 100
SHOWN = 20
EXACT = 3
"""Members whose exact values are computed, the heaviest first."""
# What computes them imports the libraries that train.
_EXACT = "assay.tasks.tabular.explain.shapley:exact"
_SAMPLED = "assay.tasks.tabular.explain.shapley:sampled"
_CHAINS = "assay.tasks.tabular.explain.shapley:CHAINS"


@dataclass(frozen=True)
class Sizes:
    """The typical size (root mean square over rows) of each column's contribution: (columns,)."""

    value: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, one: Floats, two: Floats) -> Sizes:
        """Return the sizes that two independent draws (n, columns) of the contributions give.

        Their product has the square of the true size as its mean, so the noise of the draws does
        not add up as it would in a mean of absolute values; without noise both are the same.
        """
        square = one * two
        mean, error = square.mean(axis=0), square.std(axis=0) / np.sqrt(len(square))
        ends = (mean, mean - 1.96 * error, mean + 1.96 * error)
        return cls(*(np.sqrt(np.maximum(end, 0.0)) for end in ends))


def contributions(
    problem: Problem,
    predictor: Answering,
    models: Sequence[tuple[Model, float]],
    rows: Rows,
    train: Rows,
    seed: int,
) -> Examination:
    """Return Shapley values by column: exact for each member that allows it, else sampled.

    A model that is one member of such a kind is told by its exact values alone. Otherwise the
    served model's are sampled, with the error of the sampling stated, and those of the members
    stand beside them: of the heaviest members, each by the first of its models.
    """
    chains, players = load(_CHAINS), min(len(problem.features), MOST_PLAYERS)
    most = int(np.clip(ANSWERS // (chains * (players + 1)), FEWEST_ROWS, MOST_ROWS))
    asked = game(problem, predictor, rows, train, most, seed)
    exact: dict[str, Floats] = {}
    for member in leading(models)[:EXACT]:
        found = load(_EXACT)(member.model, asked.frame, asked.background, asked.codes)
        if found is not None:
            name = f"{member.name}, first of {member.bags}" if member.bags > 1 else member.name
            exact[name] = asked.gathered(found.values)
    if len(models) == 1 and exact:
        ((name, only),) = exact.items()
        how = f"These are the exact Shapley values of {name}, on {len(only)} rows."
        if problem.positive is not None:
            how += " A log-odds of 0.1 is about 2.5 points where the probability is one half."
        return _told(problem, asked, Sizes.of(only, only), _score(problem), how, {})
    drawn = load(_SAMPLED)(asked, chains, seed)
    scale, unit = (100.0, "points") if problem.classes else (1.0, f"units of {problem.target}")
    half = len(drawn.draws) // 2
    parts = [scale * part.mean(axis=0) for part in (drawn.draws[:half], drawn.draws[half:])]
    doubt = plain(2 * scale * float(drawn.errors.max()), 2)
    how = (
        f"This is estimated by sampling on {len(drawn.values)} rows, where a single contribution "
        f"is known to within {doubt} {unit}."
    )
    return _told(problem, asked, Sizes.of(*parts), unit, how, exact)


def _score(problem: Problem) -> str:
    """Return the unit of exact contributions."""
    if not problem.classes:
        return f"units of {problem.target}"
    return "log-odds" if problem.positive is not None else "points of the model's score"


def _told(
    problem: Problem, asked: Game, sizes: Sizes, unit: str, how: str, exact: dict[str, Floats]
) -> Examination:
    order = np.argsort(-sizes.value, kind="stable")[:SHOWN]
    names = [asked.players[i] for i in order]
    reading = f"{_foremost(problem, asked, sizes, order, unit)} {how}"
    beside = {name: Sizes.of(values, values).value for name, values in exact.items()}
    lines = tuple(
        {
            "Column": asked.players[i],
            f"Size ({unit})": plain(sizes.value[i]),
            "Size, between": f"{plain(sizes.low[i])} and {plain(sizes.high[i])}",
        }
        | {
            f"Within {name}, exactly ({_score(problem)})": plain(size[i])
            for name, size in beside.items()
        }
        for i in order
    )
    data = {
        "columns": names,
        "mean": sizes.value[order].tolist(),
        "low": sizes.low[order].tolist(),
        "high": sizes.high[order].tolist(),
        "unit": unit,
    }
    title = f"How far each column moves the {of_what(problem)}"
    return Examination(
        name="contributions",
        title=title,
        reading=reading,
        numbers={"largest_contribution": _estimate(sizes, int(order[0]), asked.frame.height)},
        tables=tabled({"Typical size of the contributions": lines}),
        curves=(Curve(kind="contributions", title=title, data=data, note=how),),
    )


def _foremost(
    problem: Problem, asked: Game, sizes: Sizes, order: NDArray[np.int64], unit: str
) -> str:
    """Return a sentence on the column whose contributions are largest."""
    what = of_what(problem)
    first = next(i for i in order if asked.players[i] != OTHERS)
    if sizes.value[first] == 0:
        return f"No column moves the {what} in these rows."
    size, low, high = (plain(end[first]) for end in (sizes.value, sizes.low, sizes.high))
    return (
        f"{asked.players[first]} moves the {what} most: in a typical row by {size} {unit}, up or "
        f"down (between {low} and {high}), against what it would be if only this were not known."
    )


def _estimate(sizes: Sizes, place: int, rows: int) -> Estimate:
    value, low, high = (float(end[place]) for end in (sizes.value, sizes.low, sizes.high))
    return Estimate(value=value, low=low, high=high, n=rows, method="normal, over rows")
