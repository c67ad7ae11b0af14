"""Reading the log back: by time, with labels, and bit by bit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from log_material import CELLS, NUMBER, add, opened

from assay.errors import StoreError
from assay.records.spec import ServeSection
from assay.serve.log import reader
from assay.serve.log.merge import merge
from assay.serve.log.reader import feedback_from, joined, read_feedback, read_from, read_log
from assay.serve.log.shelf import feedback_of, log_of
from assay.serve.log.writer import PredictionLog


def test_a_model_that_was_never_asked_has_an_empty_log(tmp_path):
    assert read_log(tmp_path, "churn").collect().is_empty()
    assert read_feedback(tmp_path, "churn").collect().is_empty()
    assert joined(tmp_path, "churn").collect().is_empty()
    rows, cursor = read_from(tmp_path, "churn")
    assert rows.is_empty()
    assert cursor == {}


def test_a_span_begins_with_its_first_moment_and_ends_before_its_last(tmp_path):
    log = opened(tmp_path)
    for second in range(4):
        add(log, f"{second}", at=1.8e9 + second)
    log.close()
    start, end = (datetime.fromtimestamp(1.8e9 + second, UTC) for second in (1, 3))
    for merged in (False, True):
        if merged:
            merge(log_of(tmp_path, "churn"), 1e6, 1e12)
        found = read_log(tmp_path, "churn", since=start, until=end).collect()
        assert found["request"].to_list() == ["1", "2"]
        naive = read_log(tmp_path, "churn", since=start.replace(tzinfo=None)).collect()
        assert naive["request"].to_list() == ["1", "2", "3"]


def test_the_label_that_came_last_stands_beside_its_prediction(tmp_path):
    log = opened(tmp_path, flush=60.0)
    for row in range(2):
        log.add("r", 1.8e9, "churn", 1, CELLS, [0.5, 0.5], 1.0, 0, row)
    add(log, "nobody told")
    log.feedback("churn", "r", 1, "no", None, "", 1.8e9)
    log.feedback("churn", "r", 1, "yes", None, "", 1.7e9)  # came last, though observed before
    log.feedback("churn", "r", 1, None, 3.0, "revenue", 1.8e9)
    log.feedback("churn", "elsewhere", 0, "yes", None, "", 1.8e9)
    log.close()
    for merged in (False, True):
        if merged:
            merge(feedback_of(tmp_path, "churn"), 1e6, 1e12)
        found = joined(tmp_path, "churn").select("request", "row", "truth").collect().rows()
        assert found == [("r", 0, None), ("r", 1, "yes"), ("nobody told", 0, None)]


def test_the_truth_about_a_number_is_a_number(tmp_path):
    log = PredictionLog(tmp_path, 0)
    log.open("price", 1, NUMBER, ServeSection())
    log.add("a", 1.8e9, "price", 1, [3.0], 12.5, 60.0)
    log.feedback("price", "a", 0, None, 13.0, "", 1.8e9)
    log.close()
    assert joined(tmp_path, "price").collect()["truth"].to_list() == [13.0]


@pytest.mark.parametrize("most", [1, 5, 1000])
def test_reading_on_gives_each_row_once_in_bounded_pieces(tmp_path, most):
    logs = [opened(tmp_path, worker, flush=60.0) for worker in range(2)]
    cursor, seen = {}, []
    for step in range(6):
        for worker, log in enumerate(logs):
            for row in range(3):
                add(log, f"{worker}-{step}-{row}")
            log.flush()
        if step == 3:
            merge(log_of(tmp_path, "churn"), 1.0, 1e12)
        if step == 4:
            merge(log_of(tmp_path, "churn"), 1e6, 1e12)
        if step % 2:
            rows, cursor = read_from(tmp_path, "churn", cursor, rows=most)
            assert len(rows) <= most + 3
            seen.extend(rows["request"])
    for log in logs:
        log.close()
    while len(rows := read_from(tmp_path, "churn", cursor, rows=most)[0]):
        seen.extend(rows["request"])
        _, cursor = read_from(tmp_path, "churn", cursor, rows=most)
    assert len(seen) == 36
    assert len(set(seen)) == 36


def test_a_cursor_forgets_what_retention_took(tmp_path):
    log = opened(tmp_path)
    add(log, "old", at=1e9)
    log.close()
    _, cursor = read_from(tmp_path, "churn")
    merge(log_of(tmp_path, "churn"), 1e6, 1e12)
    assert read_from(tmp_path, "churn", cursor)[1] == cursor
    merge(log_of(tmp_path, "churn"), 1e6, keep=60.0)
    assert read_from(tmp_path, "churn", cursor)[1] == {}


def test_feedback_is_read_on_as_well(tmp_path):
    log = opened(tmp_path, flush=60.0)
    log.feedback("churn", "a", 0, "yes", None, "", 1.8e9)
    log.flush()
    rows, cursor = feedback_from(tmp_path, "churn")
    assert rows["request"].to_list() == ["a"]
    log.feedback("churn", "b", 0, "yes", None, "", 1.8e9)
    log.close()
    assert feedback_from(tmp_path, "churn", cursor)[0]["request"].to_list() == ["b"]


def test_a_log_that_never_rests_is_told(tmp_path, monkeypatch):
    log = opened(tmp_path)
    add(log, "r")
    log.close()

    def gone(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(reader, "read_unit", gone)
    for read in (lambda: read_log(tmp_path, "churn"), lambda: read_from(tmp_path, "churn")):
        with pytest.raises(StoreError) as caught:
            read()
        assert caught.value.code == "SERVE-LOG-BUSY"
