"""Small files become segments, and nothing is lost or doubled whenever that is interrupted."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import warnings
from datetime import UTC, datetime

import polars as pl
from filelock import FileLock
from log_material import SIGNATURE, add, logging, opened, until

from assay.records.spec import ServeSection
from assay.serve.log import merge as merging
from assay.serve.log.merge import merge
from assay.serve.log.merging import FIRST
from assay.serve.log.reader import read_from, read_log
from assay.serve.log.shelf import LogWarning, log_of

FOREVER = 1e12
SIZE = 64e6


def written(folder, files=3, rows=4):
    """Write small files of `rows` rows each and return their shelf."""
    log = opened(folder, flush=60.0)
    for number in range(files):
        for row in range(rows):
            add(log, f"{number}-{row}", at=1.7e9 + number)
        log.flush()
    log.close()
    return log_of(folder, "churn")


def names(folder, pattern):
    return sorted(path.name for path in folder.glob(pattern))


def requests(folder):
    return sorted(read_log(folder, "churn").collect()["request"])


def test_small_files_become_one_segment_that_names_them(tmp_path):
    shelf = written(tmp_path)
    before, small = requests(tmp_path), names(shelf.open, "*.arrow")
    assert len(small) == 3
    assert merge(shelf, SIZE, FOREVER) == 1
    assert not names(shelf.open, "*")
    (segment,) = shelf.merged()
    assert [cover.name for cover in segment.covers] == small
    assert [cover.rows for cover in segment.covers] == [4, 4, 4]
    assert (segment.version, segment.first, segment.last) == (1, 1.7e15, 1.700000002e15)
    assert requests(tmp_path) == before
    assert merge(shelf, SIZE, FOREVER) == 0


def test_a_segment_has_about_as_many_bytes_as_asked_for(tmp_path):
    shelf = written(tmp_path, files=6)
    before = requests(tmp_path)
    one = next(shelf.open.iterdir()).stat().st_size
    assert merge(shelf, 1.5 * one, FOREVER) == 3
    assert requests(tmp_path) == before


def test_a_merge_that_was_killed_before_it_deleted_doubles_nothing(tmp_path, monkeypatch):
    shelf = written(tmp_path)
    before, small = requests(tmp_path), names(shelf.open, "*.arrow")
    with monkeypatch.context() as patch:
        patch.setattr(merging, "_drop", lambda *_: None)  # as if it ended here
        merge(shelf, SIZE, FOREVER)
    assert names(shelf.open, "*.arrow") == small
    assert requests(tmp_path) == before
    assert sorted(read_from(tmp_path, "churn")[0]["request"]) == before
    merge(shelf, SIZE, FOREVER)
    assert not names(shelf.open, "*.arrow")
    assert len(shelf.merged()) == 1
    assert requests(tmp_path) == before


def test_a_merge_that_was_killed_before_it_published_loses_nothing(tmp_path):
    shelf = written(tmp_path)
    before = requests(tmp_path)
    shelf.segments.mkdir()
    (shelf.segments / ".v1-1-2-ab.parquet.part").write_bytes(b"PAR1 half")
    assert requests(tmp_path) == before
    merge(shelf, SIZE, FOREVER)
    assert len(names(shelf.segments, "*")) == 1
    assert requests(tmp_path) == before


def test_one_process_merges_at_a_time(tmp_path):
    shelf = written(tmp_path)
    with FileLock(shelf.path / "merge.lock"):
        done = subprocess.run(
            [sys.executable, "-m", "assay.serve.log.merge", str(shelf.path), "1e6", "1e12"]
        )
        assert done.returncode == 0
        assert not shelf.segments.exists()
    subprocess.run(
        [sys.executable, "-m", "assay.serve.log.merge", str(shelf.path), "1e6", "1e12"], check=True
    )
    assert len(shelf.merged()) == 1


def test_segments_that_are_too_old_go(tmp_path):
    shelf = written(tmp_path)
    log = opened(tmp_path)
    add(log, "today", at=time.time())
    log.close()
    merge(shelf, 1.0, FOREVER)
    assert len(shelf.merged()) == 4
    merge(shelf, SIZE, keep=86_400.0)
    assert requests(tmp_path) == ["today"]


def test_no_room_for_a_segment_leaves_everything_as_it_was(tmp_path):
    shelf = written(tmp_path)
    before = requests(tmp_path)
    code = (
        "import resource, sys; from assay.serve.log.merge import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64));"
        f"sys.exit(main([{str(shelf.path)!r}, '1e6', '1e12']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "was not merged" in done.stderr
    assert requests(tmp_path) == before
    assert not names(shelf.segments, "*")


def test_torn_and_foreign_files_are_named_and_left_alone(tmp_path):
    shelf = written(tmp_path)
    before = requests(tmp_path)
    torn = shelf.open / "v1-0abc-0def-w0-00000000.arrow"
    whole = next(shelf.open.glob("*00.arrow")).read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    (shelf.open / "notes.txt").write_text("mine")
    assert skipped(lambda: requests(tmp_path) == before) == {torn.name, "notes.txt"}
    assert skipped(lambda: merge(shelf, SIZE, FOREVER) == 1) == {torn.name, "notes.txt"}
    assert torn.exists()
    (shelf.segments / "v1-1-2-ab.parquet").write_bytes(b"PAR1 torn PAR1")
    pl.DataFrame({"a": [1]}).write_parquet(shelf.segments / "v1-1-2-cd.parquet")
    strange = {torn.name, "notes.txt", "v1-1-2-ab.parquet", "v1-1-2-cd.parquet"}
    assert skipped(lambda: requests(tmp_path) == before) == strange
    assert skipped(lambda: sorted(read_from(tmp_path, "churn")[0]["request"]) == before) == strange


def skipped(holds):
    """Return the names of the files that were skipped while `holds` was found to be true."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LogWarning)
        assert holds()
    return {str(warning.message).split(" ")[0].split("/")[-1] for warning in caught}


