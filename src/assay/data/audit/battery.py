"""The audit: every check in one visible list, and what the project file accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.audit.leaks import after, encodings, identity, noisy, single, together, words
from assay.data.audit.rows import drift, entities, order, prepared, sides, times, twins
from assay.data.audit.subject import Subject, show
from assay.data.audit.values import columns, labels, privacy, target, unusual
from assay.records.audit import Audit, Finding
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import Acceptance, GateSpec, SplitSection


@dataclass(frozen=True)
class Check:
    """One check: its name, the codes it may report, and a pure function of the subject."""

    name: str
    codes: tuple[str, ...]
    find: Callable[[Subject], Iterator[Finding]]


CHECKS: tuple[Check, ...] = (
    Check("target leakage by one column", ("LEAK-TARGET", "LEAK-SUSPECT"), noisy.column_leaks),
    Check("written after the outcome", ("LEAK-AFTER",), after.written_after),
    Check("computed from the target", ("LEAK-ENCODED",), encodings.encoded_targets),
    Check("ids that encode the target", ("LEAK-ID",), identity.telling_ids),
    Check("text that names the answer", ("LEAK-TEXT",), words.telling_words),
    Check("target leakage by columns together", ("LEAK-JOINT",), together.joint_leaks),
    Check("label under another name", ("LABEL-COPY",), single.label_copies),
    Check(
        "duplicate rows across the split",
        ("DUPLICATE-ROWS-SPLIT", "TEST-IS-TRAIN"),
        twins.duplicates,
    ),
    Check("near duplicates across the split", ("NEAR-DUPLICATES-SPLIT",), twins.near_duplicates),
    Check("groups across the split", ("GROUP-OVERLAP",), entities.groups),
    Check("entities that no column names", ("GROUP-SUSPECT",), entities.hidden),
    Check("time order ignored", ("TIME-ORDER",), times.time_order),
    Check("time that overlaps", ("TIME-OVERLAP",), times.time_overlap),
    Check("dates from afterwards", ("LEAK-FUTURE",), times.future),
    Check("row order", ("ROW-ORDER",), order.row_order),
    Check("preparation on all rows", ("PREPARED-ON-ALL",), prepared.prepared),
    Check("answers alike in both parts", ("LABEL-SHIFT",), sides.label_shift),
    Check("groups in both parts", ("UNREPRESENTATIVE",), sides.unrepresentative),
    Check("test rows like training rows", ("DRIFT",), drift.drift),
    Check("missing target", ("TARGET-MISSING",), target.missing_target),
    Check("class imbalance", ("CLASS-IMBALANCE",), target.imbalance),
    Check("tiny classes", ("TINY-CLASS",), target.tiny_classes),
    Check("contradicting labels", ("LABEL-CONFLICT",), labels.conflicts),
    Check("rows for the gates", ("TOO-FEW-ROWS",), target.few_rows),
    Check("id-like columns", ("ID-COLUMN",), columns.id_columns),
    Check("constant columns", ("CONSTANT-COLUMN",), columns.constant_columns),
    Check("mixed types", ("MIXED-TYPES",), columns.mixed_columns),
    Check("missing values", ("HIGH-MISSING",), columns.missing_columns),
    Check(
        "default values, mixed units and outliers",
        ("DEFAULT-VALUE", "UNIT-MIX", "OUTLIERS"),
        unusual.unusual,
    ),
    Check("personal data", ("PERSONAL-DATA",), privacy.personal_data),
)
EXPLAINED = frozenset({"LABEL-COPY", "LEAK-AFTER", "LEAK-ENCODED", "LEAK-ID", "LEAK-TEXT"})
"""Codes that say how a column leaks."""
UNUSED = "ACCEPT-UNUSED"
CODES: tuple[str, ...] = (*(code for check in CHECKS for code in check.codes), UNUSED)
"""Every code that the audit itself can report."""

_ORDER = {"error": 0, "warning": 1, "note": 2}


def audit(
    problem: Problem,
    snapshot: DataSnapshot,
    table: pl.DataFrame,
    parts: NDArray[np.int8],
    policy: SplitSection,
    gates: Sequence[GateSpec],
    accept: Sequence[Acceptance],
    extra: Sequence[Finding] = (),
) -> Audit:
    """Run every check on a table and its split; errors first.

    Args:
        problem: the question; only its `features` are judged as columns.
        snapshot: the statistics of the columns.
        table: (n, columns) typed values, the target included.
        parts: (n,) -1 for a test row, -2 for a row left out, else a training fold.
        policy: how the split was made.
        gates: the rules that the test rows must be able to decide.
        accept: the findings that a person takes responsibility for.
        extra: findings of others, such as the family's, to be judged along.
    """
    subject = Subject(problem, snapshot, table, parts, policy, tuple(gates))
    found = [finding for check in CHECKS for finding in check.find(subject)] + list(extra)
    found = privacy.veiled(_most_telling(found), table)
    judged = [_accepted(finding, accept) for finding in found] + list(_unused(found, accept))
    judged.sort(key=lambda finding: _ORDER[finding.severity])
    return Audit(findings=tuple(judged), checks=tuple(check.name for check in CHECKS))


def _most_telling(found: Sequence[Finding]) -> list[Finding]:
    """Leave out the mere suspicion of a column where another finding says how it leaks."""
    explained = {finding.where for finding in found if finding.code in EXPLAINED}
    return [f for f in found if f.code != "LEAK-SUSPECT" or f.where not in explained]


def _matches(acceptance: Acceptance, finding: Finding) -> bool:
    return acceptance.code == finding.code and acceptance.where in (None, finding.where)


def _accepted(finding: Finding, accept: Sequence[Acceptance]) -> Finding:
    for acceptance in accept:
        if _matches(acceptance, finding):
            return msgspec.structs.replace(finding, accepted=acceptance.reason)
    return finding


def _unused(found: Sequence[Finding], accept: Sequence[Acceptance]) -> Iterator[Finding]:
    for acceptance in accept:
        if not any(_matches(acceptance, finding) for finding in found):
            yield Finding(
                code=UNUSED,
                severity="note",
                where="audit.accept",
                message=f"The project file accepts {show(acceptance.code)}"
                + (f" for {show(acceptance.where)}" if acceptance.where else "")
                + ", but the audit found no such thing.",
                evidence={"code": show(acceptance.code), "reason": show(acceptance.reason)},
                hint="remove the acceptance, so that it cannot hide a later finding",
            )
