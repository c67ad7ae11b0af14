"""Rows of the tables about the data and the run: columns, split, findings, stages, choices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from assay.records.audit import Finding
from assay.records.snapshot import Column, Problem
from assay.records.spec import Agency
from assay.records.split import Split
from assay.report import strips
from assay.report.evidence import Evidence, readable
from assay.report.shown import Drawing, drawings
from assay.report.text import count, cut, day, duration, number, share
from assay.report.view import RunView

MOST_COLUMNS = 80
MOST_FINDINGS = 60
TOP_VALUES = 3
ACCEPTED = "Accepted by a person"
AGENCIES: dict[Agency, str] = {
    "user": "chosen by a person",
    "accepted": "proposed by the tool and kept",
    "template": "set by a template",
    "default": "left at the default",
}


@dataclass(frozen=True)
class ColumnRow:
    """One column of the table as it was read."""

    name: str
    role: str
    type: str
    missing: str
    unique: str
    summary: str
    svg: Markup | None


def column_rows(view: RunView) -> tuple[ColumnRow, ...]:
    """Return the target first, then the columns a model may see, then the others."""
    ranked = sorted(view.snapshot.columns, key=lambda c: _ROLES.index(role(c.name, view.problem)))
    return tuple(_column(c, view.problem) for c in ranked[:MOST_COLUMNS])


_ROLES = ("target", "input", "not used")


def role(name: str, problem: Problem) -> str:
    """Say what a column is for."""
    if name == problem.target:
        return "target"
    return "input" if name in problem.features else "not used"


def _column(column: Column, problem: Problem) -> ColumnRow:
    svg = None
    if column.histogram:
        svg = strips.histogram(column.histogram, f"Values of {cut(column.name)}")
    elif column.top:
        svg = strips.parts(_top(column), f"Most frequent values of {cut(column.name)}")
    return ColumnRow(
        name=column.name,
        role=role(column.name, problem),
        type=column.type,
        missing=share(column.missing, column.rows) if column.missing else "none",
        unique=count(column.unique),
        summary=summary(column),
        svg=svg,
    )


def _top(column: Column) -> list[tuple[str, float, str]]:
    shown = column.top[:TOP_VALUES]
    items = [(value, float(n), f"p{i}") for i, (value, n) in enumerate(shown)]
    rest = column.rows - column.missing - sum(n for _, n in shown)
    return [*items, ("other values", float(rest), "rest")] if rest > 0 else items


def summary(column: Column) -> str:
    """Say in one line what a column holds."""
    if column.type == "datetime":
        return f"{day(column.low)} to {day(column.high)}" if column.low is not None else ""
    if column.type == "number" and column.low is not None:
        middle = f", median {number(column.median)}" if column.median is not None else ""
        return f"{number(column.low)} to {number(column.high)}{middle}"
    filled = column.rows - column.missing
    top = column.top[:TOP_VALUES]
    return ", ".join(f"{cut(value, 30)} ({share(n, filled)})" for value, n in top)


def split_picture(split: Split) -> Markup:
    """Draw how many rows train, validate and test."""
    items = [("train", float(split.train), "p0")]
    items += [("validation", float(split.valid), "p1")] if split.valid else []
    items.append(("test", float(split.test), "p2"))
    return strips.parts(items, "Rows by part", 18)


@dataclass(frozen=True)
class FindingRow:
    """A finding with its evidence made readable, and pictures of its tables by their names."""

    code: str
    severity: str
    where: str
    message: str
    hint: str
    accepted: str | None
    evidence: Evidence
    drawings: dict[str, Drawing]


@dataclass(frozen=True)
class FindingGroup:
    """The findings of one severity, or those that a person accepted."""

    title: str
    style: str
    rows: tuple[FindingRow, ...]


def finding_groups(findings: Iterable[Finding]) -> tuple[FindingGroup, ...]:
    """Return errors, warnings, accepted findings and notes, those without any left out."""
    shown = tuple(findings)[:MOST_FINDINGS]
    titles = {"error": "Errors", "warning": "Warnings", "accepted": ACCEPTED, "note": "Notes"}
    groups = {
        style: [f for f in shown if style == ("accepted" if f.accepted is not None else f.severity)]
        for style in titles
    }
    return tuple(
        FindingGroup(titles[style], style, tuple(map(_finding, rows)))
        for style, rows in groups.items()
        if rows
    )


def _finding(finding: Finding) -> FindingRow:
    return FindingRow(
        code=finding.code,
        severity=finding.severity,
        where=finding.where,
        message=finding.message,
        hint=finding.hint,
        accepted=finding.accepted,
        evidence=readable(finding.evidence),
        drawings=drawings(finding.evidence),
    )


@dataclass(frozen=True)
class StageRow:
    """One stage with its share of the time."""

    name: str
    seconds: str
    svg: Markup


def stage_rows(view: RunView) -> tuple[StageRow, ...]:
    """Return the stages in order; a stage whose record was there already says so."""
    most = max((s.seconds for s in view.stages), default=0.0) or 1.0
    return tuple(
        StageRow(
            stage.name,
            "already done" if stage.cached else duration(stage.seconds),
            strips.parts(
                [("time", stage.seconds, "champion"), ("", most - stage.seconds, "rest")],
                f"Time of {cut(stage.name)}",
                8,
            ),
        )
        for stage in view.stages
    )


def choices_by(view: RunView) -> tuple[tuple[str, int], ...]:
    """Return how many keys of the project file each kind of agent chose."""
    made = [choice.agency for choice in view.project.choices]
    return tuple((words, made.count(key)) for key, words in AGENCIES.items() if key in made)
