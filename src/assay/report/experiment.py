"""The report of an A/B test as Markdown, from its plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from assay.report.text import markdown, number

Data = Mapping[str, Any]


def experiment(data: Data) -> str:
    """Return the page: what was tried, whether the split held, and what it did to the metric."""
    return "\n".join(_lines(data)) + "\n"


def _lines(data: Data) -> Iterator[str]:
    metric = markdown(data["metric"])
    versions = f"version {data['candidate']} against version {data['control']}"
    yield f"# A/B test of {markdown(data['model'])}: {versions}"
    yield ""
    yield f"Release {data['release']}, **{data['state']}**. {markdown(data['reason'])}"
    yield ""
    yield "## Did the split hold?"
    yield ""
    yield "| stage | planned | requests live | requests new | got |"
    yield "|--:|--:|--:|--:|--:|"
    for place, stage in enumerate(data["stages"], 1):
        live, new = stage["exposure"]
        got = new / max(live + new, 1)
        yield f"| {place} | {stage['share']:.1%} | {live:,} | {new:,} | {got:.2%} |"
    yield ""
    yield _split(data["mismatch"], "requests")
    if data["unit_mismatch"]:
        yield _split(data["unit_mismatch"], "units of the last stage")
    yield ""
    yield f"## What it did to {metric}"
    yield ""
    if not data["effect"]:
        yield f"No numbers of {metric} came for both versions."
        return
    yield "| | live | new | difference | fixed horizon | always valid | p | n |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    yield _row("requests, by stage", data["effect"])
    if data["by_unit"]:
        yield _row("units of the last stage", data["by_unit"])
    if data["adjusted"]:
        yield _row(f"the same, less what {markdown(data['covariate'])} explains", data["adjusted"])
    yield ""
    yield from _notes(data)


def _split(found: Data, what: str) -> str:
    shares = f"{found['observed']:.2%} of {found['planned']:.2%} planned"
    told = f"By {what}: {shares}, p = {found['p']:.2g}"
    if found["found"]:
        return f"**{told}: the split did not hold, so the comparison is void.**"
    return f"{told}: nothing against the split."


def _row(name: str, e: Data) -> str:
    fixed, always = (f"{number(low)} to {number(high)}" for low, high in (e["fixed"], e["always"]))
    return (
        f"| {name} | {number(e['live'])} | {number(e['new'])} | {number(e['value'])} | {fixed} "
        f"| {always} | {e['p']:.2g} | {e['n_live']:,} and {e['n_new']:,} |"
    )


def _notes(data: Data) -> Iterator[str]:
    yield (
        "The fixed-horizon interval is for one look at the planned size; the always-valid one "
        "holds for every look that was taken."
    )
    if data["adjusted"]:
        e = data["adjusted"]
        yield (
            f"CUPED took away {e['reduction']:.1%} of the variance (theta = {number(e['theta'])})."
        )
    if data["detectable"]:
        least = number(data["detectable"])
        yield f"A test of this size finds a difference of {least} 4 times in 5."
