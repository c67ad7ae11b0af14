"""The stage `search`: baselines, the portfolio, tuning, and what the best few weigh together."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from assay.errors import SpecError
from assay.kernel.stage import Context, Inputs, take
from assay.kernel.store import get_record
from assay.lifecycle.material import Material
from assay.lifecycle.search import desk
from assay.lifecycle.search.clock import Clock
from assay.lifecycle.search.course import Bound, Course
from assay.lifecycle.search.plan import build
from assay.lifecycle.search.result import leaderboard
from assay.lifecycle.search.steps import Steps, repeated
from assay.lifecycle.search.trials import Bench
from assay.records.base import digest
from assay.records.fitted import Candidate, Leaderboard, Weighting
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import BudgetSection, SplitSection
from assay.records.split import Split


def search(inputs: Inputs, context: Context) -> Leaderboard:
    """Run the stage; every fit is remembered on its own, so that a killed search goes on.

    Raises:
        DataError: SEARCH-NO-BASELINE when nothing could be fitted.
        SpecError: BUDGET-ONLY, BUDGET-MEMORY.
    """
    material = Material.open(inputs, context.store)
    problem, budget = material.problem, take(inputs, "spec.budget", BudgetSection)
    split = take(inputs, "split", Split)
    plan = build(material, take(inputs, "spec.split", SplitSection), budget)
    bench = Bench.of(material, plan, context.store)
    folder = context.folder / "scratch" / (context.run or "search")
    shared = context.executor.workers > 1
    name = desk.lay_out(folder, material.rows(material.train_index), plan.every(), shared=shared)
    bound = Bound(name, fit_scope(inputs), problem, material.ordered, split.seed)
    clock = Clock(context, plan, len(problem.features), budget.seconds)
    course = Course(bound, plan, context, clock)
    try:
        if budget.repeat:
            board = get_record(context.store, budget.repeat, Leaderboard)
            return leaderboard(repeated(course, bench, board), bench, clock, board.bags)
        columns = take(inputs, "snapshot", DataSnapshot).columns
        declared = material.family.candidates(problem, columns, split.train)
        spaces = () if budget.only else material.family.spaces(problem, columns, split.train)
        steps = Steps(course, bench, budget)
        baselines = material.family.baselines(problem, columns)
        steps.take(baselines, chosen(declared, budget.only), spaces)
        return leaderboard(steps, bench, clock)
    finally:
        desk.clear(name)


def chosen(declared: Sequence[Candidate], only: Sequence[str]) -> list[Candidate]:
    """Return the candidates that `budget.only` names, all when it names none.

    Raises SpecError for a name that the family does not declare.
    """
    names = [candidate.name for candidate in declared]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise SpecError(
            "BUDGET-ONLY",
            "budget.only names what is no candidate of this family",
            where="budget.only",
            got=unknown,
            allowed=names,
            hint="choose among these names, or remove the key to try them all",
        )
    return [candidate for candidate in declared if not only or candidate.name in only]


def fit_scope(inputs: Inputs) -> str:
    """Return the digest of everything but the candidate that decides what a fit gives.

    Metrics are not part of it: another headline fits nothing again.
    """
    problem = msgspec.structs.replace(
        take(inputs, "problem", Problem), primary="", also=(), reason=""
    )
    split, content = take(inputs, "split", Split), take(inputs, "snapshot", DataSnapshot).content
    weigh = inputs.get("weigh")
    weights = [weigh.rows] if isinstance(weigh, Weighting) and weigh.rows else []
    return digest([problem, content, split.rows, split.ordered, inputs["engine"], *weights])
