"""Tensors of the Open Inference Protocol v2: read from a request, written into a response.

Source: the protocol's REST API (github.com/kserve/open-inference-protocol, `inference_rest.md`) and
its binary tensor extension (github.com/triton-inference-server/server, `extension_binary_data.md`):
the JSON comes first, as long as a header says, and after it the data of the tensors that name a
`binary_data_size`, in their order and little-endian.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.records.fitted import Field, Signature
from assay.serve.answering.body import WIDEST
from assay.serve.problems import Rejected

NUMBERS: dict[str, str] = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""How the numbers of a tensor lie in memory; texts, BYTES, have their length before them."""
DATATYPES = (*NUMBERS, "BYTES")
OF_TYPE = {"number": "FP64", "boolean": "BOOL"}
"""The datatype of a column by its type; of any other it is BYTES."""

SIZE, BINARY, ALL_BINARY = "binary_data_size", "binary_data", "binary_data_output"
LONGEST = 200
"""Characters of what was sent that an error repeats."""
_LENGTH = 4

Array = NDArray[Any]


class Tensor(msgspec.Struct):
    """A tensor of a request; its data are nested or flat."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class Wanted(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class Inference(msgspec.Struct):
    """A request."""

    inputs: list[Tensor]
    id: str = ""
    outputs: list[Wanted] = []
    parameters: dict[str, Any] = {}


_DECODER = msgspec.json.Decoder(Inference)


def read(body: bytes, header: bytes | None, most: int) -> tuple[Inference, list[list[Any] | Array]]:
    """Return a request and the flat data of its tensors, at most `most` rows of each.

    `header` is the length of the JSON as the client said it, None where the JSON is all there is.

    Raises:
        Rejected: the request is not one of this protocol.
    """
    size = len(body) if header is None else _length(header, len(body))
    try:
        request = _DECODER.decode(body[:size])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _wrong("the body is not a request of this protocol", got=str(error)) from error
    if len(request.inputs) > WIDEST:
        raise _wrong("these are more tensors than a model has columns", got=len(request.inputs))
    rest = memoryview(body)[size:]
    found: list[list[Any] | Array] = []
    for tensor in request.inputs:
        _check(tensor, most)
        part: list[Any] | Array
        if SIZE in tensor.parameters:
            length = tensor.parameters[SIZE]
            if not isinstance(length, int) or not 0 <= length <= len(rest) or tensor.data:
                raise _wrong(f"{SIZE} is not that of the data", tensor.name, got=length)
            part, rest = _from_bytes(tensor, rest[:length]), rest[length:]
        else:
            part = _flat(tensor.data or [], tensor.name)
        if len(part) != prod(tensor.shape):
            raise _wrong("the shape is not that of the data", tensor.name, tensor.shape)
        found.append(part)
    if len(rest):
        raise _wrong("there are bytes after the last tensor", got=len(rest))
    return request, found


def _length(header: bytes, whole: int) -> int:
    size = int(header) if header.isdigit() and len(header) < 12 else whole + 1
    if size > whole:
        raise _wrong(
            "the length of the JSON is not that of the body",
            "inference-header-content-length",
            header.decode(errors="replace"),
        )
    return size


def _check(tensor: Tensor, most: int) -> None:
    if tensor.datatype not in DATATYPES:
        raise _wrong("this is no datatype", tensor.name, tensor.datatype, DATATYPES)
    if not 1 <= len(tensor.shape) <= 2 or min(tensor.shape) < 0:
        raise _wrong("a tensor has one or two dimensions", tensor.name, tensor.shape)
    if tensor.shape[0] > most:
        raise Rejected(
            "SERVE-TOO-MANY-ROWS",
            "the request has more rows than this server takes",
            where=tensor.name,
            got=tensor.shape[0],
            allowed=[f"at most {most}"],
            hint="send them in parts, or set serve.rows in the project file",
        ).at(413)


def _from_bytes(tensor: Tensor, data: memoryview) -> list[Any] | Array:
    if tensor.datatype == "BYTES":
        return _texts(tensor.name, data)
    kind = np.dtype(NUMBERS[tensor.datatype])
    if len(data) % kind.itemsize:
        raise _wrong("the data end within a number", tensor.name, len(data))
    return np.frombuffer(data, dtype=kind)


def _texts(name: str, data: memoryview) -> list[Any]:
    found, at = [], 0
    while at < len(data):
        start = at + _LENGTH
        at = start + int.from_bytes(data[at:start], "little")
        if at > len(data) or start > len(data):
            raise _wrong("the data end within a text", name, len(data))
        found.append(_decoded(bytes(data[start:at]), name))
    return found


def _decoded(text: bytes, name: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise _wrong("a text is not UTF-8", name) from error


def _flat(data: list[Any], name: str) -> list[Any]:
    """Return row-major data, which may come as a list of rows."""
    if not any(isinstance(cell, list) for cell in data):
        return data
    rows = [row for row in data if isinstance(row, list)]
    if len(rows) != len(data) or len({len(row) for row in rows}) > 1:
        raise _wrong("the data are neither flat nor rows of one length", name)
    return [cell for row in rows for cell in row]


def table(
    request: Inference, data: Sequence[list[Any] | Array], signature: Signature
) -> pl.DataFrame:
    """Return the tensors as raw columns.

    One tensor for each column, `[n]` or `[n, 1]`; or a single one, `[n, columns]`, where all
    columns are numbers. A missing cell is null, NaN, or what the project file calls missing.

    Raises:
        Rejected: two tensors have one name, or not the same number of rows.
    """
    names = [tensor.name for tensor in request.inputs]
    if len(set(names)) < len(names):
        raise _wrong("two tensors have the same name", got=names)
    if len({tensor.shape[0] for tensor in request.inputs}) != 1:
        raise _wrong("the tensors have no or different numbers of rows",
                     got=[tensor.shape for tensor in request.inputs])  # fmt: skip
    one = request.inputs[0]
    if len(one.shape) == 2 and one.shape[1] != 1:
        return _matrix(request.inputs, data[0], signature.inputs)
    for tensor in request.inputs:
        if tensor.shape[1:] not in ([], [1]):
            raise _wrong("a column has the shape [n] or [n, 1]", tensor.name, tensor.shape)
    return pl.DataFrame(
        [_column(tensor, cells) for tensor, cells in zip(request.inputs, data, strict=True)]
    )


def _matrix(
    tensors: Sequence[Tensor], data: list[Any] | Array, fields: Sequence[Field]
) -> pl.DataFrame:
    (tensor, *others), width = tensors, len(fields)
    if others or tensor.shape[1] != width or any(field.type != "number" for field in fields):
        raise _wrong(
            "one tensor for all columns needs a model of numbers, a column of it for each",
            tensor.name,
            tensor.shape,
            [f"[n, {width}]"],
        )
    cells = _column(tensor, data).to_numpy().reshape(-1, width)
    return pl.DataFrame(
        [pl.Series(field.name, cells[:, i], nan_to_null=True) for i, field in enumerate(fields)]
    )


def _column(tensor: Tensor, cells: list[Any] | Array) -> pl.Series:
    if isinstance(cells, np.ndarray):
        wide = cells.astype(np.float32) if tensor.datatype == "FP16" else cells
        return pl.Series(tensor.name, wide, nan_to_null=wide.dtype.kind == "f")
    kind, fits = _kind(tensor.datatype)
    for place, cell in enumerate(cells):
        if cell is not None and type(cell) not in fits:
            raise _wrong(f"a cell is not of {tensor.datatype}", f"{tensor.name}, row {place}", cell)
    column = pl.Series(tensor.name, cells, dtype=kind, strict=False)
    if column.null_count() != cells.count(None):
        raise _wrong(f"a number is too large for {tensor.datatype}", tensor.name)
    return column


def _kind(datatype: str) -> tuple[type[pl.DataType], tuple[type, ...]]:
    """Return how the cells of a datatype stand in a column, and what they may be in JSON."""
    if datatype == "BYTES":
        return pl.String, (str,)
    if datatype == "BOOL":
        return pl.Boolean, (bool,)
    return (pl.Int64, (int,)) if "INT" in datatype else (pl.Float64, (int, float))


class Output(msgspec.Struct):
    """A tensor of a response; `binary` says how it is sent."""

    name: str
    datatype: str
    array: Array
    binary: bool = False


def write(head: dict[str, Any], outputs: Iterable[Output]) -> tuple[bytes, int | None]:
    """Return the body of a response, and the length of its JSON where binary data follow it."""
    listed, parts = [], []
    for output in outputs:
        told: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype,
            "shape": list(output.array.shape),
        }
        if output.binary:
            content = _to_bytes(output)
            parts.append(content)
            told["parameters"] = {SIZE: len(content)}
        else:
            told["data"] = output.array.reshape(-1).tolist()
        listed.append(told)
    text = msgspec.json.encode(head | {"outputs": listed})
    return (text + b"".join(parts), len(text)) if parts else (text, None)


def _to_bytes(output: Output) -> bytes:
    if output.datatype != "BYTES":
        return output.array.astype(NUMBERS[output.datatype]).tobytes()
    texts = [str(text).encode() for text in output.array.reshape(-1).tolist()]
    return b"".join(len(text).to_bytes(_LENGTH, "little") + text for text in texts)


def _wrong(message: str, where: str = "", got: Any = None, allowed: Sequence[Any] = ()) -> Rejected:
    shown = got if len(str(got)) <= LONGEST else f"{str(got)[:LONGEST]} …"
    return Rejected("SERVE-TENSORS", message, where=where[:LONGEST], got=shown, allowed=allowed)
