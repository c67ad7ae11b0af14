"""The bytes of an ONNX file, as far as writing it small, cutting it and reading trees need them.

A protocol buffer is a list of fields, each a tag and a value (protobuf.dev, "Encoding"). Needs
numpy only, so that a package is loaded without the library that writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_VARINT, _EIGHT_BYTES, _MESSAGE, _FOUR_BYTES = 0, 1, 2, 5
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO = 1, 11, 12, 13
_NODE_OUTPUT, _NODE_NAME, _VALUE_NAME = 2, 3, 1
_VALUE_TYPE, _TYPE_TENSOR, _TENSOR_ELEMENT, _DOUBLE = 2, 1, 1, 11


def field(number: int, content: bytes) -> bytes:
    """Return a field that holds a message, text or packed numbers."""
    return varint(number << 3 | _MESSAGE) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """Return a whole number, seven bits to a byte, the lowest first."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def packed(numbers: NDArray[Any]) -> bytes:
    """Return (n,) whole numbers from 0 to 2**49 end to end as varints."""
    numbers = numbers.astype(np.int64)[:, None]
    shifts = np.arange(0, 49, 7)
    parts = numbers >> shifts
    more = parts[:, 1:] > 0
    content = (parts & 127).astype(np.uint8)
    content[:, :-1] |= more.astype(np.uint8) << 7
    used = np.hstack([np.ones((len(numbers), 1), dtype=bool), more])
    return bytes(content[used].tobytes())


def unpacked(content: bytes) -> NDArray[np.int64]:
    """Return the whole numbers that lie end to end as varints: (n,)."""
    parts = np.frombuffer(content, dtype=np.uint8).astype(np.int64)
    if not len(parts):
        return parts
    starts = np.append(0, np.flatnonzero(parts < 128)[:-1] + 1)
    places = np.arange(len(parts)) - np.repeat(starts, np.diff(starts, append=len(parts)))
    return np.asarray(np.add.reduceat((parts & 127) << 7 * places, starts))


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Return each field's number, its content, and all its bytes.

    The content of a whole number is its varint; that of a float is left empty. Raises
    ValueError where the bytes are none of a protocol buffer.
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = _read_varint(message, at)
        content = b""
        kind = tag & 7
        if kind == _MESSAGE:
            size, at = _read_varint(message, at)
            content = message[at : at + size]
            at += size
        elif kind == _VARINT:
            before = at
            _, at = _read_varint(message, at)
            content = message[before:at]
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"no field of a protocol buffer is of kind {kind}")
        if at > len(message):
            raise ValueError("the bytes end within a field")
        yield tag >> 3, content, message[start:at]


def cut(model: bytes, section: str, output: str, given: Collection[str] = ()) -> bytes:
    """Return an ONNX file with the nodes of one section only, as an ONNX file of its own.

    A node is of a section when its name starts so. What the file lists as values between the
    sections are the inputs of the cut one, and `output` is its output. Nodes that make a `given`
    value, doubles, are left out too: it becomes an input. A file that lists no values stays as it
    is. Raises ValueError as `fields` does.
    """
    found = bytearray()
    for number, content, whole in fields(model):
        if number == _MODEL_GRAPH:
            whole = field(number, _cut_graph(content, section, output, given))
        found += whole
    return bytes(found)


def nodes(model: bytes, section: str) -> Iterator[bytes]:
    """Return the nodes of one section. Raises ValueError as `fields` does."""
    for number, graph, _ in fields(model):
        if number == _MODEL_GRAPH:
            for part, node, _ in fields(graph):
                if part == _GRAPH_NODE and _name(node, _NODE_NAME).startswith(section):
                    yield node


def _cut_graph(graph: bytes, section: str, output: str, given: Collection[str]) -> bytes:
    parts = list(fields(graph))
    if all(number != _GRAPH_VALUE_INFO for number, _, _ in parts):
        return graph
    found = bytearray()
    for number, content, whole in parts:
        if number == _GRAPH_VALUE_INFO:
            own = _name(content, _VALUE_NAME) == output
            found += field(_GRAPH_OUTPUT if own else _GRAPH_INPUT, content)
        elif number == _GRAPH_NODE:
            own = _name(content, _NODE_NAME).startswith(section)
            found += whole if own and _name(content, _NODE_OUTPUT) not in given else b""
        elif number not in (_GRAPH_INPUT, _GRAPH_OUTPUT):
            found += whole
    for name in given:
        found += field(_GRAPH_INPUT, _doubles(name))
    return bytes(found)


def _doubles(name: str) -> bytes:
    """Return the description of a value that is made of doubles."""
    element = varint(_TENSOR_ELEMENT << 3) + varint(_DOUBLE)
    kind = field(_TYPE_TENSOR, element)
    return field(_VALUE_NAME, name.encode()) + field(_VALUE_TYPE, kind)


def _name(message: bytes, wanted: int) -> str:
    for number, content, _ in fields(message):
        if number == wanted:
            return content.decode()
    return ""


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("the bytes end within a number")
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
