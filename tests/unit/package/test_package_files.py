"""Packages as files: whole or not at all, and every byte accounted for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from assay.errors import AssayError, StoreError, Tampered
from assay.kernel.family import Predictions
from assay.package import build as building
from assay.package import smoke as smoking
from assay.package.build import STALE_SECONDS, size_of
from assay.package.load import load
from assay.package.manifest import MANIFEST, SEAL, package_digest, read_files
from assay.package.parity import measure, require
from assay.package.smoke import example_frame, smoke, start_ahead
from assay.records.base import digest_of
from assay.records.fitted import Field, Signature
from assay.records.package import Manifest
from assay.records.report import Parity

FILES = {"model.onnx": b"\x08\x07", "notes/card.md": "für alle".encode()}


def manifest(**changes) -> Manifest:
    given = {
        "name": "shop",
        "engine": "assay 1",
        "family": "tabular",
        "files": {name: digest_of(data) for name, data in FILES.items()},
        "signature": Signature(family="tabular", task="binary", target="left", inputs=()),
        "parity": Parity(rows=1, nasty_rows=1, max_abs_diff=0.0, label_flips=0, tolerance=1e-6),
        "seal": "s",
        "data": "d",
    }
    return Manifest(**{**given, **changes})


def build(packages, made, files=FILES, check=lambda _: None) -> Path:
    return building.build(packages, made, files, check)


def test_what_was_built_is_read_back(tmp_path):
    made = manifest()
    path = build(tmp_path, made)
    assert path == tmp_path / package_digest(made)
    assert read_files(path) == (made, FILES)
    own = [(path / name).stat().st_size for name in (MANIFEST, SEAL)]
    assert size_of(path) == sum(map(len, FILES.values())) + sum(own)
    assert (path / SEAL).read_text() == path.name


def test_the_same_package_twice_is_one(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: build(tmp_path, manifest()), range(8)))
    assert [p.name for p in tmp_path.iterdir()] == [paths.pop().name]
    assert not paths


def test_a_package_that_cannot_be_written_leaves_nothing(tmp_path):
    blocked = {**FILES, "model.onnx/inner": b"a file cannot be a folder"}
    with pytest.raises(StoreError) as error:
        build(tmp_path, manifest(), blocked)
    assert error.value.code == "PACKAGE-NOT-WRITTEN"
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_its_check_refuses_never_gets_its_name(tmp_path):
    seen = []

    def refuse(path):
        seen.append((path.name, read_files(path)[1]))
        raise AssayError("PACKAGE-SMOKE", "it does not answer")

    for _ in range(2):  # nothing is left that the second time could take for a package
        with pytest.raises(AssayError):
            build(tmp_path, manifest(), check=refuse)
        assert list(tmp_path.iterdir()) == []
    assert [files for _, files in seen] == [FILES, FILES]
    assert all(name.startswith(".draft-") for name, _ in seen)


def test_drafts_of_killed_processes_are_swept_and_fresh_ones_are_not(tmp_path):
    old, fresh = tmp_path / ".draft-old", tmp_path / ".draft-fresh"
    for draft in (old, fresh):
        draft.mkdir()
    long_ago = time.time() - STALE_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    path = build(tmp_path, manifest())
    assert sorted(tmp_path.iterdir()) == sorted([fresh, path])


def test_another_manifest_is_another_package(tmp_path):
    assert build(tmp_path, manifest()) != build(tmp_path, manifest(seal="t"))


def test_a_package_may_be_copied_to_a_folder_of_any_name(tmp_path):
    path = build(tmp_path, manifest())
    assert read_files(path.rename(tmp_path / "shipped"))[1] == FILES


def test_a_changed_manifest_is_found_under_any_folder_name(tmp_path):
    path = build(tmp_path, manifest()).rename(tmp_path / "shipped")
    other = build(tmp_path, manifest(seal="forged"))
    (path / MANIFEST).write_bytes((other / MANIFEST).read_bytes())
    with pytest.raises(Tampered) as error:
        read_files(path)
    assert (error.value.code, error.value.where) == ("PACKAGE-CHANGED", str(path / MANIFEST))


def test_a_package_without_the_digest_of_its_manifest_is_refused(tmp_path):
    path = build(tmp_path, manifest())
    (path / SEAL).unlink()
    with pytest.raises(Tampered) as error:
        read_files(path)
    assert error.value.where == str(path / SEAL)


def test_a_link_to_a_package_is_that_package(tmp_path):
    link = tmp_path / ("0" * 64)
    link.symlink_to(build(tmp_path, manifest()))
    assert read_files(link)[1] == FILES


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_each_file_that_changes_is_named(name, tmp_path):
    path = build(tmp_path, manifest())
    file = path / name
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(Tampered) as error:
        read_files(path)
    assert (error.value.code, error.value.where) == ("PACKAGE-CHANGED", str(file))


def test_a_folder_that_is_no_package_is_refused(tmp_path):
    with pytest.raises(Tampered) as error:
        read_files(tmp_path / "nothing")
    assert error.value.code == "PACKAGE-NO-MANIFEST"


def two(a: list[float], b: list[float]) -> tuple[Predictions, Predictions]:
    classes = ("no", "yes")
    return tuple(
        Predictions(np.column_stack([1 - np.array(v), np.array(v)]), classes) for v in (a, b)
    )


def test_parity_names_the_worst_row_and_counts_flips():
    real, nasty = two([0.2, 0.9], [0.2, 0.9]), two([0.4, 0.6], [0.4, 0.3])
    found = measure(*real, *nasty, positive_code=1)
    assert (found.rows, found.nasty_rows, found.label_flips) == (2, 2, 1)
    assert found.max_abs_diff == pytest.approx(0.3)
    assert found.worst == "nasty row 1"
    with pytest.raises(AssayError) as error:
        require(found)
    assert error.value.code == "PACKAGE-PARITY"


def test_parity_of_numbers_is_relative_and_a_nan_is_never_right():
    big, same = Predictions(np.array([1e9, 1.0]), ()), Predictions(np.array([1e9 + 1, 1.0]), ())
    require(measure(big, same, same, same))
    broken = Predictions(np.array([np.nan, 1.0]), ())
    assert measure(big, broken, big, big).max_abs_diff == np.inf
    with pytest.raises(AssayError):
        require(measure(big, broken, big, big))


def test_the_example_has_a_typical_row_and_one_with_nothing():
    frame = example_frame(
        (
            Field(name="fee", type="number", missing=False, low=1.0, high=3.0),
            Field(name="region", type="category", missing=True, categories=("north", "south")),
            Field(name="since", type="datetime", missing=False, low=0.0, high=2e6),
            Field(name="member", type="boolean", missing=False),
        )
    )
    typical, empty = frame.rows()
    assert typical[:2] == (2.0, "north")
    assert typical[2].isoformat() == "1970-01-01T00:00:01"
    assert empty == (None,) * 4


def test_a_package_that_does_not_load_in_a_fresh_process_is_named(tmp_path):
    with pytest.raises(AssayError) as error:
        smoke(build(tmp_path, manifest()), "tabular", Predictions(np.array([1.0]), ()))
    assert error.value.code == "PACKAGE-SMOKE"
    assert "INCOMPLETE" in error.value.got or "lacks" in error.value.got


def test_a_process_started_ahead_is_asked_once(tmp_path):
    start_ahead("tabular")
    for _ in range(2):
        with pytest.raises(AssayError, match="fresh process"):
            smoke(build(tmp_path, manifest()), "tabular", Predictions(np.array([1.0]), ()))


def test_a_package_without_its_signature_is_refused(tmp_path):
    with pytest.raises(Tampered, match=r"signature\.json") as error:
        load(build(tmp_path, manifest()))
    assert error.value.code == "PACKAGE-INCOMPLETE"


def saying(text: str):
    """A stand-in for the fresh process, which says this whatever it is asked."""
    code = f"import sys; sys.stdin.read(); sys.stdout.write({text!r})"
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


@pytest.mark.parametrize(
    "said", ["", "so?", "[1.0, 1.0]", '["one"]', "[[1], [1, 2]]", "{}", "[2.0]"]
)
def test_an_answer_that_is_none_is_named(said, tmp_path, monkeypatch):
    monkeypatch.setitem(smoking._ahead, "tabular", saying(said))
    with pytest.raises(AssayError) as error:
        smoke(tmp_path, "tabular", Predictions(np.array([1.0]), ()))
    assert error.value.code == "PACKAGE-SMOKE"


def test_the_right_answer_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setitem(smoking._ahead, "tabular", saying("[1.0]"))
    smoke(tmp_path, "tabular", Predictions(np.array([1.0]), ()))


def test_a_process_that_died_while_it_waited_is_replaced_and_closed(tmp_path, monkeypatch):
    dead = saying("[1.0]")
    dead.kill()
    dead.wait()
    monkeypatch.setitem(smoking._ahead, "tabular", dead)
    monkeypatch.setattr(smoking, "_start", lambda _: saying("[1.0]"))
    smoke(tmp_path, "tabular", Predictions(np.array([1.0]), ()))
    assert dead.stdin.closed
    assert dead.stdout.closed
    assert dead.stderr.closed


def test_processes_that_wait_are_ended_with_this_one(monkeypatch):
    waiting = saying("[1.0]")
    monkeypatch.setattr(smoking, "_ahead", {"tabular": waiting})
    smoking._end()
    assert waiting.poll() is not None
    assert waiting.stdout.closed
