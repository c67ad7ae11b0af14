"""A run in words: what is said, how it is written, and which commands are proposed."""

from __future__ import annotations

import argparse
import io
import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from rich.console import Console

from assay.cli import init, models, runs, verdict, verify
from assay.cli.verdict import (
    next_steps,
    print_check,
    print_findings,
    print_next,
    print_verdict,
    searched,
    served,
    tried,
)
from assay.lifecycle.check import CheckResult
from assay.lifecycle.predict import Model
from assay.lifecycle.result import RunResult
from assay.records.audit import Audit, Finding
from assay.records.spec import BudgetSection

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from report_examined import examined_view
from report_searched import searched_view
from report_views import binary_view


def made(root: Path, outcome: str = "accepted", **changes: object) -> RunResult:
    """Return a run whose store and project stand in `root`, with another outcome if asked."""
    view = binary_view()
    decision = msgspec.structs.replace(view.decision, verdict=outcome)
    view = replace(view, decision=decision, **changes)
    entry = SimpleNamespace(folder=str(root / "my project"), data={})
    return RunResult(SimpleNamespace(root=root / "a store"), entry, view)


def said(show, *args, **options) -> str:
    out = io.StringIO()
    show(Console(file=out, width=200, highlight=False, soft_wrap=True), *args, **options)
    return out.getvalue()


def warning(code: str, severity: str = "warning", accepted: str | None = None) -> Finding:
    return Finding(
        code=code, severity=severity, where="x", message="it is odd", hint=f"mend {code}",
        accepted=accepted, evidence={},
    )  # fmt: skip


AUDIT = Audit(
    checks=tuple("abc"),
    findings=(
        warning("ROW-ORDER"),
        warning("GROUP"),
        warning("GROUP"),
        warning("DATE", "note"),
        warning("CONSTANT", accepted="known"),
    ),
)


def test_every_open_finding_says_what_to_try():
    text = said(print_findings, AUDIT)
    assert re.findall("try: mend (.+)", text) == ["ROW-ORDER", "GROUP", "GROUP", "DATE"]


def test_the_audit_line_of_a_run_names_its_warnings(tmp_path):
    text = said(print_verdict, made(tmp_path, audit=AUDIT), None)
    assert "3 checks: 3 warnings (ROW-ORDER, GROUP), 1 note, 1 accepted" in text


def test_a_run_tells_what_was_left_out_judged_and_looked_at(tmp_path):
    examined = examined_view()
    snapshot = msgspec.structs.replace(examined.snapshot, dropped=("next_step",))
    decision = examined.decision
    first, second, *rest = decision.gates
    gates = (
        msgspec.structs.replace(first, value=0.8, low=0.8, high=0.8, threshold=0.8, reason="none"),
        msgspec.structs.replace(second, name="recall ≥ 0.5 on every slice", reason="b = 2, 9 rows"),
        *rest,
    )
    decision = msgspec.structs.replace(decision, gates=gates)
    result = replace(made(tmp_path), view=replace(examined, snapshot=snapshot, decision=decision))
    text = said(print_verdict, result, None)
    assert re.search(r"left out +next_step", text)
    assert "serious (Where it does worst), worth a look (How it bears bad rows" in text
    assert "looked at 3 times, so the intervals of the gates are widened" in text
    assert f"{first.name}: none\n" in text
    assert re.search(r"\n +b = 2, 9 rows\n", text)


def test_a_check_that_would_stop_a_run_says_so_and_what_to_do():
    view = binary_view()
    prepared = SimpleNamespace(spec=view.project, problem=view.problem, snapshot=view.snapshot)
    stops = Audit(checks=("a",), findings=(warning("LEAK-TARGET", "error"),))
    text = said(print_check, CheckResult(prepared, view.split, stops))
    assert "a run would stop here" in text
    assert "assay check --quarantine shows what the suspects are worth" in text
    assert "would stop" not in said(print_check, CheckResult(prepared, view.split, AUDIT))


def test_a_gain_is_written_as_its_gate_is(tmp_path):
    result = made(tmp_path)
    text = said(print_verdict, result, None)
    gain = verdict.estimate("roc_auc", result.view.report.comparison.difference)
    assert re.search(rf"gain +{re.escape(gain)} on the same rows", text)
    assert "−" not in text


