from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from assay.errors import StoreError, UsageError
from assay.kernel.ledger import verify_chain
from assay.stores.workspace import default_location, find_store, open_workspace


@pytest.fixture(autouse=True)
def no_store_of_ours(monkeypatch):
    monkeypatch.delenv("ASSAY_STORE", raising=False)


def never(sentence):
    raise AssertionError(f"waited: {sentence}")


def test_layout(tmp_path, draft):
    workspace = open_workspace(tmp_path / "store")
    workspace.ledger.append(draft())
    workspace.store.put(b"blob")
    workspace.folder("packages")
    with workspace.lock("run", never):
        pass
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [
        "ledger.sqlite",
        "locks",
        "objects",
        "packages",
    ]


@pytest.mark.parametrize("as_url", [False, True])
def test_opens_what_was_there(tmp_path, draft, as_url):
    place = tmp_path / "a b"
    location = place.as_uri() if as_url else str(place)
    event = open_workspace(location).ledger.append(draft())
    again = open_workspace(location, create=False)
    assert again.root == place
    assert list(again.ledger.read()) == [event]


def test_memory_is_new_each_time(draft):
    one, other = open_workspace("memory://"), open_workspace("memory://", create=False)
    with one.session():
        one.ledger.append(draft())
    assert list(other.ledger.read()) == []
    assert one.folder("reports") != other.folder("reports")


def test_relative_and_home_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_workspace("store").root == tmp_path / "store"
    assert open_workspace("~/other").root == tmp_path / "other"


def test_absent_store_is_not_made(tmp_path):
    with pytest.raises(UsageError) as caught:
        open_workspace(tmp_path / "none", create=False)
    assert caught.value.code == "STORE-NOT-FOUND"
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "location",
    ["postgresql://me:secret@host/db", "s3://bucket/secret", "file://host/secret", "gopher://x"],
)
def test_unsupported_urls_keep_their_secrets(location):
    with pytest.raises(UsageError) as caught:
        open_workspace(location)
    assert caught.value.code == "STORE-UNSUPPORTED"
    assert "secret" not in str(caught.value)
    assert ("later" in caught.value.message) == location.startswith(("postgresql", "s3"))


def test_a_file_is_no_store(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    for create in (True, False):
        with pytest.raises(UsageError) as caught:
            open_workspace(path, create=create)
        assert caught.value.code == "STORE-NOT-FOLDER"


def test_read_only_store_opens_for_reading(small_disk, draft):
    event = open_workspace(small_disk.path).ledger.append(draft())
    small_disk.remount("ro")
    workspace = open_workspace(small_disk.path)
    assert list(workspace.ledger.read()) == [event]

    def lock():
        with workspace.lock("run", never):
            pass

    for write in (lock, lambda: workspace.folder("reports"), workspace.session().__enter__):
        with pytest.raises(StoreError) as caught:
            write()
        assert caught.value.code == "STORE-READ-ONLY"


def test_finds_the_store_above(tmp_path):
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    store = tmp_path / "project" / ".assay"
    store.write_text("a file is no store")
    assert find_store(inner) is None
    store.unlink()
    store.mkdir()
    assert find_store(inner) == store
    assert find_store(tmp_path / "project") == store


def test_default_location(tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "sub").mkdir(parents=True)
    (project / "assay.toml").write_text("")
    monkeypatch.chdir(project / "sub")
    assert default_location(project) == str(project / ".assay")
    assert default_location(project / "assay.toml") == str(project / ".assay")
    with pytest.raises(UsageError) as caught:
        default_location(None)
    assert caught.value.code == "STORE-NOT-FOUND"
    (project / ".assay").mkdir()
    assert default_location(None) == str(project / ".assay")
    monkeypatch.setenv("ASSAY_STORE", "memory://")
    assert default_location(None) == default_location(project) == "memory://"


HOLD = """
import sys
from assay.stores.workspace import open_workspace
with open_workspace(sys.argv[1]).lock(sys.argv[2], print):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("name", ["run", "../../project of <b>Zoë</b>"])
def test_waiting_says_for_whom_once(tmp_path, python, name):
    workspace, said = open_workspace(tmp_path / "store"), []
    other = python(HOLD, workspace.root, name)
    assert other.stdout.readline() == "held\n"

    def on_wait(sentence):
        said.append(sentence)
        other.stdin.write("go\n")
        other.stdin.flush()

    with workspace.lock(name, on_wait):
        assert other.wait(30) == 0
    (sentence,) = said
    assert f"process {other.pid} " in sentence
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", sentence)
    assert name in sentence
    assert {path.name for path in tmp_path.iterdir()} == {"store"}


def test_lock_of_a_killed_process_is_free(tmp_path, python):
    workspace = open_workspace(tmp_path)
    other = python(HOLD, tmp_path, "run")
    assert other.stdout.readline() == "held\n"
    other.kill()
    other.wait(30)
    with workspace.lock("run", never):
        assert str(os.getpid()) in Path(tmp_path / "locks" / "run.holder").read_text()


def test_lock_is_released_by_an_error(tmp_path):
    workspace = open_workspace(tmp_path)
    with pytest.raises(RuntimeError), workspace.lock("run", never):
        raise RuntimeError
    with workspace.lock("run", never), workspace.lock("another", never):
        pass


def test_two_processes_make_one_store(tmp_path, python):
    script = """
import sys
from assay.records.event import Draft
from assay.stores.workspace import open_workspace
print("ready", flush=True)
sys.stdin.readline()
open_workspace(sys.argv[1]).ledger.append(Draft(kind="k", subject="s", actor="a"))
"""
    processes = [python(script, tmp_path / "store") for _ in range(3)]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.communicate("go\n", timeout=30)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert verify_chain(open_workspace(tmp_path / "store").ledger.read()) == 3
