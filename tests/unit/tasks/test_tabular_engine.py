"""The engine: one row, many rows, the plain file, and the pool, each as the trained members say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from engine_cases import FEATURES, members, packaged, problem_of, table, trained

from assay.errors import Tampered
from assay.records.fitted import Operating, Pool
from assay.tasks.tabular.engine import predictor as engine
from assay.tasks.tabular.engine.export import export
from assay.tasks.tabular.models.lightgbm_text import read_trees
from assay.tasks.tabular.nasty import nasty_rows
from assay.testing.answers import cells_of

ROWS = table()
MEMBERS = {classes: members(classes, ROWS) for classes in (0, 2, 3)}
WEIGHTS = (0.35, 0.25, 0.2, 0.15, 0.05)
STEPS = ((0.1, 0.2, 0.2, 0.5), (0.0, 0.3, 0.35, 1.0))
SHORT = pl.col(pl.String).str.slice(0, 200)
FRAMES = (
    ROWS.select(FEATURES).head(100),
    nasty_rows(FEATURES, ROWS, 0).select(FEATURES).with_columns(SHORT),
)

POOLS = {
    0: [Pool(), Pool(bias=(3.0,))],
    2: [Pool(), Pool(scale="log"), Pool(scale="log", bias=(0.3, 0.0))],
    3: [Pool(), Pool(scale="log", bias=(0.3, 0.0, -0.2))],
}
OPERATINGS = {
    0: [Operating(), Operating(margin=2.0)],
    2: [
        Operating(threshold=0.3),
        Operating(calibration="platt", params=(1.2, 0.1), group="city",
                  thresholds={"Oslo": 0.3, "(missing)": 0.7}),
        Operating(calibration="isotonic", knots=(STEPS, STEPS), group="member",
                  thresholds={"true": 0.2, "(missing)": 0.6}),
        Operating(calibration="temperature", params=(1.4,), group="constant",
                  thresholds={"7": 0.45}),
        Operating(group="review", thresholds={"bad slow food": 0.9}),
    ],
    3: [
        Operating(),
        Operating(calibration="temperature", params=(0.7,)),
        Operating(calibration="isotonic", knots=(STEPS, STEPS, STEPS)),
    ],
}  # fmt: skip


def weighted(classes: int) -> list[tuple[Any, float]]:
    return list(zip(MEMBERS[classes], WEIGHTS, strict=True))


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_every_pool_and_operating_is_exported(classes: int) -> None:
    code = 1 if classes == 2 else None
    for how in POOLS[classes]:
        for operating in OPERATINGS[classes]:
            operated, _ = packaged(weighted(classes), classes, how, operating)
            for frame in FRAMES:
                expected = trained(weighted(classes), frame, classes, how, operating)
                close = {"rtol": 1e-12, "atol": 1e-13}
                np.testing.assert_allclose(operated.predict(frame).values, expected.values, **close)
                found, codes = operated.scores.portable(frame)
                np.testing.assert_allclose(found.values, expected.values, **close)
                if classes:
                    np.testing.assert_array_equal(codes, expected.codes(code))


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_one_row_is_answered_to_the_last_bit_as_a_frame(classes: int) -> None:
    for place, operating in enumerate(OPERATINGS[classes]):
        operated, _ = packaged(weighted(classes), classes, POOLS[classes][-1], operating)
        for frame in FRAMES if not place else FRAMES[:1]:
            for one in frame.gather_every(max(1, frame.height // 15)).iter_slices(1):
                expected = operated.predict(one)
                found = operated.row(cells_of(one, FEATURES))
                assert found.values.tobytes() == expected.values.tobytes()
                if classes:
                    code = 1 if classes == 2 else None
                    assert found.codes(code) == expected.codes(code)


def test_weights_are_what_they_are() -> None:
    """The engine adds no share of its own: half of a weight is half of the answer."""
    operated, _ = packaged([(MEMBERS[0][0], 0.5)], 0)
    expected = MEMBERS[0][0].predict(FRAMES[0]).values / 2
    np.testing.assert_allclose(operated.predict(FRAMES[0]).values, expected, rtol=1e-15)


def test_many_rows_are_the_same_on_any_number_of_threads(monkeypatch: Any) -> None:
    operated, _ = packaged(weighted(2), 2)
    long = pl.concat([FRAMES[0]] * 90)
    assert long.height > 2 * engine.CHUNK
    found = []
    for count in (1, 3):
        monkeypatch.setattr(engine, "cores", lambda count=count: count)
        found.append(operated.predict(long).values)
    assert found[0].tobytes() == found[1].tobytes()
    np.testing.assert_allclose(found[0][: len(FRAMES[0])], operated.predict(FRAMES[0]).values,
                               rtol=0, atol=1e-14)  # fmt: skip


def test_the_file_holds_nothing_that_is_not_needed() -> None:
    _, files = packaged(weighted(2), 2)
    model = onnx.load_from_string(files["model.onnx"])
    onnx.checker.check_model(model, full_check=True)
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    answers = {value.name for value in graph.output}
    assert {c.name for c in graph.initializer} <= used
    assert all(set(node.output) & (used | answers) for node in graph.node)
    contents = [c.raw_data or bytes(str(c), "utf8") for c in graph.initializer]
    kinds = [(c.data_type, tuple(c.dims), d)
             for c, d in zip(graph.initializer, contents, strict=True)]  # fmt: skip
    assert len(set(kinds)) == len(kinds)
    assert [value.name for value in graph.input] == [
        "number", "income", "constant", "member", "city", "many", "since",
        "assay:tree_0:review", "assay:tree_1:review", "assay:linear_0:review",
        "assay:spline_1:review",
    ]  # fmt: skip
    assert answers == {"prediction", "probability"}


def test_a_leaf_takes_few_bytes() -> None:
    _, files = packaged([(MEMBERS[2][0], 1.0)], 2)
    core = MEMBERS[2][0].core
    leaves = int((read_trees(core.text).feature < 0).sum())
    model = onnx.load_from_string(files["model.onnx"])
    node = next(node for node in model.graph.node if node.op_type == "TreeEnsemble")
    longer = len(model.SerializeToString()) - len(files["model.onnx"])
    assert longer > 6 * leaves  # as the library writes it
    assert (len(node.SerializeToString()) - longer) / leaves < 30


def test_the_same_export_gives_the_same_bytes() -> None:
    assert packaged(weighted(3), 3)[1] == packaged(weighted(3), 3)[1]


def test_a_program_without_assay_needs_onnx_runtime_alone(tmp_path: Path) -> None:
    """Raw columns in, answers out; no text column, so no matrix is asked for."""
    models = [(model, 0.2) for model in members(2, ROWS, text=())]
    operating = Operating(calibration="platt", params=(1.2, 0.1), threshold=0.4)
    operated, files = packaged(models, 2, Pool(), operating)
    (tmp_path / "model.onnx").write_bytes(files["model.onnx"])
    rows = FRAMES[0].head(50).with_columns(pl.col("since").cast(pl.Int64)).to_dict(as_series=False)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    code = """
