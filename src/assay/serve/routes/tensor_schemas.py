"""What a model takes and answers as tensors: for its metadata, and as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.records.fitted import Field, Signature
from assay.serve.routes.tensors import DATATYPES, OF_TYPE

Schema = dict[str, Any]

_JSON = {"FP64": ["number", "null"], "BOOL": ["boolean", "null"], "BYTES": ["string", "null"]}


def inputs(signature: Signature) -> list[Schema]:
    """Return name, datatype and shape of each input; -1 is any number of rows."""
    return [
        {"name": field.name, "datatype": datatype(field), "shape": [-1]}
        for field in signature.inputs
    ]


def outputs(signature: Signature) -> list[Schema]:
    """Return name, datatype and shape of each output."""
    if signature.classes:
        width = len(signature.classes)
        return [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, width]},
        ]
    return [{"name": name, "datatype": "FP64", "shape": [-1]} for name in ("value", "low", "high")]


def datatype(field: Field) -> str:
    """Return the datatype of a column."""
    return OF_TYPE.get(field.type, "BYTES")


def request(signature: Signature) -> Schema:
    """Return the schema of a request of one row or more, its tensors in the model's order."""
    parameters = {"type": "object"}
    listed = [_input(field) for field in signature.inputs]
    wanted = {
        "type": "object",
        "properties": {
            "name": {"enum": [output["name"] for output in outputs(signature)]},
            "parameters": parameters,
        },
        "required": ["name"],
    }
    return {
        "type": "object",
        "description": "One tensor for each column, in any order; `data` may also follow the JSON "
        "as bytes (the binary tensor extension).",
        "properties": {
            "id": {"type": "string"},
            "inputs": {
                "type": "array",
                "prefixItems": listed,
                "minItems": len(listed),
                "maxItems": len(listed),
            },
            "outputs": {"type": "array", "items": wanted},
            "parameters": parameters,
        },
        "required": ["inputs"],
    }


def _input(field: Field) -> Schema:
    kind = datatype(field)
    cells: Schema = {"type": _JSON[kind]}
    if field.type == "datetime":
        cells["format"] = "date-time"
    data = {"type": "array", "items": cells, "minItems": 1, "maxItems": 1}
    return {
        "type": "object",
        "properties": {
            "name": {"const": field.name},
            "datatype": {"const": kind},
            "shape": {"const": [1], "description": "[rows] or [rows, 1]"},
            "data": data,
        },
        "required": ["name", "datatype", "shape", "data"],
    }


def response(signature: Signature) -> Schema:
    """Return the schema of the answers."""
    tensor = {
        "type": "object",
        "properties": {
            "name": {"enum": [output["name"] for output in outputs(signature)]},
            "datatype": {"enum": list(DATATYPES)},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "data": {"type": "array"},
        },
        "required": ["name", "datatype", "shape"],
    }
    return {
        "type": "object",
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "outputs": {"type": "array", "items": tensor},
        },
        "required": ["model_name", "model_version", "outputs"],
    }


def example(signature: Signature, row: Mapping[str, Any]) -> Schema:
    """Return a request for one row."""
    tensors = [
        {"name": f.name, "datatype": datatype(f), "shape": [1], "data": [row[f.name]]}
        for f in signature.inputs
    ]
    return {"inputs": tensors}
