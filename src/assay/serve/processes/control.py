"""What parent and worker say to each other: one line of JSON a message, over a socket pair."""

from __future__ import annotations

import socket
from typing import Any

import msgspec

from assay.errors import AssayError, all_errors
from assay.records.deployment import Deployment
from assay.records.spec import ServeSection

_READ = 1 << 16


class Problem(msgspec.Struct, frozen=True):
    """An error that crosses a process border."""

    error: dict[str, Any]
    exit_code: int

    @classmethod
    def of(cls, error: BaseException) -> Problem:
        """Return what an exception says; of a fault of ours its type and text."""
        if not isinstance(error, AssayError):
            error = AssayError("INTERNAL", f"{type(error).__name__}: {error}")
        first = all_errors(error)[0]
        return cls(first.to_dict(), error.exit_code)

    def raised(self) -> AssayError:
        """Return the error again."""
        said = dict(self.error)
        error = AssayError(said.pop("code"), said.pop("message"), hint=said.pop("try"), **said)
        error.exit_code = self.exit_code  # type: ignore[misc]
        return error


class Service(msgspec.Struct, frozen=True):
    """A model as it is to be answered with: its versions, and what the project file says."""

    deployment: Deployment
    section: ServeSection


class Version(msgspec.Struct, frozen=True):
    """A version that must be loaded, its place on the board, and the settings it answers by."""

    model: str
    version: int
    slot: int
    section: ServeSection


class Lineup(msgspec.Struct, frozen=True):
    """All that a server answers with, the default model first; a later one has a higher number.

    `versions` are those of every arm, and those that are fallen back on.
    """

    number: int
    services: tuple[Service, ...]
    versions: tuple[Version, ...]

    @property
    def by_model(self) -> dict[str, Service]:
        """Return the services by the names of their models."""
        return {service.deployment.model: service for service in self.services}


class Prepare(msgspec.Struct, tag=True):
    """To a worker: load and warm what is new in this lineup, and go on answering as before."""

    lineup: Lineup


class Swap(msgspec.Struct, tag=True):
    """To a worker: answer with the lineup of this number from now on."""

    number: int


class Ping(msgspec.Struct, tag=True):
    """To a worker: say that you live."""


class Refresh(msgspec.Struct, tag=True):
    """To a worker: read tokens, certificates and settings again."""


class Drain(msgspec.Struct, tag=True):
    """To a worker: take no more connections, finish what has begun within `seconds`, and end."""

    seconds: float


class Settled(msgspec.Struct, tag=True):
    """To a worker: what it asked for was done, or `problem` says why not."""

    number: int
    problem: Problem | None = None


class Prepared(msgspec.Struct, tag=True):
    """To the parent: the lineup of this number can be swapped in, but for a version's problem."""

    number: int
    version: Version | None = None
    problem: Problem | None = None


class Swapped(msgspec.Struct, tag=True):
    """To the parent: the lineup of this number answers."""

    number: int


class Pong(msgspec.Struct, tag=True):
    """To the parent: I live."""


class Asked(msgspec.Struct, tag=True):
    """To the parent: a client wants all workers to load or unload NAME or NAME@VERSION."""

    number: int
    action: str
    reference: str


ToWorker = Prepare | Swap | Ping | Refresh | Drain | Settled
ToParent = Prepared | Swapped | Pong | Asked

_encode = msgspec.json.Encoder().encode
_decode_worker = msgspec.json.Decoder(ToWorker)
_decode_parent = msgspec.json.Decoder(ToParent)


class Channel:
    """One end of a connection between parent and worker, neither of which ever waits on it."""

    def __init__(self, end: socket.socket, *, parent: bool) -> None:
        end.setblocking(False)
        self.end = end
        self._decoder = _decode_parent if parent else _decode_worker
        self._in, self._out = bytearray(), bytearray()
        self.closed = False

    def send(self, message: ToWorker | ToParent) -> None:
        """Send a message; what does not fit now goes with `flush`."""
        self._out += _encode(message) + b"\n"
        self.flush()

    def flush(self) -> None:
        """Send what is left over from before."""
        try:
            while self._out:
                del self._out[: self.end.send(self._out)]
        except BlockingIOError:
            return
        except OSError:
            self.closed = True
            self._out.clear()

    def receive(self) -> list[Any]:
        """Return the messages that came; `closed` is True when the other end has gone."""
        try:
            while data := self.end.recv(_READ):
                self._in += data
            self.closed = True
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        *lines, rest = self._in.split(b"\n")
        self._in = bytearray(rest)
        return [self._decoder.decode(line) for line in lines]


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends: the parent's and the worker's."""
    return socket.socketpair()