def test_versions_and_settings_do_not_meet_in_a_segment(tmp_path):
    log = opened(tmp_path, flush=60.0)
    add(log, "a")
    log.open("churn", 1, SIGNATURE, ServeSection(flush=60.0, pseudonym=("age",)))
    add(log, "b")
    fewer = SIGNATURE.__class__(
        family="test@1", task="multiclass", target="churned", inputs=SIGNATURE.inputs[:1],
        classes=("x", "y", "z"),
    )  # fmt: skip
    log.open("churn", 2, fewer, ServeSection(flush=60.0))
    log.add("c", 1.8e9, "churn", 2, [7.0], [0.1, 0.2, 0.7], 1.0, 2)
    log.close()
    shelf = log_of(tmp_path, "churn")
    whole = read_log(tmp_path, "churn").sort("request").collect()
    assert merge(shelf, SIZE, FOREVER) == 3
    assert read_log(tmp_path, "churn").sort("request").collect().equals(whole)
    assert whole["in.age"].to_list()[0] == "41.5"
    assert len(whole["in.age"].to_list()[1]) == 32
    assert whole["in.age"].to_list()[2] == "7.0"
    assert whole["label"].to_list() == ["yes", "yes", "z"]
    assert whole["probability_z"].to_list() == [None, None, 0.7]
    assert whole["in.city"].null_count() == 1


def test_a_clock_that_goes_backwards_harms_nothing(tmp_path):
    log = opened(tmp_path, flush=60.0)
    cursor, seen = {}, []
    for number, at in enumerate((1.8e9, 1.7e9, -5.5, 1.8e9)):
        add(log, f"{number}", at=at)
        log.flush()
        if number % 2:
            merge(log_of(tmp_path, "churn"), 1.0, FOREVER)
        rows, cursor = read_from(tmp_path, "churn", cursor)
        seen.extend(rows["request"])
    log.close()
    assert seen == ["0", "1", "2", "3"]
    early = read_log(tmp_path, "churn", until=datetime(1970, 1, 1, tzinfo=UTC)).collect()
    assert early["request"].to_list() == ["2"]


def test_readers_see_each_row_once_while_two_workers_write_and_merge(tmp_path):
    """Real processes: two that log, one that merges again and again, and readers here."""
    shelf = log_of(tmp_path, "churn")
    workers = [logging(tmp_path, number, flush=0.02) for number in (0, 1)]
    stop = threading.Event()

    def merges():
        while not stop.is_set():
            merge(shelf, 2e4, FOREVER)

    thread = threading.Thread(target=merges)
    thread.start()
    try:
        cursor, seen, sizes = {}, [], []
        until(lambda: names(shelf.segments, "*.parquet"))
        end = time.monotonic() + 1
        while time.monotonic() < end or len(seen) < 1000:
            rows, cursor = read_from(tmp_path, "churn", cursor, rows=200)
            seen.extend(rows["request"])
            whole = read_log(tmp_path, "churn").select("request").collect()["request"]
            assert whole.n_unique() == len(whole)
            sizes.append(len(whole))
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
        stop.set()
        thread.join()
    while len(rows := read_from(tmp_path, "churn", cursor)[0]):
        seen.extend(rows["request"])
        cursor = read_from(tmp_path, "churn", cursor)[1]
    assert sizes == sorted(sizes)
    assert len(set(seen)) == len(seen)
    assert sorted(seen) == requests(tmp_path)
    assert len(seen) > 500


def test_a_server_merges_what_an_earlier_one_left(tmp_path):
    shelf = written(tmp_path)
    before = requests(tmp_path)
    log = opened(tmp_path, flush=0.05)
    log._merging._shelves[shelf].time -= FIRST
    until(lambda: names(shelf.segments, "*.parquet"))
    log.close()
    assert requests(tmp_path) == before
