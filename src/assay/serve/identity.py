"""The id of a request: the client's own, or one made of time, worker and a counter."""

from __future__ import annotations

import re
import time
from itertools import count

HEADER = b"x-request-id"

PLAIN = "[A-Za-z0-9._:-]{1,64}"
"""What a client may call a request, or a number that it sends as feedback."""

_SAFE = re.compile(PLAIN.encode())


class Identities:
    """Ids that no other worker or server gives: they start with when and where they were made."""

    def __init__(self, worker: int) -> None:
        self._start = f"{time.time_ns() // 1_000:x}-{worker}-"
        self._count = count()

    def of(self, headers: dict[bytes, bytes]) -> str:
        """Return the id in the headers where it is a plain word, a new one otherwise."""
        given = headers.get(HEADER)
        if given is not None and _SAFE.fullmatch(given):
            return given.decode()
        return f"{self._start}{next(self._count):x}"
