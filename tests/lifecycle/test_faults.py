"""Full disks, read-only folders, flipped bytes: said in plain words, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import Project, write_project

import assay
from assay.errors import Tampered


@pytest.fixture
def mount(tmp_path) -> Iterator:
    """Return a function that mounts something at a new folder, or skips where it may not."""
    mounted: list[Path] = []

    def do(name: str, *words: str) -> Path:
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        if os.geteuid() != 0:
            pytest.skip("only root can mount")
        done = subprocess.run(["mount", *words, str(place)], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting is not allowed here: {done.stderr.decode().strip()}")
        mounted.append(place)
        return place

    yield do
    for place in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def flip(file: Path, marker: bytes = b"") -> None:
    """Change one bit of the byte after `marker`, or of the byte in the middle."""
    data = bytearray(file.read_bytes())
    place = data.index(marker) + len(marker) if marker else len(data) // 2
    data[place] ^= 1
    file.write_bytes(data)


def package_of(project: Project) -> Path:
    (package,) = (project.store / "packages").iterdir()
    return package


@pytest.mark.parametrize("room", [30_000, 140_000, 280_000])
def test_a_full_disk_stops_the_run_in_plain_words_and_loses_nothing(room, mount, cli):
    disk = mount("disk", "-t", "tmpfs", "-o", "size=4m", "tmpfs")
    project = write_project(disk / "shop")
    filler = disk / "filler"
    free = os.statvfs(disk)
    filler.write_bytes(b"0" * (free.f_bavail * free.f_frsize - room))
    said = cli("run", project.folder)
    assert (said.code, said.codes) == (2, ["STORE-FULL"]), said.err
    assert "free some" in said.out
    before = project.fits() if (project.store / "ledger.sqlite").exists() else []
    filler.unlink()
    assert cli("run", project.folder).code == 4
    assert project.fits()[: len(before)] == before
    assert set(project.keys().values()) == {1}
    assert cli("verify", project.store).code == 0


def test_answers_and_reports_that_find_no_room_are_not_half_written(mount, finished, cli):
    project = finished["binary"]
    disk = mount("disk", "-t", "tmpfs", "-o", "size=16k", "tmpfs")
    out = disk / "answers.csv"
    table = project.folder / "table.csv"
    said = cli("predict", package_of(project), table, "-o", out)
    assert (said.code, said.codes) == (2, ["PREDICT-NOT-WRITTEN"]), said.err
    said = cli("report", "last", "-o", disk / "report.html", "--store", project.store)
    assert (said.code, said.codes) == (2, ["STORE-FULL"]), said.err
    assert list(disk.iterdir()) == []


def test_a_read_only_store_can_be_read_and_is_not_written(mount, copied, tmp_path, cli):
    project = copied("binary")
    place = mount("frozen", "--bind", str(project.folder))
    subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
    store = place / ".assay"
    before = len(project.events())
    said = cli("run", place, "--seed", 5)
    assert (said.code, said.codes) == (2, ["STORE-READ-ONLY"]), said.err
    assert "ASSAY_STORE" in said.out
    assert cli("promote", "binary@1", "--reason", "mine", "--store", store).code == 2
    for words in (["runs"], ["show"], ["models"], ["history", "binary"], ["verify"]):
        assert cli(*words, "--store", store).code == 0, words
    out = tmp_path / "answers.csv"
    assert cli("predict", "binary@1", place / "table.csv", "-o", out, "--store", store).code == 0
    assert cli("run", place, "--seed", 5, "--store", tmp_path / "elsewhere").code == 0
    assert len(project.events()) == before


def test_a_report_in_a_read_only_folder_says_so(mount, copied, tmp_path, cli):
    project = copied("binary")
    place = mount("frozen", "--bind", str(project.folder))
    subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
    said = cli("report", "last", "--store", place / ".assay", "-o", place / "report.html")
    assert (said.code, said.codes) == (2, ["STORE-READ-ONLY"]), said.err


@pytest.mark.parametrize("file", ["model.onnx", "manifest.json", "signature.json", "encoder.json"])
def test_a_flipped_byte_in_a_package_is_named(file, copied, cli):
    project = copied("binary")
    package = package_of(project)
    flip(package / file)
    table = project.folder / "table.csv"
    commands = (
        ["verify", package],
        ["verify", project.store],
        ["verify", "last", "--store", project.store],
        ["verify", "binary@1", "--store", project.store],
        ["predict", package, table, "-o", project.folder / "answers.csv"],
        ["predict", "binary", table, "-o", project.folder / "a.csv", "--store", project.store],
        ["promote", "binary@1", "--reason", "mine", "--store", project.store],
    )
    for words in commands:
        said = cli(*words)
        assert said.code == 5, (words, said.err)
        assert str(package / file) in said.envelope["errors"][0]["where"], words
    with pytest.raises(Tampered):
        assay.load(package)
    assert not list(project.folder.glob("a*.csv"))


@pytest.mark.parametrize("place", [2, 40, -3])
def test_a_manifest_that_is_no_json_any_more_is_named(place, copied, cli):
    package = package_of(copied("binary"))
    data = bytearray((package / "manifest.json").read_bytes())
    data[place] = 0xFF
    (package / "manifest.json").write_bytes(data)
    said = cli("verify", package)
    assert said.code == 5
    assert "manifest.json" in said.envelope["errors"][0]["where"]


def test_files_that_are_added_or_gone_are_named(copied, cli):
    package = package_of(copied("binary"))
    extra = package / "code" / "helper.py"
    extra.parent.mkdir()
    extra.write_text("print('hello')")
    said = cli("verify", package)
    assert (said.code, said.codes) == (5, ["PACKAGE-EXTRA-FILE"])
    assert str(extra) in said.out
    extra.unlink()
    extra.parent.rmdir()
    (package / "encoder.json").unlink()
    said = cli("verify", package)
    assert (said.code, said.codes) == (5, ["PACKAGE-FILE-MISSING"])
    assert "encoder.json" in said.out


def test_a_package_or_manifest_that_is_gone_is_missed(copied, cli):
    project = copied("binary")
    package = package_of(project)
    (package / "manifest.json").unlink()
    assert cli("verify", project.store).code == 5
    for file in package.iterdir():
        file.unlink()
    package.rmdir()
    for words in (["verify"], ["verify", "last"], ["verify", "binary@1"]):
        said = cli(*words, "--store", project.store)
        assert said.code == 5, (words, said.out)
        assert package.name in said.out


@pytest.mark.parametrize(
    "marker",
    [b'"kind":"run.started","', b'"kind":"seal.m', b'"reason":"', b'"previous":"', b'"at":"2'],
)
def test_a_flipped_byte_in_the_ledger_is_named(marker, copied, cli):
    project = copied("binary")
    flip(project.store / "ledger.sqlite", marker)
    for words in (["verify", project.store], ["verify", "last", "--store", project.store]):
        said = cli(*words)
        assert said.code == 5, said.out
        error = said.envelope["errors"][0]
        assert error["code"].startswith("LEDGER-")
        assert "event" in error["message"] + error["where"] or "ledger" in error["where"]


def test_an_event_taken_off_the_end_of_the_ledger_is_missed(copied, cli):
    project = copied("binary")
    ledger = project.store / "ledger.sqlite"
    subprocess.run(
        ["python3", "-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
         "c.execute('DELETE FROM events WHERE rowid = (SELECT max(rowid) FROM events)'); "
         "c.commit()", str(ledger)],
        check=True,
    )  # fmt: skip
    assert cli("verify", project.store).code == 5
    assert cli("runs", "--store", project.store).code == 5


@pytest.mark.parametrize("record", ["evaluate", "search", "snapshot"])
def test_a_flipped_byte_in_a_record_is_named(record, copied, cli):
    project = copied("binary")
    (end,) = [e for e in project.events() if e.kind == "run.finished"]
    (start,) = [e for e in project.events() if e.kind == "run.started"]
    digest = {**start.data["given"], **end.data["records"]}[record]
    blob = project.store / "objects" / digest[:2] / digest[2:]
    flip(blob)
    for words in (["verify"], ["verify", "last"], ["show", "last"], ["report", "last"]):
        said = cli(*words, "--store", project.store)
        assert said.code == 5, (words, said.err)
        assert str(blob) in said.envelope["errors"][0]["where"]


def test_a_flipped_byte_in_the_stored_table_is_named(copied, cli):
    project = copied("binary")
    blob = max(
        (p for p in (project.store / "objects").rglob("*") if p.is_file()), key=os.path.getsize
    )
    flip(blob)
    said = cli("verify", project.store)
    assert (said.code, said.codes) == (5, ["STORE-TAMPERED"])
    assert str(blob) in said.out
