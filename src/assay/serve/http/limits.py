"""How much of everything one worker takes from its clients."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bytes, counts and seconds that no client gets beyond.

    `head` is a request line with its headers, `target` a request line, `waiting` what all
    connections hold of requests that are not whole. Time runs for a head from its first byte, for
    a body from its head, for a reply from its request, and for a client that does not read from
    when the socket took no more; `idle_seconds` is between two requests, `linger_seconds` for a
    client to close after its last answer. A time-out comes up to `sweep_seconds` late.
    """

    body: int = 16_000_000
    head: int = 16_384
    target: int = 8_192
    headers: int = 100
    waiting: int = 256_000_000
    connections: int = 4_096
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    reply_seconds: float = 60.0
    idle_seconds: float = 75.0
    write_seconds: float = 20.0
    linger_seconds: float = 2.0
    sweep_seconds: float = 1.0
