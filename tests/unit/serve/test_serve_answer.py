"""POST /predict: every form of rows in, every form of answers out, each the answer of `predict`."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
import pytest
from asking import STREAM, Server, answered, codes, orders, post, rows_of, said, same, servable

from assay.errors import DataError
from assay.kernel.family import Predictions
from assay.lifecycle.serving.servable import PackageServable
from assay.records.deployment import Arm, Deployment

FRAME = orders(120, seed=1)
ROWS = rows_of(FRAME)
TASKS = ("binary", "multiclass", "regression")


def as_bytes(frame: pl.DataFrame, kind: str) -> bytes:
    out = BytesIO()
    {"csv": frame.write_csv, "stream": frame.write_ipc_stream, "file": frame.write_ipc}[kind](out)
    return out.getvalue()


def bodies() -> list[tuple[str, bytes | dict[str, Any], str]]:
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    return [
        ("rows", {"rows": ROWS}, "application/json"),
        ("few rows", {"rows": ROWS[:9]}, "application/json; charset=utf-8"),
        ("columns", {"columns": columns}, "application/json"),
        ("csv", as_bytes(FRAME, "csv"), "text/csv"),
        ("stream", as_bytes(FRAME, "stream"), STREAM),
        ("file", as_bytes(FRAME, "file"), "application/vnd.apache.arrow.file"),
    ]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("name", "body", "kind"), bodies(), ids=[b[0] for b in bodies()])
def test_every_form_of_rows_gets_the_answers_of_predict(task, name, body, kind):
    model = servable(task)
    (response,) = Server().serve(model).ask(post(body, kind=kind))
    assert response.status == 200, response.body
    content = said(response)
    assert content["model"] == "orders@1"
    wanted = answered(model, FRAME)[: len(content["predictions"])]
    assert len(content["predictions"]) in (9, 120)
    assert all(map(same, content["predictions"], wanted))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["boosting", "linear"])
def test_one_row_is_answered_to_the_last_bit_as_a_frame_of_it(task, kind):
    if (task, kind) == ("regression", "linear"):
        kind = "boosting"
    model = servable(task, kind=kind)
    server = Server().serve(model, batch="never")
    for place, row in enumerate(ROWS[:20]):
        (response,) = server.ask(post(row))
        (found,) = said(response)["predictions"]
        (wanted,) = answered(model, FRAME[place : place + 1])
        assert same(found, wanted, close=0.0)


@pytest.mark.parametrize("accept", ["text/csv", STREAM, "application/vnd.apache.arrow.file"])
@pytest.mark.parametrize("rows", [1, 120])
def test_answers_come_as_a_table_where_one_is_asked_for(accept, rows):
    model = servable()
    request = post(
        {"rows": ROWS[:rows]}, accept=f"text/html;q=0.1, {accept}; q=1", x_request_id="r"
    )
    (response,) = Server().serve(model, outside="ignore").ask(request)
    assert response.type == accept.encode()
    read = {"text/csv": pl.read_csv, STREAM: pl.read_ipc_stream}.get(accept, pl.read_ipc)
    table = read(BytesIO(response.body))
    wanted = pl.DataFrame(answered(model, FRAME[:rows]))
    assert table.columns == wanted.columns
    assert table["prediction"].to_list() == wanted["prediction"].to_list()
    assert np.allclose(table["probability_yes"], wanted["probability_yes"], rtol=0, atol=1e-12)
    headers = dict(response.headers)
    assert headers[b"x-assay-model"] == b"orders@1"
    assert headers[b"x-assay-warnings"] == b"0"
    assert headers[b"x-request-id"] == b"r"


@pytest.mark.parametrize("body", [{"rows": []}, {"columns": {name: [] for name in ROWS[0]}}])
def test_no_rows_get_no_answers(body):
    (response,) = Server().serve().ask(post(body))
    assert said(response)["predictions"] == []


def test_a_row_may_be_sent_bare_and_numbers_are_told_to_the_last_digit():
    model = servable("regression")
    (response,) = Server().serve(model).ask(post(ROWS[0]))
    (found,) = said(response)["predictions"]
    cells = model.read(ROWS[0])
    assert cells is not None
    assert found["value"] == model.rows([cells]).values[0]
    assert (found["low"], found["high"]) == (found["value"] - 20, found["value"] + 20)


def test_more_rows_than_the_file_allows_are_refused():
    server = Server().serve(rows=5)
    for rows in (6, 120):
        (response,) = server.ask(post({"rows": ROWS[:rows]}))
        assert (response.status, codes(response)) == (413, ["SERVE-TOO-MANY-ROWS"])
    (response,) = server.ask(post(as_bytes(FRAME, "csv"), kind="text/csv"))
    assert response.status == 413


def test_a_cell_that_cannot_be_read_is_refused_with_row_and_column():
    for rows in (3, 100):
        sent = [dict(row) for row in ROWS[:rows]]
        sent[2]["age"] = "old"
        (response,) = Server().serve().ask(post({"rows": sent}))
        assert response.status == 422
        (error,) = said(response)["errors"]
        assert error["code"] == "DATA-CELL-TYPE"
        assert error["where"] == "column age, row 3"
        assert error["got"] == "old"


@pytest.mark.parametrize("cell", [[1, 2], {"a": 1}, [[]], [None]])
def test_a_cell_with_more_than_one_value_is_refused(cell):
    (response,) = Server().serve().ask(post(ROWS[0] | {"age": cell}))
    assert response.status in (400, 422)
    assert codes(response)


def test_spellings_that_training_knew_are_read_alike():
    odd = ROWS[0] | {"age": " 1,234 ", "member": "YES", "region": " west ", "fee": "n/a"}
    plain = ROWS[0] | {"age": 1234.0, "member": True, "region": "west", "fee": None}
    answers = Server().serve(outside="ignore").ask(post(odd), post(plain))
    first, second = (said(answer)["predictions"] for answer in answers)
    assert first == second


def test_what_is_answered_is_logged_and_counted():
    server = Server().serve()
    one, few, many = server.ask(
        post(ROWS[0], x_request_id="one"),
        post({"rows": ROWS[:3]}, x_request_id="few"),
        post({"rows": ROWS}, x_request_id="many"),
    )
    assert [row[0] for row in server.log.rows] == ["one", "few", "few", "few"]
    request, at, model, version, cells, values, micros, code, place, warned, shadow = (
        server.log.rows[2]
    )
    assert (model, version, place, warned, shadow) == ("orders", 1, 1, False, False)
    assert cells == servable().read(ROWS[1])
    assert micros > 0
    assert at > 1e9
    assert list(values) == list(said(few)["predictions"][1]["probabilities"].values())
    assert ["no", "yes"][code] == said(few)["predictions"][1]["label"]
    ((request, _, _, _, frame, values, _, codes_, _, _),) = server.log.tables
    assert request == "many"
    assert frame.height == len(values) == len(codes_) == 120
    traffic = server.traffic()
    assert (traffic.requests, traffic.rows, traffic.failed) == (3, 124, 0)
    labels = [p["label"] for a in (one, few, many) for p in said(a)["predictions"]]
    assert traffic.answers[:2] == (labels.count("no"), labels.count("yes"))
    assert sum(traffic.latency) == 3


def test_numbers_are_counted_in_bins_that_all_arms_share():
    first, second = servable("regression"), servable("regression", version=2)
    arms = tuple(Arm(version=version, package="", share=0.5) for version in (1, 2))
    both = Deployment(model="orders", arms=arms)
    server = Server().serve(first, second, deployment=both)
    lanes = server.models.lanes()
    assert lanes[0].answers.edges == lanes[1].answers.edges
    (response,) = server.ask(post({"rows": ROWS}, path="/models/orders@2/predict"))
    values = [p["value"] for p in said(response)["predictions"]]
    counts = server.traffic(2, slot=1).answers
    assert sum(counts) == 120
    assert sum(1 for count in counts if count) > 3
    assert counts == tuple(np.bincount(np.digitize(values, lanes[0].answers.edges), minlength=64))


def test_the_log_can_be_off():
    server = Server().serve(log=False)
    server.ask(post(ROWS[0]), post({"rows": ROWS}))
    assert server.log.rows == server.log.tables == []


class Fragile(PackageServable):
    """Fails for one row, alone or among others."""

    def rows(self, cells: Any) -> Predictions:
        if any(row[0] == 77.0 for row in cells):
            raise RuntimeError("secret detail")
        return super().rows(cells)


def test_a_row_that_fails_fails_nobody_else(capsys):
    fragile = Fragile("orders", 1, servable().package)
    server = Server().serve(fragile, batch="always", outside="ignore")
    requests = [post(row | {"age": 77.0} if i == 4 else row) for i, row in enumerate(ROWS[:10])]
    responses = server.ask(*requests)
    wanted = answered(servable(), FRAME[:10])
    for place, response in enumerate(responses):
        if place == 4:
            assert (response.status, codes(response)) == (500, ["SERVE-INTERNAL"])
            assert b"secret" not in response.body
        else:
            assert same(said(response)["predictions"][0], wanted[place])
    traffic = server.traffic()
    assert (traffic.requests, traffic.failed) == (9, 1)
    assert "secret detail" in capsys.readouterr().err


def test_rows_of_one_turn_are_answered_in_one_call_each_with_its_own():
    server = Server().serve(batch="always")
    responses = server.ask(*(post(row, x_request_id=str(i)) for i, row in enumerate(ROWS[:40])))
    wanted = answered(servable(), FRAME[:40])
    for place, response in enumerate(responses):
        content = said(response)
        assert content["request"] == str(place)
        assert same(content["predictions"][0], wanted[place])
    assert server.board.batches()[6] == 1  # one batch of 32 to 63 rows
    assert sum(server.board.batches()) == 1


def test_a_model_that_gains_nothing_is_asked_row_by_row():
    server = Server().serve(batch="never")
    server.ask(*(post(row) for row in ROWS[:5]))
    assert server.board.batches()[1] == 5


def test_a_shadow_is_asked_too_and_nobody_hears_it():
    arms = (Arm(version=1, package=""), Arm(version=2, package="", share=0.0, shadow=True))
    server = Server().serve(
        servable(), servable(version=2), deployment=Deployment(model="orders", arms=arms)
    )
    one, many = server.ask(post(ROWS[0]), post({"rows": ROWS}), linger=0.5)
    assert said(one)["model"] == said(many)["model"] == "orders@1"
    assert server.traffic(2, slot=1).rows == 121
    assert [(row[3], row[-1]) for row in server.log.rows][:2] == [(1, False), (2, True)]


def test_a_swap_changes_which_version_answers():
    server = Server().serve(servable())
    (first,) = server.ask(post(ROWS[0]))
    server.serve(servable(version=2))
    (second,) = server.ask(post(ROWS[0]))
    assert [said(r)["model"] for r in (first, second)] == ["orders@1", "orders@2"]
    assert said(first)["predictions"] != said(second)["predictions"]


def test_units_stay_with_their_arm():
    arms = tuple(Arm(version=v, package="", share=0.5) for v in (1, 2))
    deployment = Deployment(model="orders", arms=arms, sticky="region", salt="s")
    server = Server().serve(servable(), servable(version=2), deployment=deployment)
    chosen: dict[str, set[str]] = {}
    for response, row in zip(server.ask(*map(post, ROWS[:60])), ROWS[:60], strict=True):
        chosen.setdefault(str(row["region"]), set()).add(said(response)["model"])
    assert all(len(models) == 1 for models in chosen.values())


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "x"])
def test_a_body_of_another_kind_is_refused(kind):
    (response,) = Server().serve().ask(post(ROWS[0], kind=kind))
    assert (response.status, codes(response)) == (415, ["SERVE-MEDIA-TYPE"])


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded"])
def test_no_kind_of_body_means_json(kind):
    """Without -H, curl says that what it sends is a form."""
    (response,) = Server().serve().ask(post(ROWS[0], kind=kind))
    assert response.status == 200


def test_table_raises_what_it_means():
    with pytest.raises(DataError):
        servable().table([{"age": 1}])


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:1", "http://localhost:1", 200),
        ("[::1]:1", "http://[::1]:1", 200),
        ("localhost:1", "http://evil", 403),
        ("evil:1", "http://evil:1", 403),  # a site whose name has the address of loopback
    ],
)
def test_a_page_of_another_site_may_not_ask(host, origin, status):
    (response,) = Server().serve().ask(post(ROWS[0], host=host, origin=origin))
    assert response.status == status
    assert status == 200 or codes(response) == ["SERVE-ORIGIN"]


def test_what_live_refuses_is_no_fault_of_its_shadow():
    new = Arm(version=2, package="", share=0.0, shadow=True)
    known = Deployment(model="orders", arms=(Arm(version=1, package=""), new), release="r")
    server = Server().serve(servable(), servable(version=2), deployment=known)
    (response,) = server.ask(post(ROWS[0] | {"age": "many"}), linger=0.5)
    assert response.status == 422
    assert server.traffic(2, 1).failed == 0


def test_a_shadow_answers_rows_whose_absent_columns_live_fills():
    new = Arm(version=2, package="", share=0.0, shadow=True)
    known = Deployment(model="orders", arms=(Arm(version=1, package=""), new), release="r")
    server = Server().serve(servable(), servable(version=2), deployment=known, absent="warn")
    row = {name: ROWS[0][name] for name in ROWS[0] if name != "fee"}
    (response,) = server.ask(post(row), linger=0.5)
    assert response.status == 200
    assert (server.traffic(2, 1).failed, server.traffic(2, 1).requests) == (0, 1)


def test_what_is_refused_for_what_it_says_is_counted():
    server = Server().serve()
    server.ask(post(ROWS[0]), post({"rows": [{}]}), post(b"{"))
    assert server.board.gauges()["invalid"] == [2.0]
