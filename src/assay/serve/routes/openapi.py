"""GET /openapi.json: the routes of this server as an OpenAPI 3.1 document, made of live models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from assay.serve.answering.body import ARROW_FILE, ARROW_STREAM, CSV
from assay.serve.http.message import Reply, Request, Response
from assay.serve.models import Live
from assay.serve.route import Endpoint, Target
from assay.serve.routes import schemas, tensor_schemas
from assay.serve.routes.explain import MOST_ROWS
from assay.serve.routes.schemas import Schema
from assay.serve.state import State

TABLES = tuple(kind.decode() for kind in (ARROW_STREAM, ARROW_FILE, CSV))
"""Media types of bodies that are tables."""

_REFUSALS = {
    400: "The request is not well-formed.",
    401: "The request carries no valid token.",
    403: "The token is not for this.",
    404: "There is nothing here.",
    408: "The request came too slowly.",
    409: "This cannot be done now.",
    413: "The body, or the number of rows, is larger than this server takes.",
    415: "The body is of a kind that is not read here.",
    422: "A row does not fit the model: the errors name row and column.",
    500: "A fault of the server.",
    503: "There is too much to do: try again after the seconds in Retry-After.",
}
_ALWAYS = (401, 403, 500, 503)


def endpoints(state: State) -> Iterable[Endpoint]:
    """Return the path of the document."""

    def openapi(_request: Request, reply: Reply, _target: Target) -> None:
        reply(Response(200, msgspec.json.encode(document(state))))

    yield Endpoint("GET", "/openapi.json", "predict", openapi)


def document(state: State) -> Schema:
    """Return the document: an example that is answered and exact schemas for each live model."""
    lives = list(state.models.current.values())
    components: Schema = {"Problem": schemas.PROBLEM, "Errors": schemas.ERRORS}
    paths: Schema = {}
    for place, live in enumerate(lives):
        components |= _components(live)
        name = quote(live.deployment.model, safe="")
        paths |= _model_paths(live, f"/models/{name}", first=False)
        paths |= _protocol_paths(live, f"/v2/models/{name}")
        if place == 0:
            paths |= _model_paths(live, "", first=True)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Assay: " + ", ".join(live.deployment.model for live in lives),
            "version": " ".join(lane.reference for live in lives for lane in live.arms),
            "description": _ABOUT,
        },
        "servers": [{"url": "/"}],
        "paths": paths | _common_paths(),
        "components": {
            "schemas": components,
            "responses": {f"Error{status}": _refusal(status) for status in _REFUSALS},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that `assay token` made; none is asked for on the "
                    "server's own machine unless there are tokens.",
                }
            },
        },
        "security": [] if state.access.open else [{"token": []}],
    }


_ABOUT = (
    "Every path below /models/NAME is also there for one version, as /models/NAME@VERSION. "
    "A failed request is answered with the errors found, each with a code, where it is, what was "
    "got, what is allowed and what to try."
)


def _components(live: Live) -> Schema:
    lane, key = live.arms[0], _key(live)
    signature, section = lane.servable.signature, lane.section
    row = f"#/components/schemas/Row.{key}"
    return {
        f"Row.{key}": schemas.row(signature, section),
        f"Rows.{key}": schemas.body(signature, section, row, section.rows),
        f"Few.{key}": schemas.body(signature, section, row, min(section.rows, MOST_ROWS)),
        f"Prediction.{key}": schemas.prediction(signature),
        f"Answer.{key}": schemas.answer(f"#/components/schemas/Prediction.{key}"),
        f"Explanations.{key}": schemas.explanation(signature),
        f"Feedback.{key}": schemas.feedback(signature),
        f"Tensors.{key}": tensor_schemas.request(signature),
        f"Inferred.{key}": tensor_schemas.response(signature),
    }


def _key(live: Live) -> str:
    """Return the name of a model as the name of a component may be."""
    return re.sub(r"[^A-Za-z0-9._-]", lambda found: f"_{ord(found[0]):x}_", live.deployment.model)


def _model_paths(live: Live, prefix: str, *, first: bool) -> Schema:
    key, model = _key(live), live.deployment.model
    whose = f" by {model}" + (", the first model" if first else "")
    example = {"rows": [dict(live.arms[0].servable.example)]}

    def sent(component: str) -> Schema:
        schema = {"$ref": f"#/components/schemas/{component}.{key}"}
        rows = {"application/json": {"schema": schema, "example": example}}
        return {"required": True, "content": rows | tables}

    tables: Schema = {kind: {"schema": {}} for kind in TABLES}
    predict = _operation(
        f"Answer rows{whose}", model, _ok(f"Answer.{key}", tables), (400, 413, 415, 422)
    )
    explain = _operation(
        f"Explain the answers{whose} for at most {MOST_ROWS} rows",
        model,
        _ok(f"Explanations.{key}"),
        (400, 413, 415, 422),
    )
    return {
        f"{prefix}/predict": {"post": predict | {"requestBody": sent("Rows")}},
        f"{prefix}/explain": {"post": explain | {"requestBody": sent("Few")}},
        f"{prefix}/feedback": {"post": _feedback(live, whose)},
    }


def _feedback(live: Live, whose: str) -> Schema:
    """Return the operation that takes what came to be known of answers."""
    signature, model = live.arms[0].servable.signature, live.deployment.model
    known: Schema = {"value": 1.0}
    if signature.classes:
        known = {"label": schemas.label(signature)["enum"][0]}
    content = {
        "schema": {"$ref": f"#/components/schemas/Feedback.{_key(live)}"},
        "example": {"request": "660e24a1ebe32-0-3", "row": 0} | known,
    }
    taken = {"type": "object", "properties": {"accepted": {"type": "integer"}}}
    said: Schema = {
        "202": {
            "description": "How many were taken",
            "content": {"application/json": {"schema": taken}},
        }
    }
    operation = _operation(
        f"Say what came to be known of answers{whose}", model, said, (400, 409, 413, 415, 422)
    )
    sent = {"required": True, "content": {"application/json": content}}
    return operation | {"requestBody": sent}


def _protocol_paths(live: Live, prefix: str) -> Schema:
    lane, key, model = live.arms[0], _key(live), live.deployment.model
    version = {
        "name": "version",
        "in": "path",
        "required": True,
        "schema": {"enum": [str(version) for version in live.versions]},
    }
    example = tensor_schemas.example(lane.servable.signature, lane.servable.example)
    rows = {"schema": {"$ref": f"#/components/schemas/Tensors.{key}"}, "example": example}
    sent = {"required": True, "content": {"application/json": rows}}
    found: Schema = {}
    for path, parameters in ((prefix, []), (f"{prefix}/versions/{{version}}", [version])):
        asked: Schema = {"parameters": parameters} if parameters else {}
        metadata = _operation(f"What {model} takes and gives back", model, _any("Metadata"), (404,))
        ready = _operation(f"Whether {model} answers", model, _any("It does"), (404,))
        infer = _operation(
            f"Answer tensors by {model}", model, _ok(f"Inferred.{key}"), (400, 404, 413, 415, 422)
        )
        found |= {
            path: asked | {"get": metadata},
            f"{path}/ready": asked | {"get": ready},
            f"{path}/infer": asked | {"post": infer | {"requestBody": sent}},
        }
    return found


def _common_paths() -> Schema:
    told = "the server"
    text = {"200": {"description": "Prometheus text format", "content": {"text/plain": {}}}}
    page = {"200": {"description": "A page", "content": {"text/html": {}}}}
    model = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    done, changes = _any("All workers have done so"), (400, 404, 409, 422)
    return {
        "/v2": {"get": _open("What this server is", _any("Metadata"))},
        "/v2/health/live": {"get": _open("Whether the server runs", _any("It does"))},
        "/v2/health/ready": {"get": _open("Whether models answer", _any("They do"))},
        "/v2/repository/index": {
            "post": _operation("Which versions are loaded", told, _any("A list", "array"), (400,))
        },
        "/v2/repository/models/{model}/load": {
            "post": _operation(
                "Load a model, NAME or NAME@VERSION, into all workers", told, done, changes
            ),
            "parameters": [model],
        },
        "/v2/repository/models/{model}/unload": {
            "post": _operation("Take a model out of all workers", told, done, changes),
            "parameters": [model],
        },
        "/openapi.json": {"get": _operation("This document", told, _any("OpenAPI 3.1"))},
        "/metrics": {"get": _open("Counts for Prometheus", text)},
        "/docs": {"get": _open("This document as a page", page)},
        "/": {"get": _open("Ask a model in a form", page)},
    }


def _open(summary: str, responses: Schema) -> Schema:
    """Return an operation that needs no token."""
    return _operation(summary, "the server", responses) | {"security": []}


def _operation(summary: str, tag: str, responses: Schema, refusals: tuple[int, ...] = ()) -> Schema:
    errors = {
        str(status): {"$ref": f"#/components/responses/Error{status}"}
        for status in sorted({*refusals, *_ALWAYS})
    }
    return {"summary": summary, "tags": [tag], "responses": responses | errors}


def _ok(component: str, more: Schema | None = None) -> Schema:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{component}"}}}
    identity = {"schema": {"type": "string"}, "description": "The id of the request."}
    return {
        "200": {
            "description": "The answers, in the order of the rows",
            "headers": {"x-request-id": identity},
            "content": content | (more or {}),
        }
    }


def _any(description: str, kind: str = "object") -> Schema:
    content = {"application/json": {"schema": {"type": kind}}}
    return {"200": {"description": description, "content": content}}


def _refusal(status: int) -> Schema:
    errors = {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}}
    return {"description": _REFUSALS[status], "content": errors}
