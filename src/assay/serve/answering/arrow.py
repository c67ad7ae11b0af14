"""Arrow from strangers, looked through before polars reads it.

A packed buffer says itself how large it is unpacked, and that much memory is taken at once: a few
bytes can end the process. So packed buffers are refused, which needs no more of the format than
its messages (arrow.apache.org, "Serialization and Interprocess Communication"; flatbuffers.dev).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from

_MAGIC = b"ARROW1"
_CONTINUED = 0xFFFFFFFF
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3  # fields of a Message
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # its header types
_DATA = 1  # field of a DictionaryBatch
_COMPRESSION = 3  # field of a RecordBatch
_BLOCKS = (2, 3)  # fields of a Footer: dictionaries and record batches
_BLOCK = 24  # bytes of a Block, which starts with its offset


def check_stream(body: bytes) -> None:
    """Raise ValueError or struct.error for packed buffers, and for what is no stream."""
    at = 0
    while at + 8 <= len(body):
        size = _size(body, at)
        if size == 0:
            return
        at += 8 + size + _body_length(body, at + 8)


def check_file(body: bytes) -> None:
    """Raise ValueError or struct.error for packed buffers, and for what is no file."""
    if not body.startswith(_MAGIC) or not body.endswith(_MAGIC):
        raise ValueError("it does not start and end as such a file does")
    end = len(body) - len(_MAGIC) - 4
    (size,) = unpack_from("<i", body, end)
    for at in _blocks(body, end - size):
        _size(body, at)
        _body_length(body, at + 8)


def _blocks(body: bytes, footer: int) -> Iterator[int]:
    """Return where the messages of a file are."""
    root = _followed(body, footer)
    for number in _BLOCKS:
        field = _field(body, root, number)
        if field:
            first = _followed(body, field)
            (count,) = unpack_from("<I", body, first)
            for block in range(count):
                at: int = unpack_from("<q", body, first + 4 + block * _BLOCK)[0]
                yield at


def _size(body: bytes, at: int) -> int:
    """Return the bytes of the message at a place; 0 ends a stream."""
    mark, size = unpack_from("<Ii", body, at) if at >= 0 else (0, 0)
    if mark != _CONTINUED or size < 0:
        raise ValueError("a message has no length")
    return int(size)


def _body_length(body: bytes, message: int) -> int:
    """Return the bytes that follow a message; raises ValueError where they are packed."""
    root = _followed(body, message)
    kind = _field(body, root, _HEADER_TYPE)
    header = _field(body, root, _HEADER)
    if kind and header and body[kind] in (_DICTIONARY_BATCH, _RECORD_BATCH):
        batch = _followed(body, header)
        if body[kind] == _DICTIONARY_BATCH:
            data = _field(body, batch, _DATA)
            batch = _followed(body, data) if data else 0
        if batch and _field(body, batch, _COMPRESSION):
            raise ValueError("its buffers are compressed: write it without compression")
    length = _field(body, root, _BODY_LENGTH)
    size = int(unpack_from("<q", body, length)[0]) if length else 0
    if size < 0:
        raise ValueError("a message has a negative length")
    return size


def _field(body: bytes, table: int, number: int) -> int:
    """Return where a field of a table is, 0 where the table has none."""
    listed = table - unpack_from("<i", body, table)[0]
    if listed < 0:
        raise ValueError("a table has no list of its fields")
    (size,) = unpack_from("<H", body, listed)
    place = 4 + 2 * number
    if place + 2 > size:
        return 0
    (offset,) = unpack_from("<H", body, listed + place)
    return table + offset if offset else 0


def _followed(body: bytes, at: int) -> int:
    """Return the place that an offset refers to."""
    if at < 0:
        raise ValueError("an offset is before the body")
    return at + int(unpack_from("<I", body, at)[0])
