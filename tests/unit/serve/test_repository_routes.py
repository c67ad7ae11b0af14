"""What a worker does with requests to load and unload models, before any parent is asked."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from assay.errors import AssayError, UsageError
from assay.serve.access import Access
from assay.serve.http.message import Request, Response
from assay.serve.models import Models
from assay.serve.problems import Rejected
from assay.serve.processes.board import Board
from assay.serve.route import Target
from assay.serve.routes.repository import endpoints
from assay.serve.state import State

Settle = Callable[[AssayError | None], None]


def make(ask: Callable[[str, str, Settle], None] | None = None) -> State:
    board = Board.create(1)
    return State(models=Models(), tally=board.tally(0), access=Access(anyone=True), ask=ask)


def ask(state: State, path: str, body: bytes, target: Target) -> list[Response]:
    """Return the responses that came at once."""
    [found] = [endpoint for endpoint in endpoints(state) if endpoint.path.endswith(path)]
    replies: list[Response] = []
    found.handler(Request("POST", found.path, "", {}, body, 0.0), replies.append, target)
    return replies


def test_the_answer_comes_when_the_parent_has_settled_it() -> None:
    asked: list[tuple[str, str]] = []
    settles: list[Settle] = []

    def parent(action: str, reference: str, settle: Settle) -> None:
        asked.append((action, reference))
        settles.append(settle)

    state = make(parent)
    body = msgspec.json.encode({"parameters": {"version": 3}})
    assert ask(state, "/load", body, Target("churn")) == []
    assert ask(state, "/load", b"", Target("churn", 2)) == []
    assert ask(state, "/unload", b"{}", Target("churn")) == []
    assert asked == [("load", "churn@3"), ("load", "churn@2"), ("unload", "churn")]


@pytest.mark.parametrize(
    ("error", "status"), [(None, 200), (UsageError("MODEL-UNKNOWN", "no such model"), 404)]
)
def test_the_client_is_told_what_came_of_it(error: AssayError | None, status: int) -> None:
    state = make(lambda action, reference, settle: settle(error))
    [response] = ask(state, "/load", b"", Target("churn"))
    assert response.status == status


def test_a_worker_without_a_parent_changes_nothing() -> None:
    with pytest.raises(Rejected) as caught:
        ask(make(), "/load", b"", Target("churn"))
    assert (caught.value.code, caught.value.status) == ("SERVE-ALONE", 409)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"parameters": 1}'])
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        ask(make(), "/load", body, Target("churn"))
    assert (caught.value.code, caught.value.status) == ("SERVE-REPOSITORY", 400)


def test_an_empty_server_lists_nothing() -> None:
    [response] = ask(make(), "/index", b'{"ready": true}', Target())
    assert msgspec.json.decode(response.body) == []
