"""The criteria as they stood before the first fit."""

from __future__ import annotations

from assay.records.base import Record
from assay.records.spec import AnswersSection, FairnessSection, GateSpec, SliceSpec, SplitSection


class Seal(Record, frozen=True, kw_only=True, tag="seal@1"):
    """Problem, metric, split policy and gates; its digest is the seal that a verdict names."""

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
