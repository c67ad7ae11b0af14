"""`assay watch --once`: the part of the log that was not judged yet is one window."""

from __future__ import annotations

import subprocess
import sys
import time

import polars as pl
import pytest
from shop import Shop, make_table
from watched import Log, Watch, judged, once

from assay.lifecycle.watching.kept import Shelved

DAY = 86_400.0
Capsys = pytest.CaptureFixture[str]


def test_each_row_is_judged_once(store: Shop, capsys: Capsys) -> None:
    log = Log(store)
    log.write(make_table(400, seed=41))
    code, data = once(store, capsys)
    assert (code, data["verdict"], data["rows"], data["window"]) == (0, "steady", 400, 0)
    log.write(make_table(300, seed=42))
    code, data = once(store, capsys)
    assert (code, data["rows"], data["window"]) == (0, 300, 1)
    assert [event.data["rows"] for event in judged(store)] == [400, 300]


def test_too_few_rows_are_unknown_and_stay_for_the_next_time(store: Shop, capsys: Capsys) -> None:
    log = Log(store)
    log.write(make_table(1, seed=1))
    code, data = once(store, capsys)
    assert (code, data["verdict"], data["rows"]) == (4, "unknown", 1)
    assert judged(store) == []
    log.write(make_table(120, seed=43))
    code, data = once(store, capsys)
    assert (code, data["rows"], data["window"]) == (0, 121, 0)
    code, data = once(store, capsys)
    assert (code, data["rows"]) == (4, 0)


def test_what_moved_is_named_and_opens_an_incident(store: Shop, capsys: Capsys) -> None:
    table = make_table(800, seed=44).with_columns(pl.col("fee") + 10)
    Log(store).write(table)
    code, data = once(store, capsys)
    assert (code, data["verdict"]) == (3, "drift")
    assert "fee" in data["reason"]
    flagged = {row["column"]: row for row in data["drift"] if row["flagged"]}
    assert flagged["fee"]["effect"] > 0.2
    assert flagged["fee"]["p"] < 1e-6
    assert "visits" not in flagged
    assert data["performance"]["roc_auc"]["estimated"] is True
    assert len(store.events("incident.opened")) == 1
    (event,) = judged(store)
    assert "fee" in event.data["flagged"]
    assert event.parents == (event.data["record"],)


def test_labels_make_performance_exact_once(store: Shop, capsys: Capsys) -> None:
    """They come late, some twice, where the last one counts; and are measured once."""
    log, table = Log(store), make_table(400, seed=45)
    ids = log.write(table, at=time.time() - 2 * DAY)
    code, data = once(store, capsys)
    assert (code, data["labelled"]) == (0, 0)
    wrong = table.with_columns(pl.lit("no").alias("left"))
    log.tell(ids[:4], wrong[:200])
    log.tell(ids, table)
    log.write(make_table(200, seed=46))
    code, data = once(store, capsys)
    assert (code, data["labelled"]) == (0, 400)
    assert data["performance"]["roc_auc"]["estimated"] is False
    assert data["performance"]["roc_auc"]["value"] > 0.9
    log.tell(ids, table)
    log.write(make_table(200, seed=47))
    _, data = once(store, capsys)
    assert data["labelled"] == 0
    assert data["performance"]["roc_auc"]["estimated"] is True


def test_labels_that_came_for_some_scores_only_are_weighted(store: Shop, capsys: Capsys) -> None:
    """Who gets a label is not left to chance: here those with few visits, and few others."""
    table = make_table(1600, seed=71).sort("visits")
    log = Log(store)
    ids = log.write(table)
    for place, request in enumerate(ids):
        if place < 16 or place % 4 == 0:
            log.tell([request], table[place * 50 : (place + 1) * 50])
    _, data = once(store, capsys)
    assert data.get("labelled") == 16 * 50 + 4 * 50, data
    found = data["performance"]["accuracy"]
    assert found["estimated"] is False
    assert "weighted" in found["reason"]


def test_few_labels_wait_until_they_say_something(store: Shop, capsys: Capsys) -> None:
    log, table = Log(store), make_table(200, seed=48)
    ids = log.write(table)
    log.tell(ids[:1], table[:50])
    _, data = once(store, capsys)
    assert data["labelled"] == 0
    log.tell(ids[1:], table[50:])
    log.write(make_table(200, seed=49))
    _, data = once(store, capsys)
    assert data["labelled"] == 200


