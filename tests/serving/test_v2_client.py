"""The Open Inference Protocol v2, asked by a public client and by hand, of a real server."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from shop import ROWS, Serving, Shop, Start
from tritonclient.utils import InferenceServerException

KINDS: dict[str, Any] = {"FP64": np.float64, "BOOL": np.bool_, "BYTES": np.object_}


@pytest.fixture(scope="module")
def client(served: Serving) -> Iterator[triton.InferenceServerClient]:
    asking = triton.InferenceServerClient(served.url.removeprefix("http://"))
    yield asking
    asking.close()


def tensors(
    client: triton.InferenceServerClient, model: str, rows: list[dict[str, Any]], *, binary: bool
) -> list[triton.InferInput]:
    """One tensor for each input that the model's metadata name."""
    found = []
    for place, told in enumerate(client.get_model_metadata(model)["inputs"]):
        kind = told["datatype"]
        cells = [row[told["name"]] for row in rows]
        gone = {"FP64": float("nan"), "BYTES": ""}.get(kind)
        array = np.array([gone if cell is None else cell for cell in cells], dtype=KINDS[kind])
        shape = [len(rows), 1] if place % 2 else [len(rows)]  # both are allowed
        tensor = triton.InferInput(told["name"], shape, kind)
        # plain JSON has no NaN
        tensor.set_data_from_numpy(array.reshape(shape), binary_data=binary)
        found.append(tensor)
    return found


def full(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if None not in row.values()]


def test_health_and_metadata(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert client.is_model_ready("churny")
    assert client.is_model_ready("churny", "2")
    assert not client.is_model_ready("churny", "77")
    assert not client.is_model_ready("nobody")
    told = client.get_model_metadata("churny", "2")
    assert (told["name"], told["versions"], told["platform"]) == ("churny", ["2"], "assay")
    assert [(i["name"], i["datatype"], i["shape"]) for i in told["inputs"]] == [
        ("fee", "FP64", [-1]), ("visits", "FP64", [-1]), ("region", "BYTES", [-1]),
        ("member", "BOOL", [-1]),
    ]  # fmt: skip
    assert [output["name"] for output in told["outputs"]] == ["label", "probabilities"]
    assert told["outputs"][1]["shape"] == [-1, 2]
    assert [o["name"] for o in client.get_model_metadata("pricy")["outputs"]] == [
        "value", "low", "high",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 7, 100], ids="{} rows".format)
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_tensors_are_answered_as_rows_are(
    client: triton.InferenceServerClient, served: Serving, count: int, binary: bool
) -> None:
    rows = (ROWS if binary else full(ROWS))[:count]
    expected = served.client().predict(*rows)
    assert expected["model"] == "churny@2"
    result = client.infer("churny", tensors(client, "churny", rows, binary=binary))
    labels = [label.decode() for label in result.as_numpy("label")]
    assert labels == [one["label"] for one in expected["predictions"]]
    chances = [list(one["probabilities"].values()) for one in expected["predictions"]]
    assert result.as_numpy("probabilities").shape == (count, 2)
    np.testing.assert_allclose(result.as_numpy("probabilities"), chances, rtol=0, atol=1e-12)
    assert result.get_response()["model_version"] == "2"


def test_numbers_have_an_interval_and_outputs_can_be_chosen(
    client: triton.InferenceServerClient, served: Serving
) -> None:
    rows = ROWS[:3]
    expected = served.client().predict(*rows, path="/models/pricy/predict")["predictions"]
    wanted = [
        triton.InferRequestedOutput("high", binary_data=False),
        triton.InferRequestedOutput("value", binary_data=True),
    ]
    inputs = tensors(client, "pricy", rows, binary=True)
    result = client.infer("pricy", inputs, outputs=wanted, request_id="mine", model_version="1")
    answer = result.get_response()
    assert answer["id"] == "mine"
    assert [output["name"] for output in answer["outputs"]] == ["high", "value"]
    assert "data" in answer["outputs"][0]
    assert answer["outputs"][1]["parameters"] == {"binary_data_size": 24}
    for name in ("high", "value"):
        np.testing.assert_allclose(result.as_numpy(name), [one[name] for one in expected])
    assert result.as_numpy("low") is None


def test_errors_reach_the_client_in_its_own_words(client: triton.InferenceServerClient) -> None:
    inputs = tensors(client, "churny", full(ROWS)[:2], binary=True)
    with pytest.raises(InferenceServerException, match="fee: a column that the mod") as raised:
        client.infer("churny", inputs[1:])
    assert raised.value.status() == "422"
    with pytest.raises(InferenceServerException, match="no model called nobody"):
        client.infer("nobody", inputs)
    with pytest.raises(InferenceServerException, match="no such output"):
        client.infer("churny", inputs, outputs=[triton.InferRequestedOutput("score")])


def row_of(**changed: Any) -> dict[str, Any]:
    """A request for one row, in JSON."""
    cells = {"fee": 50.0, "visits": 5, "region": "west", "member": True}
    kinds = {"fee": "FP64", "visits": "INT64", "region": "BYTES", "member": "BOOL"}
    inputs = [
        {"name": name, "datatype": kinds[name], "shape": [1], "data": [cell]}
        for name, cell in cells.items()
    ]
    return {"inputs": inputs} | changed


