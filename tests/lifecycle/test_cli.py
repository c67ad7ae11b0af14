"""Every command: its help, its envelope, and what it says to a wrong word."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from projects import Project

import assay
from assay.cli.main import COMMANDS, main

HERE = "{store}"
WORDS: dict[str, list[str]] = {
    "data": ["list"],
    "init": ["{new}", "--data", "{table}", "--target", "left"],
    "check": ["{project}"],
    "run": ["{project}"],
    "runs": ["--store", HERE],
    "show": ["--store", HERE],
    "compare": ["last", "last", "--store", HERE],
    "report": ["-o", "{new}.html", "--store", HERE],
    "models": ["--store", HERE],
    "promote": ["binary@1", "--reason", "mine", "--store", HERE],
    "rollback": ["binary", "--store", HERE],
    "history": ["binary", "--store", HERE],
    "predict": ["binary", "{table}", "-o", "{new}.csv", "--store", HERE],
    "verify": ["{store}"],
    "watch": ["binary", "--data", "{table}", "--store", HERE],
    "incidents": ["--store", HERE],
    "deploy": ["systemd", "binary", "-o", "{new}", "--store", HERE],
    "token": ["me", "--scope", "predict", "--store", HERE],
    "alerts": ["list", "binary", "--store", HERE],
}
SERVED = {"serve", "release", "load-test", "drill", "log", "ui"}
"""Commands that need a server, or are one: tests/serving and tests/browser try them."""


@pytest.fixture
def words(copied, tmp_path):
    """Return a function that fills in the words of a command on a finished project."""
    made: Project = copied("binary")
    places = {
        "store": made.store,
        "project": made.folder,
        "table": made.folder / "table.csv",
        "new": tmp_path / "new",
    }
    return lambda command: [word.format(**places) for word in WORDS[command]]


def help_of(capsys, *words: str) -> str:
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def test_every_command_is_tried_here():
    assert set(WORDS) | SERVED == set(COMMANDS)


def test_the_help_lists_every_command_with_examples(capsys):
    text = help_of(capsys)
    for command, (_, line) in COMMANDS.items():
        assert f"\n    {command}" in text
        assert line in " ".join(text.split())
    assert "exit codes" in text
    assert "examples:" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_an_example_of_it(command, capsys):
    text = help_of(capsys, command)
    example = text.partition("examples:")[2]
    assert f"assay {command}" in example
    assert "--json" in text


@pytest.mark.parametrize("command", WORDS)
def test_with_json_there_is_one_envelope_and_nothing_else(command, words, cli):
    said = cli(command, *words(command))
    if command in ("promote", "rollback"):  # version 1 is the champion, and was from the start
        assert said.code == 2
        (error,) = said.envelope["errors"]
        assert list(error) == ["code", "where", "message", "got", "allowed", "try"]
        return
    assert said.code == 0, said.err
    assert list(said.envelope) == ["ok", "data"]
    assert said.data is not None
    assert said.err


@pytest.mark.parametrize("command", set(WORDS) - {"promote", "rollback"})
def test_without_json_it_speaks_to_people(command, words, capsys):
    assert main([command, *words(command)]) == 0
    out, err = capsys.readouterr()
    assert out.strip()
    assert not out.startswith("{")
    assert "Traceback" not in out + err


def test_a_run_ends_with_four_things_to_do_next(words, capsys, copied):
    main(["run", *words("run")])
    text = capsys.readouterr().out
    following = [line.strip() for line in text.partition("Next:")[2].splitlines()]
    assert sum(line.startswith("assay ") for line in following) == 4
    for word in ("ACCEPTED", "seal", "split", "audit", "baseline", "champion", "gate", "package"):
        assert word in text
    assert "binary@1, champion" in text


@pytest.mark.parametrize(
    "line",
    [
        ["rum"],
        ["run", "--bugdet", "3s"],
        ["run", "a", "b"],
        ["data"],
        ["data", "fetch"],
        ["data", "show"],
        ["data", "list", "adult"],
        ["init", "here"],
        ["predict", "model"],
        ["promote"],
        ["data", "show", "no_such_set"],
        ["show", "last", "--store", "nowhere"],
    ],
)
def test_a_wrong_command_line_is_one_clear_mistake(line, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = cli(*line)
    assert said.code == 2
    (error,) = said.envelope["errors"]
    named = {"no_such_set": "DATASET-UNKNOWN", "nowhere": "STORE-NOT-FOUND"}
    assert error["code"] == named.get(line[-1], "USAGE")
    assert error["message"]
    assert error["try"]
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_near_miss_of_a_command_is_named(cli):
    assert "run" in cli("rnu").out.replace("rnu", "")


def test_no_command_at_all_shows_the_help(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "examples:" in err


def test_the_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"assay {assay.__version__}\n"


def test_a_store_is_found_upwards_from_here(copied, monkeypatch, cli):
    made = copied("binary")
    deep = made.folder / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert [run["project"] for run in cli("runs").data] == ["binary"]
    monkeypatch.setenv("ASSAY_STORE", str(deep / "none"))
    assert cli("runs").codes == ["STORE-NOT-FOUND"]


def test_a_fault_of_ours_is_told_without_a_traceback(monkeypatch, capsys, cli, tmp_path):
    monkeypatch.setitem(COMMANDS, "runs", ("assay.cli.runs:SHOW", "broken"))
    monkeypatch.setattr("assay.cli.runs.open_run", lambda *_: 1 / 0)
    said = cli("show", "--store", tmp_path)
    assert (said.code, said.codes) == (1, ["INTERNAL"])
    assert "Traceback" not in said.err


def test_a_reader_that_has_gone_is_no_fault(finished):
    script = f"{sys.executable} -m assay.cli.main show --store {finished['binary'].store} | true"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 141), done.stderr  # 0: it was done before the reader went
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def with_closed_pipe(*words: object) -> subprocess.CompletedProcess[str]:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as out:
        command = [sys.executable, "-m", "assay.cli.main", *map(str, words)]
        return subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)


def test_an_envelope_that_no_one_reads_ends_as_a_closed_pipe_does(finished):
    done = with_closed_pipe("show", "--json", "--store", finished["binary"].store)
    assert done.returncode == 141
    assert "BrokenPipe" not in done.stderr


def test_a_run_goes_on_to_its_verdict_when_its_reader_has_gone(copied):
    made = copied("binary")
    done = with_closed_pipe("run", made.folder, "--set", "gates.0.at_least=0.6")
    assert done.returncode == 0, done.stderr
    assert "BrokenPipe" not in done.stderr
    assert made.kinds()["run.finished"] == 2


def test_compare_puts_two_runs_side_by_side(copied, cli):
    made = copied("binary")
    first, second = made.run().run, made.run("split.seed=4").run
    data = cli("compare", first, second, "--store", made.store).data
    assert [run["run"] for run in data["runs"]] == [first, second]
    assert data["same_rows"] is False
    metrics = [run["champion"]["metrics"]["roc_auc"]["value"] for run in data["runs"]]
    assert data["difference"]["roc_auc"] == pytest.approx(metrics[1] - metrics[0])
    assert cli("compare", first, "nope", "--store", made.store).codes == ["RUN-UNKNOWN"]


def test_the_report_is_one_file_that_works_offline(copied, tmp_path, cli):
    made = copied("binary")
    out = tmp_path / "page.html"
    data = cli("report", "last", "-o", out, "--store", made.store).data
    assert data["path"] == str(out)
    page = out.read_text()
    for address in ("http://", "https://"):
        assert f'src="{address}' not in page
        assert f'href="{address}' not in page
    assert "<link" not in page
    assert json.dumps(data)


def test_check_trains_nothing(project, cli):
    made = project()
    data = cli("check", made.folder).data
    assert (data["rows"], data["task"], data["metric"]) == (600, "binary", "roc_auc")
    assert {column["name"]: column["type"] for column in data["columns"]}["member"] == "boolean"
    assert made.fits() == []
    assert not (made.store / "packages").exists()
