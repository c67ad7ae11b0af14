"""JSON Schema of what a model takes and answers, made of its signature and its settings."""

from __future__ import annotations

from typing import Any

from assay.records.fitted import Field, Signature
from assay.records.spec import ServeSection
from assay.serve.identity import PLAIN

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_ANY: Schema = {"type": ["string", "number", "boolean", "null"]}
_CELLS: dict[str, Schema] = {
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "datetime": {"type": ["string", "null"], "format": "date-time"},
}
_CHANCE: Schema = {"type": "number", "minimum": 0, "maximum": 1}

PROBLEM: Schema = {
    "type": "object",
    "description": "What is wrong, where, and what to try.",
    "properties": {
        "code": {"type": "string", "examples": ["DATA-COLUMNS-MISSING"]},
        "where": _TEXT,
        "message": _TEXT,
        "got": {},
        "allowed": {"type": "array"},
        "try": _TEXT,
    },
    "required": ["code", "where", "message", "got", "allowed", "try"],
}

ERRORS: Schema = {
    "type": "object",
    "properties": {
        "ok": {"const": False},
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/components/schemas/Problem"},
        },
        "error": {"type": "string", "description": "The same in a line, under /v2 only."},
    },
    "required": ["ok", "errors"],
}


def cell(field: Field, section: ServeSection) -> Schema:
    """Return the schema of one cell; `x-seen` tells what training saw of its column."""
    found = dict(_CELLS.get(field.type, {"type": ["string", "null"]}))
    seen: Schema = {"type": field.type, "missing": field.missing}
    if field.low is not None and field.high is not None:
        seen |= {"low": field.low, "high": field.high}
        if field.type == "number" and section.outside == "error":
            found |= {"minimum": field.low, "maximum": field.high}
    if field.type == "category":
        seen |= {"categories": list(field.categories), "more": field.more}
        if section.unseen == "error" and not field.more:
            found["enum"] = [*field.categories, None]
    return found | {"description": _described(field), "x-seen": seen}


def _described(field: Field) -> str:
    if field.type == "number" and field.low is not None:
        return f"A number; training saw {field.low:g} to {field.high:g}."
    if field.type == "category":
        least = "at least " if field.more else ""
        return f"A category; training saw {least}{len(field.categories)} of them."
    if field.type == "datetime":
        return "A date, or a date and time, in UTC where it names no zone."
    return {"boolean": "True or false.", "number": "A number."}.get(field.type, "Free text.")


def row(signature: Signature, section: ServeSection) -> Schema:
    """Return the schema of one row."""
    names = [field.name for field in signature.inputs]
    return {
        "type": "object",
        "properties": {field.name: cell(field, section) for field in signature.inputs},
        "required": names if section.absent == "error" else [],
        "additionalProperties": False if section.unknown == "error" else _ANY,
    }


def body(signature: Signature, section: ServeSection, reference: str, most: int) -> Schema:
    """Return the schema of what is sent: rows, one row, or columns; `reference` is of the row."""
    columns = {
        field.name: {"type": "array", "maxItems": most, "items": cell(field, section)}
        for field in signature.inputs
    }
    one = {"$ref": reference}
    more = False if section.unknown == "error" else {"type": "array", "items": _ANY}
    table = _object(columns, required=section.absent == "error")
    table |= {"additionalProperties": more, "description": "Lists of equal length."}
    rows = {"type": "array", "minItems": 1, "maxItems": most, "items": one}
    return {"anyOf": [_only({"rows": rows}), one, _only({"columns": table})]}


def _object(properties: Schema, *, required: bool = True) -> Schema:
    names = list(properties) if required else []
    return {"type": "object", "properties": properties, "required": names}


def _only(properties: Schema) -> Schema:
    return _object(properties) | {"additionalProperties": False}


def prediction(signature: Signature) -> Schema:
    """Return the schema of the answer for one row."""
    if signature.classes:
        chances = dict.fromkeys(signature.classes, _CHANCE)
        return _object({"label": label(signature), "probabilities": _object(chances)})
    number: Schema = {"type": "number"}
    return _object({"value": number, "low": number, "high": number})


def label(signature: Signature) -> Schema:
    """Return the schema of a class as it is answered."""
    words: dict[str, list[Any]] = {
        "text": list(signature.classes),
        "integer": [int(name) for name in signature.classes if signature.labels == "integer"],
        "boolean": [name == "true" for name in signature.classes],
    }
    return {"enum": words[signature.labels]}


def answer(reference: str) -> Schema:
    """Return the schema of a whole answer; `reference` is of a prediction."""
    return _object(
        _header()
        | {
            "predictions": {"type": "array", "items": {"$ref": reference}},
            "warnings": {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}},
        }
    )


def explanation(signature: Signature) -> Schema:
    """Return the schema of the explanations of rows."""
    number: Schema = {"type": "number"}
    part = _object({"column": _TEXT, "got": {}, "typical": {}, "contribution": number})
    one = _object(
        {
            "of": label(signature) if signature.classes else {"type": "null"},
            "base": number,
            "value": number,
            "contributions": {"type": "array", "items": part},
        }
    )
    warnings = {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}}
    listed = {"type": "array", "items": one}
    return _object(_header() | {"explanations": listed, "method": _TEXT, "warnings": warnings})


def feedback(signature: Signature) -> Schema:
    """Return the schema of what came to be known: of one row or request, or a list of such."""
    name = {"type": "string", "pattern": f"^{PLAIN}$"}
    common: Schema = {
        "request": name,
        "at": {"type": "string", "format": "date-time", "description": "When; now without it."},
    }
    row = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "default": 0}
    number: Schema = {"type": "number"}
    known = ("label", label(signature)) if signature.classes else ("value", number)
    truth = _only(common | {"row": row, known[0]: known[1]}) | {"required": ["request", known[0]]}
    metric = _only(common | {"metric": name, "value": number})
    metric |= {"required": ["request", "metric", "value"]}
    one = {"anyOf": [truth, metric]}
    return {"anyOf": [truth, metric, _only({"feedback": {"type": "array", "items": one}})]}


def _header() -> Schema:
    return {
        "model": {"type": "string", "description": "NAME@VERSION that answered."},
        "request": {"type": "string", "description": "The id of the request; feedback names it."},
    }
