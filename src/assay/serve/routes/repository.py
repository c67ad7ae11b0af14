"""The repository of the Open Inference Protocol: models, loaded and unloaded as a client asks.

A worker asks the parent, which has all workers change; the answer comes when all of them have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from assay.errors import AssayError
from assay.serve.http.message import Reply, Request, Response
from assay.serve.problems import Rejected, refusal
from assay.serve.route import Endpoint, Target
from assay.serve.state import State

Body = dict[str, Any]


def endpoints(state: State) -> Iterable[Endpoint]:
    """Return the index, and the verbs `load` and `unload`."""

    def index(request: Request, reply: Reply, _: Target) -> None:
        only_ready = _parameters(request).get("ready") is True
        listed = [
            {"name": lane.model, "version": str(lane.version), "state": _word(state), "reason": ""}
            for lane in state.models.lanes()
            if state.ready or not only_ready
        ]
        reply(Response(200, msgspec.json.encode(listed)))

    def load(request: Request, reply: Reply, target: Target) -> None:
        version = _parameters(request).get("parameters", {}).get("version", target.version)
        _ask(state, "load", target.model if version is None else f"{target.model}@{version}", reply)

    def unload(_: Request, reply: Reply, target: Target) -> None:
        _ask(state, "unload", target.model, reply)

    yield Endpoint("POST", "/v2/repository/index", "predict", index)
    yield Endpoint("POST", "/v2/repository/models/{model}/load", "admin", load)
    yield Endpoint("POST", "/v2/repository/models/{model}/unload", "admin", unload)


def _ask(state: State, action: str, reference: str, reply: Reply) -> None:
    def settle(error: AssayError | None) -> None:
        reply(Response(200, b"{}") if error is None else refusal(error))

    if state.ask is None:
        raise Rejected("SERVE-ALONE", "this server's models are not to be changed").at(409)
    state.ask(action, reference, settle)


def _parameters(request: Request) -> Body:
    try:
        body = msgspec.json.decode(request.body or b"{}", type=Body)
        if not isinstance(body.get("parameters", {}), dict):
            raise msgspec.ValidationError("`parameters` is no object")
    except msgspec.DecodeError as error:
        raise Rejected("SERVE-REPOSITORY", f"this is no such request: {error}", allowed=["{}"]).at(
            400
        ) from error
    return body


def _word(state: State) -> str:
    return "READY" if state.ready else "UNAVAILABLE"