@pytest.mark.parametrize(
    ("outcome", "aliases", "words"),
    [
        (
            "accepted",
            ("champion",),
            ["assay report", "assay predict", "assay serve", "assay verify"],
        ),
        ("accepted", (), ["assay report", "assay release", "assay verify"]),
        ("rejected", (), ["assay report", "$EDITOR", "assay show"]),
        ("inconclusive", (), ["assay report", "$EDITOR", "assay promote"]),
        ("inconclusive", ("champion",), ["assay report", "$EDITOR", "assay show"]),
    ],
)
def test_what_comes_next_depends_on_the_verdict(tmp_path, outcome, aliases, words):
    version = msgspec.structs.replace(binary_view().version, aliases=aliases)
    result = made(tmp_path, outcome, version=version)
    commands = [command for command, _ in next_steps(result)]
    assert all(command.startswith(word) for command, word in zip(commands, words, strict=True))
    for command in commands:
        pieces = shlex.split(command)
        assert any(piece.endswith(("a store", "my project/assay.toml")) for piece in pieces)
    assert "assay show" not in said(print_next, result, without="show")


def test_a_stopped_run_proposes_to_look_again(tmp_path):
    result = made(tmp_path, halted="audit")
    assert shlex.split(next_steps(result)[1][0])[2].endswith("my project")


def test_what_was_cleaned_is_told_in_a_sentence():
    view = binary_view()
    step = msgspec.structs.replace(view.snapshot.cleaning[0], rule="number-as-text", cells=1)
    snapshot = msgspec.structs.replace(view.snapshot, cleaning=(step,))
    prepared = SimpleNamespace(spec=view.project, problem=view.problem, snapshot=snapshot)
    text = said(print_check, CheckResult(prepared, view.split, view.audit))
    assert "numbers stored as text become numbers, 1 cell\n" in text


def test_show_ends_with_what_comes_next_and_has_no_empty_header(tmp_path, monkeypatch, capsys):
    result = made(tmp_path, "rejected", versions=(("polars", "2.1"),))
    monkeypatch.setattr(runs, "open_run", lambda *_: result)
    runs.SHOW.run(argparse.Namespace(run="last", store=None, json=False))
    text = capsys.readouterr().out
    assert "Versions\npolars" in text
    following = text.partition("Next:")[2]
    assert "Versions" not in following
    assert "assay report" in following
    assert "assay show" not in following


def test_weights_that_do_not_add_up_get_a_decimal():
    view = binary_view()
    names = [trial.candidate.name for trial in view.leaderboard.trials]
    for part, shown in ((3, "33.3%"), (2, "50%")):
        weights = dict.fromkeys(names[:part], 1 / part)
        board = msgspec.structs.replace(view.leaderboard, weights=weights)
        rows, more = runs._trials(view, board)
        assert sum(row[2] == shown for row in rows) == part
        assert more == ""


def test_show_keeps_a_long_search_short(tmp_path, monkeypatch, capsys):
    view = searched_view()
    result = replace(made(tmp_path), view=view)
    monkeypatch.setattr(runs, "open_run", lambda *_: result)
    monkeypatch.setenv("COLUMNS", "80")
    runs.SHOW.run(argparse.Namespace(run="last", store=None, json=False))
    text = capsys.readouterr().out
    assert (
        "search    63 candidates in 41.3 s, stopped for its budget of 1 min for the whole run"
        in text
    )
    served = "3 members (15 models), log-probabilities weighted, 0.93 ms a row (p99), 812 kB"
    assert f"serves    {served}" in text
    assert "the best within the gate on latency" in text
    board = text.partition("Out-of-fold roc_auc")[2].partition("Test rows")[0]
    assert "and 50 more candidates: assay report" in board
    assert len(board.splitlines()) == 19
    assert max(map(len, board.splitlines())) <= 80


def test_the_envelope_tells_the_search_and_the_forms(tmp_path):
    found = replace(made(tmp_path), view=searched_view()).to_dict()
    assert (found["search"]["iterations"], found["search"]["stopped_by"]) == (63, "budget")
    assert found["search"]["pool"]["scale"] == "log"
    assert [shape["name"] for shape in found["serves"]["shapes"] if shape["chosen"]] == ["first 3"]
    first = found["leaderboard"][0]
    assert {"name", "kind", "status", "score", "scores", "seconds", "note"} <= set(first)
    assert first["low"] < first["score"] < first["high"]
    assert json.loads(json.dumps(found)) == found
    older = replace(made(tmp_path), view=replace(searched_view(), leaderboard=None, members=None))
    assert older.to_dict()["search"] is older.to_dict()["serves"] is None


