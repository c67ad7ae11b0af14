"""One port, a socket for each worker: the kernel shares new connections among them."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from assay.errors import UsageError


def bind(host: str, port: int, count: int) -> list[socket.socket]:
    """Return `count` sockets bound to one address; port 0 is any free one.

    They are bound, not yet listening, so that nothing connects before a worker is there.

    Raises:
        UsageError: SERVE-PORT where the port is taken or not allowed, SERVE-HOST where this
            machine has no such address.
    """
    family, address = _address(host, port)
    if port:
        bound(family, address, shared=False).close()  # taken by anyone, ourselves too?
    sockets = [bound(family, address)]
    address = sockets[0].getsockname()
    return sockets + [bound(family, address) for _ in range(count - 1)]


def bound(family: int, address: tuple[str, int], *, shared: bool = True) -> socket.socket:
    """Return a socket bound to an address, `shared` with others like it; raises as `bind`."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        raise _not_bound(error, address) from error
    return made


def is_loopback(host: str) -> bool:
    """Return True where only this machine can reach the address; raises UsageError as `bind`."""
    _, address = _address(host, 0)
    return ipaddress.ip_address(address[0].partition("%")[0]).is_loopback


def url_of(host: str, listening: socket.socket, *, tls: bool) -> str:
    """Return the address that a client types; for a socket bound to all addresses a local one."""
    port = listening.getsockname()[1]
    any_address = host in ("", "0.0.0.0", "::")  # noqa: S104 (compared, not bound)
    name = "127.0.0.1" if any_address else host
    name = f"[{name}]" if ":" in name else name
    return f"{'https' if tls else 'http'}://{name}:{port}"


def _address(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        flags = socket.AI_PASSIVE
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            "SERVE-HOST",
            f"there is no such address: {error}",
            got=host,
            allowed=["127.0.0.1", "0.0.0.0", "::"],  # noqa: S104
        ) from error
    family, _, _, _, address = found[0]
    return family, address  # type: ignore[return-value]


def _not_bound(error: OSError, address: tuple[str, int]) -> UsageError:
    at = f"{address[0]}:{address[1]}"
    if error.errno == errno.EADDRNOTAVAIL:
        return UsageError(
            "SERVE-HOST",
            "this machine does not have the address",
            got=address[0],
            allowed=["127.0.0.1", "0.0.0.0", "::"],  # noqa: S104
        )
    why = "is taken by another program" if error.errno == errno.EADDRINUSE else "cannot be used"
    return UsageError(
        "SERVE-PORT",
        f"the port {why}: {os.strerror(error.errno or 0)}",
        got=at,
        hint="name another with --port; 0 is any free one",
    )
