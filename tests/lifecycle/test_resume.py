"""A run that is killed or fails goes on where it was: nothing twice, nothing half-done."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from projects import BOOSTING, LINEAR, PATIENCE, TWO_MODELS, UNSURE, Project, kill

from assay.errors import AssayError, StoreError
from assay.kernel.stage import Note
from assay.lifecycle.run import PROCESSES_FROM
from assay.lifecycle.verify import verify
from assay.records.event import Event

LOOK = 0.03
"""Seconds between two looks at the ledger."""

POINTS = (
    "seal.made",
    "work.finished fit:best_column:2",
    f"work.finished fit:{BOOSTING}:3",
    f"work.finished fit:{LINEAR}:all",
    "test.read",
    "work.finished package",
)


def kill_at(process: subprocess.Popen[str], project: Project, seen: Callable[[Event], bool]):
    """Send SIGKILL as soon as the ledger has such an event; returns whether it came in time."""
    while process.poll() is None:
        with suppress(AssayError):
            events = project.workspace().ledger.read()
            if any(seen(event) for event in events):
                kill(process)
                return process.returncode == -signal.SIGKILL
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK)
    return False


def contents(package: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in package.iterdir()}


def test_a_run_killed_again_and_again_is_finished_as_if_it_never_was(project, spawn, shell):
    made = project(more=TWO_MODELS + UNSURE["binary"])
    killed = 0
    for point in POINTS:
        kind, _, subject = point.partition(" ")
        process = spawn("run", made.folder, "--json")
        killed += kill_at(
            process, made, lambda e, k=kind, s=subject: e.kind == k and s in ("", e.subject)
        )
        if made.kinds()["run.finished"]:
            break
    assert killed >= 3
    last = shell("run", made.folder, "--json")
    assert last.code == 4
    assert len({e.subject for e in made.events() if e.kind == "run.started"}) == 1
    assert made.kinds()["run.resumed"] >= killed - 1
    assert set(made.keys().values()) == {1}
    assert made.kinds()["model.registered"] == 1
    assert len({e.subject for e in made.events() if e.kind == "seal.made"}) == 1
    (package,) = (made.store / "packages").iterdir()
    assert package.name == last.data["package"]["digest"]
    assert verify(str(made.store)).packages == 1

    undisturbed = project(more=TWO_MODELS + UNSURE["binary"], name="calm")
    undisturbed.edit('name = "calm"', 'name = "shop"')
    calm = undisturbed.run()
    assert calm.run == last.data["run"]
    assert contents(calm.package) == contents(package)


def test_a_killed_run_with_worker_processes_goes_on(project, spawn, shell):
    made = project(rows=PROCESSES_FROM)
    process = spawn("run", made.folder, "--json")
    assert kill_at(process, made, lambda e: e.subject == "fit:best_column:1")
    assert shell("run", made.folder, "--json").code in (0, 3, 4)
    assert set(made.keys().values()) == {1}


def test_a_killed_run_shows_as_interrupted_and_says_how_to_go_on(project, spawn, cli):
    made = project()
    assert kill_at(spawn("run", made.folder), made, lambda e: e.subject == "fit:prior:1")
    (entry,) = cli("runs", "--store", made.store).data
    assert entry["status"] == "interrupted"
    shown = cli("show", "last", "--store", made.store)
    assert (shown.code, shown.codes) == (2, ["RUN-INCOMPLETE"])
    assert "assay run" in shown.envelope["errors"][0]["try"]


def test_a_stage_that_finds_no_room_keeps_what_was_finished(project, shell, cli):
    made = project("regression", rows=2_500)
    failed = shell("run", made.folder, "--json", file_limit=90_000)
    assert failed.code == 2, failed.err
    assert failed.codes[0] in ("STORE-FULL", "STORE-FAULT")  # SQLite cannot tell this limit apart
    before = made.fits()
    again = made.run()
    assert again.package is not None
    assert set(made.keys().values()) == {1}
    assert made.fits()[: len(before)] == before


def test_interrupting_by_hand_says_that_the_same_command_resumes(project, spawn):
    made = project()
    process = spawn("run", made.folder, "--json")
    assert process.stdout is not None
    while not made.store.joinpath("ledger.sqlite").exists() and process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert json.loads(out)["errors"][0]["code"] == "INTERRUPTED"
    assert "resumes" in err
    assert "Traceback" not in err
    assert made.run().package is not None


def test_a_fault_inside_a_stage_is_in_the_ledger_and_the_run_goes_on_from_there(project):
    made = project()

    def no_room(note: Note) -> None:
        if note.stage == "evaluate":
            raise StoreError("STORE-FULL", "there is no room left to write to the store")

    with pytest.raises(StoreError):
        made.run(notify=no_room)
    (failure,) = [e for e in made.events() if e.kind == "run.failed"]
    assert failure.data["code"] == "STORE-FULL"
    fits = made.fits()
    assert made.run().view.package is not None
    assert made.fits() == fits


def test_a_fault_that_is_no_error_of_assay_leaves_the_run_ready_to_resume(project, cli):
    made = project()

    def broken(note: Note) -> None:
        if note.stage == "learning":
            raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError):
        made.run(notify=broken)
    (entry,) = cli("runs", "--store", made.store).data
    assert entry["status"] in ("interrupted", "failed")
    fits = made.fits()
    made.run()
    assert made.fits()[: len(fits)] == fits
    assert set(made.keys().values()) == {1}
