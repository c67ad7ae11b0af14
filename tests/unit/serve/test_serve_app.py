"""Routes, methods, tokens, ids of requests, and what errors become."""

from __future__ import annotations

import hashlib
import re

import pytest
from asking import Server, codes, orders, post, rows_of, said, servable

from assay.errors import (
    AssayError,
    DataError,
    Mistakes,
    Refused,
    StoreError,
    Tampered,
    TransientFault,
    UsageError,
)
from assay.serve.access import Access, Token
from assay.serve.http.message import Request
from assay.serve.problems import Rejected, refusal, status_of

ROW = rows_of(orders(1))[0]


def test_a_model_is_found_by_name_and_version():
    server = Server().serve(servable(version=3))
    for path in ("/predict", "/models/orders/predict", "/models/orders@3/predict"):
        (response,) = server.ask(post(ROW, path=path))
        assert said(response)["model"] == "orders@3"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/models/order/predict", "MODEL-UNKNOWN"),
        ("/models/orders@4/predict", "MODEL-NO-VERSION"),
        ("/models/orders@x/predict", "SERVE-NOT-FOUND"),
        ("/models/orders@99999999999999999999/predict", "SERVE-NOT-FOUND"),
        ("/models/%6frders@4/predict", "MODEL-NO-VERSION"),
        ("/models//predict/", "SERVE-NOT-FOUND"),
        ("/nowhere", "SERVE-NOT-FOUND"),
        ("//", "SERVE-NOT-FOUND"),
        ("", "SERVE-NOT-FOUND"),
    ],
)
def test_what_is_not_there_is_not_found(path, code):
    (response,) = Server().serve().ask(post(ROW, path=path))
    assert (response.status, codes(response)) == (404, [code])


def test_no_model_at_all_is_not_found():
    (response,) = Server().ask(post(ROW))
    assert (response.status, codes(response)) == (404, ["MODEL-UNKNOWN"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "WHAT"])
@pytest.mark.parametrize("path", ["/predict", "/models/orders/predict"])
def test_another_method_is_told_which_one_is_allowed(method, path):
    request = Request(method, path, "", {}, b"", 0.0)
    (response,) = Server().serve().ask(request)
    assert (response.status, codes(response)) == (405, ["SERVE-METHOD"])
    assert dict(response.headers)[b"allow"] == b"POST"


@pytest.mark.parametrize("given", ["a", "A-b_c.d:9", "x" * 64])
def test_a_plain_id_of_the_client_is_kept(given):
    (response,) = Server().serve().ask(post(ROW, x_request_id=given))
    assert said(response)["request"] == given
    assert dict(response.headers)[b"x-request-id"] == given.encode()


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\tb", "ä", '"', "<script>"])
def test_another_id_is_replaced(given):
    (response,) = Server().serve().ask(post(ROW, x_request_id=given))
    assert re.fullmatch(r"[0-9a-f]+-0-[0-9a-f]+", said(response)["request"])


def test_ids_are_made_once():
    server = Server().serve()
    responses = server.ask(*[post(ROW) for _ in range(50)])
    responses += server.ask(*[post(ROW) for _ in range(50)])
    assert len({said(response)["request"] for response in responses}) == 100


def test_errors_carry_the_id_too():
    (response,) = Server().serve().ask(post(b"{", x_request_id="mine"))
    assert dict(response.headers)[b"x-request-id"] == b"mine"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "SERVE-UNAUTHORIZED"),
        ({"authorization": "Bearer reader"}, 403, "SERVE-FORBIDDEN"),
        ({"authorization": "Bearer caller"}, 200, ""),
    ],
)
def test_a_token_has_to_allow_what_is_asked(headers, status, code):
    tokens = [
        Token(name, hashlib.sha256(name.encode()).hexdigest(), (scope,))
        for name, scope in (("caller", "predict"), ("reader", "feedback"))
    ]
    server = Server().serve()
    server.app.state.access = Access(tokens)
    (response,) = server.ask(post(ROW, **headers))
    assert response.status == status
    if code:
        assert codes(response) == [code]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError("A", "a"), 422),
        (UsageError("A", "a"), 400),
        (UsageError("MODEL-UNKNOWN", "a"), 404),
        (Refused("A", "a"), 403),
        (StoreError("A", "a"), 503),
        (TransientFault("A", "a"), 503),
        (Rejected("A", "a").at(409), 409),
        (Tampered("A", "a"), 500),
        (AssayError("A", "a"), 500),
        (Mistakes([DataError("A", "a"), DataError("B", "b")]), 422),
    ],
)
def test_each_kind_of_error_has_its_status(error, status):
    assert status_of(error) == refusal(error).status == status


def test_a_fault_of_ours_is_told_to_nobody_but_standard_error(capsys):
    server = Server().serve()
    server.app.state.access = None  # type: ignore[assignment]
    (response,) = server.ask(post(ROW, x_request_id="here"))
    assert (response.status, codes(response)) == (500, ["SERVE-INTERNAL"])
    assert b"NoneType" not in response.body
    said_here = capsys.readouterr().err
    assert "request here failed" in said_here
    assert "NoneType" in said_here


def test_all_mistakes_are_listed():
    (response,) = Server().serve().ask(post({"age": 1}))
    assert set(codes(response)) == {"SERVE-ABSENT-COLUMN"}
    assert len(codes(response)) == 4
