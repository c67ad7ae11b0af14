"""The encoder for one row writes the bits that the encoder for frames writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine_cases import FEATURES, table
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from assay.tasks.tabular.encode.encoder import Encoder, fit_encoder
from assay.tasks.tabular.engine.dates import MISSING, calendar
from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.engine.predictor import open_session
from assay.tasks.tabular.engine.single import RowEncoder, date_parts
from assay.tasks.tabular.models.prepare import targeted
from assay.testing.answers import cells_of

ROWS = table().select(FEATURES)
SCHEMA = ROWS.schema
PLAIN = fit_encoder(ROWS, FEATURES, ("review",))
MEANS = targeted(PLAIN, ROWS, np.arange(ROWS.height) % 3, 3, 0)[0]
VIEWS = [(encoder, view) for encoder in (PLAIN, MEANS) for view in ("tree", "linear", "spline")]
ENCODERS = [(encoder, view, RowEncoder(encoder, view, FEATURES)) for encoder, view in VIEWS]

numbers = st.none() | st.floats(allow_nan=False) | st.floats(-3, 3) | st.sampled_from([0.0, -0.0])
words = st.none() | st.sampled_from(["Rome", "Oslo", "Łódź", "level 3", "good", ""]) | st.text()
rows = st.fixed_dictionaries(
    {
        "number": numbers,
        "income": numbers,
        "city": words,
        "member": st.none() | st.booleans(),
        "since": st.none() | st.datetimes(),
        "review": words
        | st.just("good slow bad food, good!")
        | st.lists(
            st.sampled_from(["good", "Bad", "food;", "a_b 1", "\n", "x" * 9]), max_size=40
        ).map(" ".join),
        "constant": numbers,
        "many": words,
    }
)


@settings(max_examples=40, deadline=None)
@given(rows)
def test_every_view_of_any_row(row: dict[str, Any]) -> None:
    frame = pl.DataFrame([row], schema=SCHEMA)
    cells = cells_of(frame, FEATURES)
    for encoder, view, encode in ENCODERS:
        expected = getattr(encoder, view)(frame)
        found = encode(cells)
        assert found.shape == expected.shape
        # a zero may have another sign, which no sum can tell
        assert (found + 0.0).tobytes() == (expected + 0.0).tobytes(), (view, row)


MICROSECONDS = st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-(2**57), 2**57)


@given(st.datetimes(max_value=datetime(8000, 1, 1)))
def test_parts_of_dates_are_those_of_the_calendar(moment: datetime) -> None:
    since = pl.Series([moment]).cast(pl.Int64).item()
    _, *parts = date_parts(since)
    expected = [moment.year, moment.month, moment.day, moment.isoweekday(), moment.hour]
    assert parts == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(MICROSECONDS, min_size=1, max_size=40))
def test_the_plain_file_has_the_same_calendar(moments: list[int]) -> None:
    found = SESSION.run(None, {"moments": np.array([[*moments, MISSING]]).T})[0]
    assert [tuple(row) for row in found[:-1]] == [date_parts(moment) for moment in moments]


def _calendar_session() -> Any:
    graph = Graph()
    moments = graph.column("moments", TensorProto.INT64)
    graph.section = "answer"
    parts = [graph.cast(part, TensorProto.DOUBLE) for part in calendar(graph, moments).tree]
    graph.answer(graph.join(parts), "parts", TensorProto.DOUBLE, 6)
    graph.section = "model"
    scores = graph.input("m", 1)
    return open_session(_without_model(graph, scores))


def _without_model(graph: Graph, scores: str) -> bytes:
    graph.section = "encode"
    graph.rename(graph.constant(np.zeros((1, 1))), scores)
    return graph.build(scores, "scores", 1)


SESSION = _calendar_session()


def test_a_view_that_is_not_known_here_is_encoded_by_its_plan() -> None:
    class Doubling:
        name, odd_width = "city", 2

        def odd(self, column: pl.Series, out: np.ndarray) -> None:
            out[:, 1] = 2.0 * column.str.len_chars().to_numpy()

    class Only:
        plans = (Doubling(),)

    encoder: Any = Only()
    assert RowEncoder(encoder, "odd", ["city"])(["Rome"]).tolist() == [[0.0, 8.0]]


@pytest.mark.parametrize("view", ["tree", "linear", "spline"])
def test_an_encoder_without_columns_gives_none(view: str) -> None:
    assert RowEncoder(Encoder(plans=()), view, [])([]).shape == (1, 0)
