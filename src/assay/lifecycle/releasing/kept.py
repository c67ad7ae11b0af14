"""Whether a package kept its sealed gates when it was last under load."""

from __future__ import annotations

from collections.abc import Iterable

from assay.errors import Refused
from assay.records.event import Event
from assay.records.package import ModelVersion

CHECKED = "gate.checked"


def last_check(events: Iterable[Event], package: str) -> Event | None:
    """Return the latest verdict under load on a package, None when there was no load test."""
    found = [e for e in events if e.kind == CHECKED and e.data["package"] == package]
    return found[-1] if found else None


def require_kept(events: Iterable[Event], version: ModelVersion, reason: str) -> None:
    """Raise Refused where the last load test of a package broke its gates and no reason is given.

    A package without a load test is none the worse for it.
    """
    check = last_check(events, version.package)
    if check is None or check.data["verdict"] != "rejected" or reason.strip():
        return
    gates = [gate["name"] for gate in check.data["gates"] if gate["verdict"] == "rejected"]
    raise Refused(
        "PROMOTE-LOAD",
        f"{version.name}@{version.version} did not keep its sealed gates under load",
        where=", ".join(gates),
        got=f"{check.data['rps']:,.0f} requests a second, {check.at[:19]} UTC",
        hint='run `assay load-test` again, or take responsibility with --reason "…"',
    )