def test_flipped_labels_break_the_gate(store: Shop, capsys: Capsys) -> None:
    table = make_table(400, seed=50)
    turned = pl.when(pl.col("left") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    Log(store).write(table.with_columns(turned.alias("left")), told=True)
    code, data = once(store, capsys)
    assert (code, data["verdict"]) == (3, "degraded")
    assert data["performance"]["roc_auc"]["standing"] == "broken"
    assert "roc_auc" in data["reason"]


def test_a_number_is_watched_too(store: Shop, capsys: Capsys) -> None:
    log = Log(store, model="pricy")
    log.write(make_table(400, seed=51), told=True)
    code, data = once(store, capsys, model="pricy")
    assert code == 0
    assert data["performance"]["r2"]["estimated"] is False
    log.write(make_table(400, seed=52).with_columns(pl.col("visits") + 4))
    code, data = once(store, capsys, model="pricy")
    assert code == 3
    assert "visits" in data["reason"]


def test_versions_are_told_apart_and_shadows_left_out(store: Shop, capsys: Capsys) -> None:
    """The version that answered most is the one that is judged."""
    log = Log(store)
    log.write(make_table(150, seed=53), version=2)
    log.write(make_table(350, seed=54).drop("region"), version=1)
    strange = make_table(500, seed=55).with_columns(pl.col("fee") * 100)
    log.write(strange, version=2, shadow=True)
    code, data = once(store, capsys)
    assert (code, data["verdict"], data["rows"]) == (0, "steady", 500)
    assert data["versions"] == {"1": 350, "2": 150, "2 (shadow)": 500}
    assert data["version"] == 1
    assert "region" not in {row["column"] for row in data["drift"]}


def test_missing_cells_and_repeated_rows(store: Shop, capsys: Capsys) -> None:
    table = make_table(400, seed=56)
    gone = table.with_columns(
        pl.when(pl.int_range(400) >= 300).then(None).otherwise("fee").alias("fee")
    )
    Log(store).write(gone)
    code, data = once(store, capsys)
    assert code == 3
    assert ("WATCH-MISSING", "fee") in {(b["code"], b["column"]) for b in data["quality"]}
    Log(store, sent=900).write(pl.concat([table[:200], *[table[:1]] * 200]))
    _, data = once(store, capsys)
    assert "WATCH-REPEATED" in {b["code"] for b in data["quality"]}


def test_answers_that_the_package_does_not_give_are_skew(store: Shop, capsys: Capsys) -> None:
    Log(store).write(make_table(200, seed=57), off=0.001, warned=True)
    code, data = once(store, capsys)
    assert code == 3
    codes = {b["code"]: b for b in data["quality"]}
    assert codes["WATCH-SKEW"]["rows"] == 200
    assert "WATCH-WARNED" in codes


def test_a_state_that_is_torn_loses_no_window(store: Shop, capsys: Capsys) -> None:
    """It is set aside; what the ledger has as judged is not judged again."""
    log = Log(store)
    now = time.time()
    log.write(make_table(200, seed=58), at=now - 100, seconds=10)
    once(store, capsys)
    path = Shelved(store.workspace(), "churny").path
    path.write_bytes(path.read_bytes()[:100])
    log.write(make_table(150, seed=59), at=now - 50, seconds=10)
    code, data = once(store, capsys)
    assert (code, data["rows"], data["window"]) == (0, 150, 1)
    assert path.with_suffix(".damaged").exists()


def test_one_process_watches_a_model(store: Shop, watch: Watch) -> None:
    first = watch()
    while not first.said("watching churny"):
        time.sleep(0.05)
    done = subprocess.run(
        [sys.executable, "-m", "assay.cli.main", "watch", "churny", "--once",
         "--store", str(store.store)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "WATCH-BUSY" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["churny@1"], "WATCH-VERSION"),
        (["chury"], "MODEL-UNKNOWN"),
        (["churny", "--set", "split.seed=1"], "WATCH-SET"),
        (["churny", "--set", "watch.rowz=1"], "SPEC-UNKNOWN-KEY"),
    ],
)
def test_what_a_person_has_to_mend_is_said(
    trained: Shop, capsys: Capsys, words: list[str], code: str
) -> None:
    name, *more = words
    returned, answer = once(trained, capsys, *more, model=name)
    assert returned == 2
    assert [error["code"] for error in answer["errors"]] == [code]
