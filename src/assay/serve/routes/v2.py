"""The Open Inference Protocol v2: health, metadata, and answers to tensors.

A request of tensors is restated as one for POST /predict, and its answer as tensors: so both are
validated, batched, counted and logged alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

import msgspec
import numpy as np
import polars as pl

from assay import __version__
from assay.serve.answering.body import ARROW_STREAM, JSON
from assay.serve.http.message import Reply, Request, Response
from assay.serve.problems import Rejected, told
from assay.serve.route import Endpoint, Handler, Target
from assay.serve.routes import tensor_schemas
from assay.serve.routes.tensors import ALL_BINARY, BINARY, Inference, Output, read, table, write
from assay.serve.state import State

PREFIX = "/v2"
"""Where the paths of the protocol begin."""
HEADER = b"inference-header-content-length"
FEW = 16
"""Rows that are restated as JSON, which is answered on the event loop; more become Arrow."""

_SERVER = {"name": "assay", "extensions": ["binary_tensor_data", "model_repository"]}


def endpoints(state: State, predict: Handler) -> Iterable[Endpoint]:
    """Return the paths of the protocol; `predict` answers POST /predict."""
    protocol = Protocol(state, predict)
    for path, handler in (
        ("/v2", protocol.server),
        ("/v2/health/live", protocol.live),
        ("/v2/health/ready", protocol.ready),
    ):
        yield Endpoint("GET", path, "", handler)
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        yield Endpoint("GET", path, "predict", protocol.metadata)
        yield Endpoint("GET", f"{path}/ready", "predict", protocol.model_ready)
        yield Endpoint("POST", f"{path}/infer", "predict", protocol.infer)


class Protocol:
    """Handlers of the protocol's paths."""

    def __init__(self, state: State, predict: Handler) -> None:
        self._state, self._predict = state, predict

    def server(self, _request: Request, reply: Reply, _target: Target) -> None:
        """Say what this server is."""
        _say(reply, _SERVER | {"version": __version__})

    def live(self, _request: Request, reply: Reply, _target: Target) -> None:
        """Say that the process answers at all."""
        _say(reply, {"live": True})

    def ready(self, _request: Request, reply: Reply, _target: Target) -> None:
        """Say whether every model answers."""
        self._need_ready()
        _say(reply, {"ready": True})

    def model_ready(self, _request: Request, reply: Reply, target: Target) -> None:
        """Say whether a model, or a version of it, answers."""
        self._need_ready()
        lane = self._state.models.pick(target.model, target.version)
        _say(reply, {"name": lane.model, "ready": True})

    def metadata(self, _request: Request, reply: Reply, target: Target) -> None:
        """Say what a model takes and gives back."""
        lane = self._state.models.pick(target.model, target.version)
        every = self._state.models.live(lane.model).versions
        versions = every if target.version is None else [target.version]
        signature = lane.servable.signature
        _say(
            reply,
            {
                "name": lane.model,
                "versions": [str(version) for version in versions],
                "platform": "assay",
                "inputs": tensor_schemas.inputs(signature),
                "outputs": tensor_schemas.outputs(signature),
            },
        )

    def infer(self, request: Request, reply: Reply, target: Target) -> None:
        """Answer tensors; raises AssayError for a request that is refused."""
        lane = self._state.models.pick(target.model, target.version)
        signature = lane.servable.signature
        asked, data = read(request.body, request.headers.get(HEADER), lane.section.rows)
        names = [output["name"] for output in tensor_schemas.outputs(signature)]
        _check_outputs(asked, names)
        frame = table(asked, data, signature)

        def answered(response: Response) -> None:
            try:
                restated = response if response.status != 200 else _restated(response, asked, names)
            except Exception as error:  # noqa: BLE001  or nobody would be answered at all
                restated = told(error, request.id)
            reply(restated)

        self._predict(_as_rows(request, frame), answered, target)

    def _need_ready(self) -> None:
        if not self._state.ready:
            raise Rejected("SERVE-NOT-READY", "this server does not answer yet, or no more").at(503)


def _say(reply: Reply, content: dict[str, Any]) -> None:
    reply(Response(200, msgspec.json.encode(content)))


def spoken(response: Response) -> Response:
    """Return a refusal with its errors also in a line, where clients of this protocol look."""
    content = msgspec.json.decode(response.body)
    lines = [f"{error['where']}: {error['message']}".removeprefix(": ")
             for error in content["errors"]]  # fmt: skip
    content["error"] = "; ".join(lines)
    response.body = msgspec.json.encode(content)
    return response


def _check_outputs(asked: Inference, names: Sequence[str]) -> None:
    for wanted in asked.outputs:
        if wanted.name not in names:
            raise Rejected(
                "SERVE-TENSORS",
                "the model has no such output",
                where="outputs",
                got=wanted.name[:80],
                allowed=names,
            )


def _as_rows(request: Request, frame: pl.DataFrame) -> Request:
    """Return the same request as POST /predict takes it."""
    numbers = frame.select(pl.selectors.float())
    finite = all(column.is_infinite().sum() == 0 for column in numbers)
    if frame.height <= FEW and finite:
        kind, body = JSON, msgspec.json.encode({"rows": frame.to_dicts()})
    else:
        out = BytesIO()
        frame.write_ipc_stream(out)
        kind, body = ARROW_STREAM, out.getvalue()
    headers = request.headers | {b"content-type": kind, b"accept": JSON}
    found = Request("POST", "/predict", request.query, headers, body, request.arrived)
    found.id = request.id
    return found


def _restated(response: Response, asked: Inference, names: Sequence[str]) -> Response:
    """Return the answer of POST /predict as tensors: those that were asked for."""
    answer = msgspec.json.decode(response.body)
    model, _, version = answer["model"].rpartition("@")
    parameters: dict[str, Any] = {"request": answer["request"]}
    if answer["warnings"]:
        told = [f"{warning['where']}: {warning['message']}" for warning in answer["warnings"]]
        parameters["warnings"] = "; ".join(told)
    head = {"model_name": model, "model_version": version, "parameters": parameters}
    if asked.id:
        head["id"] = asked.id
    every = asked.parameters.get(ALL_BINARY) is True
    wanted = {output.name: output.parameters.get(BINARY, every) is True for output in asked.outputs}
    outputs = [
        _output(name, answer["predictions"], binary=binary)
        for name, binary in (wanted or dict.fromkeys(names, every)).items()
    ]
    body, size = write(head, outputs)
    if size is None:
        return Response(200, body)
    return Response(200, body, b"application/octet-stream", ((HEADER, str(size).encode()),))


def _output(name: str, said: list[dict[str, Any]], *, binary: bool) -> Output:
    if name == "label":
        return Output(name, "BYTES", np.array([_word(one[name]) for one in said], object), binary)
    if name == "probabilities":
        values = np.array([list(one[name].values()) for one in said], np.float64)
        return Output(name, "FP64", values, binary)
    return Output(name, "FP64", np.array([one[name] for one in said], np.float64), binary)


def _word(label: Any) -> str:
    """Return a class as text: `true` and `false` as they stand in the signature."""
    return str(label).lower() if isinstance(label, bool) else str(label)
