"""The ledger in one SQLite file."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from assay.errors import AssayError, StoreError, Tampered
from assay.records.base import from_json, to_json
from assay.records.event import Draft, Event
from assay.stores.anchor import Anchor
from assay.stores.chain import damaged, next_event
from assay.stores.faults import explained, store_fault, store_full, store_read_only, sync_folder

BUSY_SECONDS = 30.0
"""How long an append waits for other writers."""

_APPLICATION_ID = 0x41535359  # "ASSY", bytes 68 to 71 of the file
_NO_LOG = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
_BATCH = 500
# `rowid` is `seq`, and stays so when a byte of the table's own definition is damaged.
_LAST = "SELECT rowid, CAST(json AS BLOB) FROM events ORDER BY rowid DESC LIMIT 1"
_FROM = "SELECT rowid, CAST(json AS BLOB) FROM events WHERE rowid >= ? ORDER BY rowid LIMIT ?"


class SqliteLedger:
    """A `kernel.ledger.Ledger` in the file `path`, made on the first append.

    One table `events(seq, json)` with canonical JSON; write-ahead log, synced at each commit. The
    file's `user_version` counts the events, so that a lost tail is noticed. Every call opens a
    connection of its own (0.2 ms), so that threads and forked processes share none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, draft: Draft) -> Event:
        """Add an event in one transaction, durable when this returns.

        Raises:
            StoreError: no room, no right, not a ledger, or busy for 30 s; nothing was added.
            Tampered: the last event or the file is damaged, so that nothing can follow it.
        """
        self.create()
        with self._explained(), closing(self._connect("mode=rw")) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            last = [self._event(*row) for row in connection.execute(_LAST)]
            self._check_end(last[0].seq + 1 if last else 0, _count(connection))
            event = next_event(draft, last[0] if last else None)
            values = (event.seq, to_json(event).decode())
            connection.execute("INSERT INTO events (rowid, json) VALUES (?, ?)", values)
            connection.execute(f"PRAGMA user_version={event.seq + 1}")
            connection.execute("COMMIT")
        return event

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep the file open for many appends: each then costs one sync of the disk, not six.

        Raises StoreError when the ledger cannot be written.
        """
        self.create()
        with self._explained():
            anchor = Anchor(lambda: self._connect("mode=rw"))
        try:
            yield
        finally:
            anchor.remove()

    def read(self, start: int = 0) -> Iterator[Event]:
        """Yield the events from number `start` in order, a few hundred at a time.

        Works on a read-only folder. Raises StoreError, or Tampered naming the damaged event.
        """
        if not self.exists():
            return
        while True:
            rows, count = self._rows(start)
            for seq, data in rows:
                yield self._event(seq, data)
            start = rows[-1][0] + 1 if rows else min(start, count)
            if len(rows) < _BATCH:
                return self._check_end(start, count)

    def exists(self) -> bool:
        """Return True when the file is there."""
        with explained(self.path):
            return self.path.exists()

    def create(self) -> None:
        """Make an empty ledger unless there is one; raises StoreError.

        It is built under another name and linked into place: no process ever sees half a ledger.
        """
        if self.exists():
            return
        temporary = self.path.with_name(f".{uuid.uuid4().hex}.tmp")
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with self._explained(), closing(sqlite3.connect(temporary)) as connection:
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
                    connection.execute(
                        "CREATE TABLE events (seq INTEGER PRIMARY KEY, json TEXT NOT NULL)"
                    )
                with suppress(FileExistsError):  # another process was faster
                    self.path.hardlink_to(temporary)
                sync_folder(self.path.parent)
            finally:
                for suffix in ("", "-wal", "-shm"):
                    temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)

    def _connect(self, mode: str) -> sqlite3.Connection:
        address = f"{self.path.absolute().as_uri()}?{mode}"
        # isolation_level: transactions are ours; check_same_thread: any thread may lift an anchor
        return sqlite3.connect(
            address,
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    def _rows(self, start: int) -> tuple[list[tuple[int, bytes | None]], int]:
        """Return the next events, and how many events there are in all."""
        with self._explained():
            try:
                with closing(self._connect("mode=rw")) as connection:
                    return _batch(connection, start)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _NO_LOG or self._has_log():
                    raise
            # A read-only folder or a full disk: SQLite cannot make its log, and none is needed.
            with closing(self._connect("immutable=1")) as connection:
                return _batch(connection, start)

    def _has_log(self) -> bool:
        log = self.path.with_name(self.path.name + "-wal")
        return log.exists() and log.stat().st_size > 0

    def _event(self, seq: int, data: bytes | None) -> Event:
        try:
            event = from_json(data or b"", Event)
        except Tampered as error:
            raise damaged(seq, error.message, str(self.path)) from error
        if event.seq != seq:
            raise damaged(seq, f"it says that it is event {event.seq}", str(self.path))
        return event

    def _check_end(self, reached: int, count: int) -> None:
        if reached != count:
            raise damaged(reached, f"the ledger counts {count} events", str(self.path))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise what SQLite reports as an error that says what to do."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter: a damaged message
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> AssayError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
            return StoreError(
                "STORE-BUSY",
                f"other processes kept the ledger busy for {BUSY_SECONDS:g} s",
                where=str(self.path),
                hint="wait for the other runs on this store to finish, then run again",
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return store_read_only(self.path)
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and self._no_room()):
            return store_full(self.path)
        if code == sqlite3.SQLITE_IOERR:
            return store_fault(self.path, str(error))
        return self._unreadable(str(error))

    def _no_room(self) -> bool:
        """Tell a full disk from a broken one where SQLite reports both as an input/output error."""
        return shutil.disk_usage(self.path.parent).free < 1 << 20

    def _unreadable(self, reason: str) -> AssayError:
        """Tell a damaged ledger from a file that never was one."""
        with explained(self.path), self.path.open("rb") as file:
            header = file.read(100)
        if header[68:72] == _APPLICATION_ID.to_bytes(4, "big"):
            return Tampered(
                "LEDGER-DAMAGED",
                f"the ledger's file is damaged: {reason}",
                where=str(self.path),
                hint="restore the ledger from a copy",
            )
        return StoreError(
            "STORE-NOT-LEDGER",
            f"this file is not a ledger of Assay: {reason}",
            where=str(self.path),
            hint="move the file away, or set ASSAY_STORE to another folder",
        )


def _batch(
    connection: sqlite3.Connection, start: int
) -> tuple[list[tuple[int, bytes | None]], int]:
    connection.execute("BEGIN")  # rows and count as they were at one moment
    return connection.execute(_FROM, (start, _BATCH)).fetchall(), _count(connection)


def _count(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return count
