"""What the last verdict said, as a file for Prometheus' textfile collector.

Source: prometheus.io, "Exposition formats"; node_exporter, "Textfile Collector".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import get_args

from assay.records.event import Event
from assay.records.watch import Objective, Outcome, WatchVerdict
from assay.serve.routes.exposition import Page
from assay.stores.faults import explained

FILE = "metrics.prom"


def expose(folder: Path, judged: Event, verdict: WatchVerdict, firing: Mapping[str, int]) -> None:
    """Write what a verdict said to `metrics.prom` in a folder, whole or not at all.

    `firing` has how many alerts of each kind hold. Raises StoreError.
    """
    page = _page(judged, verdict, firing)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f"{FILE}.new"  # the collector reads whatever ends with .prom
        new.write_bytes(page.content())
        new.replace(folder / FILE)


def _page(judged: Event, verdict: WatchVerdict, firing: Mapping[str, int]) -> Page:
    page, model = Page(), verdict.model
    page.head("assay_watch_verdict", "gauge", "1 for the verdict on the last window.")
    for outcome in get_args(Outcome):
        page.add(
            "assay_watch_verdict", int(outcome == verdict.verdict), model=model, verdict=outcome
        )
    numbers = {
        "version": (verdict.version, "The version that answered most of the last window."),
        "window": (verdict.window, "The number of the last window."),
        "window_rows": (verdict.rows, "Rows of the last window."),
        "window_labelled_rows": (verdict.labelled, "Rows of it whose label is known."),
        "judged_timestamp_seconds": (
            datetime.fromisoformat(judged.at).timestamp(),
            "When the last window was judged.",
        ),
    }
    for name, (value, told) in numbers.items():
        page.head(f"assay_watch_{name}", "gauge", told)
        page.add(f"assay_watch_{name}", value, model=model)
    page.head("assay_alerts_firing", "gauge", "Alerts that hold.")
    for kind, count in firing.items():
        page.add("assay_alerts_firing", count, model=model, kind=kind)
    _drift(page, verdict)
    _performance(page, verdict)
    _quality(page, verdict)
    _objectives(page, model, verdict.objectives)
    return page


def _drift(page: Page, verdict: WatchVerdict) -> None:
    names = [{"model": verdict.model, "column": m.column, "of": m.kind} for m in verdict.drift]
    page.head("assay_watch_effect", "gauge", "How far a column lies from the profile, 0 to 1.")
    for labels, moved in zip(names, verdict.drift, strict=True):
        page.add("assay_watch_effect", moved.effect, **labels)
    page.head("assay_watch_flagged", "gauge", "1 for a column that moved by more than chance.")
    for labels, moved in zip(names, verdict.drift, strict=True):
        page.add("assay_watch_flagged", int(moved.flagged), **labels)


def _performance(page: Page, verdict: WatchVerdict) -> None:
    told = {
        "performance": ("value", "A metric on the last window, measured or estimated."),
        "performance_low": ("low", "The lower end of its 95 % interval."),
        "performance_high": ("high", "The upper end of its 95 % interval."),
        "threshold": ("threshold", "What the sealed gate asks of the metric."),
    }
    for name, (field, about) in told.items():
        page.head(f"assay_watch_{name}", "gauge", about)
        for one in verdict.performance:
            value = getattr(one, field)
            if value is not None:
                page.add(
                    f"assay_watch_{name}", value, model=verdict.model, metric=one.metric,
                    slice=one.slice, estimated=str(one.estimated).lower(),
                )  # fmt: skip


def _quality(page: Page, verdict: WatchVerdict) -> None:
    page.head("assay_watch_broken_rows", "gauge", "Rows that have something wrong with them.")
    for one in verdict.quality:
        page.add(
            "assay_watch_broken_rows", one.rows, model=verdict.model, column=one.column,
            code=one.code, severity=one.severity,
        )  # fmt: skip


def _objectives(page: Page, model: str, objectives: tuple[Objective, ...]) -> None:
    page.head("assay_watch_budget_left", "gauge", "The share of the error budget that is left.")
    for one in objectives:
        page.add("assay_watch_budget_left", one.left, model=model, objective=one.name)
    page.head("assay_watch_burn", "gauge", "How many times too fast the error budget goes.")
    for one in objectives:
        for span, value in zip(("long", "short"), one.burn, strict=True):
            page.add("assay_watch_burn", value, model=model, objective=one.name, over=span)
