"""From events to what a server answers with, and from what it wrote to what answered when."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay.errors import AssayError, StoreError, UsageError
from assay.kernel.stage import Context
from assay.lifecycle.serving.follow import Following
from assay.lifecycle.serving.journal import CHANGED, SILENT, STOPPED, Journal
from assay.lifecycle.serving.live import Spell, spells
from assay.lifecycle.serving.settings import Settings
from assay.records.deployment import Arm, Deployment
from assay.records.event import Event
from assay.registry.fold import MOVED, REGISTERED
from assay.stores.memory import MemoryLedger
from assay.stores.sqlite import SqliteLedger
from assay.stores.workspace import open_workspace

FILE = '[project]\nname = "shop"\n[data]\nsource = "t.csv"\ntarget = "y"\n[serve]\nslo = "20ms"\n'


@pytest.fixture
def context(tmp_path: Path) -> Context:
    workspace = open_workspace(tmp_path / "store")
    return Context(workspace.store, workspace.ledger, workspace.root)


def register(context: Context, model: str, run: str = "run-1") -> None:
    count = sum(e.kind == REGISTERED for e in context.ledger.read())
    context.append(REGISTERED, model, package=f"{count:064d}", run=run, verdict="accepted")


def move(context: Context, model: str, version: int) -> None:
    context.append(MOVED, model, version=version, reason="", verdict="accepted")


def following(context: Context, *overrides: str) -> Following:
    made = Following(context.ledger, Settings(overrides))
    made.read()
    return made


def versions(found: Following) -> dict[str, int]:
    found.read()
    return {s.deployment.model: s.deployment.arms[0].version for s in found.services()}


def test_the_champion_is_followed_and_a_version_is_not(context: Context) -> None:
    register(context, "churn")
    register(context, "fraud")
    register(context, "churn")
    move(context, "churn", 1)
    move(context, "fraud", 1)
    found = following(context)
    for reference in ("churn", "fraud@1"):
        found.add(reference)
    assert versions(found) == {"churn": 1, "fraud": 1}
    move(context, "churn", 2)
    register(context, "fraud")
    move(context, "fraud", 2)
    assert versions(found) == {"churn": 2, "fraud": 1}
    assert found.models == ["churn", "fraud@1"]
    assert not found.is_pinned("churn")
    assert found.is_pinned("fraud")
    found.add("fraud@champion")
    assert versions(found) == {"churn": 2, "fraud": 2}
    assert found.remove("churn") == "churn"
    assert versions(found) == {"fraud": 2}


def test_what_is_not_there_cannot_be_followed(context: Context) -> None:
    register(context, "churn")
    found = following(context)
    for reference, code in (
        ("nobody", "MODEL-UNKNOWN"),
        ("churn", "MODEL-NO-CHAMPION"),
        ("churn@2", "MODEL-NO-VERSION"),
    ):
        with pytest.raises(UsageError) as caught:
            found.add(reference)
        assert caught.value.code == code
    with pytest.raises(UsageError) as caught:
        found.remove("churn")
    assert caught.value.code == "MODEL-UNKNOWN"


def test_settings_come_from_the_project_of_the_run(context: Context, tmp_path: Path) -> None:
    (tmp_path / "assay.toml").write_text(FILE)
    context.append("run.started", "run-1", folder=str(tmp_path))
    register(context, "churn")
    move(context, "churn", 1)
    found = following(context, "serve.rows=7")
    found.add("churn")
    [service] = found.services()
    assert (service.section.slo, service.section.rows) == (0.02, 7)
    (tmp_path / "assay.toml").unlink()
    assert found.services() == [service]  # until it is told to read again
    again = following(context, "serve.rows=7")
    again.add("churn")
    assert (again.services()[0].section.slo, again.services()[0].section.rows) == (0.05, 7)


def test_a_file_that_breaks_leaves_what_was_read(context: Context, tmp_path: Path) -> None:
    (tmp_path / "assay.toml").write_text(FILE)
    settings = Settings()
    before = settings.of(str(tmp_path))
    (tmp_path / "assay.toml").write_text(FILE.replace("20ms", "soon"))
    with pytest.raises(AssayError):
        settings.again()
    assert settings.of(str(tmp_path)) == before
    (tmp_path / "assay.toml").write_text(FILE.replace("20ms", "30ms"))
    settings.again()
    assert settings.of(str(tmp_path))[0].slo == 0.03


@pytest.mark.parametrize("text", ["data.target=x", "seed=3", "server.slo=1s", ""])
def test_a_server_takes_only_its_own_keys(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings([text])
    assert caught.value.code == "SERVE-SET"


def test_a_fallback_is_a_version_and_never_the_model_itself(
    context: Context, tmp_path: Path
) -> None:
    (tmp_path / "assay.toml").write_text(FILE + 'fallback = "churn@1"\n')
    context.append("run.started", "run-1", folder=str(tmp_path))
    register(context, "churn")
    register(context, "churn")
    move(context, "churn", 2)
    found = following(context)
    found.add("churn")
    assert found.services()[0].deployment.fallback == "churn@1"
    move(context, "churn", 1)
    found.read()
    assert found.services()[0].deployment.fallback == ""


def test_looking_at_a_ledger_without_news_is_quick(context: Context) -> None:
    register(context, "churn")
    found = following(context)
    took = []
    for _ in range(50):
        begun = time.perf_counter()
        assert found.read() == []
        took.append(time.perf_counter() - begun)
    assert sorted(took)[25] < 0.003  # 0.3 ms on a machine that is not busy


def changed(journal: Journal, *shares: float) -> None:
    arms = tuple(
        Arm(version=place + 1, package="p" * 64, share=share) for place, share in enumerate(shares)
    )
    deployment = Deployment(model="churn", arms=arms)
    journal.note(CHANGED, "churn", deployment=msgspec.to_builtins(deployment))


def told(context: Context) -> list[Spell]:
    return spells(context.ledger.read(), "churn", context.folder)


def test_a_spell_lasts_until_the_next_of_the_same_server(context: Context) -> None:
    first, second = Journal(context), Journal(context)
    first.start("http://one", 2, ["churn"])
    second.start("http://two", 1, ["churn"])
    changed(first, 1.0)
    changed(second, 1.0)
    changed(first, 0.9, 0.1)
    one, other, two = told(context)
    assert (one.until, other.until, two.until) == (two.since, "", "")
    assert [arm["share"] for arm in two.arms] == [0.9, 0.1]
    first.stop("told to end")
    assert told(context)[2].until != ""
    assert told(context)[1].until == ""
    assert one.covers(one.since)
    assert not one.covers(one.until)


def test_a_model_that_is_unloaded_ends_its_spell(context: Context) -> None:
    journal = Journal(context)
    journal.start("http://one", 1, ["churn"])
    changed(journal, 1.0)
    changed(journal)
    [spell] = told(context)
    assert spell.until != ""


def test_a_server_that_fell_silent_has_its_end_where_it_last_lived(context: Context) -> None:
    dead = Journal(context)
    dead.start("http://one", 1, ["churn"])
    changed(dead, 1.0)
    assert told(context)[0].until == ""
    file = context.folder / "servers" / dead.server
    last = time.time() - SILENT - 5
    os.utime(file, (last, last))
    [spell] = told(context)
    assert spell.until != ""
    Journal(context).start("http://two", 1, [])
    assert not file.exists()
    [stopped] = [e for e in context.ledger.read() if e.kind == STOPPED]
    assert stopped.subject == dead.server
    assert stopped.data["last_seen"] == spell.until
    assert told(context)[0].until == spell.until


class Full(MemoryLedger):
    """A ledger on a disk that is full as long as `full` is True."""

    full = False

    def append(self, draft: Any) -> Event:
        if self.full:
            raise StoreError("STORE-FULL", "no room")
        return super().append(draft)


def test_what_cannot_be_written_now_is_written_later_with_its_own_time(tmp_path: Path) -> None:
    ledger = Full()
    context = Context(open_workspace("memory://").store, ledger, tmp_path)
    journal = Journal(context)
    journal.start("http://one", 1, ["churn"])
    ledger.full = True
    changed(journal, 1.0)
    happened = time.time()
    assert len(list(ledger.read())) == 1
    ledger.full = False
    time.sleep(0.05)
    journal.beat()
    _, event = ledger.read()
    assert event.kind == CHANGED
    assert event.data["since"] < event.at
    assert abs(time.time() - happened) < 5


def test_a_server_does_not_start_on_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    ledger = Full()
    ledger.full = True
    context = Context(open_workspace("memory://").store, ledger, tmp_path)
    with pytest.raises(StoreError):
        Journal(context).start("http://one", 1, [])


def test_a_sqlite_ledger_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "store")
    assert isinstance(workspace.ledger, SqliteLedger)
    context = Context(workspace.store, workspace.ledger, workspace.root)
    found = following(context)
    register(context, "churn")
    assert [event.kind for event in found.read()] == [REGISTERED]
    assert found.read() == []
