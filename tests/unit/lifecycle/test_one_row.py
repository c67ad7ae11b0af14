"""A dict asked of a loaded model: the answer of a frame, without a frame."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from assay.errors import AssayError, DataError, Mistakes
from assay.kernel.family import Predictions
from assay.lifecycle.latency import latency
from assay.lifecycle.predict import Model
from assay.metrics.operate import operate
from assay.package.load import LoadedPackage, Operated
from assay.records.fitted import Field, Operating, Signature
from assay.records.package import Code, Manifest
from assay.records.report import Parity

FIELDS = (
    Field(name="x", type="number", missing=True),
    Field(name="who", type="category", missing=True),
    Field(name="sure", type="boolean", missing=True),
    Field(name="when", type="datetime", missing=True),
)


class Scores:
    """Scores of typed rows by plain arithmetic, in both ways of asking."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.framed = 0

    def predict(self, frame: pl.DataFrame) -> Predictions:
        self.framed += 1
        when = frame["when"].cast(pl.Int64).to_list()
        x = frame["x"].fill_null(math.nan).to_list()
        cells = zip(x, frame["who"], frame["sure"], when, strict=True)
        values = np.concatenate([self.row(row) for row in cells])
        return Predictions(values, self.signature.classes)

    def row(self, cells: Any) -> NDArray[np.float64]:
        x, who, sure, when = cells
        score = (0.0 if math.isnan(x) else x) + len(who or "") + bool(sure) + (when or 0) / 1e17
        if not self.signature.classes:
            return np.array([score])
        odds = np.exp(np.arange(len(self.signature.classes)) * score / 7)
        return (odds / odds.sum())[None, :]

    def portable(self, frame: pl.DataFrame) -> None:
        return None


def model(code: Code | None = None, **signature: Any) -> tuple[Model, Scores]:
    sign = Signature(family="made", task="made", target="y", inputs=FIELDS, **signature)
    manifest = Manifest(
        name="made", engine="", family="made", files={}, signature=sign, seal="", data="",
        code=code,
        parity=Parity(rows=0, nasty_rows=0, max_abs_diff=0.0, label_flips=0, tolerance=0.0),
    )  # fmt: skip
    scores = Scores(sign)
    loaded = LoadedPackage("", manifest, Operated(scores, sign), sign, Path())
    return Model("made", loaded), scores


TWO: dict[str, Any] = {"classes": ("no", "yes"), "positive": "yes"}
SIGNATURES: list[dict[str, Any]] = [
    {},
    {"interval": (-1.5, 2.5)},
    TWO,
    TWO | {"positive": "no", "operating": Operating(threshold=0.7)},
    TWO | {"operating": Operating(calibration="platt", params=(1.3, -0.2), margin=0.6)},
    TWO | {"operating": Operating(group="who", thresholds={"Bo": 0.99, "(missing)": 0.01})},
    TWO | {"operating": Operating(group="x", thresholds={"3": 0.99, "(missing)": 0.01})},
    TWO | {"operating": Operating(group="x", thresholds={"0.5": 0.99})},
    TWO | {"operating": Operating(group="sure", thresholds={"true": 0.99, "false": 0.01})},
    TWO | {"operating": Operating(group="when", thresholds={"2020-01-31 00:00:00.000000": 0.99})},
    {"classes": ("0", "1"), "positive": "1", "labels": "integer"},
    {"classes": ("false", "true"), "positive": "true", "labels": "boolean"},
    {"classes": ("a", "b", "c"), "operating": Operating(calibration="temperature", params=(2.0,))},
]
ROWS: list[dict[str, Any]] = [
    {"x": 1.5, "who": "Ann", "sure": True, "when": "2020-01-31"},
    {"x": "3", "who": "Bo", "sure": "no", "when": None},
    {"x": None, "who": None, "sure": None, "when": None, "more": "not asked for"},
    {"x": 0.5, "who": 3.0, "sure": 1, "when": "2020-01-31 10:00:00"},
    {"x": math.nan, "who": "NA", "sure": "?", "when": ""},
    {"x": "1,234", "who": " Łódź ", "sure": "ON", "when": "31.1.2020"},
]


@pytest.mark.parametrize("signature", SIGNATURES, ids=str)
def test_a_dict_is_answered_as_a_frame(signature: dict[str, Any]) -> None:
    asked, scores = model(**signature)
    for row in ROWS:
        scores.framed = 0
        found = asked.predict(row, sets=True)
        assert scores.framed == 0
        frame = pl.DataFrame({name: [cell] for name, cell in row.items()})
        assert found == asked.predict(frame, sets=True).row(0, named=True)
        assert list(found) == asked.predict(frame, sets=True).columns


def test_lists_of_cells_are_many_rows() -> None:
    asked, _ = model(**TWO)
    many = asked.predict({"x": [1, 2], "who": ["a", "b"], "sure": [True, None], "when": [None] * 2})
    assert len(many["prediction"]) == 2


@pytest.mark.parametrize("kind", [tuple, np.array, pl.Series])
def test_columns_of_any_kind_are_many_rows(kind: Any) -> None:
    asked, _ = model()
    empty = kind([None, None])
    many = asked.predict({"x": kind([1.0, 2.0]), "who": empty, "sure": empty, "when": empty})
    assert many["prediction"] == [1.0, 2.0]


def test_errors_are_those_of_a_frame() -> None:
    asked, _ = model(**TWO)
    with pytest.raises(DataError) as caught:
        asked.predict({"x": 1.0, "who": "Ann", "sure": True})
    assert caught.value.code == "DATA-COLUMNS-MISSING"
    with pytest.raises(Mistakes):
        asked.predict({"x": "word", "who": "Ann", "sure": "perhaps", "when": None})


def test_the_projects_own_code_sees_a_frame() -> None:
    asked, scores = model(code=Code(entry="", file="missing.py", digest=""), **TWO)
    with pytest.raises(AssayError, match="TRANSFORM-NAME"):  # where the code would be loaded
        asked.predict(ROWS[0])
    assert scores.framed == 0


def test_latency_is_measured_from_dict_to_answer() -> None:
    asked, scores = model(**TWO)
    frame = pl.DataFrame(
        {"x": [1.0, None], "who": ["a", None], "sure": [True, None], "when": [None, None]},
        schema_overrides={"when": pl.Datetime("us")},
    )
    found = latency(asked.package.predictor, frame, seconds=0.05)
    assert 0 < found["p50"].value <= found["p99"].value
    assert found["p99"].n >= 400
    assert scores.framed == 0


def test_a_row_that_needs_a_frame_is_measured_as_one() -> None:
    asked, scores = model(**TWO)
    frame = pl.DataFrame(
        {"x": [1.0], "who": ["a"], "sure": [True], "when": [None], "tags": [["b", "c"]]},
        schema_overrides={"when": pl.Datetime("us")},
    )
    found = latency(asked.package.predictor, frame, seconds=0.01, at_least=10)
    assert scores.framed >= found["p50"].n > 0


def test_the_operated_row_has_the_threshold_of_its_group() -> None:
    for signature in SIGNATURES[2:10]:
        asked, scores = model(**signature)
        predictor = asked.package.predictor
        frame = pl.DataFrame(
            {"x": [3.0], "who": ["Bo"], "sure": [True], "when": [1_580_428_800_000_000]}
        ).with_columns(pl.col("when").cast(pl.Datetime("us")))
        expected = operate(
            predictor.signature.operating, scores.predict(frame), frame, predictor._code
        )
        found = predictor.row([3.0, "Bo", True, 1_580_428_800_000_000])
        assert np.all(found.threshold == expected.threshold)
