"""The log holds what was asked and answered, masked, and never more in memory than it may."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from log_material import CELLS, MISSING, NUMBER, SIGNATURE, add, opened, until

from assay.errors import StoreError, UsageError
from assay.records.spec import ServeSection
from assay.serve.log import writer
from assay.serve.log.mask import key_of
from assay.serve.log.reader import read_feedback, read_log
from assay.serve.log.writer import PredictionLog


def test_a_row_is_found_as_it_was_asked_and_answered(tmp_path):
    log = opened(tmp_path)
    log.add("r-1", 1.8e9 + 0.25, "churn", 1, CELLS, [0.25, 0.75], 61.7, 1, 3, True, True)
    log.add("r-2", 1.8e9, "churn", 1, MISSING, [0.75, 0.25], 50.0, 0)
    log.close()
    first, second = read_log(tmp_path, "churn").collect().to_dicts()
    assert first == {
        "request": "r-1",
        "row": 3,
        "at": datetime.fromtimestamp(1.8e9 + 0.25, UTC),
        "model": "churn",
        "version": 1,
        "shadow": True,
        "micros": 61,
        "warned": True,
        "in.age": 41.5,
        "in.city": "Zürich 東京",
        "in.vip": True,
        "in.since": datetime(2023, 11, 14, 22, 13, 20),
        "in.request": "a feature of our own column's name",
        "label": "yes",
        "probability_no": 0.25,
        "probability_yes": 0.75,
    }
    assert second["label"] == "no"
    assert not second["warned"]
    assert not second["shadow"]
    assert [second[f"in.{field.name}"] for field in SIGNATURE.inputs] == [None] * 5


def test_a_table_is_logged_as_its_rows_are(tmp_path):
    frame = pl.DataFrame(
        {
            "age": [41.5, None],
            "city": ["Zürich 東京", None],
            "vip": [True, None],
            "since": pl.Series([1_700_000_000_000_000, None]).cast(pl.Datetime("us")),
            "request": [CELLS[4], None],
        }
    )
    values = np.array([[0.25, 0.75], [0.75, 0.25]])
    log = opened(tmp_path / "table", pseudonym=("age",), mask=("vip",))
    log.add_table("r", 1.8e9, "churn", 1, frame, values, 7.0, np.array([1, 0]), {1})
    log.close()
    log = opened(tmp_path / "rows", pseudonym=("age",), mask=("vip",))
    (tmp_path / "rows" / "key").write_bytes((tmp_path / "table" / "key").read_bytes())
    log.open("churn", 1, SIGNATURE, ServeSection(pseudonym=("age",), mask=("vip",)))
    log.add("r", 1.8e9, "churn", 1, CELLS, [0.25, 0.75], 7.0, 1, 0)
    log.add("r", 1.8e9, "churn", 1, MISSING, [0.75, 0.25], 7.0, 0, 1, True)
    log.close()
    table, rows = (read_log(tmp_path / name, "churn").collect() for name in ("table", "rows"))
    assert table.equals(rows)
    assert table.schema == rows.schema


def test_numbers_are_logged_by_their_value(tmp_path):
    log = PredictionLog(tmp_path, 0)
    log.open("price/m²", 2, NUMBER, ServeSection())
    log.add("a", 1.8e9, "price/m²", 2, [3.0], 12.5, 60.0)
    frame, found = pl.DataFrame({"age": [4.0]}), np.array([np.inf])
    log.add_table("b", 1.8e9, "price/m²", 2, frame, found, 9.0)
    log.close()
    found = read_log(tmp_path, "price/m²").collect()
    assert dict(found.select("request", "value").rows()) == {"a": 12.5, "b": np.inf}
    assert "label" not in found.columns
    assert (tmp_path / "price%2Fm%C2%B2" / "open").is_dir()


def test_personal_columns_are_left_out_or_only_told_apart(tmp_path):
    log = opened(tmp_path, mask=("since", "age"), pseudonym=("city", "request"))
    for city, text in (("Bern", "Bern"), ("Bern", None), ("Basel", "x")):
        log.add("r", 1.8e9, "churn", 1, [1.0, city, True, 5, text], [0.5, 0.5], 1.0, 0)
    log.close()
    found = read_log(tmp_path, "churn").collect()
    assert found["in.age"].to_list() == [None] * 3
    assert found["in.since"].to_list() == [None] * 3
    assert found.schema["in.since"] == pl.Datetime("us")
    bern, again, basel = found["in.city"]
    assert bern == again != basel
    assert found["in.request"].to_list()[:2] == [bern, None]
    assert len(bytes.fromhex(bern)) == 16
    raw = b"".join(path.read_bytes() for path in (tmp_path / "churn" / "open").iterdir())
    assert b"Bern" not in raw
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_mask_must_name_a_column_of_the_model(tmp_path):
    log = PredictionLog(tmp_path, 0)
    for key in ("mask", "pseudonym"):
        with pytest.raises(UsageError) as caught:
            log.open("churn", 1, SIGNATURE, ServeSection(**{key: ("cty",)}))
        assert caught.value.code == "SERVE-LOG-COLUMN"
        assert "city" in caught.value.hint
    log.close()


def test_a_key_is_made_once_by_however_many(tmp_path):
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(key_of(tmp_path))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 16
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_damaged_key_is_told_and_never_replaced(tmp_path):
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(StoreError) as caught:
        key_of(tmp_path)
    assert caught.value.code == "SERVE-LOG-KEY"
    assert (tmp_path / "key").read_bytes() == b"short"


def test_a_row_is_taken_in_a_microsecond(tmp_path):
    log = opened(tmp_path, flush=60.0)
    spans = []
    for i in range(5_000):
        before = time.perf_counter_ns()
        add(log, f"r-{i}")
        spans.append(time.perf_counter_ns() - before)
    log.close()
    assert np.median(spans) < 1_000
    assert read_log(tmp_path, "churn").collect().height == 5_000


def test_rows_are_made_columns_in_a_later_turn_of_the_loop(tmp_path):
    later = []
    log = PredictionLog(tmp_path, 0, later.append)
    log.open("churn", 1, SIGNATURE, ServeSection(flush=60.0))
    for i in range(2 * writer.CHUNK - 1):
        add(log, f"r-{i}")
    assert len(later) == 1
    later[0]()
    assert log.backlog == 2 * writer.CHUNK - 1
    log.close()
    assert log.backlog == 0
    assert read_log(tmp_path, "churn").collect()["request"].n_unique() == 2 * writer.CHUNK - 1


def test_the_interval_of_the_file_decides_when_rows_can_be_read(tmp_path):
    log = opened(tmp_path, flush=0.05)
    add(log, "r")
    until(lambda: read_log(tmp_path, "churn").collect().height == 1, 2.0)
    log.close()


def test_a_version_may_get_other_settings(tmp_path):
    log = opened(tmp_path)
    add(log, "before")
    log.open("churn", 1, SIGNATURE, ServeSection(pseudonym=("age",)))
    add(log, "after")
    log.close()
    found = dict(read_log(tmp_path, "churn").collect().select("request", "in.age").rows())
    assert found["before"] == "41.5"
    assert len(found["after"]) == 32


def test_a_row_that_cannot_be_logged_takes_no_other_with_it(tmp_path, capsys):
    log = opened(tmp_path, flush=60.0)
    add(log, "good")
    log.add("bad", 1.8e9, "churn", 1, [1.0, "a", True, 5, "\ud800"], [0.5, 0.5], 1.0, 0)
    add(log, "also good")
    log.close()
    assert read_log(tmp_path, "churn").collect()["request"].to_list() == ["good", "also good"]
    assert log.dropped == 1
    assert "could not be logged" in capsys.readouterr().err


def test_the_version_of_a_recent_request_is_known(tmp_path):
    log = opened(tmp_path, flush=60.0)
    log.open("churn", 2, SIGNATURE, ServeSection(flush=60.0))
    add(log, "one")
    add(log, "two", version=2)
    assert log.version_of("two") == ("churn", 2)
    log.flush()
    assert log.version_of("one") == ("churn", 1)
    assert log.version_of("never asked") is None
    log.close()


def test_when_too_much_waits_rows_are_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "BACKLOG", 50_000)
    log = opened(tmp_path, flush=60.0)
    for i in range(4 * writer.CHUNK):
        add(log, f"r-{i}")
    assert log.full
    assert 0 < log.dropped < 4 * writer.CHUNK
    log.add_table("t", 1.8e9, "churn", 1, pl.DataFrame({"age": [1.0] * 7}), np.zeros((7, 2)), 1.0)
    kept, dropped = log.backlog, log.dropped
    assert kept + dropped == 4 * writer.CHUNK + 7
    assert log.flush()
    assert not log.full
    add(log, "again")
    log.close()
    assert read_log(tmp_path, "churn").collect().height == kept + 1


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from log_material import add, opened
log = opened(Path(sys.argv[2]), flush=60.0)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
for i in range(3000):
    add(log, f"r-{i}")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most))
assert not log.flush() and not log.flush()
assert log.errors == 2 and log.backlog == 3000, (log.errors, log.backlog)
assert not list(Path(sys.argv[2]).rglob("*.arrow")), "torn"
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
add(log, "after")
assert log.flush() and log.backlog == 0
log.close()
"""


