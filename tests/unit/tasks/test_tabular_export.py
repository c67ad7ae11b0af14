"""The exported graph answers as the training library does, where it is hardest."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import lightgbm
import numpy as np
import onnx
import polars as pl
import pytest
from tabular_cases import mixed_table, state

from assay.errors import Tampered
from assay.kernel.family import Rows
from assay.records.fitted import Candidate, Field, Operating, Pool
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.columns import tame
from assay.tasks.tabular.engine import wire
from assay.tasks.tabular.engine.graph import Graph, Trees
from assay.tasks.tabular.engine.predictor import load
from assay.tasks.tabular.family import FAMILY
from assay.tasks.tabular.models.boosting import Boosting, fit_boosting
from assay.tasks.tabular.models.forest import Forest, fit_forest, fit_small_tree
from assay.tasks.tabular.models.kind import Core, Job
from assay.tasks.tabular.models.lightgbm_text import read_trees
from assay.tasks.tabular.models.linear import Constant, Linear, fit_linear
from assay.tasks.tabular.models.model import TabularModel

SMALL = {"num_leaves": 4, "min_data_in_leaf": 4, "bagging_fraction": 0.8, "bagging_freq": 1}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3)) * [1.0, 1e-3, 1e6]
Y = (X[:, 0] + X[:, 1] * 1e3 + RNG.normal(size=400) / 2 > 0).astype(np.int64)


def run(core: Core, x: np.ndarray, outputs: int) -> np.ndarray:
    """Answer by ONNX Runtime for a matrix that is encoded already."""
    import onnxruntime

    graph = Graph()
    answer = core.graph(graph, graph.input("x", x.shape[1]))
    session = onnxruntime.InferenceSession(graph.build(answer, "y", outputs))
    found: np.ndarray = session.run(["y"], {"x": x})[0]
    return found


def borders(trees: Trees) -> np.ndarray:
    """Return rows at every threshold, a step to either side in 64 and 32 bits, and missing."""
    at = trees.threshold[trees.feature >= 0]
    steps = [at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf)]
    narrow = np.clip(at, -3e38, 3e38).astype(np.float32)
    for way in (-np.inf, np.inf):
        steps.append(np.nextafter(narrow, np.float32(way)).astype(np.float64))
    steps += [narrow.astype(np.float64), np.full(len(at), np.nan), np.zeros(len(at))]
    values = tame(pl.Series(np.concatenate([*steps, [np.inf, -np.inf, 5e-324, -1e-35]])))
    rows = np.tile(values[:, None], (1, X.shape[1]))
    mixed = X[RNG.integers(0, len(X), len(values))].copy()
    mixed[np.arange(len(values)), RNG.integers(0, X.shape[1], len(values))] = values
    return np.vstack([rows, mixed])


def holed(share: float) -> np.ndarray:
    return np.where(RNG.random(X.shape) < share, np.nan, X)


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_boosting_at_every_threshold(classes: int, share: float) -> None:
    y = Y + (X[:, 2] > 1e6) if classes == 3 else Y * (1 if classes else 1e5)
    core, _ = fit_boosting(Job(holed(share), y, classes, SMALL | {"num_leaves": 15}, rounds=40))
    rows = borders(read_trees(core.text))
    found = run(core, rows, classes or 1)
    np.testing.assert_allclose(found, core.predict(rows), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_forests_at_every_threshold(classes: int, share: float, extra: bool) -> None:
    y = Y + (X[:, 2] > 1e6) if classes == 3 else Y * (1 if classes else 1e5)
    settings = {"extra": extra, "trees": 7, "leaf": 3, "features": 0.7}
    core = fit_forest(Job(holed(share), y, classes, settings))
    rows = borders(core.trees)
    found = run(core, rows, classes or 1)
    np.testing.assert_allclose(found, core.predict(rows), rtol=1e-12, atol=1e-12)


def test_forest_predicts_what_scikit_learn_predicts() -> None:
    from sklearn.ensemble import RandomForestClassifier

    settings = {"extra": False, "trees": 5, "leaf": 3, "features": "sqrt"}
    core = fit_forest(Job(X, Y, 2, settings, seed=3))
    model = RandomForestClassifier(5, min_samples_leaf=3, random_state=3).fit(X, Y)
    np.testing.assert_array_equal(core.predict(X), model.predict_proba(X))


def test_boosting_predicts_what_lightgbm_predicts_without_missing_training_values() -> None:
    """A node fitted without missing values takes one for zero."""
    data = lightgbm.Dataset(X + 5, Y)
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    booster = lightgbm.train(settings, data, 5)
    core = Boosting(booster.model_to_string(), 1, classes=True)
    rows = np.full((1, 3), np.nan)
    assert core.predict(rows)[0, 1] == booster.predict(np.zeros((1, 3)))[0]
    np.testing.assert_allclose(run(core, rows, 2), core.predict(rows), atol=1e-15)


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_trees_without_a_split(classes: int) -> None:
    """A constant feature gives single leaves: boosting's, and a forest's."""
    flat, y = np.ones((60, 2)), RNG.integers(0, max(classes, 2), 60)
    boosted, _ = fit_boosting(Job(flat, y, classes, SMALL, rounds=3))
    assert (read_trees(boosted.text).feature < 0).all()
    few = {"extra": False, "trees": 2, "leaf": 3, "features": 1.0, "smooth": 1.0}
    forest = fit_forest(Job(flat, y, classes, few))
    for core in (boosted, forest, fit_small_tree(flat, y, classes, 8, 5)):
        found = run(core, flat[:3], classes or 1)
        np.testing.assert_allclose(found, core.predict(flat[:3]), rtol=0, atol=1e-15)
        assert np.unique(found, axis=0).shape[0] == 1


def test_one_tree_among_bare_ones() -> None:
    """A bare leaf before and after a tree keeps its own value and its own place."""
    trees = Trees(
        roots=np.array([0, 1, 4]),
        feature=np.array([-1, 1, -1, -1, -1]),
        threshold=np.array([0.0, 0.5, 0.0, 0.0, 0.0]),
        left=np.array([-1, 2, -1, -1, -1]),
        right=np.array([-1, 3, -1, -1, -1]),
        missing_left=np.array([0, 1, 0, 0, 0]),
        value=np.array([[0.1], [0.0], [0.2], [0.4], [0.8]]),
    )
    core = Forest(trees, columns=2, classes=False)
    x = np.array([[0.0, 0.5], [0.0, 0.6], [0.0, np.nan]])
    np.testing.assert_allclose(core.predict(x)[:, 0] * 3, [1.1, 1.3, 1.1])
    np.testing.assert_allclose(run(core, x, 1), core.predict(x), atol=1e-15)


def test_extreme_scores_are_probabilities() -> None:
    core = Linear(np.array([[0.0, 900.0]]), np.zeros(2), classes=True)
    x = np.array([[1.0], [-1.0], [0.0], [1e300]])
    found = run(core, x, 2)
    np.testing.assert_allclose(found, core.predict(x), atol=1e-15)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_a_fold_may_lack_classes() -> None:
    y = np.where(Y == 1, 2, 0)
    few = {"extra": True, "trees": 3, "leaf": 3, "features": 1.0, "smooth": 1.0}
    forest = fit_forest(Job(X, y, 4, few))
    linear = fit_linear(X / X.std(axis=0), y, 4, 1.0)
    boosted, _ = fit_boosting(Job(X, y, 4, SMALL, rounds=5))
    for core in (forest, linear, boosted):
        answer = core.predict(X)
        assert answer.shape == (400, 4)
        assert answer[:, [1, 3]].max() < 1e-3
    assert isinstance(fit_linear(X, np.full(400, 2), 4, 1.0), Constant)


def fitted(
    target: str, *names: str
) -> tuple[Problem, Rows, tuple[Field, ...], list[tuple[TabularModel, float]]]:
    problem, rows, columns = state(target, mixed_table(160))
    everyone = (*FAMILY.baselines(problem, columns), *FAMILY.candidates(problem, columns, 160))
    models = [
        (FAMILY.fit(c, problem, rows, None, 10, 0, 1), 1.0) for c in everyone if c.name in names
    ]
    fields = tuple(Field(name=c.name, type=c.type, missing=True) for c in columns)
    return problem, rows, fields, models


def test_one_encoder_is_enough_for_two_views() -> None:
    problem, rows, fields, models = fitted("sold", "boosting", "logistic")
    (one, _), (other, _) = models
    files, signature = FAMILY.export(
        [(one, 0.75), (other, 0.25)], Pool(), Operating(), problem, fields
    )
    expected = one.predict(rows.frame).values * 0.75 + other.predict(rows.frame).values * 0.25
    predictor = load(files, signature)
    np.testing.assert_allclose(predictor.predict(rows.frame).values, expected, atol=1e-12)
    assert len(predictor.encoders) == 1
    assert set(files) == {"model.onnx", "encoder.json"}


def test_members_with_encoders_of_their_own() -> None:
    problem, rows, fields, models = fitted("price", "boosting")
    half = Rows(rows.frame[:80], rows.target[:80])
    other = FAMILY.fit(models[0][0].candidate, problem, half, None, 10, 0, 1)
    both = [(models[0][0], 0.5), (other, 0.5)]
    files, signature = FAMILY.export(both, Pool(), Operating(), problem, fields)
    predictor = load(files, signature)
    expected = (models[0][0].predict(rows.frame).values + other.predict(rows.frame).values) / 2
    assert len(predictor.encoders) == 2
    np.testing.assert_allclose(predictor.predict(rows.frame).values, expected, rtol=1e-12)


def test_the_graph_is_double_and_standard() -> None:
    problem, _, fields, models = fitted("grade", "boosting", "extra_trees", "logistic")
    files, _ = FAMILY.export(models, Pool(), Operating(), problem, fields)
    model = onnx.load_from_string(files["model.onnx"])
    onnx.checker.check_model(model, full_check=True)
    cut = onnx.load_from_string(wire.cut(files["model.onnx"], "model", "assay:scores"))
    onnx.checker.check_model(cut, full_check=True)
    kinds = {v.type.tensor_type.elem_type for v in (*cut.graph.input, *cut.graph.output)}
    assert kinds == {onnx.TensorProto.DOUBLE}
    assert {o.domain for o in model.opset_import} <= {"", "ai.onnx.ml"}


@pytest.mark.parametrize("spoil", ["model.onnx", "encoder.json"])
def test_damaged_and_missing_files_are_told(spoil: str) -> None:
    problem, _, fields, models = fitted("sold", "logistic")
    files, signature = FAMILY.export(models, Pool(), Operating(), problem, fields)
    for broken, code in (
        ({k: v for k, v in files.items() if k != spoil}, "PACKAGE-INCOMPLETE"),
        (files | {spoil: b"\x00" + files[spoil][:-9]}, None),
    ):
        with pytest.raises(Tampered) as caught:
            load(broken, signature)
        assert code is None or caught.value.code == code


def test_serving_needs_no_training_library(tmp_path: Any) -> None:
    problem, rows, fields, models = fitted("sold", "boosting", "random_forest")
    files, signature = FAMILY.export(models, Pool(), Operating(), problem, fields)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    rows.frame.write_ipc(tmp_path / "rows.arrow")
    code = f"""
