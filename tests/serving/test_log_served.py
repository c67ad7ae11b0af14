"""The log of a real server: every answer is in it, as a batch gives it, beside its truth."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time

import numpy as np
import polars as pl
from shop import ROWS, Shop, Start, eventually

from assay.cli.main import main
from assay.lifecycle.predict import load
from assay.serve.log.reader import joined, read_feedback, read_log
from assay.serve.log.shelf import LOG, log_of


def log_folder(store: Shop):
    return store.store / LOG


def test_every_row_is_logged_once_and_answered_as_a_batch_would(server: Start, store: Shop) -> None:
    serving = server("churny", "pricy", "--workers", "2")
    asked = 0
    for _ in range(4):  # another connection may go to another worker
        client = serving.client()
        for row in ROWS[:50]:
            client.predict(row)
        client.predict(*ROWS[:150])
        sheet = io.StringIO()
        writer = csv.DictWriter(sheet, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS)
        assert (
            client.post("/predict", sheet.getvalue().encode(), content_type="text/csv").status
            == 200
        )
        client.predict(*ROWS[:10], path="/models/pricy/predict")
        asked += 50 + 150 + len(ROWS)
    assert serving.stop() == 0
    for model, count in (("churny", asked), ("pricy", 40)):
        found = read_log(log_folder(store), model).collect()
        assert found.height == count
        assert found.select("request", "row").is_unique().all()
        loaded = load(f"{model}@champion", store=store.store)
        names = [field.name for field in loaded.signature.inputs]
        again = loaded.predict(found.select(pl.col(f"in.{name}").alias(name) for name in names))
        if loaded.signature.classes:
            assert found["label"].to_list() == again["prediction"].to_list()
            chances = found["probability_yes"].to_numpy(), again["probability_yes"].to_numpy()
        else:
            chances = found["value"].to_numpy(), again["prediction"].to_numpy()
        assert np.array_equal(*chances)
        assert (found["micros"] > 0).all()
        assert not found["shadow"].any()


def test_feedback_is_joined_and_shown(server: Start, store: Shop, capsys) -> None:
    serving = server("churny")
    client = serving.client()
    known = [client.predict(ROWS[0])["request"], client.predict(*ROWS[:2])["request"]]
    for request, row, label in ((known[0], 0, "no"), (known[0], 0, "yes"), (known[1], 1, "no")):
        told = {"request": request, "row": row, "label": label}
        assert client.post("/feedback", told).status == 202
    assert client.post("/feedback", {"request": "r", "label": "perhaps"}).status == 422
    assert serving.stop() == 0
    truth = joined(log_folder(store), "churny").select("request", "row", "truth").collect()
    assert set(truth.rows()) == {(known[0], 0, "yes"), (known[1], 0, None), (known[1], 1, "no")}
    assert read_feedback(log_folder(store), "churny").collect().height == 3
    place = ["--store", str(store.store)]
    capsys.readouterr()
    assert main(["log", "churny", "--joined", "--json", *place]) == 0
    shown = json.loads(capsys.readouterr().out)["data"]
    assert {row["truth"] for row in shown} == {"yes", "no", None}
    assert main(["log", "churny", "--last", "1", *place]) == 0
    assert known[1] in capsys.readouterr().out
    assert main(["log", "churny", "--feedback", *place]) == 0
    assert "yes" in capsys.readouterr().out
    out = store.folder / "log.parquet"
    assert main(["log", "churny", "--since", "2h", "-o", str(out), *place]) == 0
    assert pl.read_parquet(out).height == 3
    assert main(["log", "churny", "-o", str(out.with_suffix(".xlsx")), *place]) == 2
    assert "LOG-FORMAT" in capsys.readouterr().err
    assert main(["log", "churny", "--since", "lately", *place]) == 2
    assert "LOG-TIME" in capsys.readouterr().err
    assert main(["log", "churny@1", *place]) == 2
    assert "LOG-VERSION" in capsys.readouterr().err
    assert main(["log", "nobody", *place]) == 2
    assert "MODEL-UNKNOWN" in capsys.readouterr().err
    assert main(["log", "pricy", *place]) == 0
    assert "nothing of pricy is in the log" in capsys.readouterr().out


def test_a_worker_that_is_killed_takes_at_most_the_last_second_along(
    server: Start, store: Shop
) -> None:
    serving = server("churny", "--workers", "1")
    client = serving.client()
    answered = {}
    end = time.monotonic() + 3
    while time.monotonic() < end:
        answered[client.predict(ROWS[0])["request"]] = time.time()
    (worker,) = serving.workers
    killed = time.time()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: serving.workers not in ([], [worker]))
    serving.stop()
    logged = set(read_log(log_folder(store), "churny").collect()["request"])
    lost = [at for request, at in answered.items() if request not in logged]
    assert logged <= set(answered)
    assert all(killed - at < 1.5 for at in lost)
    assert len(logged) > 0.3 * len(answered)


def test_the_next_server_merges_what_is_there(server: Start, store: Shop) -> None:
    for _ in range(2):
        serving = server("churny")
        serving.client().predict(*ROWS[:5])
        serving.stop()
    shelf = log_of(log_folder(store), "churny")
    assert len(shelf.units()) >= 2
    serving = server("churny")
    eventually(lambda: len(shelf.merged()) and not shelf.units())
    serving.stop()
    assert read_log(log_folder(store), "churny").collect().height == 10
