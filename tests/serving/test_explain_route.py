"""POST /explain of a real server: the form of /predict in, contributions out."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest
from shop import ROWS, Answer, Serving, Shop

from assay.lifecycle.predict import load

COLUMNS = {"fee", "visits", "region", "member"}


def check(explained: dict[str, Any], answered: dict[str, Any]) -> None:
    """The explanation is of the answer, complete, and starts with what matters most."""
    parts = explained["contributions"]
    assert {part["column"] for part in parts} == COLUMNS
    sizes = [abs(part["contribution"]) for part in parts]
    assert sizes == sorted(sizes, reverse=True)
    total = explained["base"] + sum(part["contribution"] for part in parts)
    assert total == pytest.approx(explained["value"], abs=1e-9)
    if "label" in answered:
        assert explained["of"] == answered["label"]
        assert explained["value"] == pytest.approx(answered["probabilities"][answered["label"]])
    else:
        assert explained["of"] is None
        assert explained["value"] == pytest.approx(answered["value"])


@pytest.mark.parametrize("path", ["", "/models/churny", "/models/churny@2", "/models/pricy"])
def test_every_row_is_explained_as_it_is_answered(served: Serving, path: str) -> None:
    client = served.client()
    answered = client.predict(*ROWS[:20], path=f"{path}/predict")
    answer = client.post(f"{path}/explain", {"rows": ROWS[:20]}).json
    assert answer["model"] == answered["model"]
    assert answer["method"].startswith("exact")
    assert answer["request"] not in ("", answered["request"])
    assert answer["warnings"] == answered["warnings"]
    for explained, said in zip(answer["explanations"], answered["predictions"], strict=True):
        check(explained, said)
    for explained, row in zip(answer["explanations"], ROWS, strict=False):
        for part in explained["contributions"]:
            assert part["got"] == row[part["column"]]
            assert part["got"] != part["typical"] or part["contribution"] == 0


def test_rows_columns_csv_and_arrow_say_the_same(served: Serving) -> None:
    client, frame = served.client(), pl.DataFrame(ROWS[:5])
    stream = io.BytesIO()
    frame.write_ipc_stream(stream)
    expected = client.post("/explain", {"rows": ROWS[:5]}).json["explanations"]
    arrow = "application/vnd.apache.arrow.stream"
    for body, kind in (
        ({"columns": frame.to_dict(as_series=False)}, "application/json"),
        (frame.write_csv().encode(), "text/csv"),
        (stream.getvalue(), arrow),
    ):
        answer = client.post("/explain", body, content_type=kind)
        assert answer.status == 200, answer.body
        assert answer.json["explanations"] == expected
    assert client.post("/explain", ROWS[0]).json["explanations"] == expected[:1]


def test_rows_that_do_not_fit_are_refused_as_by_predict(served: Serving) -> None:
    client = served.client()
    odd: list[tuple[Any, int]] = [
        (b"{", 400), ({"rows": 3}, 422), ({"rows": [{"fee": 1}]}, 422),
        ({"rows": [{**ROWS[0], "fee": "many"}]}, 422),
    ]  # fmt: skip
    for body, status in odd:
        explained, answered = client.post("/explain", body), client.post("/predict", body)
        assert explained.status == answered.status == status
        assert explained.codes == answered.codes
    assert client.post("/models/nobody/explain", ROWS[0]).status == 404
    assert client.post("/explain", b"x", content_type="image/png").status == 415


def test_too_many_rows_are_refused(served: Serving) -> None:
    row = served.client().post("/explain", {"rows": [ROWS[0]] * 101})
    assert row.status == 413
    assert row.codes == ["SERVE-EXPLAIN-ROWS"]
    assert served.client().post("/explain", {"rows": [ROWS[0]] * 100}).status == 200
    assert served.client().post("/explain", {"rows": []}).json["explanations"] == []


def test_explanations_that_pile_up_are_refused_and_predictions_go_on(served: Serving) -> None:
    body = {"rows": ROWS[:100]}

    def explain(_: int) -> Answer:
        return served.client().post("/explain", body)

    with ThreadPoolExecutor(40) as pool:
        asked = pool.map(explain, range(80))
        answered = [served.client().predict(row)["predictions"] for row in ROWS[:20]]
        answers = list(asked)
    assert len(answered) == 20
    refused = [answer for answer in answers if answer.status == 503]
    assert refused, "nothing piled up"
    assert {code for answer in refused for code in answer.codes} == {"SERVE-EXPLAIN-BUSY"}
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    whole = [answer.json["explanations"] for answer in answers if answer.status == 200]
    assert whole
    assert all(one == whole[0] for one in whole)


def test_python_says_the_same_in_the_kind_of_frame_it_was_given(
    served: Serving, trained: Shop
) -> None:
    said = served.client().post("/explain", {"rows": ROWS[:5]}).json["explanations"]
    model = load("churny@2", store=trained.store)
    frame = model.explain(pl.DataFrame(ROWS[:5]))
    assert frame["of"].to_list() == [one["of"] for one in said]
    assert model.explain(ROWS[0]) == frame.row(0, named=True)
    assert model.explain(ROWS[:5]) == frame.to_dicts()
    for row, one in zip(frame.to_dicts(), said, strict=True):
        assert (row["base"], row["value"]) == (one["base"], one["value"])
        for part in one["contributions"]:
            assert row[f"contribution_{part['column']}"] == part["contribution"]
    number = load("pricy", store=trained.store).explain(ROWS[0])
    assert "of" not in number
    parts = [part for name, part in number.items() if name.startswith("contribution_")]
    assert number["base"] + sum(parts) == pytest.approx(number["value"])
