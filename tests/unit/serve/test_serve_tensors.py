"""Tensors read and written: each datatype, both forms, and what is no tensor."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from asking import Server, codes, post, said, servable

from assay.records.fitted import Field, Signature
from assay.serve.access import Access
from assay.serve.app import App
from assay.serve.http.message import Request, Response
from assay.serve.problems import Rejected
from assay.serve.routes.tensors import NUMBERS, Output, read, table, write
from assay.serve.state import State

NAMES = ("a", "b")
NUMERIC = Signature(
    family="made", task="regression", target="y",
    inputs=tuple(Field(name=name, type="number", missing=True) for name in NAMES),
)  # fmt: skip


def parsed(inputs: list[dict[str, Any]], rest: bytes = b"", **more: Any) -> list[list[Any]]:
    """The cells of each column of a request."""
    head = msgspec.json.encode({"inputs": inputs} | more)
    request, data = read(head + rest, str(len(head)).encode() if rest else None, 100)
    return [column.to_list() for column in table(request, data, NUMERIC)]


@pytest.mark.parametrize("kind", [kind for kind in NUMBERS if kind != "BOOL"])
def test_a_number_of_any_width_is_read_from_both_forms(kind: str) -> None:
    one = {"name": "a", "datatype": kind, "shape": [3]}
    assert parsed([one | {"data": [1, 2, None]}]) == [[1, 2, None]]
    content = np.array([1, 2, 3], dtype=NUMBERS[kind]).tobytes()
    size = {"parameters": {"binary_data_size": len(content)}}
    assert parsed([one | size], content) == [[1, 2, 3]]


def test_nan_is_missing_and_infinity_is_not() -> None:
    content = struct.pack("<3d", float("nan"), float("inf"), 1.0)
    one = {"name": "a", "datatype": "FP64", "shape": [3], "parameters": {"binary_data_size": 24}}
    assert parsed([one], content) == [[None, float("inf"), 1.0]]


def test_several_binary_tensors_follow_one_another() -> None:
    sizes = [{"binary_data_size": 2}, {"binary_data_size": 11}]
    inputs = [
        {"name": "a", "datatype": "BOOL", "shape": [2], "parameters": sizes[0]},
        {"name": "b", "datatype": "BYTES", "shape": [2, 1], "parameters": sizes[1]},
    ]
    content = b"\1\0" + b"\0\0\0\0" + b"\3\0\0\0" + "aé".encode()
    assert parsed(inputs, content) == [[True, False], ["", "aé"]]


def test_a_matrix_of_numbers_is_a_column_each() -> None:
    one = {"name": "x", "datatype": "FP64", "shape": [2, 2]}
    for data in ([1.0, 2.0, 3.0, None], [[1.0, 2.0], [3.0, None]]):
        assert parsed([one | {"data": data}]) == [[1.0, 3.0], [2.0, None]]
    with pytest.raises(Rejected, match="one tensor for all columns"):
        parsed([{"name": "x", "datatype": "FP64", "shape": [1, 3], "data": [1.0, 2.0, 3.0]}])


@pytest.mark.parametrize("size", [-1, 9, 7, True, 1.5, None])
def test_a_size_that_is_not_that_of_the_data_is_refused(size: Any) -> None:
    one = {"name": "a", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": size}}
    with pytest.raises(Rejected) as raised:
        parsed([one], struct.pack("<d", 1.0))
    assert raised.value.code == "SERVE-TENSORS"
    assert raised.value.status == 400


def test_what_is_written_says_where_its_bytes_are() -> None:
    words, numbers = np.array(["yes", "né"], object), np.array([[0.25, 0.75], [1.0, 0.0]])
    body, size = write(
        {"model_name": "m"},
        [Output("label", "BYTES", words, binary=True), Output("p", "FP64", numbers, binary=True)],
    )
    assert size is not None
    head = msgspec.json.decode(body[:size])
    sizes = [output["parameters"]["binary_data_size"] for output in head["outputs"]]
    assert sizes == [4 + 3 + 4 + 3, 32]
    assert body[size : size + 14] == b"\3\0\0\0yes\3\0\0\0n\xc3\xa9"
    assert np.frombuffer(body[size + 14 :]).tolist() == [0.25, 0.75, 1.0, 0.0]
    plain, none = write({}, [Output("p", "FP64", numbers)])
    assert none is None
    assert msgspec.json.decode(plain)["outputs"][0] == {
        "name": "p", "datatype": "FP64", "shape": [2, 2], "data": [0.25, 0.75, 1.0, 0.0],
    }  # fmt: skip


def get(path: str, *, ready: bool) -> Response:
    server = Server().serve(servable())
    state = State(
        models=server.models, tally=server.board.tally(0), access=Access(anyone=True), ready=ready
    )
    found: list[Response] = []
    App(state)(Request("GET", path, "", {}, b"", 0.0), found.append)
    return found[0]


def test_a_server_that_drains_is_live_and_not_ready() -> None:
    for path in ("/v2/health/ready", "/v2/models/orders/ready"):
        assert get(path, ready=True).status == 200
        response = get(path, ready=False)
        assert response.status == 503
        assert codes(response) == ["SERVE-NOT-READY"]
    assert get("/v2/health/live", ready=False).status == 200


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_answer_is_that_of_predict(task: str) -> None:
    server, row = Server().serve(servable(task)), dict(servable(task).example)
    tensors = [{"name": n, "datatype": "BYTES", "shape": [2], "data": [str(c).lower()] * 2}
               for n, c in row.items() if n != "region"]  # fmt: skip
    tensors.append(
        {"name": "region", "datatype": "BYTES", "shape": [2], "data": [row["region"]] * 2}
    )
    (rows,) = server.ask(post({"rows": [row, row]}))
    (answer,) = server.ask(post({"inputs": tensors}, "/v2/models/orders/infer"))
    assert answer.status == 200, answer.body
    (one, _), outputs = said(rows)["predictions"], said(answer)["outputs"]
    wanted = list(one["probabilities"].values()) * 2 if "label" in one else [one["low"]] * 2
    assert outputs[1]["data"] == pytest.approx(wanted, abs=1e-12)
    assert len(server.log.rows) + len(server.log.tables) >= 2


def test_what_cannot_be_said_in_tensors_is_a_fault_and_not_silence(monkeypatch: Any) -> None:
    def broken(*_: Any) -> Response:
        raise KeyError("label")

    monkeypatch.setattr("assay.serve.routes.v2._restated", broken)
    inputs = [{"name": "age", "datatype": "FP64", "shape": [1], "data": [30.0]}]
    server = Server().serve(absent="warn")
    (response,) = server.ask(post({"inputs": inputs}, path="/v2/models/orders/infer"))
    assert (response.status, codes(response)) == (500, ["SERVE-INTERNAL"])


def test_more_tensors_than_any_model_has_columns_are_refused() -> None:
    one = {"name": "age", "datatype": "FP64", "shape": [1], "data": [30.0]}
    request = post({"inputs": [one] * 20_001}, path="/v2/models/orders/infer")
    (response,) = Server().serve().ask(request)
    assert (response.status, codes(response)) == (400, ["SERVE-TENSORS"])
