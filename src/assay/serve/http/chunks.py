"""Bodies in chunks (RFC 9112, 7.1), read strictly: nothing that could be read in two ways."""

from __future__ import annotations

import re

from assay.serve.http.head import too_large
from assay.serve.http.limits import Limits
from assay.serve.problems import Rejected

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t -~]*)?")
_LINE = 256  # bytes of a chunk's first line, or of a trailer
_MOST = 20_000  # chunks of a body: many tiny ones would keep other clients waiting


class Chunks:
    """One body, `body`, that grows as its chunks arrive; extensions and trailers are left out."""

    def __init__(self, limits: Limits) -> None:
        self.body = bytearray()
        self._limits = limits
        self._left: int | None = None  # bytes of this chunk that are to come; None between chunks
        self._count = 0
        self._trailing = 0  # bytes of trailers, and of the chunk that ends the body

    def take(self, buffer: bytearray) -> bool:
        """Move what has arrived from `buffer` to `body`; True when the body is whole.

        Raises: Rejected for anything but chunks, and before a chunk that would be too much.
        """
        while not self._trailing:
            if self._left is None and not self._start(buffer):
                return False
            if not self._trailing and not self._move(buffer):
                return False
        return self._end(buffer)

    def _start(self, buffer: bytearray) -> bool:
        """Read a chunk's first line."""
        line = _line(buffer)
        if line is None:
            return False
        found = _SIZE.fullmatch(line)
        if found is None:
            raise _malformed("a chunk does not start with its size")
        self._count += 1
        if self._count > _MOST:
            raise _malformed("there are too many chunks")
        size = int(found[1], 16)
        if len(self.body) + size > self._limits.body:
            raise too_large(len(self.body) + size, self._limits)
        self._left = size
        self._trailing = int(size == 0)
        return True

    def _move(self, buffer: bytearray) -> bool:
        """Move a chunk's bytes; True when they and the end of their line have come."""
        left = self._left or 0
        piece = buffer[:left]
        del buffer[:left]
        self.body += piece
        self._left = left - len(piece)
        if self._left or len(buffer) < 2:
            return False
        if buffer[:2] != b"\r\n":
            raise _malformed("a chunk is longer than its size")
        del buffer[:2]
        self._left = None
        return True

    def _end(self, buffer: bytearray) -> bool:
        """Leave out trailers up to the empty line."""
        while line := _line(buffer):
            self._trailing += len(line)
            if self._trailing > self._limits.head:
                raise _malformed("the trailers are too long")
        return line is not None


def _line(buffer: bytearray) -> bytes | None:
    """Remove the first line; None where its end has not come."""
    end = buffer.find(b"\n", 0, _LINE)
    if end < 0:
        if len(buffer) >= _LINE:
            raise _malformed("a line is too long")
        return None
    line = bytes(buffer[: end + 1])
    if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
        raise _malformed("a line does not end with CR and LF")
    del buffer[: end + 1]
    return line[:-2]


def _malformed(why: str) -> Rejected:
    return Rejected("HTTP-CHUNKS", f"the body is not in chunks: {why}", where="body").at(400)
