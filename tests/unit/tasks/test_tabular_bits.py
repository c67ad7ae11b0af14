"""Tables of bit masks give what ONNX Runtime gives for the same trees, to the last bit."""

from __future__ import annotations

import sys
from subprocess import run
from typing import Any

import numpy as np
import pytest
from engine_cases import FEATURES, members, packaged, table
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from assay.records.fitted import Pool
from assay.tasks.tabular.engine import bits, predictor
from assay.tasks.tabular.engine.ensemble import Ensemble, ensembles
from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.engine.many import ManyRows, many_rows
from assay.tasks.tabular.engine.predictor import MANY, open_session
from assay.tasks.tabular.engine.trees import Trees
from assay.tasks.tabular.engine.wire import cut, unpacked, varint
from assay.tasks.tabular.models.boosting import fit_boosting
from assay.tasks.tabular.models.histogram import fit_histogram
from assay.tasks.tabular.models.kind import Job
from assay.tasks.tabular.nasty import nasty_rows

X, SCORES = "assay:tree_0", "assay:scores"
ROWS = table()
NASTY = nasty_rows(FEATURES, ROWS, 0).select(FEATURES)


def sectioned(write: Any, columns: int) -> bytes:
    """Return a whole file whose model section is what `write` adds."""
    graph = Graph()
    scores = write(graph, graph.input(X, columns))
    graph.section = "encode"
    graph.rename(graph.add("Neg", graph.column("raw", TensorProto.DOUBLE, columns)), X)
    graph.section = "answer"
    graph.answer(graph.add("Abs", SCORES), "said", TensorProto.DOUBLE, None)
    return graph.build(scores, SCORES, 1)


def compared(model: bytes, x: np.ndarray) -> ManyRows:
    """Compare the tables with ONNX Runtime on many rows and on few; return the former."""
    tables = many_rows(model, [X], open_session)
    assert tables is not None
    session = open_session(cut(model, "model", SCORES))
    odd = x[: bits.ROWS + 1]
    for rows in (x, odd, x[:2], x[:1], x[:0], np.asfortranarray(x)):
        assert tables.run({X: rows}).tobytes() == session.run(None, {X: rows})[0].tobytes()
    return tables


def edges_of(trees: Ensemble, columns: int) -> np.ndarray:
    """Return rows that have every threshold, its neighbours and other ends in its column.

    Columns with sets get codes, as encoders make them: ONNX Runtime cuts other numbers off.
    """
    draw = np.random.default_rng(0)
    ends = [np.inf, -np.inf, np.nan, 0.0, -0.0, 5e-324, 1e308, -1e308, 1.0, 0.5, -1.0]
    codes = np.array([*range(-1, 70), 1_000.0, np.nan, -0.0])
    found = []
    for column in range(columns):
        own = trees.feature == column
        cuts = trees.threshold[own]
        near = [cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf), ends]
        values = codes if trees.sizes[own].any() else np.concatenate(near)
        found.append(draw.permutation(np.tile(np.unique(values), 3)))
    size = max(map(len, found))
    return np.stack([np.resize(values, size) for values in found], axis=1)


def boosted(
    classes: int, leaves: int, rounds: int = 60, fit: Any = fit_boosting
) -> tuple[Any, int]:
    """Return a booster of five columns, of which one has categories, and how many it reads."""
    draw = np.random.default_rng(classes)
    x = draw.normal(size=(3_000, 5)).round(2)
    x[:, 3] = draw.integers(0, 40, len(x))
    x[:, 4] = draw.random(len(x)) < 0.5
    x[draw.random(x.shape) < 0.05] = np.nan
    y = np.nan_to_num(x[:, 0] * x[:, 1] + np.isin(x[:, 3], (1, 5, 9, 30)) + x[:, 4])
    y += draw.normal(size=len(x))
    if classes:
        y = np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1]))
    params = {
        fit_boosting: {"num_leaves": leaves, "learning_rate": 0.1, "min_data_in_leaf": 5},
        fit_histogram: {"max_leaf_nodes": leaves, "learning_rate": 0.1},
    }[fit]
    codes = np.arange(5) == 3
    job = Job(x=x, y=y, classes=classes, params={**params, "rounds": 60}, codes=codes)
    return fit(job)[0], x.shape[1]


@pytest.mark.parametrize("leaves", [2, 7, 31, 32, 33, 64])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_boosters_answer_as_in_onnx_runtime(classes: int, leaves: int) -> None:
    core, columns = boosted(classes, leaves)
    model = sectioned(core.graph, columns)
    (trees,) = ensembles(model, "model")
    assert len(trees.roots) >= 60
    assert (trees.sizes > 0).any()  # sets of categories
    compared(model, edges_of(trees, columns))


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_histogram_boosters_do_too(classes: int) -> None:
    core, columns = boosted(classes, 31, fit=fit_histogram)
    model = sectioned(core.graph, columns)
    (trees,) = ensembles(model, "model")
    compared(model, edges_of(trees, columns))


def grown(draw: np.random.Generator, leaves: int, first: int) -> list[list[Any]]:
    """Return the nodes of a made tree, numbered from `first`: feature, threshold, left, right."""
    nodes: list[list[Any]] = [[-1, 0.0, -1, -1]]
    for _ in range(leaves - 1):
        at = draw.choice([place for place, node in enumerate(nodes) if node[0] < 0])
        nodes[at] = [draw.integers(3), draw.choice([-1.5, -0.0, 0.0, 1.0, 2.0, np.inf]),
                     first + len(nodes), first + len(nodes) + 1]  # fmt: skip
        nodes += [[-1, 0.0, -1, -1], [-1, 0.0, -1, -1]]
    return nodes


