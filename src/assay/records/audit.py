"""What the audit found, each finding with evidence that a person can check."""

from __future__ import annotations

from typing import Any, Literal

from assay.records.base import Record

Severity = Literal["error", "warning", "note"]


class Finding(Record, frozen=True, kw_only=True, tag="finding@1"):
    """One finding: a stable code, how bad, where, why, the evidence, and what to do.

    `accepted` holds the reason when the project file takes responsibility for it.
    """

    code: str
    severity: Severity
    where: str
    message: str
    evidence: dict[str, Any] = {}
    hint: str = ""
    accepted: str | None = None


class Audit(Record, frozen=True, kw_only=True, tag="audit@1"):
    """All findings about one snapshot and split; `checks` names every check that ran."""

    findings: tuple[Finding, ...]
    checks: tuple[str, ...]

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Return the errors that no one has accepted."""
        return tuple(f for f in self.findings if f.severity == "error" and f.accepted is None)
