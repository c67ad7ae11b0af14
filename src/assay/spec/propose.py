"""The text of a first `assay.toml`: each inferred choice with its reason beside it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from assay.metrics import get
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import DEFAULT_SECONDS, GateSpec, ProjectSection, SplitSection
from assay.spec.analyse import value_counts
from assay.spec.toml import comment, render
from assay.spec.values import SCALES, quantity

WIDTH = 100
_CODE = 44
"""Columns that code may take with a comment beside it; longer code has its comment above."""
_MOST_NOTES = 8
_TASKS = {"binary": "two classes", "multiclass": "{} classes", "regression": "a number"}


@dataclass(frozen=True)
class Proposal:
    """A project file as text, and each written key with its value as `load` will read it."""

    text: str
    values: dict[str, Any]


@dataclass
class _Page:
    """Lines of the file, in blocks whose comments are aligned."""

    values: dict[str, Any] = field(default_factory=dict)
    blocks: list[list[tuple[str, str]]] = field(default_factory=list)

    def begin(self, header: str, note: str = "") -> None:
        self.blocks.append([(header, note)])

    def put(self, path: str, value: Any, note: str = "", code: str = "") -> None:
        """Write a key; `code` is its value in TOML where that is not the plain rendering."""
        self.values[path] = value
        self.blocks[-1].append((f"{path.rpartition('.')[2]} = {code or render(value)}", note))

    def put_list(self, path: str, items: Sequence[tuple[str, str]]) -> None:
        """Write a list with one item and its note on each line."""
        self.values[path] = [item for item, _ in items]
        lines = [(f"  {render(item)},", note) for item, note in items]
        self.blocks[-1] += [(f"{path.rpartition('.')[2]} = [", ""), *lines, ("]", "")]

    def suggest(self, code: str, note: str = "") -> None:
        """Write a key as a comment, ready to be uncommented."""
        self.blocks[-1].append((f"# {code}", note))

    def text(self) -> str:
        return "\n\n".join("\n".join(_aligned(block)) for block in self.blocks) + "\n"


def propose(
    name: str,
    source: str,
    snapshot: DataSnapshot,
    problem: Problem,
    gates: Sequence[GateSpec],
    *,
    split: SplitSection,
    drop: Sequence[tuple[str, str]] = (),
    notes: Sequence[tuple[str, str]] = (),
    suggest: Mapping[str, str] | None = None,
    reasons: Mapping[str, str] | None = None,
    missing_target_rows: int = 0,
    duplicates: str = "",
) -> Proposal:
    """Write a project file that `load` reads back to exactly `Proposal.values`.

    `drop`, `notes`, `split` and `suggest` are as in `analyse.Analysis`; `drop` may name more
    columns, such as nested ones that were not read. `reasons` maps a key path to the sentence
    that replaces the comment beside it (`gates.0` for a gate). `duplicates` says why repeated
    rows should go; empty, they stay. A column in `drop` is neither noted nor suggested.
    """
    gone = {name for name, _ in drop}
    notes = [(name, note) for name, note in notes if name not in gone]
    ideas = {path: name for path, name in (suggest or {}).items() if name not in gone}
    why, page = dict(reasons or {}), _Page()
    page.begin("# Written by `assay init`. Everything in here is a proposal: change what you know")
    page.suggest("better, and what you leave counts as accepted. `assay check` reads it again.")
    _project(page, name, problem, why)
    _data(page, source, snapshot, problem, missing_target_rows, why)
    if duplicates:
        page.put("data.duplicates", "drop", why.get("data.duplicates", duplicates))
    _columns(page, snapshot, problem.target, drop, notes)
    _split(page, split, ideas, why)
    _metric(page, problem, why)
    for index, gate in enumerate(gates):
        _gate(page, index, gate, why)
    _rest(page, ideas, why)
    return Proposal(page.text(), page.values)


def valid_name(text: str) -> str:
    """Return `text` as the name of a project: what no name may hold becomes a hyphen."""
    kept = re.sub(r"[\x00-\x1f\x7f-\x9f/\\@]+", "-", text)
    return re.sub(r"^[\W_]+", "", kept)[:100].strip() or "project"


def _project(page: _Page, name: str, problem: Problem, why: Mapping[str, str]) -> None:
    target, positive = problem.target, problem.positive
    words = {
        "binary": (
            f"Will {target} be {positive}, and how likely is it?",
            f"Act first on the rows where {target} = {positive} is most likely",
        ),
        "regression": (f"What will {target} be?", f"Plan with the predicted {target}"),
    }
    question, decision = words.get(
        problem.task, (f"Which {target} is it?", f"Handle each row by its predicted {target}")
    )
    task = _TASKS.get(problem.task, "what its values look like").format(len(problem.classes))
    page.begin("[project]", "sharpen question and decision: who asks, by when, to do what?")
    page.put("project.name", valid_name(name))
    page.put("project.question", question, why.get("project.question", ""))
    page.put("project.decision", decision, why.get("project.decision", ""))
    family = problem.family.partition("@")[0]
    if family != ProjectSection(name="any").family:
        page.put("project.family", family)
    page.put("project.task", problem.task, why.get("project.task", f"the target holds {task}"))


def _data(
    page: _Page,
    source: str,
    snapshot: DataSnapshot,
    problem: Problem,
    missing_target_rows: int,
    why: Mapping[str, str],
) -> None:
    goal = snapshot.column(problem.target)
    size = f"{snapshot.rows:,} rows, {len(snapshot.columns):,} columns"
    page.begin("[data]")
    page.put("data.source", source, why.get("data.source", size))
    page.put("data.target", problem.target, why.get("data.target", _described(goal)))
    if problem.positive is not None:
        note = why.get("data.positive", _positive_note(goal, problem.positive))
        page.put("data.positive", problem.positive, note)
    if missing_target_rows:
        note = why.get("data.missing_target", f"{missing_target_rows:,} rows have no target")
        page.put("data.missing_target", "drop", note)


def _described(column: Column) -> str:
    counts = value_counts(column)
    if 0 < len(counts) <= 5:
        return ", ".join(f"{value}: {count:,}" for value, count in counts.items())
    if column.low is not None and column.high is not None:
        return f"from {column.low:,.6g} to {column.high:,.6g}"
    return f"{column.unique:,} different values"


def _positive_note(goal: Column, positive: str) -> str:
    counts = value_counts(goal)
    total = sum(counts.values())
    if positive not in counts or len(counts) != 2:
        return "the class that scores are about"
    share = counts[positive] / total
    return (
        f"{'the rarer class, ' if share < 0.5 else ''}{share:.1%} of the rows; scores are about it"
    )


def _columns(
    page: _Page,
    snapshot: DataSnapshot,
    target: str,
    drop: Sequence[tuple[str, str]],
    notes: Sequence[tuple[str, str]],
) -> None:
    if drop:
        page.put_list("data.drop", drop)
    for column, note in notes[:_MOST_NOTES]:
        page.suggest(f"{render(column)} stays", note)
    if len(notes) > _MOST_NOTES:
        page.suggest(f"and {len(notes) - _MOST_NOTES:,} more like these stay")
    page.suggest('missing = ["-999"]', "more cells that mean a missing value")
    codes = (c.name for c in snapshot.columns if c.type == "number" and 2 <= c.unique <= 20)
    known = {target, *(name for name, _ in drop)}
    code = next((name for name in codes if name not in known), None)
    if code is not None:
        page.suggest(f"types = {render({code: 'category'})}", "when its numbers are only codes")


def _split(
    page: _Page, split: SplitSection, ideas: Mapping[str, str], why: Mapping[str, str]
) -> None:
    defaults = SplitSection()
    page.begin("[split]", why.get("split", ""))
    notes = {
        "test": "share of the rows that judge; they are read once, at the end",
        "seed": "makes the run repeatable",
        "predefined_on": "this column says which rows are the test rows",
        "time_on": "the rows stand in time, so the last of them are the test rows",
    }
    for name in split.__struct_fields__:
        value = getattr(split, name)
        wanted = {"seed", "test_values" if split.predefined_on else "test"}
        if name in wanted or value != getattr(defaults, name):
            plain = list(value) if isinstance(value, tuple) else value
            page.put(f"split.{name}", plain, why.get(f"split.{name}", notes.get(name, "")))
    advice = {
        "split.time_on": "if later rows are to be answered from earlier ones",
        "split.group_on": "if the model will meet new ones of these",
    }
    for path, note in advice.items():
        if path in ideas:
            page.suggest(f"{path.partition('.')[2]} = {render(ideas[path])}", note)


def _metric(page: _Page, problem: Problem, why: Mapping[str, str]) -> None:
    page.begin("[metric]")
    reason = why.get("metric.primary", problem.reason)
    page.put("metric.primary", problem.primary, reason)
    if problem.also:
        page.put("metric.also", list(problem.also), why.get("metric.also", ""))


def _gate(page: _Page, index: int, gate: GateSpec, why: Mapping[str, str]) -> None:
    page.begin("[[gates]]", "proposal: " + why.get(f"gates.{index}", _gate_reason(gate)))
    for name, value in msgspec.structs.asdict(gate).items():
        if value is not None:
            code = _threshold(value, gate.metric) if isinstance(value, float) else ""
            page.put(f"gates.{index}.{name}", value, code=code)


def _gate_reason(gate: GateSpec) -> str:
    if gate.beats is not None:
        return f"better than the {gate.beats} on the same test rows"
    return "set the limit that your decision needs"


def _threshold(value: float, metric: str) -> str:
    """Return a threshold with the largest unit that keeps its digits few and its value exact."""
    for suffix, factor in reversed(list(SCALES.get(get(metric).unit, {}).items())):
        short = f"{value / float(factor):g}"
        text = f"{short}{suffix}"
        if "i" not in suffix and float(short) >= 1 and quantity(text, get(metric).unit) == value:
            return render(text)
    return render(int(value) if value.is_integer() and abs(value) < 1e15 else value)


def _rest(page: _Page, ideas: Mapping[str, str], why: Mapping[str, str]) -> None:
    seconds = DEFAULT_SECONDS
    page.begin("[budget]")
    note = why.get("budget.time", "for the whole run; more finds better models")
    page.put("budget.time", seconds, note, code=render(f"{seconds:g}s"))
    if "slices.0.column" in ideas:
        page.begin("# [[slices]]", "report each value of a column by itself")
        page.suggest(f"column = {render(ideas['slices.0.column'])}")


def _aligned(block: Sequence[tuple[str, str]]) -> list[str]:
    """Put comments beside code in one column, or above where they do not fit."""
    beside = [len(code) for code, note in block[1:] if note and len(code) <= _CODE]
    column = max(beside, default=0) + 2
    lines = []
    for number, (code, raw) in enumerate(block):
        note, at = comment(raw), column if number else len(code) + 2  # a header stands by itself
        if not note:
            lines.append(code)
        elif len(code) <= _CODE and at + 2 + len(note) <= WIDTH:
            lines.append(f"{code:<{at}}# {note}")
        else:
            indent = code[: len(code) - len(code.lstrip())]
            lines += [f"{indent}# {part}" for part in textwrap.wrap(note, WIDTH - 4)] + [code]
    return lines
