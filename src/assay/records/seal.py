"""The criteria as they stood before the first fit."""

from __future__ import annotations

from assay.records.base import Record
from assay.records.spec import (
    AnswersSection,
    BudgetSection,
    FairnessSection,
    GateSpec,
    SliceSpec,
    SplitSection,
)


class Seal(Record, frozen=True, kw_only=True, tag="seal@1"):
    """Problem, metric, split policy and gates; its digest is the seal that a verdict names.

    The budget belongs to it: whoever lets the test rows judge one set of candidates after another
    has looked as often.
    """

    question: str
    decision: str
    data: str
    task: str
    target: str
    positive: str | None
    primary: str
    also: tuple[str, ...]
    split: SplitSection
    slices: tuple[SliceSpec, ...]
    gates: tuple[GateSpec, ...]
    answers: AnswersSection = AnswersSection()
    fairness: FairnessSection = FairnessSection()
    budget: BudgetSection = BudgetSection()
