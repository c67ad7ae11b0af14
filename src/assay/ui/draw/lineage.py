"""Where a live version comes from: data, run, package, deployment, as a chain."""

from __future__ import annotations

from dataclasses import dataclass

from assay.records.package import ModelVersion
from assay.report.text import moment
from assay.ui.site import Site
from assay.ui.web.page import link


@dataclass(frozen=True)
class Link:
    """One step: what it is, its name, its digest, when it came about, and its page."""

    what: str
    name: str
    digest: str
    at: str
    href: str = ""


def chain(site: Site, version: ModelVersion) -> list[Link]:
    """Return the chain that ends with a version: from the rows it learned from to its answers."""
    index = site.index
    run = index.runs.rows.get(version.run)
    steps = []
    if run is not None:
        began = moment(run.started_at)
        steps.append(
            Link("Data", f"snapshot of {run.project}", run.snapshot, f"read for {run.run}")
        )
        steps.append(Link("Run", run.run, "", f"{run.shown}, {began}", link("runs", run.run)))
    name = f"{version.name}@{version.version}"
    steps.append(Link("Package", name, version.package, f"registered {moment(version.at)}"))
    moves = [m for m in index.registry.moves.get(version.name, []) if m.version == version.version]
    if moves:
        by = f"by {moves[-1].actor}: {moves[-1].reason}"
        steps.append(Link("Champion", moment(moves[-1].at), "", by))
    spells = index.served.spells(version.name, site.workspace.root)
    on = [s for s in spells if any(arm["version"] == version.version for arm in s.arms)]
    if on:
        since = f"since {moment(on[-1].since)}" if not on[-1].until else "has ended"
        steps.append(Link("Deployment", on[-1].url, "", since))
    return steps
