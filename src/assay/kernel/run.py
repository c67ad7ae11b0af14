"""The run loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assay.kernel.stage import Context, Inputs, Stage
from assay.kernel.wrap import Outcome, build
from assay.records.base import Record


@dataclass
class Progress:
    """How far a run came: its records by name, what each stage cost, and why it halted."""

    records: dict[str, Record]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    halted: str | None = None
    """Name of the stage whose result stopped the run."""
    reason: str = ""


def run(stages: Sequence[Stage], given: Inputs, context: Context) -> Progress:
    """Carry `given` through `stages` in order; each sees only the records it needs.

    Finished stages are taken from the ledger, so running again resumes at the first missing
    record. Raises whatever a stage raises; everything before it stays finished.
    """
    progress = Progress(dict(given))
    for stage in stages:
        inputs = {name: progress.records[name] for name in stage.needs}
        outcome = build(stage)(inputs, context)
        progress.records[stage.name] = outcome.record
        progress.outcomes[stage.name] = outcome
        reason = stage.halts(outcome.record) if stage.halts else None
        if reason is not None:
            progress.halted, progress.reason = stage.name, reason
            break
    return progress
