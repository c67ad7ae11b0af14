from __future__ import annotations

import time
from pathlib import Path

import pytest
from ui_planted import plant_run, plant_version

from assay.lifecycle.history import FromEvents, runs
from assay.registry.fold import fold
from assay.stores.workspace import Workspace, open_workspace
from assay.ui.fold.index import Index
from assay.ui.fold.runs import chosen
from assay.ui.fold.trail import Verifier, events_at
from assay.ui.site import Site


def test_the_index_says_what_the_whole_ledger_says(store: Workspace, site: Site) -> None:
    events = list(store.ledger.read())
    index, told = site.index, FromEvents(events)
    entries = runs(events)
    assert list(index.runs.rows) == list(entries)
    for run, entry in entries.items():
        row = index.runs.rows[run]
        assert (row.project, row.status, row.verdict, row.seconds, row.actor) == (
            entry.project, entry.status, entry.verdict, entry.seconds, entry.actor,
        )  # fmt: skip
        assert index.entry(row) == entry
    assert index.registry == fold(events)
    assert index.version_of("b" * 64) == told.version_of("b" * 64)
    assert index.version_of("f" * 64) is None
    assert len(index.trail) == len(events) == index.next
    assert [w.number for w in index.watched.of("churn")] == list(range(31))
    assert index.watched.last("churn").verdict == "degraded"  # type: ignore[union-attr]
    assert [i.id for i in index.incidents.open("churn")] == ["churn-1a2b"]


def test_the_index_follows(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    index = Index(workspace.ledger)
    assert index.follow() == 0
    plant_run(workspace, "one", "p")
    assert index.follow() == 2
    workspace.context().append("run.resumed", "one")
    plant_version(workspace, "m", "one", "a" * 64, 1)
    assert index.follow() == 3
    assert index.runs.rows["one"].shown == "interrupted"
    assert index.registry.champion("m") == 1
    assert index.follow() == 0


def test_seals_and_readings_are_those_of_the_ledger(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    context = workspace.context(run="one")
    for seal in ("s", "s", "t"):
        context.append("seal.made", seal, run="one")
    for run, test in (("one", "x"), ("two", "y"), ("two", "x")):
        context.append("test.read", run, test=test, seal="s", rows=1, model="m")
    index = Index(workspace.ledger)
    index.follow()
    told = FromEvents(workspace.ledger.read())
    for seal in ("s", "t", "none"):
        assert index.sealed_at(seal) == told.sealed_at(seal)
    for test in ("x", "y", "none"):
        assert index.readings(test) == told.readings(test)
    assert len(index.readings("x")) == 2


def test_runs_are_chosen_and_sorted(site: Site) -> None:
    rows = list(site.index.runs.rows.values())
    assert len(chosen(rows, project="churn")) == 20
    assert {row.verdict for row in chosen(rows, verdict="rejected")} == {"rejected"}
    assert [row.run for row in chosen(rows, text="CHURN-001F")] == ["churn-001f"]
    assert [row.run for row in chosen(rows)] == [row.run for row in rows[::-1]]
    assert [row.run for row in chosen(rows, sort="run")] == sorted(row.run for row in rows)
    assert next(row.run for row in chosen(rows, sort="-run")) == "churn-0027"
    assert chosen(rows, sort="nonsense") == chosen(rows, sort="started")


@pytest.mark.parametrize(
    "asked", [{}, {"kind": "watch.judged"}, {"subject": "CHURN-00"}, {"kind": "run.started",
              "subject": "churn-002"}, {"actor": "nobody"}, {"kind": "no.such"}],
)  # fmt: skip
def test_the_trail_finds_what_a_plain_search_finds(
    store: Workspace, site: Site, asked: dict[str, str]
) -> None:
    expected = [
        event.seq
        for event in store.ledger.read()
        if event.kind == asked.get("kind", event.kind)
        and asked.get("subject", "").casefold() in event.subject.casefold()
        and event.actor == asked.get("actor", event.actor)
    ]
    assert list(site.index.trail.found(**asked)) == expected[::-1]


def test_events_are_read_by_their_numbers(store: Workspace) -> None:
    wanted = [70, 3, 4, 5, 0, 71, 10_000]
    assert [event.seq for event in events_at(store.ledger, wanted)] == wanted[:-1]
    assert events_at(store.ledger, []) == []


def wait(verifier: Verifier, count: int) -> None:
    end = time.monotonic() + 30
    while verifier.verified < count and not verifier.fault:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_chain_is_verified_and_followed(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    plant_run(workspace, "one", "p")
    verifier = Verifier(workspace.ledger)
    verifier.start()
    wait(verifier, 2)
    plant_run(workspace, "two", "p")
    wait(verifier, 4)
    verifier.stop()
    assert (verifier.verified, verifier.fault) == (4, "")


def test_a_changed_event_is_named(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    for name in ("one", "two"):
        plant_run(workspace, name, "p")
    events = list(workspace.ledger.read())

    class Changed:
        """The same ledger with another verdict in its second event."""

        def append(self, draft: object) -> object:
            raise NotImplementedError

        def read(self, start: int = 0) -> object:
            other = type(events[1])(
                **{f: getattr(events[1], f) for f in events[1].__struct_fields__}
                | {"data": {**events[1].data, "verdict": "rejected"}}
            )
            return iter([events[0], other, *events[2:]][start:])

    verifier = Verifier(Changed())  # type: ignore[arg-type]
    verifier.start()
    wait(verifier, 4)
    verifier.stop()
    assert verifier.verified == 1
    assert "event 1" in verifier.fault
