"""A run from file to verdict: its envelope, its ledger, and what makes it another run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from projects import ACCEPTED, FAST, GATES, TARGETS

import assay
from assay.lifecycle.models import models

HOPELESS = f"""{FAST}
[[gates]]
metric = "roc_auc"
at_least = 0.9999
"""

NUMBER = (int, float)
INTERVAL = {"value": NUMBER, "low": NUMBER, "high": NUMBER, "n": int}
ENVELOPE = {
    "run": str,
    "project": str,
    "task": str,
    "verdict": str,
    "seal": {"digest": str, "at": str},
    "split": {"policy": str, "train": int, "valid": int, "test": int, "seed": int},
    "audit": list,
    "baseline": {"name": str, "metrics": {"roc_auc": INTERVAL}},
    "champion": {"name": str, "metrics": {"roc_auc": INTERVAL}},
    "leaderboard": list,
    "gates": list,
    "parity": {"rows": int, "max_abs_diff": NUMBER, "label_flips": int},
    "package": {"digest": str, "path": str, "bytes": int},
    "model": {"name": str, "version": int, "alias": str},
    "seconds": {"total": NUMBER},
    "peak_rss_mb": NUMBER,
}
GATE = {"name": str, "verdict": str, "value": NUMBER, "low": NUMBER, "high": NUMBER}
FINDING = {"code": str, "severity": str, "where": str, "message": str, "evidence": dict}


def fits(shape, found) -> bool:
    """Return True when `found` has every key of `shape`, each of its type."""
    if isinstance(shape, dict):
        return all(key in found and fits(wanted, found[key]) for key, wanted in shape.items())
    return isinstance(found, shape) and not isinstance(found, bool)


def test_the_envelope_is_as_the_design_says(finished, cli):
    made = finished["binary"]
    said = cli("run", made.folder)
    assert said.code == 0
    data = said.data
    assert fits(ENVELOPE, data)
    assert all(fits(GATE, gate) for gate in data["gates"])
    assert data["verdict"] == "accepted"
    assert data["model"] == {"name": "binary", "version": 1, "alias": "champion"}
    assert data["split"]["train"] + data["split"]["valid"] + data["split"]["test"] == 600
    assert data["split"]["test"] == 120
    assert data["parity"]["label_flips"] == 0
    assert data["parity"]["max_abs_diff"] <= 1e-6
    for scores in (data["baseline"], data["champion"]):
        for metric in scores["metrics"].values():
            assert metric["low"] <= metric["value"] <= metric["high"]
    assert "record" not in json.dumps(data["audit"] + data["gates"])


@pytest.mark.parametrize(("task", "metric", "floor"), [
    ("binary", "roc_auc", 0.9), ("multiclass", "accuracy", 0.7), ("regression", "r2", 0.8),
])  # fmt: skip
def test_each_task_learns_what_is_in_the_table(task, metric, floor, finished):
    data = finished[task].run().to_dict()
    assert data["task"] == task
    assert data["verdict"] == "accepted"
    assert data["champion"]["metrics"][metric]["value"] > floor


def test_exit_codes_follow_the_gates(project, cli):
    assert cli("run", project(name="unsure").folder).code == 4
    said = cli("run", project(more=HOPELESS, name="hopeless").folder)
    assert (said.code, said.data["verdict"]) == (3, "rejected")
    assert said.data["model"]["alias"] is None
    assert said.data["gates"][0]["verdict"] == "rejected"
    assert said.data["gates"][0]["threshold"] == 0.9999


def test_the_audit_stops_a_table_that_leaks_and_a_reason_lets_it_pass(project, cli):
    made = project(more=ACCEPTED)
    table = pl.read_csv(made.folder / "table.csv")
    left = (pl.col("left") == "yes").cast(pl.Int64).alias("closed")
    table.with_columns(left).write_csv(made.folder / "table.csv")
    said = cli("run", made.folder)
    assert (said.code, said.data["stopped_by"]) == (3, "audit")
    assert said.data["champion"] is None
    found = [f for f in said.data["audit"] if f["severity"] == "error"]
    assert all(fits(FINDING, finding) and "closed" in finding["where"] for finding in found)
    assert made.fits() == []
    assert made.kinds()["test.read"] == 0
    assert cli("check", made.folder).code == 3
    accept = '\n[[audit.accept]]\ncode = "{}"\nreason = "known before the call"\n'
    accepted = "".join(accept.format(f["code"]) for f in found)
    made.file.write_text(made.file.read_text() + accepted)
    assert cli("run", made.folder).code == 0
    choices = {
        e.data["path"]: e for e in made.events() if e.kind == "choice.made" and "accept" in str(e)
    }
    assert any(e.agency == "user" for e in choices.values())


def test_the_seal_comes_before_the_first_fit_and_the_test_rows_are_read_once(finished):
    events = finished["binary"].events()
    kinds = [event.kind for event in events]
    first_fit = next(e.seq for e in events if e.subject.startswith("fit:"))
    last_fit = max(e.seq for e in events if e.subject.startswith("fit:"))
    assert kinds.index("run.started") < kinds.index("seal.made") < first_fit
    assert kinds.count("test.read") == 1
    assert last_fit < kinds.index("test.read") < kinds.index("model.registered")
    assert kinds.index("model.registered") < kinds.index("alias.moved")
    assert kinds[-1] == "run.finished"
    (read,) = [event for event in events if event.kind == "test.read"]
    (seal,) = [event for event in events if event.kind == "seal.made"]
    assert read.data["seal"] == seal.subject
    assert read.data["rows"] == 120
    assert seal.agency == "user"


def test_every_choice_says_who_made_it(finished):
    choices = {
        e.data["path"]: e.agency for e in finished["binary"].events() if e.kind == "choice.made"
    }
    assert choices["data.target"] == "user"
    assert choices["budget.iterations"] == "user"
    assert choices["split.test"] == "default"
    assert {"user", "default"} == set(choices.values())


def test_proposals_of_init_are_accepted_until_they_are_edited(project, cli, tmp_path):
    made = project()
    home = tmp_path / "started"
    assert cli("init", home, "--data", made.folder / "table.csv", "--target", "left").code == 0
    assert cli("run", home, "--budget", "1s", "--store", tmp_path / "one").code in (0, 3, 4)
    file = home / "assay.toml"
    text = file.read_text()
    assert 'primary = "' in text
    started = type(made)(home)
    cli("run", home, "--budget", "1s")

    def agencies() -> dict[str, str]:
        events = started.events()
        return {e.data["path"]: e.agency for e in events if e.kind == "choice.made"}

    before = agencies()
    assert before["metric.primary"] == "accepted"
    assert before["data.target"] in ("accepted", "user")
    line = next(row for row in text.splitlines() if row.startswith("primary = "))
    file.write_text(text.replace(line, 'primary = "average_precision"'))
    cli("run", home, "--budget", "1s")
    assert agencies()["metric.primary"] == "user"
    assert agencies()["project.name"] == before["project.name"]


def test_running_again_is_the_same_run_and_fits_nothing(copied, cli):
    made = copied("binary")
    before = made.events()
    data = cli("run", made.folder).data
    assert made.events()[: len(before)] == before
    # the copy lies in another folder, and is still the same question on the same data
    assert data["run"] == finished_run(before)
    assert len(made.fits()) == len([e for e in before if e.subject.startswith("fit:")])
    assert "nothing has changed" in cli("run", made.folder).err


def finished_run(events) -> str:
    return next(e.subject for e in events if e.kind == "run.finished")


def test_an_edited_gate_makes_a_new_seal_and_a_second_reading_but_no_new_fit(copied, cli):
    made = copied("binary")
    first = made.run()
    fits_before = made.fits()
    made.edit("at_least = 0.7", "at_least = 0.75")
    said = cli("run", made.folder)
    assert said.code == 0
    assert said.data["run"] != first.run
    assert said.data["seal"]["digest"] != first.view.seal_digest
    assert made.fits() == fits_before
    assert made.kinds()["seal.made"] == made.kinds()["test.read"] == 2
    assert said.data["test_reads"] == 2
    assert said.data["model"]["version"] == 2
    report = json.loads(cli("report", "last", "--store", made.store).out)["data"]["path"]
    shown = Path(report).read_text(encoding="utf-8")
    assert re.search(r"(read|opened) (2 times|twice)|second (read|time)", shown)


def test_a_seed_or_a_setting_makes_another_run(copied, cli):
    made = copied("binary")
    first = made.run().run
    seeded = cli("run", made.folder, "--seed", 3).data
    assert seeded["split"]["seed"] == 3
    set_by_hand = cli("run", made.folder, "--set", "split.seed=3").data
    assert set_by_hand["run"] == seeded["run"] != first
    assert made.run("split.test=0.25").to_dict()["split"]["test"] == 150
    assert made.run().run == first
    assert len(models(made.store)) == 3


def test_the_budget_ends_the_search_and_says_what_it_left_out(project, cli):
    made = project(more="", rows=1_500)
    data = cli("run", made.folder, "--budget", "0.1s").data
    status = [trial["status"] for trial in data["leaderboard"]]
    assert "skipped" in status
    assert status.count("done") >= 4
    skipped = next(t for t in data["leaderboard"] if t["status"] == "skipped")
    assert "budget" in skipped["note"]
    assert skipped["name"] not in data["champion"]["name"]


def test_slices_report_every_value_with_its_rows(project):
    made = project(more=FAST + '\n[[slices]]\ncolumn = "region"\n[[slices]]\ncolumn = "fee"\n')
    slices = made.run().view.report.slices
    regions = {s.value: s for s in slices if s.column == "region"}
    assert {"north", "south", "west"} <= set(regions)
    assert sum(s.rows for s in regions.values()) == 120
    assert len([s for s in slices if s.column == "fee"]) >= 3
    for value in ("north", "south", "west"):
        assert regions[value].metrics or regions[value].note


def test_rows_without_a_target_are_dropped_when_the_file_says_so(project, cli):
    made = project(missing_target='"drop"')
    table = pl.read_csv(made.folder / "table.csv").with_row_index()
    hidden = pl.when(pl.col("index") % 10 == 0).then(None).otherwise(pl.col("left"))
    table.with_columns(hidden.alias("left")).drop("index").write_csv(made.folder / "table.csv")
    data = cli("run", made.folder).data
    assert data["split"]["train"] + data["split"]["test"] == 540
    cleaning = made.run().view.snapshot.cleaning
    assert sum(step.cells for step in cleaning if "target" in step.rule) == 60


def test_numbers_are_the_same_on_every_run(finished, project):
    for task in TARGETS:
        again = project(task, more=GATES[task], name=task).run()
        first = finished[task].run()
        assert again.run == first.run
        assert again.package.name == first.package.name
        assert again.view.report.champion.metrics == first.view.report.champion.metrics


def test_python_says_what_the_command_line_says(finished, cli):
    made = finished["regression"]
    result = assay.run(made.folder)
    said = cli("run", made.folder).data
    said.pop("report")
    assert json.loads(json.dumps(result.to_dict())) == said
    assert result.verdict in result._repr_html_()


def test_hostile_names_and_cells_stay_text(project, cli):
    made = project(more=FAST)
    made.edit('name = "shop"', 'name = "shop"\nquestion = "<script>alert(1)</script> [red]?"')
    made.edit('target = "left"', 'target = "<b>left</b>"')
    table = pl.read_csv(made.folder / "table.csv").rename(
        {"left": "<b>left</b>", "region": "<img src=x onerror=alert(2)>", "fee": "{{ 7 * 7 }}"}
    )
    evil = pl.lit("</script><script>alert(3)</script>")
    column = "<img src=x onerror=alert(2)>"
    table = table.with_columns(
        pl.when(pl.col(column) == "west").then(evil).otherwise(pl.col(column)).alias(column)
    )
    table.write_csv(made.folder / "table.csv")
    data = cli("run", made.folder).data
    html = Path(data["report"]).read_text(encoding="utf-8")
    for bad in ("<script>alert", "<img src=x", "<b>left</b>"):
        assert bad not in html
    assert "7 * 7" in html
    assert "[red]" in cli("show", "last", "--store", made.store).err
