"""One column of a model: how far it lies from the reference over time, and a window beside it."""

from __future__ import annotations

from collections.abc import Sequence

from assay.records.watch import Moved, WatchVerdict
from assay.report.figure import Figure
from assay.ui.draw import series
from assay.ui.draw.cells import Beside, beside
from assay.ui.fold.watched import Window
from assay.ui.pages.model import CRUMBS, known, verdicts, version_of, windows
from assay.ui.site import Site
from assay.ui.web.page import Asked, Page, link, missing
from assay.watch.columns.form import ColumnProfile
from assay.watch.profile import Profile

LEAST = 0.05
"""The effect below which `[watch]` raises no alarm unless it says otherwise."""

Found = tuple[Window, WatchVerdict, Moved]


def page(site: Site, asked: Asked) -> Page:
    """Return the page of a column."""
    name, column = known(site, asked.parts["model"]), asked.parts["column"]
    shown = windows(site, name, asked)
    found = [
        (window, verdict, moved)
        for window, verdict in verdicts(site, shown.windows)
        for moved in verdict.drift
        if moved.column == column
    ]
    if not found:
        raise missing("column", column)
    chosen = _chosen(found, asked)
    values = {
        "model": name,
        "column": column,
        "figure": _effect(found, column),
        "found": found[::-1],
        "chosen": chosen,
        "shown": shown,
        "asked": asked,
        **_beside(site, name, chosen),
        "path": "/",
    }
    crumbs = (*CRUMBS, (name, link("models", name)), (column, ""))
    return Page("column.html.j2", f"{column} of {name}", values, crumbs)


def _chosen(found: Sequence[Found], asked: Asked) -> Found:
    """Return the window that is asked for, else the newest that was flagged, else the newest."""
    wanted = asked.number("window", -1)
    asked_for = [one for one in found if one[0].number == wanted]
    flagged = [one for one in found if one[2].flagged]
    return (asked_for or flagged or list(found))[-1]


def _effect(found: Sequence[Found], column: str) -> Figure:
    moved = [one[2] for one in found]
    return series.effect(
        [one[0] for one in found],
        [one.effect for one in moved],
        [one.flagged for one in moved],
        LEAST,
        column,
    )


def _beside(site: Site, name: str, chosen: Found) -> dict[str, object]:
    _, verdict, moved = chosen
    version = version_of(site, name, verdict.version)
    profile = site.profile(version) if version else None
    reference = column_of(profile, moved.column) if profile else None
    cells: list[Beside] = []
    left = 0
    if reference is not None and len(moved.counts) == len(reference.counts):
        cells, left = beside(reference, moved.counts)
    return {"reference": reference, "cells": cells, "cells_left": left, "version": version}


def column_of(profile: Profile, name: str) -> ColumnProfile | None:
    """Return what a profile has of a column of the input, the answers or the target."""
    target = () if profile.target is None else (profile.target,)
    every = (*profile.columns, *profile.answers, *target)
    return next((column for column in every if column.name == name), None)
