"""What a client says of an answer later on: checked, kept, and counted for the right version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from log_material import NUMBER, SIGNATURE, add

from assay.kernel.family import Predictions
from assay.records.deployment import Arm, Deployment
from assay.records.spec import ServeSection
from assay.serve.access import Access
from assay.serve.app import App
from assay.serve.http.message import Request
from assay.serve.lane import Lane
from assay.serve.log.reader import joined, read_feedback
from assay.serve.log.writer import PredictionLog
from assay.serve.models import Models
from assay.serve.processes.board import Board
from assay.serve.state import State


@dataclass
class Even:
    """A model for which every class is as likely, and every number 0."""

    name: str
    version: int
    signature: object
    digest: str = ""
    example: object = None

    def read(self, row):
        return None

    def rows(self, cells):
        count = len(self.signature.classes)
        values = np.full((len(cells), count), 1 / count) if count else np.zeros(len(cells))
        return Predictions(values, self.signature.classes)


@dataclass
class Server:
    """The routes of a worker without its sockets; `asked` are the responses."""

    app: App
    state: State
    board: Board

    def post(self, document, path="/feedback"):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        responses = []
        self.app(Request("POST", path, "", {}, body, 0.0), responses.append)
        (response,) = responses
        return response.status, json.loads(response.body), dict(response.headers)


def serving(folder, signature=SIGNATURE, versions=(1,), sticky="", **settings):
    """Return a server of `churn`, every version with a share."""
    board = Board.create(1)
    section = ServeSection(flush=60.0, **settings)
    log = PredictionLog(folder, 0)
    lanes = {}
    for slot, version in enumerate(versions):
        lanes["churn", version] = Lane(Even("churn", version, signature), slot, section)
        if section.log:
            log.open("churn", version, signature, section)
    models = Models()
    share = 1 / len(versions)
    arms = tuple(Arm(version=version, package="", share=share) for version in versions)
    models.install([Deployment(model="churn", arms=arms, sticky=sticky)], lanes)
    state = State(
        models=models, tally=board.tally(0), access=Access(anyone=True), log=log, board=board
    )
    return Server(App(state), state, board)


@pytest.fixture
def server(tmp_path):
    made = serving(tmp_path)
    yield made
    made.state.log.close()


def kept(server, folder):
    server.state.log.flush()
    return read_feedback(folder, "churn").collect()


def test_a_label_is_kept_and_joined(server, tmp_path):
    add(server.state.log, "r-1")
    told = {"request": "r-1", "label": "yes", "at": "2026-11-22T08:00:00"}
    assert server.post(told)[:2] == (202, {"accepted": 1})
    (row,) = kept(server, tmp_path).to_dicts()
    assert (row["request"], row["row"], row["label"]) == ("r-1", 0, "yes")
    assert row["observed"] == datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert joined(tmp_path, "churn").collect()["truth"].to_list() == ["yes"]


def test_several_come_in_a_list_and_by_the_name_of_the_model(server, tmp_path):
    several = [{"request": f"r-{i}", "label": "no", "row": i, "at": 1.8e9 + i} for i in range(3)]
    found = server.post({"feedback": several}, "/models/churn@1/feedback")
    assert found[:2] == (202, {"accepted": 3})
    assert kept(server, tmp_path)["row"].to_list() == [0, 1, 2]
    assert server.post({"feedback": []})[:2] == (202, {"accepted": 0})


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"request": "r", "label": "maybe"}, "feedback 1, label"),
        ({"request": "r", "label": None}, "feedback 1"),
        ({"request": "r", "label": ["yes"]}, "feedback 1, label"),
        ({"request": "r", "label": "yes", "value": 1.0}, "feedback 1"),
        ({"request": "r", "value": 1.0}, "feedback 1"),
        ({"request": "r", "metric": "revenue", "label": "yes"}, "feedback 1"),
        ({"request": "r", "metric": "revenue", "value": "12"}, "feedback 1, value"),
        ({"request": "r", "metric": "revenue", "value": True}, "feedback 1, value"),
        ({"request": "r", "metric": "", "value": 1.0}, "feedback 1, metric"),
        ({"request": "r", "metric": "revenue\0", "value": 1.0}, "feedback 1, metric"),
        ({"label": "yes"}, "feedback 1, request"),
        ({"request": "x" * 65, "label": "yes"}, "feedback 1, request"),
        ({"request": 5, "label": "yes"}, "feedback 1, request"),
        ({"request": "r", "label": "yes", "row": -1}, "feedback 1, row"),
        ({"request": "r", "label": "yes", "row": 1.5}, "feedback 1, row"),
        ({"request": "r", "label": "yes", "row": 2**40}, "feedback 1, row"),
        ({"request": "r", "label": "yes", "at": "yesterday"}, "feedback 1, at"),
        ({"request": "r", "label": "yes", "at": 1e300}, "feedback 1, at"),
        ({"request": "r", "label": "yes", "when": 1}, "feedback 1"),
        ([], "feedback 1"),
        ("yes", "feedback 1"),
    ],
)
def test_what_does_not_fit_is_refused(server, tmp_path, document, where):
    status, answer, _ = server.post(document)
    assert status == 422
    assert answer["errors"][0]["code"] == "SERVE-FEEDBACK"
    assert answer["errors"][0]["where"] == where
    assert kept(server, tmp_path).is_empty()


def test_all_that_does_not_fit_is_named_and_nothing_is_kept(server, tmp_path):
    good, bad = {"request": "r", "label": "yes"}, {"request": "r", "label": "maybe"}
    status, answer, _ = server.post({"feedback": [good, bad, good, bad]})
    assert status == 422
    assert [e["where"] for e in answer["errors"]] == ["feedback 2, label", "feedback 4, label"]
    assert kept(server, tmp_path).is_empty()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5000, b'{"a": NaN}'])
def test_what_is_no_json_is_refused(server, body):
    status, answer, _ = server.post(body)
    assert status == 400
    assert answer["errors"][0]["code"] == "SERVE-MALFORMED"


@pytest.mark.parametrize(
    ("labels", "classes", "given", "expected"),
    [
        ("integer", ("0", "1"), 1, "1"),
        ("integer", ("0", "1"), 1.0, "1"),
        ("integer", ("0", "1"), "1", "1"),
        ("boolean", ("false", "true"), True, "true"),
        ("boolean", ("false", "true"), "True", "true"),
        ("text", ("no", "yes"), " yes ", "yes"),
    ],
)
def test_a_label_is_read_as_training_read_it(tmp_path, labels, classes, given, expected):
    signature = SIGNATURE.__class__(
        family="test@1", task="binary", target="t", inputs=SIGNATURE.inputs, classes=classes,
        labels=labels,
    )  # fmt: skip
    server = serving(tmp_path, signature)
    assert server.post({"request": "r", "label": given})[0] == 202
    assert kept(server, tmp_path)["label"].to_list() == [expected]
    server.state.log.close()


def test_the_truth_about_a_number_is_a_finite_one(tmp_path):
    server = serving(tmp_path, NUMBER)
    assert server.post({"request": "r", "value": 12})[0] == 202
    assert server.post({"request": "r", "value": "inf"})[0] == 422
    assert server.post(b'{"request": "r", "value": 1e999}')[0] in (400, 422)
    assert server.post({"request": "r", "label": "yes"})[0] == 422
    assert kept(server, tmp_path)["value"].to_list() == [12.0]
    server.state.log.close()


def fed(server):
    slots = {0: ("churn", 1), 1: ("churn", 2)}
    return [traffic.fed for traffic in server.board.traffic(slots)]


def test_a_number_counts_for_the_version_that_answered(tmp_path):
    server = serving(tmp_path, versions=(1, 2), sticky="customer")
    add(server.state.log, "one", version=1)
    add(server.state.log, "two", version=2)
    for request, value in (("one", 2.0), ("two", 3.0), ("two", 4.0), ("elsewhere", 9.0)):
        told = {"request": request, "metric": "revenue", "value": value}
        assert server.post(told)[0] == 202
    assert fed(server) == [{"revenue": (1.0, 2.0, 4.0)}, {"revenue": (2.0, 7.0, 25.0)}]
    told = {"request": "elsewhere", "metric": "revenue", "value": 9.0}
    server.post(told, "/models/churn@2/feedback")
    assert fed(server)[1] == {"revenue": (3.0, 16.0, 106.0)}
    assert kept(server, tmp_path).height == 5
    server.state.log.close()


def test_an_id_tells_the_version_on_any_worker_unless_requests_stick_to_a_column(tmp_path):
    server = serving(tmp_path, versions=(1, 2))
    live = server.state.models.live("churn")
    expected = {1: 0.0, 2: 0.0}
    for number in range(40):
        request = f"asked-elsewhere-{number}"
        expected[live.arm_of(request).version] += 1
        server.post({"request": request, "metric": "revenue", "value": 1.0})
    assert [traffic["revenue"][0] for traffic in fed(server)] == [expected[1], expected[2]]
    assert all(expected.values())
    server.state.log.close()


def test_without_a_log_feedback_is_not_taken(tmp_path):
    server = serving(tmp_path, log=False)
    status, answer, _ = server.post({"request": "r", "label": "yes"})
    assert (status, answer["errors"][0]["code"]) == (409, "SERVE-LOG-OFF")
    server.state.log.close()


def test_when_the_log_is_full_feedback_is_to_come_again(server, tmp_path):
    server.state.log.full = True
    status, answer, headers = server.post({"request": "r", "label": "yes"})
    assert (status, answer["errors"][0]["code"]) == (503, "SERVE-LOG-FULL")
    assert headers[b"retry-after"] == b"30"


def test_one_request_brings_no_more_than_the_file_allows(tmp_path):
    server = serving(tmp_path, rows=2)
    one = {"request": "r", "label": "yes"}
    assert server.post({"feedback": [one] * 2})[0] == 202
    status, answer, _ = server.post({"feedback": [one] * 3})
    assert (status, answer["errors"][0]["code"]) == (413, "SERVE-TOO-MANY-ROWS")
    server.state.log.close()


def test_a_model_that_is_not_served_is_not_found(server):
    assert server.post({"request": "r", "label": "yes"}, "/models/nobody/feedback")[0] == 404
