"""Workers and parents that are killed, hang, or are told to end, under load."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from shop import ROWS, Shop, Start, eventually
from traffic import Traffic, batch_answers

from assay.lifecycle.models import history, models
from assay.lifecycle.serving.journal import SILENT
from assay.serve.log.reader import read_log

FLUSH = 1.0


def logged(store: Shop) -> set[str]:
    """Return the ids of all requests in the log of churny."""
    frame = read_log(store.store / "log", "churny").select("request").collect()
    return set(frame["request"].to_list())


def gone(process: int) -> bool:
    """Return True when there is no such process, or only its body."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_worker_that_is_killed_is_missed_for_less_than_a_second(
    server: Start, store: Shop
) -> None:
    serving = server("churny", "--workers", "2")
    expected = batch_answers(store, "churny@2")
    with Traffic(serving.url, clients=6) as traffic:
        traffic.wait(lambda asked: len(asked) > 100)
        before = serving.workers
        time.sleep(2 * FLUSH)
        killed = time.monotonic()
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: len(serving.workers) == 2 and before[0] not in serving.workers)
        time.sleep(1.5)
    missed = [one.done - killed for one in traffic.failed]
    print(f"{len(missed)} of {len(traffic.asked)} requests failed, the last after {missed}")
    assert len(missed) <= traffic.clients  # the ones under way, and no connection was refused
    assert all(seconds < 1.0 for seconds in missed)
    assert not traffic.wrong(expected)
    assert "was ended by signal 9; another takes its place" in serving.said
    assert serving.workers[0] == before[1] or before[1] in serving.workers
    assert serving.stop() == 0
    old = {o.request for o in traffic.asked if not o.error and o.done < killed - FLUSH - 0.5}
    assert len(old) > 100
    assert old <= logged(store)


def test_counts_of_a_killed_worker_stay(server: Start) -> None:
    serving = server("churny", "--workers", "1")
    client = serving.client()
    for row in ROWS[:10]:
        client.predict(row)
    time.sleep(0.2)  # an answer is counted just after it was sent
    [worker] = serving.workers
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: serving.workers not in ([], [worker]))
    again = serving.client()
    again.predict(ROWS[0])
    text = again.get("/metrics").body.decode()
    counted = 'assay_requests_total{model="churny",version="2",status="answered"} 11'
    assert counted in text


def test_a_worker_that_hangs_is_replaced(server: Start) -> None:
    serving = server("churny", "--workers", "2")
    before = serving.workers
    os.kill(before[0], signal.SIGSTOP)
    eventually(lambda: before[0] not in serving.workers, 30)
    eventually(lambda: len(serving.workers) == 2)
    assert "hangs and was killed" in serving.said
    assert len({serving.client().predict(ROWS[0])["model"] for _ in range(10)}) == 1


def test_a_worker_that_cannot_load_again_stops_no_other(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "2", "--no-log")
    model = store.store / "packages" / models(store.store)[1].package / "model.onnx"
    good = model.read_bytes()
    model.chmod(0o644)
    model.write_bytes(good[:-1])
    before = serving.workers
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: "worker 0 is away: PACKAGE-CHANGED" in serving.said)
    eventually(lambda: serving.workers == [before[1]])
    answers = [serving.client().predict(ROWS[place])["model"] for place in range(20)]
    assert set(answers) == {"churny@2"}  # no connection waits for the one that is away
    model.write_bytes(good)
    eventually(lambda: len(serving.workers) == 2, 15)


def test_a_worker_told_to_end_finishes_first_and_is_replaced(server: Start) -> None:
    serving = server("churny", "--workers", "2")
    with Traffic(serving.url, clients=4) as traffic:
        traffic.wait(lambda asked: len(asked) > 50)
        before = serving.workers
        os.kill(before[0], signal.SIGTERM)
        eventually(lambda: before[0] not in serving.workers and len(serving.workers) == 2)
        time.sleep(0.3)
    # a connection may be closed between two of its requests, which a client sends again
    assert all("RemoteDisconnected" in one.error for one in traffic.failed)


def test_workers_end_with_a_parent_that_is_killed_and_the_next_takes_over(
    server: Start, store: Shop
) -> None:
    serving = server("churny", "--workers", "2")
    client = serving.client()
    requests = {client.predict(row)["request"] for row in ROWS[:20]}
    workers, port = serving.workers, urlsplit(serving.url).port
    killed = time.monotonic()
    serving.kill()
    eventually(lambda: all(map(gone, workers)), 10)
    assert time.monotonic() - killed < 5
    assert requests <= logged(store)  # they have written what they had
    again = server("churny", "--workers", "2", "--port", str(port))
    assert again.client().predict(ROWS[0])["model"] == "churny@2"


def test_a_server_that_was_killed_ends_in_the_history_where_it_last_lived(
    server: Start, store: Shop
) -> None:
    serving = server("churny", "--workers", "1")
    serving.kill()
    died = time.time()
    [file] = (store.store / "servers").iterdir()
    assert died - file.stat().st_mtime < 5
    [spell] = history("churny", store=store.store)["served"]
    assert spell["until"] == ""  # it could be busy
    ago = died - SILENT - 60
    os.utime(file, (ago, ago))
    [spell] = history("churny", store=store.store)["served"]
    assert spell["until"] != ""
    server("churny", "--workers", "1").stop()
    ends = store.events("server.stopped")
    assert [event.data["reason"] for event in ends] == ["died", "told to end"]
    assert history("churny", store=store.store)["served"][0]["until"] == spell["until"]


def test_an_end_under_load_loses_nothing_that_was_answered(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "2")
    expected = batch_answers(store, "churny@2")
    with Traffic(serving.url, clients=6) as traffic:
        traffic.wait(lambda asked: len(asked) > 500)
        told = time.monotonic()
        assert serving.stop() == 0
        took = time.monotonic() - told
    assert took < 5
    answered = {one.request for one in traffic.asked if not one.error}
    assert answered == logged(store)
    assert not traffic.wrong(expected)
    first = min((one.sent for one in traffic.failed), default=told)
    assert first >= told - 0.01  # nobody was let down before


def test_an_interrupt_ends_it_too(server: Start, store: Shop) -> None:
    serving = server("churny", "--workers", "1")
    serving.signal(signal.SIGINT)
    assert serving.process.wait(30) == 0
    assert store.events("server.stopped")[0].data["reason"] == "told to end"


def test_two_servers_on_one_store(server: Start, store: Shop) -> None:
    servings = [server("churny", "--workers", "1"), server("churny", "pricy", "--workers", "1")]
    requests = [s.client().predict(ROWS[0])["request"] for s in servings for _ in range(5)]
    store.assay("promote", "churny@1")
    eventually(lambda: all(s.client().predict(ROWS[0])["model"] == "churny@1" for s in servings))
    assert len({event.data["server"] for event in store.events("server.started")}) == 2
    assert [s.stop() for s in servings] == [0, 0]
    assert len(set(requests)) == 10
    assert set(requests) <= logged(store)


def test_a_port_in_use_is_told(server: Start, store: Shop) -> None:
    first = server("churny", "--workers", "1")
    port = str(urlsplit(first.url).port)
    second = server("churny", "--port", port, ready=False)
    _, said = second.process.communicate(timeout=60)
    assert second.process.returncode == 2
    assert "SERVE-PORT" in said
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        third = server("churny", "--port", str(taken.getsockname()[1]), ready=False)
        _, said = third.process.communicate(timeout=60)
    assert third.process.returncode == 2
    assert "SERVE-PORT" in said
    assert first.client().predict(ROWS[0])["model"] == "churny@2"
