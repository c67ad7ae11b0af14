"""A run in a dozen lines."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from assay.cli.console import coloured, table
from assay.data.clean import RULES
from assay.lifecycle.check import CheckResult
from assay.lifecycle.pitfalls import summary
from assay.lifecycle.result import RunResult
from assay.metrics import get
from assay.records.audit import Audit, Finding
from assay.records.decision import GateResult
from assay.records.fitted import Member
from assay.records.report import Estimate, Report, Scores
from assay.report.figures import milliseconds, untold
from assay.report.hypothesis import why
from assay.report.searched import begun, ended
from assay.report.text import cut, duration, plural, size
from assay.report.view import RunView

EVIDENCE_ROWS = 6
GATE_INDENT = 13
INDENT = 11
LONGEST = 80
"""Characters of a name in a line; an ensemble has a long one."""


def print_verdict(console: Console, result: RunResult, report: Path | None) -> None:
    """Print seal, split, audit, baseline, champion, gates, package and report."""
    view = result.view
    word = "stopped" if view.halted else result.verdict
    console.print()
    console.print(f"[bold]{coloured(word, word.upper())}[/bold]  {escape(view.run)}")
    if view.project.project.question:
        console.print(f"  {escape(view.project.project.question)}", style="italic")
    for label, text in _facts(result):
        console.print(f"  [dim]{label:<9}[/dim] {text}")
    if view.halted:
        print_findings(console, view.audit, evidence=True)
        console.print(f"  [dim]verdict  [/dim] not trained: {escape(view.reason)}")
    if report is not None:
        console.print(f"  [dim]report   [/dim] {escape(relative(report))}")


def print_next(console: Console, result: RunResult, *, without: str = "") -> None:
    """Print what to do next; `without` names a command that has just been used."""
    console.print("\nNext:")
    for command, what in next_steps(result):
        if not (without and command.startswith(f"assay {without} ")):
            console.print(f"  [dim]# {escape(what)}[/dim]")
            console.print(f"  {escape(command)}")


def print_findings(console: Console, audit: Audit, *, evidence: bool = False) -> None:
    """Print the findings, errors first, with what to try; with evidence for what stops a run."""
    order = {"error": 0, "warning": 1, "note": 2}
    for finding in sorted(audit.findings, key=lambda f: order[f.severity]):
        mark = "accepted" if finding.accepted else finding.severity
        console.print(
            f"  {coloured(finding.severity, f'{mark:<8}')} {finding.code:<20} "
            f"{escape(finding.where)}: {escape(finding.message)}"
        )
        if evidence and finding.severity == "error" and not finding.accepted:
            _print_evidence(console, finding)
        if finding.hint and not finding.accepted:
            console.print(f"           try: {escape(finding.hint)}")


def print_judgement(console: Console, view: RunView) -> None:
    """Print which model won and a hypothesis why, the examinations of concern, the checklists."""
    explained = why(view)
    if explained is not None:
        console.print("\nWhich model won")
        _paragraph(console, escape(" ".join(map(str, explained.found))))
    if explained is not None and explained.guess:
        guess = " ".join(map(str, explained.guess))
        _paragraph(console, f"[dim]hypothesis[/dim] {escape(guess)}")
    examined = view.report.examinations if view.report else ()
    if examined:
        console.print(f"\nJudgement: {plural(len(examined), 'examination')}")
    for concern in ("serious", "look"):
        for found in examined:
            if found.concern == concern:
                said = f"[yellow]{concern}[/yellow] {escape(found.title)}"
                said += " " if found.title.endswith("?") else ": "
                _paragraph(console, said + escape(found.reading))
    if view.pitfalls:
        console.print(f"\nChecklist: {summary(view.checklist)}")
        console.print(f"Pitfalls: {summary(view.pitfalls)}")
    for line in (*view.checklist, *view.pitfalls):
        if line.state == "hit":
            said = f"{coloured('warning', line.id)} not met: {escape(line.title)}. "
            _paragraph(console, said + escape(line.sentence))


def _paragraph(console: Console, words: str) -> None:
    console.print(Padding(words, (0, 0, 0, 2)), soft_wrap=False)


def print_check(console: Console, result: CheckResult) -> None:
    """Print what a run would start from, and the audit."""
    problem, snapshot = result.prepared.problem, result.prepared.snapshot
    console.print(f"[bold]{escape(result.prepared.spec.project.name)}[/bold]: {problem.task}")
    console.print(f"  [dim]target   [/dim] {escape(problem.target)}: {escape(problem.reason)}")
    console.print(f"  [dim]metric   [/dim] {problem.primary}")
    console.print(
        f"  [dim]data     [/dim] {snapshot.rows:,} rows, {len(problem.features)} features of "
        f"{len(snapshot.columns)} columns"
    )
    for step in snapshot.cleaning:
        console.print(
            f"  [dim]cleaned  [/dim] {escape(step.where)}: "
            f"{escape(RULES.get(step.rule, step.rule))}, {plural(step.cells, 'cell')}"
        )
    console.print(
        f"  [dim]split    [/dim] {escape(result.split.policy)}: {result.split.train:,} train, "
        f"{result.split.test:,} test"
    )
    console.print(f"  [dim]audit    [/dim] {_counts(result.audit)}")
    print_findings(console, result.audit, evidence=True)
    for each in result.quarantine:
        left = f"without {', '.join(each.without)}" if each.without else "with every column"
        console.print(
            f"  [dim]suspects [/dim] a first model {escape(left)}: "
            f"{each.metric} {estimate(each.metric, each.score)}"
        )
    if result.audit.blocking:
        how = "goes on without them" if result.quarantine else "shows what the suspects are worth"
        command = f"assay {'run' if result.quarantine else 'check'} --quarantine"
        console.print(
            f"  [dim]verdict  [/dim] a run would stop here, until each error is mended or accepted "
            f"with a reason; {command} {how}"
        )


def next_steps(result: RunResult) -> list[tuple[str, str]]:
    """Return commands that make sense now, each with its purpose."""
    folder = Path(result.entry.folder)
    store = "" if result.workspace.root == Path.cwd() / ".assay" else _store_flag(result)
    edit = f"$EDITOR {_quoted(folder / 'assay.toml')}"
    report = (f"assay report {result.run}{store}", "why, on a page to show around")
    show = (f"assay show {result.run}{store}", "leaderboard, test metrics, versions")
    if result.view.halted:
        return [
            (edit, "drop the column, or accept the finding with a reason"),
            (f"assay check {_quoted(folder)} --quarantine", "what the suspects are worth"),
            (f"assay run {_quoted(folder)} --quarantine{store}", "a run without them"),
            report,
        ]
    model = result.view.version
    name = shlex.quote(f"{model.name}@{model.version}") if model else ""
    if result.verdict == "rejected":
        return [report, (edit, "better data or columns; a new question gets a new seal"), show]
    if result.verdict == "inconclusive":
        steps = [report, (edit, "add rows, or ask for what these rows can show")]
        take = (f'assay promote {name} --reason "…"{store}', "take responsibility for it")
        return [*steps, take if model and not model.aliases else show]
    again = (f"assay verify {result.run} --rerun{store}", "train again and compare")
    if model is None:
        return [report, show, again]
    if not model.aliases:
        beside = (f"assay release {name}{store}", "let it prove itself beside the live version")
        return [report, beside, again]
    answer = (f"assay predict {name} FILE -o answers.csv{store}", "answer for new rows")
    serve = (f"assay serve {shlex.quote(model.name)}{store}", "answer over HTTP")
    return [report, answer, serve, again]


def relative(path: Path) -> str:
    """Return the path as seen from here when that is shorter."""
    seen = os.path.relpath(path)
    return seen if len(seen) < len(str(path)) else str(path)


def estimate(name: str, value: Estimate) -> str:
    """Return a metric with its interval, as `0.843 [0.820, 0.865]`."""
    show = get(name).format
    return f"{show(value.value)} [{show(value.low)}, {show(value.high)}]"


def _facts(result: RunResult) -> Iterator[tuple[str, str]]:
    view = result.view
    yield "seal", f"{view.seal_digest[:12]}  made {view.sealed_at[:19].replace('T', ' ')} UTC"
    split = view.split
    held = f", {split.valid:,} valid" if split.valid else ""
    yield (
        "split",
        f"{escape(split.policy)}: {split.train:,} train{held}, {split.test:,} test "
        f"(seed {split.seed})",
    )
    if view.snapshot.dropped:
        yield "left out", escape(cut(", ".join(view.snapshot.dropped), 200))
    yield "audit", _counts(view.audit, codes=True)
    if view.report is not None:
        yield "baseline", _scores(view.report.baseline, view.seal.primary)
        if view.report.champion.name == view.report.baseline.name:
            scores = _scores(view.report.champion, view.seal.primary)
            yield "champion", f"{scores} (the baseline itself: nothing scored better out of fold)"
        else:
            yield "champion", _scores(view.report.champion, view.seal.primary)
            gain = view.report.comparison.difference
            yield "gain", f"{estimate(view.seal.primary, gain)} on the same rows, more is better"
        yield from _judged(view.report)
    if view.leaderboard is not None:
        yield "search", escape(searched(view))
    if view.fitted is not None:
        yield "serves", escape(served(view))
        if view.members is not None and view.members.why:
            yield "", escape(view.members.why)
    for gate in view.decision.gates if view.decision else ():
        yield "gate", _gate(gate)
        if gate.name.endswith(" slice") and not untold(gate):
            yield "", f"{' ' * GATE_INDENT}{escape(gate.reason)}"
    if view.package is not None:
        parity = view.package.parity
        yield (
            "package",
            f"{escape(relative(result.workspace.root / view.package.path))}",
        )
        yield (
            "",
            f"{view.package.bytes / 1e6:.2f} MB; exported = trained on {parity.rows:,} + "
            f"{parity.nasty_rows:,} nasty rows: {parity.label_flips} label flips, largest "
            f"difference {parity.max_abs_diff:.1g}",
        )
    if view.version is not None:
        alias = f", {view.version.aliases[0]}" if view.version.aliases else ", no alias"
        yield "model", f"{escape(view.version.name)}@{view.version.version}{alias}"


def searched(view: RunView) -> str:
    """Say how many candidates were tried, in what time, and what ended the search."""
    return f"{tried(view)}, stopped {ended(view)}" if view.leaderboard else "none"


def tried(view: RunView) -> str:
    """Say how many candidates were tried, in what time."""
    board = view.leaderboard
    if board is None:
        return "none"
    return f"{plural(sum(map(begun, board.trials)), 'candidate')} in {duration(board.seconds)}"


def served(view: RunView) -> str:
    """Say how many models answer, how they mix, how fast they are and how large."""
    if view.fitted is None:
        return "nothing"
    found = [models_of(view)]
    if len({member.candidate.name for member in view.fitted.members}) > 1:
        found.append(
            {"linear": "weighted mean", "log": "log-probabilities weighted"}[view.fitted.pool.scale]
        )
    if view.report is not None and "p99" in view.report.latency_ms:
        found.append(f"{milliseconds(view.report.latency_ms['p99'].value)} a row (p99)")
    if view.report is not None:
        found.append(size(view.report.package_bytes))
    return ", ".join(found)


def models_of(view: RunView) -> str:
    """Say how many candidates answer together, and how many models stand behind them."""
    fitted: Sequence[Member] = view.fitted.members if view.fitted else ()
    names, models = {member.candidate.name for member in fitted}, plural(len(fitted), "model")
    return f"{len(names)} members ({models})" if 1 < len(names) < len(fitted) else models


def _judged(report: Report) -> Iterator[tuple[str, str]]:
    """Say what the examinations found, and how often the test rows were read."""
    concerns = [
        f"{coloured('warning', word)} ({', '.join(escape(e.title) for e in found)})"
        for concern, word in (("serious", "serious"), ("look", "worth a look"))
        if (found := [e for e in report.examinations if e.concern == concern])
    ]
    if report.examinations:
        looked = plural(len(report.examinations), "examination")
        yield "judged", f"{looked}: {', '.join(concerns) or 'nothing to worry about'}"
    if report.looks > 1:
        yield (
            "looks",
            f"these test rows were looked at {report.looks} times, so the intervals of the gates "
            "are widened; fresh rows (data.test) start anew",
        )


def _scores(scores: Scores, primary: str) -> str:
    name = escape(cut(scores.name, LONGEST))
    return f"{name}: {primary} {estimate(primary, scores.metrics[primary])}"


def _gate(gate: GateResult) -> str:
    head = f"{coloured(gate.verdict, f'{gate.verdict:<12}')} {escape(gate.name)}: "
    if untold(gate):
        return head + escape(gate.reason)
    needed = gate.rows_needed and not gate.name.endswith(" slice")
    more = f"; about {gate.rows_needed:,} test rows would decide" if needed else ""
    show = get(gate.metric).format
    return f"{head}{show(gate.value)} [{show(gate.low)}, {show(gate.high)}]{more}"


def _counts(audit: Audit, *, codes: bool = False) -> str:
    """Return how much was found; with `codes` the warnings are named."""
    counts = Counter("accepted" if f.accepted else f.severity for f in audit.findings)
    named = dict.fromkeys(
        f.code for f in audit.findings if f.severity == "warning" and not f.accepted
    )
    words = [
        coloured(k, f"{n} {k}" if k == "accepted" else plural(n, k))
        + (f" ({', '.join(named)})" if codes and k == "warning" else "")
        for k, n in counts.items()
    ]
    return f"{plural(len(audit.checks), 'check')}: {', '.join(words) or 'nothing found'}"


def _print_evidence(console: Console, finding: Finding) -> None:
    """Print the numbers of a finding in a line, and its tables by their first rows."""
    tables = {k: v for k, v in finding.evidence.items() if _is_table(v)}
    plain = {k: v for k, v in finding.evidence.items() if k not in tables}
    facts = "; ".join(f"{key.replace('_', ' ')}: {_short(value)}" for key, value in plain.items())
    if facts:
        console.print(Padding(escape(facts), (0, 0, 0, INDENT)), style="dim", soft_wrap=False)
    for rows in tables.values():
        headers = sorted(rows[0], key=lambda name: not isinstance(rows[0][name], str))
        cells = [
            [" " * (INDENT - 1), *(_short(row.get(name, "")) for name in headers)]
            for row in rows[:EVIDENCE_ROWS]
        ]
        console.print(table(("", *headers), cells))


def _is_table(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _short(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _store_flag(result: RunResult) -> str:
    return f" --store {_quoted(result.workspace.root)}"


def _quoted(path: Path) -> str:
    """Return the path as a shell takes it."""
    return shlex.quote(relative(path))
