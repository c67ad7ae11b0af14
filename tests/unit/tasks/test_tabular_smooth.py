"""Splines, networks, kernels, neighbours and naive Bayes: fitted, restored, exported."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import polars as pl
import pytest
from numpy.typing import NDArray
from tabular_cases import mixed_table, state
from threadpoolctl import threadpool_limits

from assay.kernel.family import Rows
from assay.records.fitted import Candidate
from assay.tasks.tabular.encode.encoder import fit_encoder
from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.family import FAMILY
from assay.tasks.tabular.models.kind import Core, Job, Kind, Limits, kind_of
from assay.tasks.tabular.models.linear import Constant, Linear
from assay.tasks.tabular.models.model import TabularModel, fit, restore
from assay.tasks.tabular.models.prepare import sampled
from assay.tasks.tabular.models.spline import promising_pairs

Matrix = NDArray[np.float64]

NETWORK = {
    "width": 16, "layers": 2, "epochs": 8, "batch": 32, "rate": 5e-3, "decay": 0.1, "dropout": 0.1,
}  # fmt: skip
PARAMS: dict[str, dict[str, Any]] = {
    "spline": {"strength": 0.3, "pairs": 10},
    "network": NETWORK,
    "kernel": {"strength": 10.0, "gamma": 1.0, "landmarks": 60},
    "neighbours": {"rows": 100, "count": 7},
    "bayes": {"smoothing": 1.0},
}
CASES = [
    (kind, target)
    for kind in PARAMS
    for target in ("sold", "grade", "price")
    if (kind, target) != ("bayes", "price")
]


def job(x: Matrix, y: NDArray[Any], classes: int, kind: str, **more: Any) -> Job:
    changes = more.pop("params", {})
    sources = np.arange(x.shape[1])
    return Job(x, y, classes, PARAMS[kind] | changes, sources=sources, **more)


def exported(core: Core, x: Matrix, outputs: int) -> Matrix:
    graph = Graph()
    model = graph.build(core.graph(graph, graph.input("x", x.shape[1])), "answer", outputs)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found: Matrix = session.run(None, {"x": x})[0]
    return found


@pytest.mark.parametrize(("kind", "target"), CASES)
def test_answers_are_the_same_restored_and_exported(kind: str, target: str) -> None:
    table = mixed_table()
    problem, rows, _ = state(target, table)
    candidate = Candidate(name=kind, kind=kind, params=PARAMS[kind])
    model = fit(candidate, problem, rows, None, None, 3, 1)
    again = restore(candidate, problem, model.state())
    nasty = FAMILY.nasty_rows(problem, rows, 1)
    for frame in (rows.frame, nasty, rows.frame.head(1), rows.frame.clear()):
        values = model.predict(frame).values
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(again.predict(frame).values, values)
        found = exported(model.core, _view(model, frame), len(problem.classes) or 1)
        found = found if problem.classes else found[:, 0]
        scale = np.maximum(1.0, np.abs(values))
        assert (np.abs(found - values) / scale).max(initial=0.0) < 1e-9
        if problem.classes:
            np.testing.assert_allclose(values.sum(axis=1), 1.0)
            assert (found.round(9).argmax(axis=1) == values.round(9).argmax(axis=1)).all()


def _view(model: TabularModel, frame: Any) -> Matrix:
    view: Matrix = getattr(model.encoder, model.core.view)(frame)
    return view


@pytest.mark.parametrize(("kind", "target"), CASES)
def test_one_seed_is_one_model_on_any_number_of_threads(kind: str, target: str) -> None:
    problem, rows, _ = state(target, mixed_table(rows=120))
    candidate = Candidate(name=kind, kind=kind, params=PARAMS[kind])
    states = [fit(candidate, problem, rows, None, None, 5, threads).state() for threads in (1, 2)]
    assert states[0] == states[1]


@pytest.mark.parametrize("kind", PARAMS)
def test_a_class_that_a_fold_lacks_is_never_the_answer(kind: str) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(150, 3))
    y = np.where(x[:, 0] > 0, 2, 0)
    core, _ = kind_of(kind).fit(job(x, y, 4, kind))
    found = core.predict(x)
    assert found.shape == (150, 4)
    assert found[:, [1, 3]].max() < 1e-6
    assert (found.argmax(axis=1) == y).mean() > 0.85
    np.testing.assert_allclose(exported(core, x, 4), found, atol=1e-12)
    alone, _ = kind_of(kind).fit(job(x, np.full(150, 2), 4, kind))
    assert kind == "neighbours" or isinstance(alone, Constant)
    assert alone.predict(x)[:, 2].min() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", PARAMS)
def test_one_constant_column_and_few_rows_are_enough(kind: str) -> None:
    x = np.zeros((5, 1))
    found = kind_of(kind).fit(job(x, np.array([0, 1, 0, 1, 1]), 2, kind))[0].predict(x)
    assert np.isfinite(found).all()
    if kind != "bayes":
        numbers = np.array([1.0, 2.0, 3.0, 4.0, 1e12])
        found = kind_of(kind).fit(job(x, numbers, 0, kind))[0].predict(x)
        assert np.isfinite(found).all()
        assert found.min() >= 0.9


@pytest.mark.parametrize("kind", ["spline", "kernel", "bayes", "network"])
def test_rows_without_weight_teach_nothing(kind: str) -> None:
    """A half of the rows that says the opposite, and weighs nothing."""
    draw = np.random.default_rng(1)
    x = draw.normal(size=(400, 2))
    y = (x[:, 0] > 0).astype(np.int64)
    y[200:] = 1 - y[200:]
    weight = np.r_[np.ones(200), np.full(200, 1e-9)]
    core, _ = kind_of(kind).fit(job(x, y, 2, kind, weight=weight))
    assert (core.predict(x[:200]).argmax(axis=1) == y[:200]).mean() > 0.9


def test_heavy_rows_are_the_neighbours_that_are_kept() -> None:
    x = np.arange(200.0)[:, None]
    weight = np.r_[np.full(100, 1e-6), np.ones(100)]
    core, _ = kind_of("neighbours").fit(job(x, x[:, 0], 0, "neighbours", weight=weight))
    assert core.arrays()["rows"].min() >= 90


def _wave(rows: int = 600, seed: int = 0) -> tuple[Matrix, NDArray[Any]]:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 4))
    return x, x[:, 0] * x[:, 1] + 0.1 * draw.normal(size=rows)


def test_pairs_that_explain_most_are_found() -> None:
    x, y = _wave()
    sources = np.arange(4)
    left, right = promising_pairs(x, (y - y.mean())[:, None], 1, sources, Limits())
    assert (left.tolist(), right.tolist()) == ([0], [1])
    apart = Limits(groups=((0, 2), (1, 3)))
    left, right = promising_pairs(x, (y - y.mean())[:, None], 6, sources, apart)
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == {(0, 2), (1, 3)}
    same = promising_pairs(x, y[:, None], 6, np.zeros(4, np.int64), Limits())
    assert not len(same[0])


@pytest.mark.parametrize("kind", ["spline", "network", "kernel"])
def test_what_a_line_cannot_say_is_learned(kind: str) -> None:
    x, y = _wave()
    more = {"epochs": 40} if kind == "network" else {}
    core, _ = kind_of(kind).fit(job(x, y, 0, kind, params=more))
    unseen, truth = _wave(seed=1)
    error = np.sqrt(((core.predict(unseen)[:, 0] - truth) ** 2).mean())
    assert error < 0.7 * truth.std()


def test_a_network_trained_for_its_best_epochs_is_the_one_that_was_stopped() -> None:
    x, y = _wave(200)
    unseen, truth = _wave(100, seed=1)
    kind = kind_of("network")
    stopped, kept = kind.fit(job(x, y, 0, "network", valid=(unseen, truth, None)))
    assert kept is not None
    assert 1 <= kept <= 8
    again, rounds = kind.fit(job(x, y, 0, "network", rounds=kept))
    assert rounds == kept
    for name, value in again.arrays().items():
        np.testing.assert_array_equal(value, stopped.arrays()[name])


def test_a_network_stays_within_the_numbers_it_saw() -> None:
    x, y = _wave(200)
    core, _ = kind_of("network").fit(job(x, y * 1e300, 0, "network"))
    found = core.predict(x * 1e6)
    assert y.min() * 1e300 <= found.min() <= found.max() <= y.max() * 1e300


def test_a_network_that_leaves_the_numbers_is_no_model() -> None:
    x, y = _wave(64)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="converge"):
        kind_of("network").fit(job(x, y, 0, "network", params={"rate": 1e30}))


def test_rows_tied_for_the_last_place_count_alike() -> None:
    """Eight corners, as far from the middle; the order of the rows does not matter."""
    corners = np.array([[a, b, c] for a in (-1.0, 1) for b in (-1.0, 1) for c in (-1.0, 1)])
    y = np.arange(8.0)
    kind: Kind = kind_of("neighbours")
    middle = np.zeros((1, 3))
    for order in (np.arange(8), np.arange(8)[::-1]):
        core, _ = kind.fit(job(corners[order], y[order], 0, "neighbours", params={"count": 3}))
        assert core.predict(middle)[0, 0] == pytest.approx(3.5)


def test_a_sample_of_rows_keeps_their_order_and_weight() -> None:
    _, rows, _ = state("sold", mixed_table())
    rows = Rows(rows.frame, np.arange(240), np.arange(240.0))
    found = sampled(rows, 50, 1)
    assert found.frame.height == 50
    assert (np.diff(found.truth) > 0).all()
    assert found.weight is not None
    np.testing.assert_array_equal(found.weight, found.truth)
    assert sampled(rows, 240, 1) is rows


def test_answers_have_the_same_bits_whatever_threads_are_to_spare() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{i}": rng.normal(size=4096) for i in range(300)})
    core = Linear(rng.normal(size=(300, 3)), np.zeros(3), classes=True)
    encoder = fit_encoder(frame, frame.columns)
    model = TabularModel(Candidate(name="l", kind="linear"), None, encoder, core, ("a", "b", "c"))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(model.predict(frame).values)
    np.testing.assert_array_equal(*found)
