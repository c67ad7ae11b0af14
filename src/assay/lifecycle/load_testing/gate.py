"""The sealed gates on latency, judged by how a server kept them under load."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from assay.gates.judge import judge
from assay.kernel.store import get_record
from assay.lifecycle.history import runs
from assay.records.decision import Decision
from assay.records.package import ModelVersion
from assay.records.report import Estimate, Report
from assay.records.seal import Seal
from assay.stores.workspace import Workspace

JUDGED = ("latency_p50", "latency_p99")


def under_load(
    workspace: Workspace,
    version: ModelVersion,
    latency_ms: Mapping[str, Estimate],
    *,
    doubtful: bool = False,
) -> Decision | None:
    """Judge the gates on latency that the run of a version was sealed with; None without any.

    `latency_ms` has `p50` and `p99` as they were measured on a server under load. They are
    judged by the same rules as in the run, with those numbers in place of the in-process ones.
    Numbers that are `doubtful`, because the generator was late itself, can accept, as the server
    was faster than they say, but not reject.
    """
    entry = runs(workspace.ledger.read()).get(version.run)
    records = {**entry.given, **entry.data.get("records", {})} if entry is not None else {}
    if not {"seal", "evaluate"} <= records.keys():
        return None
    seal = get_record(workspace.store, records["seal"], Seal)
    gates = [gate for gate in seal.gates if gate.metric in JUDGED]
    if not gates:
        return None
    report = get_record(workspace.store, records["evaluate"], Report)
    served = msgspec.structs.replace(report, latency_ms=dict(latency_ms), looks=1)
    decision = judge(gates, served, records["seal"])
    return _doubted(decision) if doubtful and decision.verdict == "rejected" else decision


def _doubted(decision: Decision) -> Decision:
    """Return the decision with every rejected gate left open."""
    gates = tuple(
        msgspec.structs.replace(
            gate, verdict="inconclusive", reason="the generator was late itself: measure again"
        )
        if gate.verdict == "rejected"
        else gate
        for gate in decision.gates
    )
    reason = "the generator was late itself"
    return msgspec.structs.replace(decision, verdict="inconclusive", gates=gates, reason=reason)
