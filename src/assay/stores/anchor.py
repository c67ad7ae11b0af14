"""An idle SQLite connection that makes the others cheap."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable


class Anchor:
    """Keeps a database open, so that closing another connection is never closing the last one.

    The last one to close folds the log into the file and deletes it: five syncs that an append
    does not need. A fork must not carry a connection over (sqlite.org/howtocorrupt.html, 2.6), so
    anchors are lifted before one and dropped again in the parent.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self.drop()
        _dropped.add(self)

    def drop(self) -> None:
        """Open the connection; it takes hold of the file with its first statement."""
        self._connection = self._connect()
        try:
            self._connection.execute("PRAGMA user_version").fetchone()
        except BaseException:
            self._connection.close()
            raise

    def lift(self) -> None:
        """Close the connection."""
        self._connection.close()

    def remove(self) -> None:
        """Close the connection for good."""
        _dropped.discard(self)
        self.lift()


_dropped: set[Anchor] = set()


def _lift_all() -> None:
    for anchor in _dropped:
        anchor.lift()


def _drop_all() -> None:
    for anchor in _dropped:
        anchor.drop()


os.register_at_fork(before=_lift_all, after_in_parent=_drop_all, after_in_child=_dropped.clear)
