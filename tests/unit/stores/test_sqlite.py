from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from assay.errors import StoreError, Tampered
from assay.kernel.ledger import verify_chain
from assay.records.base import to_json
from assay.records.event import event_digest
from assay.stores import chain, sqlite
from assay.stores.sqlite import SqliteLedger


@pytest.fixture
def ledger(tmp_path):
    return SqliteLedger(tmp_path / "ledger.sqlite")


@pytest.fixture
def filled(ledger, draft):
    for i in range(6):
        ledger.append(draft(f"thing {i}", note="n" * 50))
    return ledger


def execute(ledger, statement, *values):
    with closing(sqlite3.connect(ledger.path)) as connection, connection:
        connection.execute(statement, values)


def rewrite(ledger, seq, **changes):
    """Change an event as a forger would who knows how digests are made."""
    event = msgspec.structs.replace(list(ledger.read())[seq], **changes)
    event = msgspec.structs.replace(event, digest=event_digest(event))
    execute(ledger, "UPDATE events SET json = ? WHERE seq = ?", to_json(event).decode(), seq)


def code_of(call, kind=StoreError):
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.hint
    assert "ledger" in caught.value.where
    return caught.value.code


def test_reading_makes_no_file(ledger, tmp_path):
    assert list(ledger.read()) == []
    assert list(tmp_path.iterdir()) == []


def test_one_file_is_left(filled, tmp_path):
    list(filled.read())
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_reads_across_batches(filled, monkeypatch):
    monkeypatch.setattr(sqlite, "_BATCH", 2)
    assert [event.seq for event in filled.read()] == [0, 1, 2, 3, 4, 5]
    assert [event.seq for event in filled.read(3)] == [3, 4, 5]


def test_time_rises_when_the_clock_is_set_back(filled, draft, monkeypatch):
    last = list(filled.read())[-1]

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=1)

    monkeypatch.setattr(chain, "datetime", Clock)
    event = filled.append(draft())
    before, after = (datetime.fromisoformat(e.at) for e in (last, event))
    assert after - before == timedelta(microseconds=1)
    assert after.tzinfo == UTC


def test_a_session_leaves_one_file(filled, draft, tmp_path):
    with filled.session():
        assert filled.append(draft()).seq == 6
        assert (tmp_path / "ledger.sqlite-wal").stat().st_size > 0
        assert verify_chain(SqliteLedger(filled.path).read()) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_a_session_outlives_the_ledgers_folder(filled, draft, tmp_path):
    """Whoever deletes the store during a run starts a new ledger; nothing is lost unseen."""
    with filled.session():
        for path in tmp_path.iterdir():
            path.unlink()
        assert filled.append(draft()).seq == 0
    assert verify_chain(filled.read()) == 1


def test_no_connection_crosses_a_fork(filled, draft):
    """A child may outlive the session: the parent's last close must respect its locks."""
    with filled.session():
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writes)
            os.read(reads, 1)  # until the parent has closed
            try:
                filled.append(draft("child"))
            finally:
                os._exit(0)
        filled.append(draft("parent"))
    os.close(writes)
    os.waitpid(child, 0)
    os.close(reads)
    assert [event.subject for event in filled.read(6)] == ["parent", "child"]
    assert verify_chain(filled.read()) == 8


# ---- damage


def test_unreadable_event_is_named(filled, draft):
    execute(filled, "UPDATE events SET json = '{' WHERE seq = 3")
    assert code_of(lambda: list(filled.read()), Tampered) == "LEDGER-DAMAGED"
    with pytest.raises(Tampered, match="event 3"):
        list(filled.read())
    assert [event.seq for event in filled.read(4)] == [4, 5]


@pytest.mark.parametrize("json", ["null", "[]", "7", '{"record":"event@1"}', "\x00", '"text"'])
def test_any_other_json_is_tampered(filled, json):
    execute(filled, "UPDATE events SET json = ? WHERE seq = 0", json)
    assert code_of(lambda: list(filled.read()), Tampered) == "LEDGER-DAMAGED"


def test_changed_field_breaks_the_chain(filled):
    execute(filled, "UPDATE events SET json = replace(json, 'thing 2', 'thing X') WHERE seq = 2")
    with pytest.raises(Tampered) as caught:
        verify_chain(filled.read())
    assert caught.value.where == "event 2"