def test_a_full_disk_keeps_rows_waiting_and_tells_it_once(tmp_path):
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, here, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be written") == 1
    assert "the log is written again; 0 rows were left out" in done.stderr
    assert read_log(tmp_path, "churn").collect()["request"].n_unique() == 3001


LOST = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from log_material import add, opened
log = opened(Path(sys.argv[2]), flush=60.0)
add(log, "r")
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
log.close()
"""


def test_what_is_lost_at_the_end_is_said(tmp_path):
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", LOST, here, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "1 rows of the log could not be written and are lost" in done.stderr


def test_feedback_is_a_log_of_its_own(tmp_path):
    log = opened(tmp_path)
    log.feedback("churn", "r-1", 2, "yes", None, "", 1.8e9)
    log.feedback("churn", "r-1", 0, None, 12.5, "revenue", 1.8e9)
    log.close()
    first, second = read_feedback(tmp_path, "churn").collect().to_dicts()
    assert (first["request"], first["row"], first["label"], first["metric"]) == (
        "r-1",
        2,
        "yes",
        "",
    )
    assert first["observed"] == datetime.fromtimestamp(1.8e9, UTC)
    assert (second["metric"], second["value"], second["label"]) == ("revenue", 12.5, None)
    assert read_log(tmp_path, "churn").collect().is_empty()


def test_a_fault_of_the_log_does_not_end_it(tmp_path, monkeypatch, capsys):
    log = opened(tmp_path, flush=0.02)
    with monkeypatch.context() as patch:

        def fail(*_):
            raise RuntimeError("no merging today")

        patch.setattr(log._merging, "start", fail)
        until(lambda: log.errors)
    add(log, "r")
    until(lambda: read_log(tmp_path, "churn").collect().height == 1)
    log.close()
    assert "no merging today" in capsys.readouterr().err
