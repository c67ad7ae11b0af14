"""The pages and the answer of `show` for real runs: complete, and no number without a record."""

from __future__ import annotations

import pytest

from assay.lifecycle.result import open_run
from assay.report.lint import unsupported
from assay.report.numbers import records_of


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_number_of_the_plain_page_of_a_run_stands_in_a_record(copied, tmp_path, cli, task):
    made = copied(task)
    out = tmp_path / "plain.html"
    assert cli("report", "last", "--plain", "-o", out, "--store", made.store).data["path"] == str(
        out
    )
    page = out.read_text(encoding="utf-8")
    assert unsupported(page, records_of(open_run("last", made.store).view)) == []
    for part in ("What was asked", "How good it is", "What could go wrong", "What to do next"):
        assert f"<h2>{part}</h2>" in page


def test_the_plain_page_lies_beside_the_report(copied, cli):
    made = copied("binary")
    whole = cli("report", "last", "--store", made.store).data["path"]
    plain = cli("report", "last", "--plain", "--store", made.store).data["path"]
    assert plain == whole.replace(".html", ".plain.html")


def test_show_says_who_won_and_what_is_not_met(copied, cli):
    made = copied("binary")
    shown = cli("show", "last", "--store", made.store)
    data = shown.data
    assert "won. It scored" in data["why"]["found"][0]["text"]
    assert all(
        number["record"].startswith("/")
        for text in data["why"]["found"]
        for number in text["numbers"]
    )
    assert [line["id"] for line in data["pitfalls"]] == [f"PIT-0{i}" for i in range(1, 10)]
    assert {line["state"] for line in data["checklist"]} <= {"satisfied", "hit", "open"}
    assert data["looks"] == 1
    names = [examination["name"] for examination in data["examinations"]]
    assert len(names) == len(set(names))
    assert "learning" in names


def test_another_seal_is_a_second_look_in_report_and_checklist(project, cli):
    made = project()
    cli("run", made.folder)
    cli("run", made.folder, "--set", 'metric.also=["accuracy"]')
    view = open_run("last", made.store).view
    assert len({reading.seal for reading in view.readings}) == 2
    evaluation = next(line for line in view.pitfalls if line.id == "PIT-02")
    assert "had been read under 1 other seal" in evaluation.sentence
