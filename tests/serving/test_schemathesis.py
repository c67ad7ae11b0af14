"""What /openapi.json says against what the server does: with rows that fit, and with all others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from shop import Serving, Shop, Start, launch, wait_ready

EXAMPLES = 60
"""Requests for each operation and way of making them."""

ALWAYS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
"""What holds for every response; rows that do not fit the schema may be read all the same, for the
server reads a number that is spelled as text."""


@pytest.fixture(scope="module")
def patient(trained: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that is never in a hurry, so that it sheds no request on a busy machine."""
    shop = Shop(tmp_path_factory.mktemp("patient") / "shop")
    shutil.copytree(trained.folder, shop.folder)
    serving = launch(shop, "churny", "pricy", "--workers", "1", "--set", "serve.slo=30s")
    wait_ready(serving)
    yield serving
    serving.close()


@pytest.fixture(scope="module")
def document(patient: Serving) -> dict[str, Any]:
    answer = patient.client().get("/openapi.json")
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in ("get", "post")
    ]


def test_the_document_is_one_of_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    ids = [path for _, path, _ in operations(document)]
    assert {"/predict", "/models/churny/explain", "/v2/models/pricy/infer", "/feedback"} <= set(ids)


def test_every_example_is_answered_without_a_warning(
    patient: Serving, document: dict[str, Any]
) -> None:
    client, asked = patient.client(), 0
    for method, path, operation in operations(document):
        if "requestBody" not in operation or "{" in path:
            continue
        example = operation["requestBody"]["content"]["application/json"]["example"]
        answer = client.ask(method, path, example)
        assert answer.status in (200, 202), (path, answer.body)
        assert not answer.json.get("warnings")
        assert "warnings" not in answer.json.get("parameters", {})
        asked += 1
    assert asked == 11


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
def test_the_server_does_what_the_document_says(
    patient: Serving, document: dict[str, Any], mode: GenerationMode
) -> None:
    tried: dict[str, int] = {}
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        if "/repository/models/" in operation.path or (
            mode is GenerationMode.NEGATIVE and not operation.body
        ):
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES if operation.body else 1, deadline=None, database=None,
            derandomize=True, suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def check(case: Case) -> None:
            tried[case.path] = tried.get(case.path, 0) + 1
            level(case)
            response = case.call(base_url=patient.url, timeout=30)
            wanted = list(ALWAYS)
            if mode is GenerationMode.POSITIVE and case.media_type == "application/json":
                wanted.append(checks.positive_data_acceptance)
            case.validate_response(response, checks=wanted)

        check()
    assert tried["/predict"] >= EXAMPLES
    assert tried["/v2/models/pricy/infer"] >= EXAMPLES
    assert "Traceback" not in patient.said


def level(case: Case) -> None:
    """Cut columns to one length, which JSON Schema cannot ask for."""
    columns = case.body.get("columns") if isinstance(case.body, dict) else None
    if isinstance(columns, dict) and all(isinstance(cells, list) for cells in columns.values()):
        least = min(map(len, columns.values()), default=0)
        case.body["columns"] = {name: cells[:least] for name, cells in columns.items()}


def test_paths_ask_for_a_token_as_the_document_says(
    server: Start, store: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = {}
    for scope in ("predict", "feedback"):
        store.assay("token", scope, "--scope", scope, "--json")
        tokens[scope] = json.loads(capsys.readouterr().out.splitlines()[-1])["data"]["token"]
    serving = server("churny", "--workers", "1")
    nobody, asker = serving.client(), serving.client(tokens["predict"])
    assert nobody.get("/openapi.json").status == 401
    document = asker.get("/openapi.json").json
    assert document["security"] == [{"token": []}]
    asked = 0
    for method, path, operation in operations(document):
        path = path.replace("{version}", "2").replace("{model}", "churny")
        body = operation.get("requestBody", {"content": {}})["content"].get("application/json", {})
        answer = nobody.ask(method, path, body.get("example"))
        if operation.get("security") == []:
            assert answer.status == 200, path
            continue
        asked += 1
        assert answer.status == 401, path
        assert answer.codes
        with_token = asker.ask(method, path, body.get("example")).status
        other = path.endswith("/feedback") or "/repository/models/" in path
        assert with_token == (403 if other else 200), path
    assert asked > 10
