"""The watcher beside a server: killed, started again, alone, and ended by a signal."""

from __future__ import annotations

import random
import threading
import time
from itertools import pairwise

from shop import Shop, eventually, make_table
from watched import Log, Watch, judged

ROWS = 200
SET = ("--set", f"watch.rows={ROWS}", "--set", "watch.minimum=50")


def test_it_judges_window_after_window_until_it_is_told_to_end(store: Shop, watch: Watch) -> None:
    log = Log(store)
    log.write(make_table(450, seed=31))
    watching = watch(*SET)
    eventually(lambda: len(judged(store)) == 2)
    log.write(make_table(200, seed=32))
    eventually(lambda: len(judged(store)) == 3)
    assert watching.stop() == 0
    events = judged(store)
    assert [event.data["window"] for event in events] == [0, 1, 2]
    assert [event.data["rows"] for event in events] == [ROWS] * 3
    assert watching.said("window 2 (200 rows): steady")


def test_kill_9_at_any_moment_counts_each_row_once(store: Shop, watch: Watch) -> None:
    """It is killed six times while rows come; what is judged is each row, once, in order."""
    log, rng, done = Log(store), random.Random(4), threading.Event()

    def ask() -> None:
        for seed in range(30):
            log.write(make_table(100, seed=seed), seconds=0.05, told=seed % 3 == 0)
            time.sleep(0.15)
        done.set()

    thread = threading.Thread(target=ask)
    thread.start()
    while not done.is_set():
        watching = watch(*SET)
        time.sleep(rng.uniform(2.0, 4.0))
        watching.kill()
    thread.join()
    watch(*SET)
    eventually(lambda: len(judged(store)) == 15)
    events = judged(store)
    assert [event.data["window"] for event in events] == list(range(15))
    assert {event.data["rows"] for event in events} == {ROWS}
    times = [(event.data["since"], event.data["until"]) for event in events]
    assert all(until < since for (_, until), (since, _) in pairwise(times))
