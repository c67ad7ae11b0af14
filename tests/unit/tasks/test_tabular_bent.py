"""Numbers fitted on a logarithmic scale."""

from __future__ import annotations

import numpy as np
import onnxruntime
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.kernel.family import Rows
from assay.records.fitted import Candidate
from assay.records.snapshot import Problem
from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.family import FAMILY
from assay.tasks.tabular.models.bent import fit_bend
from assay.tasks.tabular.models.model import TabularModel

PROBLEM = Problem(family="tabular", task="regression", target="y", features=("x",), primary="rmse")
KINDS = {
    "linear": {"strength": 1.0},
    "boosting": {"rounds": 20, "num_leaves": 6, "min_data_in_leaf": 5},
    "forest": {"extra": True, "trees": 5, "leaf": 3, "features": 1.0},
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=500)
Y = np.exp(1.5 * X + RNG.normal(size=500))


def fit(kind: str, way: str, y: np.ndarray = Y) -> TabularModel:
    candidate = Candidate(name=kind, kind=kind, params=KINDS[kind] | {"target": way, "text": []})
    rows = Rows(pl.DataFrame({"x": X}), y)
    return FAMILY.fit(candidate, PROBLEM, rows, None, None, 0, 1)  # type: ignore[return-value]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["log", "log_mean"])
def test_the_graph_and_the_restored_model_answer_the_same(kind: str, way: str) -> None:
    model = fit(kind, way)
    frame = pl.DataFrame({"x": [*np.linspace(-50, 50, 200), None, 1e300, -1e300]})
    x = getattr(model.encoder, model.core.view)(frame)
    graph = Graph()
    content = graph.build(model.core.graph(graph, graph.input("x", x.shape[1])), "y", 1)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = model.predict(frame).values
    assert np.isfinite(found).all()
    assert found.max() < 10 * Y.max()  # a straight line on logs would go to infinity
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0][:, 0], found, rtol=1e-12)
    again = FAMILY.restore(model.candidate, PROBLEM, model.state())
    np.testing.assert_array_equal(again.predict(frame).values, found)


def test_the_mean_is_right_and_the_median_below_it() -> None:
    frame = pl.DataFrame({"x": X})
    mean, middle = (fit("linear", way).predict(frame).values for way in ("log_mean", "log"))
    assert mean.mean() == pytest.approx(Y.mean(), rel=1e-6)
    assert (middle < mean).all()
    assert np.mean(middle < Y) == pytest.approx(0.5, abs=0.1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=30))
def test_any_target_can_be_bent(values: list[float]) -> None:
    y = np.array(values)
    bend = fit_bend("log", y)
    assert np.isfinite(bend(y)).all()
    assert np.isfinite(bend(np.array([-1e300, y.min() - 1, 0.0, 1e300]))).all()
    order = np.argsort(y)
    assert (np.diff(bend(y)[order]) >= 0).all()
    np.testing.assert_array_equal(fit_bend("", y)(y), y)


@pytest.mark.parametrize("shift", [-1e3, 0.0, 1e3])
def test_targets_below_zero_are_shifted(shift: float) -> None:
    model = fit("boosting", "log_mean", Y + shift)
    found = model.predict(pl.DataFrame({"x": X})).values
    assert np.corrcoef(found, Y)[0, 1] > 0.5
