"""The template of all workers: `python -m assay.kernel.worker FD`.

It imports once what every worker needs, and each worker is a fork of it: a new one is there in
milliseconds. It is sent pickled messages over the socket `FD`: a path to import, or, with a socket
of its own, that a worker is wanted. A worker is sent pickled calls, and answers each with whether
it went well, the result or exception, and its largest resident memory in MB.

A fork is safe here because the template only imports: no library has threads running yet.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any

from assay.kernel.loader import load_spared

WATCH_SECONDS = 1.0
LENGTH = struct.Struct("<Q")


def send(pipe: Any, message: bytes) -> None:
    """Write a message with its length before it."""
    pipe.write(LENGTH.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def receive(pipe: Any) -> bytes:
    """Read a message; raises EOFError when the other end is gone."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    (length,) = LENGTH.unpack(head)
    message: bytes = pipe.read(length)
    if len(message) < length:
        raise EOFError
    return message


def peak_rss_mb() -> float:
    """Return the largest resident memory this process has had, in MB, without its workers."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def answer(message: bytes) -> bytes:
    """Make a call; return its pickled answer."""
    try:
        function, arguments = pickle.loads(message)  # noqa: S301 (our own parent sent it)
        return pickle.dumps((True, function(*arguments), peak_rss_mb()), protocol=5)
    except Exception as error:  # noqa: BLE001 (raised where the result is asked for)
        error.add_note(traceback.format_exc())
        return pickle.dumps((False, _portable(error), peak_rss_mb()), protocol=5)


def _portable(error: Exception) -> Exception:
    """Return the exception, or one that says the same where it cannot cross the pipe."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001 (whatever its own reduction does)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with(parent: int) -> None:
    """End this worker soon after its parent ended, in whatever it is doing."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def work(connection: socket.socket) -> None:
    """Say who this is, then answer calls until the connection ends; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _end_with(os.getppid())
    with suppress(EOFError, OSError), connection.makefile("rwb") as pipe:
        send(pipe, pickle.dumps(os.getpid()))
        while True:
            send(pipe, answer(receive(pipe)))
    os._exit(0)


def serve(control: socket.socket) -> None:
    """Import and fork as `control` says, until it ends."""
    while True:
        head, sockets, _, _ = socket.recv_fds(control, LENGTH.size, 1)
        if len(head) < LENGTH.size:
            return
        message = control.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL)
        if sockets:
            connection = socket.socket(fileno=sockets[0])
            if os.fork() == 0:
                control.close()
                work(connection)
            connection.close()
            continue
        with suppress(Exception):  # a worker that needs it says what is wrong
            load_spared(pickle.loads(message))  # noqa: S301


def main() -> None:
    """Serve the socket whose number is the argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a worker that ends needs no one to wait for it
    os.dup2(2, 1)  # what a library prints must not get among the results of a command
    control = socket.socket(fileno=int(sys.argv[1]))
    with control.makefile("rb", buffering=0) as pipe:
        sys.path[:] = pickle.loads(receive(pipe))  # noqa: S301
    serve(control)


if __name__ == "__main__":
    main()