def test_what_ended_a_search_and_what_one_model_serves():
    view = searched_view()
    counted = msgspec.structs.replace(view.project, budget=BudgetSection(iterations=63))
    assert searched(replace(view, project=counted)).endswith(
        "stopped after the 63 candidates it was allowed"
    )
    assert tried(replace(view, leaderboard=None)) == searched(replace(view, leaderboard=None))
    assert tried(replace(view, leaderboard=None)) == "none"
    assert served(replace(view, fitted=None)) == "nothing"
    one = msgspec.structs.replace(view.fitted, members=view.fitted.members[:1])
    assert served(replace(view, fitted=one, report=None)) == "1 model"


def test_compare_tells_the_difference_the_gates_and_the_rows(tmp_path, monkeypatch, capsys):
    results = {"a": made(tmp_path), "b": made(tmp_path, "rejected")}
    monkeypatch.setattr(runs, "open_run", lambda name, _: results[name])
    monkeypatch.setenv("COLUMNS", "120")
    args = argparse.Namespace(run="a", other="b", store=None, json=False)
    _, data = runs.COMPARE.run(args)
    text = capsys.readouterr().out
    assert "difference" in text
    assert re.search(r"roc_auc  .*0\.000\s*\n", text)
    assert re.search(r"gate \S+ ≥ 0\.8\S* +accepted +accepted", text)
    assert "Both were tested on the same rows." in text
    assert data["same_rows"] is True


def test_an_interrupted_run_took_no_known_time(monkeypatch, capsys):
    facts = {"run": "r", "project": "p", "verdict": "", "started_at": "2026", "reason": ""}
    entries = [SimpleNamespace(**facts, status=s, seconds=2.0) for s in ("interrupted", "finished")]
    monkeypatch.setattr(runs, "list_runs", lambda _: entries)
    runs.RUNS.run(argparse.Namespace(store=None, json=False))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["-", "s"]


@pytest.mark.parametrize(("live", "shown"), [(0, ["model@1"]), (None, [])])
def test_history_at_a_time_ends_there(live, shown, monkeypatch, capsys):
    moves = [
        {"at": f"2026-11-0{n}", "version": n, "actor": "me", "verdict": "accepted", "reason": ""}
        for n in (1, 2)
    ]
    answer = {"moves": moves, "live": None if live is None else moves[live], "served": []}
    monkeypatch.setattr(models.models, "history", lambda *_, **__: answer)
    models.HISTORY.run(argparse.Namespace(model="model", at="2026-11-01", store=None, json=False))
    text = capsys.readouterr().out
    assert re.findall(r"model@\d", text) == shown
    assert ("no version was champion yet" in text) == (live is None)


def test_one_package_is_one_package(monkeypatch, capsys):
    found = SimpleNamespace(events=1, blobs=2, packages=1, files=0, rerun=None, to_dict=dict)
    monkeypatch.setattr(verify, "verify", lambda *_, **__: found)
    verify.COMMAND.run(argparse.Namespace(target="", rerun=False, store=None, json=False))
    assert "1 event in one chain, 2 blobs, 1 package: " in capsys.readouterr().out


def test_a_result_shows_itself_in_a_line_and_in_a_notebook(tmp_path):
    result = made(tmp_path)
    estimate = verdict.estimate("roc_auc", result.metrics["roc_auc"])
    assert repr(result) == f"RunResult({result.run}, accepted, roc_auc {estimate})"
    page = result._repr_html_()
    words = (result.run, "accepted", estimate, "baseline", "gate ", "seal", "package", "report")
    for word in words:
        assert word in page


def test_a_notebook_shows_foreign_text_as_text(tmp_path):
    hostile = AUDIT.findings[0]
    hostile = msgspec.structs.replace(hostile, severity="error", message="<script>x</script>")
    audit = msgspec.structs.replace(AUDIT, findings=(hostile,))
    result = made(tmp_path, audit=audit, halted="audit")
    assert "<script>" not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()
    assert "stopped" in repr(result)


def test_a_model_shows_itself_in_a_line():
    signature = binary_view().fitted.signature
    text = repr(Model("churn@1", SimpleNamespace(signature=signature)))
    assert text == f"Model(churn@1: Churn from {len(signature.inputs)} columns, 2 classes)"


def test_init_proposes_commands_that_a_shell_takes(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "my project"
    made = SimpleNamespace(file=folder / "assay.toml", text="", to_dict=dict)
    monkeypatch.setattr(init, "init", lambda *_, **__: made)
    words = {"data": "d.csv", "target": "y", "name": "", "force": False, "store": None}
    init.COMMAND.run(argparse.Namespace(folder=folder, json=False, **words))
    following = capsys.readouterr().out.partition("Next:")[2].strip().splitlines()
    for line in following:
        command = shlex.split(line.partition("   ")[0])
        assert Path(command[-1]).resolve() in (folder, made.file)
