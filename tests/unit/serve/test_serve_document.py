"""The document of live models: as strict as the project file, for every kind of answer and name."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec
import pytest
from asking import Server, post, said, servable

from assay.records.deployment import Arm, Deployment
from assay.records.spec import ServeSection
from assay.serve.access import Access
from assay.serve.routes import schemas, tensor_schemas
from assay.serve.routes.openapi import document
from assay.serve.state import State

TASKS = ("binary", "multiclass", "regression")


def state(*servables: Any, access: Access | None = None, **section: Any) -> State:
    server = Server().serve(*servables, **section)
    tally = server.board.tally(0)
    return State(models=server.models, tally=tally, access=access or Access(anyone=True))


def resolved(whole: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that can be used by itself."""
    return schema | {"components": whole["components"]}


def body_of(whole: dict[str, Any], path: str, kind: str = "requestBody") -> dict[str, Any]:
    operation = whole["paths"][path]["post"]
    holder = operation["responses"]["200"] if kind == "response" else operation["requestBody"]
    return resolved(whole, holder["content"]["application/json"]["schema"])


@pytest.mark.parametrize("task", TASKS)
def test_the_example_fits_its_schema_and_so_does_its_answer(task: str) -> None:
    whole = document(state(servable(task)))
    server = Server().serve(servable(task))
    for path in ("/predict", "/models/orders/explain", "/v2/models/orders/infer"):
        content = whole["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        jsonschema.validate(content["example"], body_of(whole, path))
        (response,) = server.ask(post(content["example"], path))
        assert response.status == 200, response.body
        answer = said(response)
        jsonschema.validate(answer, body_of(whole, path, "response"))
        assert not answer.get("warnings")


@pytest.mark.parametrize(
    ("section", "row", "fits"),
    [
        ({}, {"age": 1e9}, True),
        ({"outside": "error"}, {"age": 1e9}, False),
        ({}, {"region": "nowhere"}, True),
        ({"unseen": "error"}, {"region": "nowhere"}, False),
        ({"unseen": "error"}, {"region": None}, True),
        ({}, {"more": 1}, True),
        ({"unknown": "error"}, {"more": 1}, False),
        ({}, {"age": ...}, False),
        ({"absent": "warn"}, {"age": ...}, True),
        ({}, {"member": "maybe"}, False),
    ],
)
def test_a_schema_is_as_strict_as_the_project_file(
    section: dict[str, Any], row: dict[str, Any], fits: bool
) -> None:
    example = dict(servable().example) | row
    example = {name: cell for name, cell in example.items() if cell is not ...}
    whole = document(state(servable(), **section))
    valid = jsonschema.Draft202012Validator(body_of(whole, "/predict")).is_valid
    columns = {name: [cell] for name, cell in example.items()}
    for body in ({"rows": [example]}, example, {"columns": columns}):
        assert valid(body) is fits, body
        (response,) = Server().serve(servable(), **section).ask(post(body))
        assert (response.status == 200) is fits, response.body


def test_a_category_of_which_some_are_not_listed_is_no_closed_list() -> None:
    one = servable().signature.inputs[2]
    assert one.type == "category"
    section = ServeSection(unseen="error")
    assert schemas.cell(one, section)["enum"] == [*one.categories, None]
    assert "enum" not in schemas.cell(msgspec.structs.replace(one, more=True), section)


@pytest.mark.parametrize(
    ("labels", "classes", "wanted"),
    [
        ("text", ("0", "1"), ["0", "1"]),
        ("integer", ("0", "1"), [0, 1]),
        ("boolean", ("false", "true"), [False, True]),
    ],
)
def test_labels_are_those_that_are_answered(
    labels: Any, classes: tuple[str, ...], wanted: list[Any]
) -> None:
    signature = msgspec.structs.replace(servable().signature, labels=labels, classes=classes)
    assert schemas.label(signature) == {"enum": wanted}


def test_security_stands_only_where_tokens_are_asked_for() -> None:
    assert document(state())["security"] == []
    guarded = document(state(access=Access()))
    assert guarded["security"] == [{"token": []}]
    assert guarded["paths"]["/"]["get"]["security"] == []
    assert "security" not in guarded["paths"]["/predict"]["post"]


def test_a_name_with_any_letter_has_paths_and_components_of_its_own() -> None:
    odd = servable()
    odd.name = "Öl & Gas {x}"
    whole = document(state(odd))
    path = "/models/%C3%96l%20%26%20Gas%20%7Bx%7D/predict"
    assert path in whole["paths"]
    for key in whole["components"]["schemas"]:
        assert key.isascii()
        assert not set(key) & set(" &{}/#%")
    example = whole["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
    (response,) = Server().serve(odd).ask(post(example, path))
    assert response.status == 200


def test_versions_are_those_that_are_loaded() -> None:
    server = Server().serve(
        servable(), servable(version=2),
        deployment=Deployment(
            model="orders",
            arms=(Arm(version=1, package="", share=0.9), Arm(version=2, package="", share=0.1)),
        ),
    )  # fmt: skip
    tally, access = server.board.tally(0), Access(anyone=True)
    whole = document(State(models=server.models, tally=tally, access=access))
    (version,) = whole["paths"]["/v2/models/orders/versions/{version}/infer"]["parameters"]
    assert version["schema"] == {"enum": ["1", "2"]}
    assert whole["info"]["version"] == "orders@1 orders@2"


def test_metadata_of_tensors_name_every_column() -> None:
    signature = servable().signature
    assert [(i["name"], i["datatype"]) for i in tensor_schemas.inputs(signature)] == [
        ("age", "FP64"), ("fee", "FP64"), ("region", "BYTES"), ("member", "BOOL"),
        ("since", "BYTES"),
    ]  # fmt: skip