def made(seed: int, sizes: list[int], width: int, sets: bool) -> bytes:
    """Return a file of trees with so many leaves each, of three columns."""
    draw = np.random.default_rng(seed)
    nodes: list[list[Any]] = []
    roots = []
    for leaves in sizes:
        roots.append(len(nodes))
        nodes += grown(draw, leaves, len(nodes))
    feature, threshold, left, right = (np.array(part) for part in zip(*nodes, strict=True))
    inner = feature >= 0
    chosen = inner & (draw.random(len(nodes)) < 0.4) & sets
    counts = np.where(chosen, draw.integers(1, 5, len(nodes)), 0)
    members = [np.sort(draw.choice(40, count, replace=False)) for count in counts[chosen]]
    trees = Trees(
        roots=np.array(roots),
        feature=feature,
        threshold=threshold.astype(np.float64),
        left=left,
        right=right,
        missing_left=np.where(chosen, 0, draw.integers(0, 2, len(nodes))),
        value=draw.normal(size=(len(nodes), 1)),
        sizes=counts,
        sets=np.concatenate([np.zeros(0), *members]),
    )
    leaf = np.flatnonzero(~inner)
    to = draw.integers(0, width, len(roots))
    targets = to[np.searchsorted(trees.roots, leaf, side="right") - 1]
    weights = trees.value[leaf, 0]
    return sectioned(lambda graph, x: graph.tree_sum(x, trees, weights, targets, width), 3)


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 2**32),
    st.lists(st.integers(1, 9) | st.integers(30, 64), min_size=1, max_size=40),
    st.integers(1, 3),
    st.booleans(),
)
def test_made_trees_answer_as_in_onnx_runtime(
    seed: int, sizes: list[int], width: int, sets: bool
) -> None:
    model = made(seed, sizes, width, sets)
    (trees,) = ensembles(model, "model")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"WIDE": 0, "BLOCK": 2_000, "FEWEST": 1, "ROWS": 50}.items():
            patch.setattr(bits, name, value)
        compared(model, edges_of(trees, 3))


def test_a_tree_of_more_leaves_than_bits_stays_with_onnx_runtime() -> None:
    assert many_rows(made(0, [*[5] * 30, 65], 1, True), [X], open_session) is None
    assert many_rows(made(0, [*[5] * 30, 64], 1, True), [X], open_session) is not None


def test_a_deep_tree_stays_too() -> None:
    """As it would in a file where a tree leads back to itself: nothing is followed for ever."""
    (trees,) = ensembles(made(0, [4] * 30, 1, False), "model")
    round_again = np.zeros_like(trees.left)
    round_trees = Ensemble(**{**vars(trees), "left": round_again, "right": round_again})
    assert bits.bit_trees(round_trees, 10**9) is None


def test_trees_that_are_few_for_their_columns_stay() -> None:
    few, enough = 3 * bits.WIDE - 1, 3 * bits.WIDE
    assert many_rows(made(0, [9] * few, 1, False), [X], open_session) is None
    assert many_rows(made(0, [9] * enough, 1, False), [X], open_session) is not None


def test_trees_of_another_value_than_an_input_stay() -> None:
    assert many_rows(made(0, [9] * 30, 1, False), ["assay:tree_1"], open_session) is None


def test_tables_keep_to_a_budget() -> None:
    (trees,) = ensembles(made(0, [9] * 30, 1, False), "model")
    found = bits.bit_trees(trees, 10**6)
    assert found is not None
    assert bits.bit_trees(trees, found.bytes) is not None
    assert bits.bit_trees(trees, found.bytes - 1) is None


def test_a_tree_that_adds_to_two_outputs_stays() -> None:
    (trees,) = ensembles(made(0, [9] * 30, 1, False), "model")
    targets = trees.targets.copy()
    targets[4] = 1
    mixed = Ensemble(**{**vars(trees), "targets": targets, "width": 2})
    assert bits.bit_trees(mixed, 10**6) is None


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_a_mixed_section_answers_the_same_with_tables(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boosters by tables; a forest, a linear model and a spline by ONNX Runtime."""
    monkeypatch.setattr(bits, "WIDE", 0)
    weighted = list(zip(members(classes, ROWS), (0.35, 0.25, 0.2, 0.15, 0.05), strict=True))
    how = Pool(scale="log") if classes else Pool()
    for frame in (ROWS.select(FEATURES), NASTY):
        found = []
        for least in (1, 10**9):
            monkeypatch.setattr(predictor, "MANY", least)
            operated, _ = packaged(weighted, classes, how)
            found.append(operated.predict(frame).values)
            used = "_many" in vars(operated.scores)
            assert used == (least == 1)
            if used:
                assert len(operated.scores._many.trees) == 2
        assert found[0].tobytes() == found[1].tobytes()


def test_many_rows_use_the_tables_and_one_does_not() -> None:
    operated, _ = packaged([(members(2, ROWS)[0], 1.0)], 2)
    long = ROWS.select(FEATURES)
    assert long.height >= MANY
    operated.predict(long.head(MANY - 1))
    assert "_many" not in vars(operated.scores)
    operated.predict(long.head(MANY))
    assert "_many" in vars(operated.scores)


def test_no_library_that_writes_onnx_is_loaded() -> None:
    code = "import sys, assay.tasks.tabular.engine.many; sys.exit('onnx' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


@given(st.lists(st.integers(0, 2**49)))
def test_whole_numbers_are_read_as_written(numbers: list[int]) -> None:
    assert unpacked(b"".join(map(varint, numbers))).tolist() == numbers
