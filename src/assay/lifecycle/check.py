"""`assay check`: the project file and the data audit; trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.kernel import run as loop
from assay.kernel.stage import take
from assay.lifecycle.project import Prepared, as_overrides, prepare
from assay.lifecycle.quarantine import Quarantined, without_suspects
from assay.lifecycle.result import plain
from assay.lifecycle.run import Notify, open_project
from assay.lifecycle.stages import CHECKS
from assay.records.audit import Audit
from assay.records.split import Split


@dataclass(frozen=True, repr=False)
class CheckResult:
    """What a run would start from, and what the audit says about it."""

    prepared: Prepared
    split: Split
    audit: Audit
    quarantine: tuple[Quarantined, ...] = ()

    @property
    def ok(self) -> bool:
        """Return True when no finding would stop a run."""
        return not self.audit.blocking

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command line."""
        return 0 if self.ok else 3

    def __repr__(self) -> str:
        name, found = self.prepared.spec.project.name, len(self.audit.findings)
        return f"CheckResult({name}, {found} findings, {'ok' if self.ok else 'stops a run'})"

    def to_dict(self) -> dict[str, Any]:
        """Return the `data` of the JSON envelope."""
        snapshot, problem = self.prepared.snapshot, self.prepared.problem
        return {
            "project": self.prepared.spec.project.name,
            "task": problem.task,
            "target": problem.target,
            "metric": problem.primary,
            "reason": problem.reason,
            "rows": snapshot.rows,
            "columns": [plain(column) for column in snapshot.columns],
            "cleaning": [plain(step) for step in snapshot.cleaning],
            "split": {
                "policy": self.split.policy,
                "train": self.split.train,
                "valid": self.split.valid,
                "test": self.split.test,
                "seed": self.split.seed,
            },
            "audit": [plain(finding) for finding in self.audit.findings],
            "checks": list(self.audit.checks),
            "quarantine": [each.to_dict() for each in self.quarantine],
        }


def check(
    project: str | Path = ".",
    *,
    overrides: Sequence[str] = (),
    store: str | Path | None = None,
    notify: Notify = lambda _: None,
    allow_code: bool = True,
    quarantine: bool = False,
    **settings: Any,
) -> CheckResult:
    """Read the project file and the data, split, and audit; the arguments are those of `run`.

    With `quarantine` a first model is fitted on the training rows with and without each column that
    the audit stops at. Raises AssayError for what a person has to mend.
    """
    overrides = (*overrides, *as_overrides(settings))
    _, context, file = open_project(project, overrides, store, notify, allow_code=allow_code)
    prepared = prepare(file, overrides, context)
    progress = loop.run(CHECKS, prepared.given(), context)
    split, audit = take(progress.records, "split", Split), take(progress.records, "audit", Audit)
    scores: tuple[Quarantined, ...] = ()
    if quarantine:
        scores = tuple(without_suspects(progress.records, context))
    return CheckResult(prepared, split, audit, scores)
