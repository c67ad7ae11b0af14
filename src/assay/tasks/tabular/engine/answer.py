"""From scores to answers as ONNX nodes: `metrics.operate`, for use outside Assay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from assay.metrics.operate import EDGE, MISSING
from assay.records.fitted import Operating
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.columns import BooleanPlan, DatePlan, NumberPlan
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.engine.columns import DOUBLE, STRING, RawColumns
from assay.tasks.tabular.engine.graph import Graph

DIGITS = 1e9
"""A label is decided after rounding to nine digits, as `kernel.family.Predictions` says."""


def answer(
    raw: RawColumns, scores: str, operating: Operating, problem: Problem, encoder: Encoder
) -> None:
    """Add the answers: `prediction`, and `probability` of the classes, or `low` and `high`.

    `prediction` is (rows,): a number, or a class as text. It is left out where each group of dates
    has a threshold of its own, which has no form in ONNX. A name that a column has already gets an
    underscore at its end.
    """
    graph = raw.graph
    graph.section = "answer"
    if not problem.classes:
        _numbers(raw, scores, operating)
        return
    values = _calibrated(graph, scores, operating, problem)
    graph.answer(values, _free(raw, "probability"), DOUBLE, len(problem.classes))
    code = _label(raw, values, operating, problem, encoder)
    if code:
        names = graph.constant(np.array(problem.classes, dtype=object))
        label = graph.add("Gather", names, code, axis=0)
        graph.answer(label, _free(raw, "prediction"), STRING, None)


def _numbers(raw: RawColumns, scores: str, operating: Operating) -> None:
    graph = raw.graph
    number = graph.add("Squeeze", scores, _axis(graph))
    graph.answer(number, _free(raw, "prediction"), DOUBLE, None)
    if operating.margin is not None:
        for name, way in (("low", -1.0), ("high", 1.0)):
            margin = graph.constant(np.array(way * operating.margin))
            graph.answer(graph.add("Add", number, margin), _free(raw, name), DOUBLE, None)


def _calibrated(graph: Graph, scores: str, operating: Operating, problem: Problem) -> str:
    """Add `metrics.operate.calibrated`."""
    if operating.calibration == "none":
        return scores
    if operating.calibration == "isotonic":
        return _stepped(graph, scores, operating)
    if operating.calibration == "temperature":
        least = graph.constant(np.array([[EDGE]]))
        tempered = graph.add(
            "Div",
            graph.add("Log", graph.add("Max", scores, least)),
            graph.constant(np.array([[operating.params[0]]])),
        )
        return graph.add("Softmax", tempered, axis=1)
    return _platt(graph, scores, operating.params, problem.positive_code)


def _platt(graph: Graph, scores: str, params: Sequence[float], positive: int) -> str:
    def number(value: float) -> str:
        return graph.constant(np.array([[value]]))

    slope, intercept = params
    score = graph.split(scores, [1, 1])[positive]
    score = graph.add("Min", graph.add("Max", score, number(EDGE)), number(1 - EDGE))
    rest = graph.add("Log", graph.add("Sub", number(1.0), score))
    odds = graph.add("Sub", graph.add("Log", score), rest)
    line = graph.add("Add", graph.add("Mul", odds, number(slope)), number(intercept))
    share = graph.add("Sigmoid", line)
    other = graph.add("Sub", number(1.0), share)
    return graph.join([other, share] if positive == 1 else [share, other])


def _stepped(graph: Graph, scores: str, operating: Operating) -> str:
    """Add isotonic steps class by class, then the share of each."""
    columns = graph.split(scores, [1] * len(operating.knots))
    each = [
        _between(graph, column, np.array(x), np.array(y))
        for column, (x, y) in zip(columns, operating.knots, strict=True)
    ]
    every = graph.join(each)
    return graph.add("Div", every, graph.add("ReduceSum", every, _axis(graph), keepdims=1))


def _between(graph: Graph, value: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Interpolate (rows, 1) values between knots, as `numpy.interp` does."""
    reached = graph.add("GreaterOrEqual", value, graph.constant(x[None, :]))
    count = graph.add("ReduceSum", graph.cast(reached, TensorProto.INT64), _axis(graph), keepdims=1)
    # piece 0 lies before the first knot, the last one after the last knot
    gaps, rises = np.diff(x), np.diff(y)
    slope = np.divide(rises, gaps, out=np.zeros_like(gaps), where=gaps > 0)
    table = [np.r_[0.0, slope, 0.0], np.r_[x[0], x], np.r_[y[0], y]]
    slopes, starts, heights = (
        graph.add("Gather", graph.constant(np.asarray(part)), count, axis=0) for part in table
    )
    moved = graph.add("Mul", graph.add("Sub", value, starts), slopes)
    return graph.add("Add", moved, heights)


def _label(
    raw: RawColumns, values: str, operating: Operating, problem: Problem, encoder: Encoder
) -> str:
    """Add `Predictions.codes`: (rows,), "" where the threshold has no form."""
    graph = raw.graph
    digits = graph.constant(np.array([[DIGITS]]))
    rounded = graph.add("Div", graph.add("Round", graph.add("Mul", values, digits)), digits)
    if len(problem.classes) > 2 or problem.positive is None:
        return graph.add("ArgMax", rounded, axis=1, keepdims=0)
    threshold = graph.constant(np.array([[operating.threshold]]))
    if operating.thresholds:
        threshold = _own_threshold(raw, operating, encoder)
        if not threshold:
            return ""
    positive = problem.positive_code
    chosen = graph.add("GreaterOrEqual", graph.split(rounded, [1, 1])[positive], threshold)
    yes, no = (graph.constant(np.array([[c]], dtype=np.int64)) for c in (positive, 1 - positive))
    return graph.add("Squeeze", graph.add("Where", chosen, yes, no), _axis(graph))


def _own_threshold(raw: RawColumns, operating: Operating, encoder: Encoder) -> str:
    """Add each row's threshold, (rows, 1), by its group; "" for groups of dates."""
    plan = next(plan for plan in encoder.plans if plan.name == operating.group)
    own = dict(operating.thresholds)
    keys: NDArray[np.generic]
    if isinstance(plan, DatePlan):
        return ""
    if isinstance(plan, NumberPlan | BooleanPlan):
        truths = {MISSING: np.nan, "false": 0.0, "true": 1.0}
        keys = np.array([truths[word] if word in truths else float(word) for word in own])
    else:
        keys = np.array(["" if word == MISSING else word for word in own], dtype=object)
    return raw.graph.add(
        "LabelEncoder",
        raw.read(plan.name, STRING if keys.dtype.kind == "O" else DOUBLE),
        domain="ai.onnx.ml",
        keys_tensor=numpy_helper.from_array(keys),
        values_tensor=numpy_helper.from_array(np.array([*own.values()], dtype=np.float64)),
        default_tensor=numpy_helper.from_array(np.array([operating.threshold])),
    )


def _axis(graph: Graph) -> str:
    return graph.constant(np.array([1], dtype=np.int64))


def _free(raw: RawColumns, name: str) -> str:
    while name in raw.names:
        name += "_"
    return name