import json, sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
rows = json.load(open("rows.json"))
kinds = {
    "tensor(double)": (np.float64, np.nan),
    "tensor(string)": (object, ""),
    "tensor(int64)": (np.int64, -(2**63)),
}
feeds = {}
for wanted in session.get_inputs():
    dtype, missing = kinds[wanted.type]
    cells = [missing if cell is None else cell for cell in rows[wanted.name]]
    feeds[wanted.name] = np.array(cells, dtype=dtype).reshape(-1, 1)
label, chance = session.run(["prediction", "probability"], feeds)
print(json.dumps([label.tolist(), chance.tolist()]))
assert not {"assay", "polars", "onnx", "sklearn", "lightgbm"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    labels, chances = json.loads(done.stdout)
    expected = operated.predict(FRAMES[0].head(50))
    np.testing.assert_allclose(chances, expected.values, rtol=0, atol=1e-14)
    assert labels == ["ab"[code] for code in expected.codes(1)]


def test_columns_may_be_called_as_answers_and_tensors_are() -> None:
    names = {"number": "prediction", "city": "assay:scores", "member": "probability"}
    rows = ROWS.rename(names)
    features = [names.get(name, name) for name in FEATURES]
    models = [(model, 0.2) for model in members(2, rows, features=features)]
    problem = problem_of(2, features)
    files, signature = export(models, Pool(), Operating(), problem, ())
    loaded = engine.load(files, signature)
    found, codes = loaded.portable(rows.select(features))
    expected = loaded.predict(rows.select(features))
    np.testing.assert_allclose(found.values, expected.values, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(codes, expected.codes(1))


def test_a_column_may_be_called_as_the_matrix_of_a_text_is() -> None:
    names = ("tree_0:review", "assay:tree_0:review", "assay:assay:tree_0:review")
    rows = ROWS.with_columns(ROWS["number"].alias(name) for name in names)
    features = ("review", *names)
    (model, *_) = members(2, rows, features=features)
    files, signature = export([(model, 1.0)], Pool(), Operating(), problem_of(2, features), [])
    asked = engine.load(files, signature)
    found, _ = asked.portable(rows.select(features))
    np.testing.assert_allclose(
        found.values, model.predict(rows.select(features)).values, rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("other", ["assay:tree_7", "assay:bush_0", "anything"])
def test_a_model_that_asks_for_something_else_is_told_when_it_is_loaded(other: str) -> None:
    operated, files = packaged([(MEMBERS[2][0], 1.0)], 2)
    same = other.ljust(len("assay:tree_0"), "_").encode()
    forged = files["model.onnx"].replace(b"assay:tree_0", same)
    with pytest.raises(Tampered) as caught:
        engine.load(files | {"model.onnx": forged}, operated.signature)
    assert caught.value.code == "PACKAGE-MODEL"


def test_an_encoder_of_another_width_is_told_when_it_is_loaded() -> None:
    operated, files = packaged([(MEMBERS[2][0], 1.0)], 2)
    few = members(2, ROWS, features=("number", "city"))
    _, others = packaged([(few[0], 1.0)], 2)
    with pytest.raises(Tampered, match="columns"):
        engine.load(files | {"encoder.json": others["encoder.json"]}, operated.signature)


def test_wide_rows_get_fewer_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    operated, _ = packaged(weighted(2), 2)
    monkeypatch.setattr(engine, "cores", lambda: 16)
    width = max(getattr(e, f"{v}_width") for _, e, v in operated.scores.matrices)
    each = engine.COPIES * engine.CHUNK * 8 * width
    for memory, threads in ((1, 1), (3 * each, 3), (100 * each, 16)):
        monkeypatch.setattr(engine, "MEMORY", memory)
        operated.scores.__dict__.pop("_threads", None)
        assert operated.scores._threads == threads