import sys
from pathlib import Path
import polars as pl
from assay.records.fitted import Signature
from assay.tasks.tabular.engine.predictor import load
files = {{n: (Path({str(tmp_path)!r}) / n).read_bytes() for n in ("model.onnx", "encoder.json")}}
sign = Signature(family="tabular", task="binary", target="sold", inputs=(), classes=("no", "yes"))
frame = pl.read_ipc(Path({str(tmp_path)!r}) / "rows.arrow")
print(load(files, sign).predict(frame).values[:, 1].sum().hex())
print(sorted({{"sklearn", "lightgbm", "scipy", "onnx", "pandas"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer, loaded = done.stdout.split()
    assert loaded == "[]"
    here = load(files, signature).predict(rows.frame).values[:, 1].sum()
    assert float.fromhex(answer) == here


def test_state_holds_no_pickle() -> None:
    _, _, _, models = fitted("sold", "boosting", "extra_trees", "prior", "logistic")
    for model, _ in models:
        content = model.state()
        assert content == model.state()
        assert b"sklearn" not in content
        assert content[:2] == b"PK"


def test_unknown_kind_is_refused() -> None:
    problem, rows, _ = state("sold", mixed_table(60))
    with pytest.raises(ValueError, match="magic"):
        FAMILY.fit(Candidate(name="m", kind="magic"), problem, rows, None, None, 0, 1)


def test_long_tables_are_answered_in_chunks() -> None:
    problem, rows, fields, models = fitted("sold", "logistic")
    files, signature = FAMILY.export(models, Pool(), Operating(), problem, fields)
    predictor = load(files, signature)
    long = pl.concat([rows.frame] * 60)
    whole = predictor.predict(long).values
    assert whole.shape == (9600, 2)
    np.testing.assert_allclose(whole[9440:], predictor.predict(rows.frame).values, atol=1e-15)
