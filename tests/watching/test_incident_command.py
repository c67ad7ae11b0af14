"""`assay incidents`: what it lists and shows, what it takes from people, and the postmortem."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logged import Watched, loans

from assay.cli.main import main
from assay.lifecycle.incidents import postmortem
from assay.records.spec import WatchSection
from assay.report.incident import page
from assay.report.numbers import derive, resolve

FILED = WatchSection(on_degraded=("incident", "rollback"))
Said = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Return loans with one incident that was resolved and one that is open."""
    watched = Watched(tmp_path_factory.mktemp("loans"))
    watched.write(loans(700, 1))
    watched.train()
    span = watched.log(loans(300, 2), days=0.5)
    watched.judged(watched.verdict("drift", drift=("income",), span=span), FILED)
    for _ in range(2):
        watched.judged(watched.verdict("steady"), FILED)
    watched.train("split.seed=3")
    watched.judged(watched.verdict("degraded", broken=("roc_auc",)), FILED)
    return watched


@pytest.fixture
def watched(trained: Watched, tmp_path: Path) -> Watched:
    return trained.copy(tmp_path / "loans")


@pytest.fixture
def said(watched: Watched, capsys: pytest.CaptureFixture[str]) -> Said:
    """Return a function that runs `assay incidents` and returns its exit code and envelope."""

    def run(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = main(["incidents", *words, "--store", str(watched.store), "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


def test_it_lists_the_newest_first_for_one_model_or_all(said: Said) -> None:
    code, envelope = said()
    assert code == 0
    assert [(i["cause"], i["status"]) for i in envelope["data"]] == [
        ("degraded:roc_auc", "open"),
        ("drift:income", "resolved"),
    ]
    assert said("loans")[1] == envelope
    assert said("nobody")[1]["errors"][0]["code"] == "MODEL-UNKNOWN"


def test_it_shows_history_times_and_causes(said: Said, watched: Watched) -> None:
    ids = list(watched.incidents().all)
    code, envelope = said("show", ids[0][:6])
    data = envelope["data"]
    assert (code, data["id"], data["rows"]) == (0, ids[0], 500)
    assert data["detected_s"] > 0
    assert data["recovered_s"] > data["detected_s"]
    assert [entry["action"] for entry in data["history"]] == ["opened", "resolved"]
    data = said("show", ids[1])[1]["data"]
    assert [entry["action"] for entry in data["history"]] == ["opened", "rolled back"]
    assert data["causes"][0]["kind"] == "version"


def test_a_person_notes_and_resolves_with_a_reason(said: Said, watched: Watched) -> None:
    incident = list(watched.incidents().all)[1]
    assert said("note", incident, "called", "the", "team")[0] == 0
    assert said("note", incident)[1]["errors"][0]["code"] == "INCIDENT-NOTE"
    code, envelope = said("resolve", incident)
    assert (code, envelope["errors"][0]["code"]) == (3, "INCIDENT-REASON")
    code, envelope = said("resolve", incident, "--reason", "taken back")
    assert (code, envelope["data"]["status"]) == (0, "resolved")
    (event,) = [e for e in watched.events("incident.resolved") if e.agency == "user"]
    assert event.data["text"] == "taken back"
    notes = [e.data["text"] for e in watched.events("incident.noted") if e.agency == "user"]
    assert notes == ["called the team"]
    assert said("resolve", incident, "--reason", "x")[1]["errors"][0]["code"] == "INCIDENT-RESOLVED"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show"], "USAGE"),
        (["loans", "extra"], "USAGE"),
        (["show", "zzz"], "INCIDENT-UNKNOWN"),
        (["approve", "{id}"], "INCIDENT-NO-RETRAIN"),
        (["refuse", "{id}", "--reason", "no"], "INCIDENT-NO-RETRAIN"),
        (["retrain", "{id}"], "INCIDENT-NO-RETRAIN"),
        (["report", "{id}", "-o", "a.pdf"], "INCIDENT-FORMAT"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], code: str, said: Said, watched: Watched
) -> None:
    incident = list(watched.incidents().all)[1]
    exit_code, envelope = said(*(word.format(id=incident) for word in words))
    assert exit_code == 2
    assert envelope["errors"][0]["code"] == code


def test_the_postmortem_says_what_the_ledger_says(watched: Watched) -> None:
    first, second = watched.incidents().all
    told = postmortem.tell(first, store=watched.store)
    assert told.requests == {"requests": 6, "rows": 300}
    found = page(told)
    numbers = [n for part in found.parts for text in part.texts for n in text.numbers]
    assert len(numbers) > 8
    for number in numbers:
        assert derive(told.records(), number.record, number.form) == number.exact
    for record in (told, postmortem.tell(second, store=watched.store)):
        assert [part.title for part in page(record).parts][-1] == "Timeline"
        assert resolve(record.records(), "/incident/history/0/seq") > 0


def test_the_postmortem_is_one_page_and_markdown(said: Said, watched: Watched) -> None:
    incident = list(watched.incidents().all)[1]
    paths = [Path(path) for path in said("report", incident)[1]["data"]["paths"]]
    assert {path.suffix for path in paths} == {".html", ".md"}
    html, text = (path.read_text() for path in sorted(paths))
    assert "<script" not in html
    assert not re.search(r'(src|href)="https?:', html)
    for words in ("What may be behind it", "rolled back", "to be filled in", incident):
        assert words in html
        assert words in text
    out = watched.folder / "incident.md"
    assert said("report", incident, "-o", str(out))[0] == 0
    assert out.read_text().startswith(f"# Incident {incident} on loans")