def test_forged_digest_breaks_the_next_link(filled):
    rewrite(filled, 2, actor="someone else")
    with pytest.raises(Tampered) as caught:
        verify_chain(filled.read())
    assert caught.value.where == "event 3"


@pytest.mark.parametrize("seq", [0, 2, 5])
def test_removed_event_is_noticed(filled, seq):
    execute(filled, "DELETE FROM events WHERE seq = ?", seq)
    with pytest.raises(Tampered, match=f"event {seq}|chain") as caught:
        verify_chain(filled.read())
    assert f"event {seq}" in caught.value.where


def test_nothing_follows_a_lost_tail(filled, draft):
    execute(filled, "DELETE FROM events WHERE seq > 2")
    with pytest.raises(Tampered, match="event 3"):
        filled.append(draft())


def test_moved_event_is_named(filled):
    execute(filled, "UPDATE events SET seq = 99 WHERE seq = 5")
    with pytest.raises(Tampered, match="event 99"):
        list(filled.read())


def test_nothing_follows_a_changed_event(filled, draft):
    execute(filled, "UPDATE events SET json = replace(json, 'thing 5', 'thing X') WHERE seq = 5")
    before = filled.path.read_bytes()
    with pytest.raises(Tampered, match="event 5"):
        filled.append(draft())
    assert filled.path.read_bytes() == before


def test_a_flipped_byte_is_harmless_or_tampered(filled, tmp_path):
    """At some 700 places of the file: never another error, never other events."""
    sound = list(filled.read())
    data = filled.path.read_bytes()
    caught = 0
    used = [i for i in range(len(data)) if data[i]]
    header = [*range(110), *range(4000, 4110)]  # of the file, its one table, and the page of events
    copy = SqliteLedger(tmp_path / "copy.sqlite")
    for position in [*header, *used[::11], *range(0, len(data), 199)]:
        flip = 128 if position % 2 else 1
        flipped = bytes([data[position] ^ flip])
        copy.path.unlink(missing_ok=True)
        copy.path.write_bytes(data[:position] + flipped + data[position + 1 :])
        try:
            verify_chain(copy.read())
            assert list(copy.read()) == sound, position
        except Tampered:
            caught += 1
    assert caught > 100


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_a_truncated_ledger_is_tampered(filled, keep):
    data = filled.path.read_bytes()
    filled.path.write_bytes(data[: int(len(data) * keep)])
    assert code_of(lambda: verify_chain(filled.read()), Tampered) == "LEDGER-DAMAGED"


# ---- not a ledger


@pytest.mark.parametrize("content", [b"", b"a text file\n" * 100, bytes(5000), b"SQLite format 3"])
def test_another_file_is_not_a_ledger(ledger, draft, content):
    ledger.path.write_bytes(content)
    assert code_of(lambda: list(ledger.read())) == "STORE-NOT-LEDGER"
    assert code_of(lambda: ledger.append(draft())) == "STORE-NOT-LEDGER"
    assert ledger.path.read_bytes() == content


def test_another_database_is_not_a_ledger(ledger, draft):
    execute(ledger, "CREATE TABLE events (name TEXT)")
    before = ledger.path.read_bytes()
    assert code_of(lambda: list(ledger.read())) == "STORE-NOT-LEDGER"
    assert code_of(lambda: ledger.append(draft())) == "STORE-NOT-LEDGER"
    assert ledger.path.read_bytes() == before


def test_a_folder_is_not_a_ledger(ledger, draft):
    ledger.path.mkdir()
    with pytest.raises(StoreError):
        ledger.append(draft())


# ---- busy, full, read-only


