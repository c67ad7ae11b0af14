"""What goes wrong beside a window costs no window: a full disk, a fault of ours, silence."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from shop import Shop, make_table
from watched import Log, judged

from assay.errors import StoreError
from assay.kernel.stage import Note
from assay.lifecycle.watching import watcher as module
from assay.lifecycle.watching.kept import Shelved, State
from assay.lifecycle.watching.watcher import Options, Watcher
from assay.records.spec import ServeSection

OPTIONS = Options(("watch.rows=200", "watch.minimum=50"))


def windows(store: Shop) -> list[tuple[int, int, str]]:
    return [(e.data["window"], e.data["rows"], e.data["verdict"]) for e in judged(store)]


def test_a_state_that_cannot_be_written_is_written_later(
    store: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger does not get a verdict before the state has it."""
    Log(store).write(make_table(450, seed=81))
    watching = Watcher(store.workspace(), "churny", OPTIONS)
    write, left = Shelved.write, [2]

    def full(shelved: Shelved, state: State) -> None:
        if left[0]:
            left[0] -= 1
            raise StoreError("STORE-FULL", "there is no room left")
        write(shelved, state)

    monkeypatch.setattr(Shelved, "write", full)
    for _ in range(2):
        with pytest.raises(StoreError):
            list(watching.look())
        assert windows(store) == []
    list(watching.look())
    list(watching.look())
    assert windows(store) == [(0, 200, "steady"), (1, 200, "steady")]
    del watching  # as after a crash: the file alone goes on
    again = Watcher(store.workspace(), "churny", OPTIONS)
    Log(store, sent=500).write(make_table(150, seed=82))
    list(again.look())
    assert windows(store)[2:] == [(2, 200, "steady")]


def test_a_fault_of_ours_makes_one_window_unknown(
    store: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[Note] = []
    Log(store).write(make_table(400, seed=83))
    watching = Watcher(store.workspace(), "churny", OPTIONS, notes.append)
    judge, calls = module.judge_window, []

    def faulty(*words: Any, **more: Any) -> Any:
        calls.append(words)
        if len(calls) == 1:
            raise ZeroDivisionError("oh")
        return judge(*words, **more)

    monkeypatch.setattr(module, "judge_window", faulty)
    found = list(watching.look())
    assert [verdict.verdict for verdict in found] == ["unknown", "steady"]
    assert "ZeroDivisionError: oh" in found[0].reason
    assert any("ZeroDivisionError" in note.text for note in notes)
    assert windows(store) == [(0, 200, "unknown"), (1, 200, "steady")]


def test_silence_is_told_once(store: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_SILENCE", 0.3)
    monkeypatch.setattr(module, "SILENCE", 0.0)
    log = Log(store)
    log.write(make_table(200, seed=84))
    watching = Watcher(store.workspace(), "churny", OPTIONS)
    assert [verdict.rows for verdict in watching.look()] == [200]
    time.sleep(0.4)
    (silent,) = watching.look()
    assert (silent.rows, silent.verdict, silent.window) == (0, "drift", 1)
    assert [broken.code for broken in silent.quality] == ["WATCH-SILENT"]
    time.sleep(0.4)
    assert list(watching.look()) == []
    log.write(make_table(200, seed=85))
    assert [verdict.rows for verdict in watching.look()] == [200]
    assert [event.data["window"] for event in judged(store)] == [0, 1, 2]


def test_columns_that_the_log_hides_are_not_looked_at(
    store: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a masked column nor a pseudonym, of a number or a word, is drift or skew."""
    serve = ServeSection(mask=("visits",), pseudonym=("fee", "region"))
    Log(store).write(make_table(200, seed=86), serve=serve)
    settings = module.watching_in("", OPTIONS.overrides)
    hides = replace(settings, serve=serve)
    monkeypatch.setattr(module, "watching_in", lambda *_: hides)
    (verdict,) = Watcher(store.workspace(), "churny", OPTIONS).look()
    assert (verdict.verdict, verdict.rows) == ("steady", 200)
    assert verdict.quality == ()
    assert {m.column for m in verdict.drift if m.kind == "input"} == {"member"}