def test_integers_nulls_and_warnings(served: Serving) -> None:
    body = row_of(id="7")
    body["inputs"][0]["data"], body["inputs"][2]["data"] = [None], [None]
    body["inputs"][1] = {"name": "visits", "datatype": "INT64", "shape": [1, 1], "data": [[999]]}
    answer = served.client().post("/v2/models/churny/infer", body).json
    assert answer["id"] == "7"
    assert "visits" in answer["parameters"]["warnings"]
    expected = served.client().predict({"fee": None, "visits": 999, "region": "", "member": True})
    assert answer["outputs"][0]["data"] == [expected["predictions"][0]["label"]]
    assert answer["parameters"]["request"]


def test_an_infinite_number_stays_one(served: Serving) -> None:
    names = ["fee", "visits", "region", "member"]
    parts = [struct.pack("<d", float("inf")), struct.pack("<q", 5), b"\4\0\0\0west", b"\1"]
    kinds = ["FP64", "INT64", "BYTES", "BOOL"]
    inputs = [
        {"name": n, "datatype": k, "shape": [1], "parameters": {"binary_data_size": len(p)}}
        for n, k, p in zip(names, kinds, parts, strict=True)
    ]
    head = json.dumps({"inputs": inputs}).encode()
    answer = served.client().post(
        "/v2/models/churny/infer", head + b"".join(parts),
        inference_header_content_length=str(len(head)), content_type="application/octet-stream",
    )  # fmt: skip
    assert answer.status == 200
    assert "fee" in answer.json["parameters"]["warnings"]


def _first(**changed: Any) -> dict[str, Any]:
    body = row_of()
    body["inputs"][0] |= changed
    return body


BROKEN: dict[str, tuple[int, Any]] = {
    "not JSON": (400, b"{"),
    "not an object": (400, [1]),
    "no inputs": (400, {}),
    "nothing in inputs": (400, {"inputs": []}),
    "unknown datatype": (400, _first(datatype="FP63")),
    "shape of other data": (400, _first(shape=[2])),
    "three dimensions": (400, _first(shape=[1, 1, 1])),
    "negative shape": (400, _first(shape=[-1])),
    "no data": (400, _first(data=[])),
    "ragged data": (400, _first(shape=[3], data=[[1.0], [1.0, 2.0]])),
    "text in a number": (400, _first(data=["x"])),
    "boolean in a number": (400, _first(data=[True])),
    "too large a number": (400, _first(datatype="INT64", data=[2**70])),
    "binary size beyond the body": (400, _first(data=None, parameters={"binary_data_size": 8})),
    "binary size of no number": (400, _first(data=None, parameters={"binary_data_size": "8"})),
    "a name twice": (400, _first(name="visits")),
    "rows that differ": (400, _first(shape=[2], data=[1.0, 2.0])),
    "a matrix for columns of text": (400, {"inputs": [
        {"name": "x", "datatype": "FP64", "shape": [1, 4], "data": [1.0, 2.0, 3.0, 4.0]}]}),
    "an unknown column is a missing one": (422, _first(name="cost")),
    "too many rows": (413, _first(shape=[10_001], data=[1.0] * 10_001)),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_request_is_told_what_is_wrong(served: Serving, name: str) -> None:
    status, body = BROKEN[name]
    answer = served.client().post("/v2/models/churny/infer", body)
    assert answer.status == status, answer.body
    assert answer.json["error"]
    assert answer.codes[0] in ("SERVE-TENSORS", "SERVE-ABSENT-COLUMN", "SERVE-TOO-MANY-ROWS")


@pytest.mark.parametrize(
    ("length", "rest"),
    [("99999", b""), ("-1", b""), ("x", b""), ("", b""), (None, b"more"), (None, b"\0")],
)
def test_a_wrong_length_of_the_json_is_refused(
    served: Serving, length: str | None, rest: bytes
) -> None:
    body = json.dumps(row_of()).encode()
    size = str(len(body)) if length is None else length
    answer = served.client().post(
        "/v2/models/churny/infer", body + rest, inference_header_content_length=size
    )
    assert answer.status == 400
    assert answer.codes == ["SERVE-TENSORS"]


def test_text_that_is_no_utf8_is_refused(served: Serving) -> None:
    body = row_of()
    for cells in (b"\1\0\0\0\xff", b"\xff\xff\xff\xff", b"\1\0"):
        size = {"binary_data_size": len(cells)}
        body["inputs"][2] = {
            "name": "region", "datatype": "BYTES", "shape": [1], "parameters": size,
        }  # fmt: skip
        head = json.dumps(body).encode()
        answer = served.client().post(
            "/v2/models/churny/infer", head + cells, inference_header_content_length=str(len(head))
        )
        assert answer.codes == ["SERVE-TENSORS"]


def test_a_client_without_a_token_is_told_so_in_its_own_words(server: Start, store: Shop) -> None:
    store.assay("token", "someone", "--scope", "predict")
    serving = server("churny", "--workers", "1")
    client = triton.InferenceServerClient(serving.url.removeprefix("http://"))
    assert client.is_server_live()
    with pytest.raises(InferenceServerException, match="token") as raised:
        client.get_model_metadata("churny")
    assert raised.value.status() == "401"
    assert "decoding" not in raised.value.message()
    client.close()