def test_busy_for_too_long(filled, draft, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(filled.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert code_of(lambda: filled.append(draft())) == "STORE-BUSY"
        assert len(list(filled.read())) == 6  # readers never wait
        other.execute("ROLLBACK")
    assert filled.append(draft()).seq == 6


def test_a_full_disk_leaves_the_ledger_whole(small_disk, draft):
    ledger = SqliteLedger(small_disk.path / "ledger.sqlite")
    for i in range(20):
        ledger.append(draft(str(i)))
    small_disk.fill()
    assert code_of(lambda: ledger.append(draft("lost"))) == "STORE-FULL"
    assert verify_chain(ledger.read()) == 20
    small_disk.free()
    assert ledger.append(draft("after")).seq == 20
    assert verify_chain(ledger.read()) == 21


def test_a_disk_that_fills_up_in_use(small_disk, draft):
    ledger = SqliteLedger(small_disk.path / "ledger.sqlite")
    appends = (ledger.append(draft(text="x" * 60_000)).seq for _ in range(100))
    numbers = []
    assert code_of(lambda: numbers.extend(appends)) == "STORE-FULL"
    assert len(numbers) > 3
    assert verify_chain(ledger.read()) == len(numbers)


def test_no_room_for_a_new_ledger(small_disk, draft):
    small_disk.fill()
    ledger = SqliteLedger(small_disk.path / "ledger.sqlite")
    assert code_of(lambda: ledger.append(draft())) == "STORE-FULL"
    assert [path.name for path in small_disk.path.iterdir()] == ["filler"]


def test_a_read_only_disk_can_be_read(small_disk, draft):
    ledger = SqliteLedger(small_disk.path / "ledger.sqlite")
    sent = [ledger.append(draft(str(i))) for i in range(3)]
    small_disk.remount("ro")
    assert list(ledger.read()) == sent
    assert code_of(lambda: ledger.append(draft())) == "STORE-READ-ONLY"
    new = SqliteLedger(small_disk.path / "new" / "ledger.sqlite")
    assert code_of(lambda: new.append(draft())) == "STORE-READ-ONLY"


def test_a_read_only_copy_without_its_log_is_never_read_in_part(small_disk, tmp_path, draft):
    """Events of a killed writer lie in the log: leaving them out silently would be wrong."""
    source = SqliteLedger(tmp_path / "ledger.sqlite")
    source.append(draft())
    with closing(sqlite3.connect(source.path)) as holder:
        holder.execute("SELECT count(*) FROM events").fetchone()
        source.append(draft())
        for suffix in ("", "-wal"):
            shutil.copy(f"{source.path}{suffix}", small_disk.path)
    small_disk.remount("ro")
    copy = SqliteLedger(small_disk.path / "ledger.sqlite")
    assert code_of(lambda: list(copy.read())) == "STORE-READ-ONLY"


# ---- processes


APPEND = """
import sys
from contextlib import nullcontext
from pathlib import Path
from assay.records.event import Draft
from assay.stores.sqlite import SqliteLedger
path, name, count, session = sys.argv[1:]
ledger = SqliteLedger(Path(path))
print("ready", flush=True)
sys.stdin.readline()
with ledger.session() if session == "True" else nullcontext():
    for i in range(int(count)):
        event = ledger.append(Draft(kind="k", subject=f"{name}-{i}", actor="a", data={"i": i}))
        print(event.seq, flush=True)
"""


@pytest.mark.parametrize(("session", "count"), [(True, 500), (False, 500)])
def test_two_processes_append_at_once(quick_disk, python, session, count):
    ledger = SqliteLedger(quick_disk / "ledger.sqlite")
    processes = [python(APPEND, ledger.path, name, count, session) for name in "ab"]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    numbers = [[int(line) for line in p.communicate(timeout=60)[0].split()] for p in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert verify_chain(ledger.read()) == 2 * count
    assert sorted(numbers[0] + numbers[1]) == list(range(2 * count))
    for name in "ab":
        mine = [e.subject for e in ledger.read() if e.subject.startswith(name)]
        assert mine == [f"{name}-{i}" for i in range(count)]


@pytest.mark.parametrize("session", [True, False])
def test_killed_while_appending(ledger, draft, python, session):
    for round_ in range(2):
        process = python(APPEND, ledger.path, round_, 100_000, session)
        process.stdin.write("go\n")
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(20 + 7 * round_)]
        process.kill()
        lines += process.communicate()[0].splitlines(keepends=True)
        acknowledged = [int(line) for line in lines if line[0].isdigit() and line.endswith("\n")]
        count = verify_chain(ledger.read())
        assert acknowledged[-1] < count <= acknowledged[-1] + 2
        assert ledger.append(draft("after")).seq == count


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes_append(filled, draft, method):
    context = multiprocessing.get_context(method)
    reader = filled.read()
    next(reader)  # in the middle of reading
    children = [
        context.Process(target=SqliteLedger.append, args=(filled, draft(str(i)))) for i in range(3)
    ]
    with filled.session():
        for child in children:
            child.start()
        filled.append(draft("parent"))
    for child in children:
        child.join(30)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert verify_chain(filled.read()) == 10
