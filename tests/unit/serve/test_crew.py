"""Workers that end as soon as they are there, in a process of their own to fork from."""

from __future__ import annotations

import subprocess
import sys

DIES = """
import os, sys, time
from assay.errors import AssayError
from assay.serve.processes.crew import Crew
from assay.serve.processes.sockets import bind

def work(place, listening, end, first):
    sys.stdout.write("first " if first else "again ")
    sys.stdout.flush()
    os._exit(3)

crew, begun = Crew(bind("127.0.0.1", 0, 1), work), time.monotonic()
try:
    while time.monotonic() - begun < 30:
        crew.fill()
        for place, process, how in crew.reap():
            assert (place, how) == (0, "ended with code 3")
        time.sleep(0.001)
except AssayError as error:
    print(error.code, time.monotonic() - begun)
"""

LIVES = """
import os, signal, sys, time
from assay.serve.processes.control import Channel, Ping, Pong
from assay.serve.processes.crew import Crew
from assay.serve.processes.sockets import bind

def work(place, listening, end, first):
    channel = Channel(end, parent=False)
    while not channel.closed:
        for message in channel.receive():
            assert message == Ping()
            channel.send(Pong())
        time.sleep(0.01)
    os._exit(0)

crew = Crew(bind("127.0.0.1", 0, 3), work)
crew.fill()
before = [hand.process for hand in crew.hands]
assert crew.watch() == []
heard = {0: [], 1: [], 2: []}
end = time.monotonic() + 10
while not all(heard.values()) and time.monotonic() < end:
    for hand in crew.hands:
        heard[hand.place] += hand.hear()
print(heard == {place: [Pong()] for place in range(3)}, sorted(crew.standings))
crew.hands[1].kill()
while not (ended := crew.reap()):
    time.sleep(0.01)
print([(place, how) for place, _, how in ended], sorted(crew.standings))
crew.fill()
print(crew.hands[1].process != before[1], sorted(crew.standings))
# two and the new one hold none of each other's ends: they see us go
alive = [hand.process for hand in crew.hands]
for hand in crew.hands:
    hand.channel.end.close()
end = time.monotonic() + 10
while crew.alive() and time.monotonic() < end:
    crew.reap()
print(crew.alive())
"""


def run(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_one_that_dies_again_and_again_ends_the_server() -> None:
    [line] = run(DIES)
    *starts, code, seconds = line.split()
    assert starts == ["first", "again", "again", "again", "again"]
    assert code == "SERVE-WORKER-DIES"
    assert 0.7 < float(seconds) < 10  # it waited longer each time


def test_a_dead_worker_is_replaced_and_all_see_the_parent_go() -> None:
    pongs, killed, again, ended = run(LIVES)
    assert pongs == "True [0, 1, 2]"
    assert killed == "[(1, 'was ended by signal 9')] [0, 2]"
    assert again == "True [0, 1, 2]"
    assert ended == "False"


PAUSED = """
import os, time
from assay.serve.processes import crew as crews
from assay.serve.processes.sockets import bind

crews.PING, crews.AWAY, crews.HANGS = 0.1, 0.3, 1.0
crew = crews.Crew(bind("127.0.0.1", 0, 1), lambda *_: time.sleep(60))
crew.fill()
crew.watch()
time.sleep(1.5)  # the ledger was busy, say
print(len(crew.watch()))
end = time.monotonic() + 1.5
silent = []
while time.monotonic() < end and not silent:
    silent = crew.watch()
    time.sleep(0.01)
print(len(silent))
crew.kill_all()
"""


def test_a_parent_that_was_held_up_takes_nobody_for_hanging() -> None:
    assert run(PAUSED) == ["0", "1"]


SHORT = """
import resource
from assay.serve.processes.crew import Crew
from assay.serve.processes.sockets import bind

crew = Crew(bind("127.0.0.1", 0, 1), lambda *_: None)
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
crew.fill()
print(crew.alive(), crew.hands[0].due > 0)
"""


def test_want_of_files_or_processes_does_not_end_the_server() -> None:
    assert run(SHORT) == ["False True"]
