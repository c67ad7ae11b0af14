"""The verdict: each gate with the interval that decided it."""

from __future__ import annotations

from typing import Literal

from assay.records.base import Record

Verdict = Literal["accepted", "rejected", "inconclusive"]


class GateResult(Record, frozen=True, kw_only=True, tag="gate_result@1"):
    """One gate: the rule in words, the interval, the threshold, and how it came out.

    `rows_needed` estimates, for an inconclusive gate, how many test rows would decide it.
    """

    name: str
    metric: str
    verdict: Verdict
    value: float
    low: float
    high: float
    threshold: float
    rows_needed: int | None = None
    reason: str = ""


class Decision(Record, frozen=True, kw_only=True, tag="decision@1"):
    """The verdict under a seal: rejected if any gate is, else inconclusive if any gate is."""

    verdict: Verdict
    seal: str
    gates: tuple[GateResult, ...]
    reason: str = ""
