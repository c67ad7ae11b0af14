"""A place that holds blobs, the ledger, packages and reports, found by path or URL."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from filelock import FileLock, Timeout

from assay.errors import UsageError
from assay.kernel.ledger import Ledger
from assay.kernel.stage import Context
from assay.kernel.store import Store
from assay.stores.faults import explained
from assay.stores.folder import FolderStore
from assay.stores.memory import MemoryLedger, MemoryStore
from assay.stores.sqlite import SqliteLedger

FOLDER = ".assay"
"""Name of a project's own store."""

_LEDGER = "ledger.sqlite"
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Workspace:
    """A store and a ledger with the folder around them: packages, reports and locks."""

    root: Path
    store: Store
    ledger: Ledger

    def folder(self, name: str) -> Path:
        """Return the folder `name` inside the root, made when it is missing; raises StoreError."""
        path = self.root / name
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def context(self, run: str = "") -> Context:
        """Return what appends to the ledger, for a run or for none."""
        return Context(self.store, self.ledger, self.root, run=run)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep the ledger open while a run appends to it, which makes each append cheaper."""
        if isinstance(self.ledger, SqliteLedger):
            with self.ledger.session():
                yield
        else:
            yield

    @contextmanager
    def lock(self, name: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold the lock `name`, which one thread of one process can hold at a time.

        While another holds it, `on_wait` is called once with a sentence that says who, then this
        waits. The lock of a process that was killed is free. Raises StoreError.
        """
        path = self.folder("locks") / f"{quote(name, safe='')}.lock"
        holder = path.with_suffix(".holder")
        lock = FileLock(path)
        with explained(path):
            free = _try(lock)
        if not free:
            on_wait(f"waiting for {_who(holder)}, which holds {name}")
            with explained(path):
                lock.acquire(poll_interval=_POLL_SECONDS)
        try:
            with explained(holder):
                holder.write_text(f"{os.getpid()} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
            yield
        finally:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
            lock.release()

    def hold(self, name: str) -> Callable[[], None] | None:
        """Take the lock `name` if it is free, and return what lets go of it; None if it is not.

        The children of this process hold it, too. Raises StoreError.
        """
        path = self.folder("locks") / f"{quote(name, safe='')}.lock"
        lock = FileLock(path)
        with explained(path):
            return lock.release if _try(lock) else None


def _try(lock: FileLock) -> bool:
    """Take the lock if it is free."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _who(holder: Path) -> str:
    """Name the process that holds a lock, as far as it has said."""
    try:
        pid, since = holder.read_text().split(" ", 1)
    except (OSError, ValueError):  # it holds the lock and has not signed yet
        return "another process"
    return f"process {pid} (since {since})"


def open_workspace(location: str | Path, *, create: bool = True) -> Workspace:
    """Open the store at a path or `file://` URL, or a new one in memory (`memory://`).

    Raises:
        UsageError: no such kind of store, nothing there and not `create`, or a file is there.
        StoreError: the store cannot be made.
    """
    root = _root(str(location))
    if root is None:
        return _in_memory()
    ledger = SqliteLedger(root / _LEDGER)
    with explained(root):
        is_file = root.exists() and not root.is_dir()
    if is_file:
        raise UsageError(
            "STORE-NOT-FOLDER",
            "a store is a folder, and this is a file",
            where=str(root),
            hint="name a folder, for example with ASSAY_STORE",
        )
    if create:
        ledger.create()
    elif not ledger.exists():
        raise _not_found("there is no store in this folder", root)
    return Workspace(root, FolderStore(root), ledger)


def find_workspace(store: str | Path | None) -> Workspace:
    """Open the store that is named, else the default one; raises UsageError where there is none."""
    return open_workspace(store or default_location(None), create=False)


def find_store(start: Path) -> Path | None:
    """Return the nearest `.assay` folder in `start` or above it, or None."""
    folder = start.absolute()
    found = (place / FOLDER for place in (folder, *folder.parents))
    return next((place for place in found if place.is_dir()), None)


def default_location(project: Path | None) -> str:
    """Return where the store of `project` (a folder or its file) is, whether it exists or not.

    `$ASSAY_STORE`, else the project's `.assay`; without a project the one found upwards from the
    current folder. Raises UsageError when there is none.
    """
    named = os.environ.get("ASSAY_STORE")
    if named:
        return named
    if project is not None:
        return str((project.parent if project.is_file() else project) / FOLDER)
    found = find_store(Path.cwd())
    if found is None:
        raise _not_found("there is no store in this folder or above it", Path.cwd())
    return str(found)


def _root(location: str) -> Path | None:
    """Return the folder that `location` names, None for memory."""
    scheme, mark, _ = location.partition("://")
    if not mark:
        return Path(location).expanduser().absolute()
    url = urlsplit(location)
    if scheme == "memory":
        return None
    if scheme == "file" and url.netloc in ("", "localhost"):
        return Path(unquote(url.path))
    later = scheme in ("postgresql", "postgres", "s3")
    raise UsageError(
        "STORE-UNSUPPORTED",
        f"stores at {scheme}:// come in a later version"
        if later
        else f"no store can be opened at {scheme}://",
        got=f"{scheme}://…",  # the rest may hold a password
        allowed=["a folder", "file:///…", "memory://"],
        hint="set ASSAY_STORE to a folder",
    )


def _in_memory() -> Workspace:
    """Return a store of this process alone, its folders in a temporary place until it exits."""
    with explained(Path(tempfile.gettempdir())):
        root = Path(tempfile.mkdtemp(prefix="assay-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return Workspace(root, MemoryStore(), MemoryLedger())


def _not_found(message: str, where: Path) -> UsageError:
    return UsageError(
        "STORE-NOT-FOUND",
        message,
        where=str(where),
        hint="name a project, go into its folder, or set ASSAY_STORE; `assay run` makes a store",
    )
