"""The encoder as ONNX nodes: from raw columns to the matrices that members read.

All columns of a type are one block, so that the file grows by few bytes for each. What has no
form in ONNX, such as hashed words, is asked for as a matrix of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from assay.tasks.tabular.encode.columns import (
    LARGEST,
    SMALLEST,
    BooleanPlan,
    CategoryPlan,
    DatePlan,
    NumberPlan,
)
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.encode.target import TargetPlan
from assay.tasks.tabular.engine.dates import Calendar, calendar, cycles
from assay.tasks.tabular.engine.files import MARK
from assay.tasks.tabular.engine.graph import Graph

DOUBLE, INT64, STRING = TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING


@dataclass
class RawColumns:
    """The raw columns that the file takes; each is declared when it is first read."""

    graph: Graph
    names: dict[str, str] = field(default_factory=dict)
    """A column's name in the data, and in the file."""

    def read(self, name: str, kind: int) -> str:
        """Return the (rows, 1) tensor of a column of the `TensorProto` type `kind`."""
        if name not in self.names:
            # no other name of the file starts with the mark twice: a column's never meets another
            self.names[name] = MARK * name.startswith(MARK) + name
            self.graph.column(self.names[name], kind)
        return self.names[name]

    def matrix(self, name: str, width: int) -> str:
        """Return a (rows, width) input of doubles that the caller encodes."""
        return self.graph.column(name, DOUBLE, width)


@dataclass(frozen=True)
class _Block:
    """Columns of a view, written together: their tensor, and each one's place in the view."""

    value: str
    places: NDArray[np.int64]


def encode(raw: RawColumns, encoder: Encoder, view: str, name: str) -> None:
    """Add the nodes that end with the tensor `name`: the (rows, columns) view of an encoder."""
    graph = raw.graph
    widths = [getattr(plan, f"{view}_width") for plan in encoder.plans]
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]]).astype(np.int64)
    places = {plan.name: int(start) for plan, start in zip(encoder.plans, starts, strict=True)}
    blocks, left = _WRITERS[view](raw, encoder, places) if view in _WRITERS else ([], encoder.plans)
    for plan in left:
        width = getattr(plan, f"{view}_width")
        if width:
            own = raw.matrix(f"{name}:{plan.name}", width)
            blocks.append(_Block(own, places[plan.name] + np.arange(width)))
    order = np.concatenate([block.places for block in blocks])
    every = graph.join([block.value for block in blocks])
    if not np.array_equal(order, np.arange(len(order))):
        every = _take(graph, every, np.argsort(order))
    graph.rename(every, name)


def _tree(
    raw: RawColumns, encoder: Encoder, places: dict[str, int]
) -> tuple[list[_Block], list[Any]]:
    """Numbers and booleans as they are, codes or means of categories, and the parts of dates."""
    graph, by = raw.graph, _by_type(encoder)
    blocks = []
    if by.numbers:
        blocks.append(_Block(_numbers(raw, by.numbers), _at(by.numbers, places)))
    if by.booleans:
        blocks.append(_Block(_doubles(raw, by.booleans), _at(by.booleans, places)))
    coded = [plan for plan in by.categories if isinstance(plan, CategoryPlan)]
    if coded:
        codes = _codes(raw, coded)
        missing = graph.add("Less", codes, _int(graph, 0))
        number = graph.add("Where", missing, _blank(graph), graph.cast(codes, DOUBLE))
        blocks.append(_Block(number, _at(coded, places)))
        blocks += _frequencies(graph, coded, codes, places)
    told = [plan for plan in by.categories if isinstance(plan, TargetPlan)]
    blocks += [_means(raw, plan, places[plan.name]) for plan in told]
    if by.dates:
        blocks += _date_parts(graph, _calendar(raw, by.dates), by.dates, _at(by.dates, places))
    return blocks, by.others


def _date_parts(
    graph: Graph, parts: Calendar, plans: list[DatePlan], starts: NDArray[np.int64]
) -> list[_Block]:
    """The parts of dates as numbers; the hour comes last, where there is one."""
    blocks = []
    for shift, part in enumerate(parts.tree):
        which = np.flatnonzero([shift < plan.tree_width for plan in plans])
        if len(which):
            known = graph.add("Where", parts.missing, _blank(graph), graph.cast(part, DOUBLE))
            blocks.append(_Block(_take(graph, known, which), starts[which] + shift))
    return blocks


def _means(raw: RawColumns, plan: TargetPlan, place: int) -> _Block:
    """What a level reads in the plan's table."""
    graph = raw.graph
    table = plan.table
    last = graph.constant(np.array([[len(table) - 1]], dtype=np.int64))
    code = level(raw, plan.category)
    at = graph.add("Where", graph.add("Less", code, _int(graph, 0)), last, code)
    at = graph.add("Squeeze", at, graph.constant(np.array([1], dtype=np.int64)))
    found = graph.add("Gather", graph.constant(table), at, axis=0)
    return _Block(found, place + np.arange(plan.tree_width))


def _linear(
    raw: RawColumns, encoder: Encoder, places: dict[str, int]
) -> tuple[list[_Block], list[Any]]:
    return _smooth(raw, encoder, places, bins=False)


def _spline(
    raw: RawColumns, encoder: Encoder, places: dict[str, int]
) -> tuple[list[_Block], list[Any]]:
    return _smooth(raw, encoder, places, bins=True)


_WRITERS = {"tree": _tree, "linear": _linear, "spline": _spline}


def _smooth(
    raw: RawColumns, encoder: Encoder, places: dict[str, int], *, bins: bool
) -> tuple[list[_Block], list[Any]]:
    """Scaled numbers with indicators and bins, one-hot categories, and dates as cycles."""
    graph, by = raw.graph, _by_type(encoder)
    blocks: list[_Block] = []
    scales = [*by.numbers, *(plan.seconds for plan in by.dates)]
    starts = np.concatenate([_at(by.numbers, places), _at(by.dates, places)])
    if scales:
        values = [_numbers(raw, by.numbers)] if by.numbers else []
        values += [_seconds(graph, _calendar(raw, by.dates))] if by.dates else []
        blocks += _scaled(graph, graph.join(values), scales, starts)
        widths = [p.linear_width for p in by.numbers] + [p.linear_width for p in by.dates]
        ends = np.array(widths, dtype=np.int64)
        blocks += _bins(graph, blocks[0].value, scales, starts + ends) if bins else []
    if by.booleans:
        blocks += _truths(graph, _doubles(raw, by.booleans), by.booleans, _at(by.booleans, places))
    if by.categories:
        plans = [plan.category if isinstance(plan, TargetPlan) else plan for plan in by.categories]
        blocks.append(_one_hot(raw, plans, places))
    if by.dates:
        widths = [plan.seconds.linear_width for plan in by.dates]
        found = cycles(graph, _calendar(raw, by.dates), [plan.timed for plan in by.dates])
        for value, which, shift in found:
            at = _at(by.dates, places) + np.array(widths) + shift
            blocks.append(_Block(value, at[which]))
    return blocks, by.others


def _scaled(
    graph: Graph, x: str, plans: list[NumberPlan], starts: NDArray[np.int64]
) -> list[_Block]:
    """Standardised numbers, and whether they are missing."""

    def row(name: str) -> NDArray[np.float64]:
        return np.array([[float(getattr(plan, name)) for plan in plans]])

    center, spread = row("center"), row("spread")
    absent = graph.add("IsNaN", x)
    z = graph.add("Where", absent, graph.constant(center), x)
    z = graph.add("Div", z, graph.constant(spread))
    z = _clip(graph, graph.add("Sub", z, graph.constant(center / spread)), -LARGEST, LARGEST)
    heavy = row("heavy") > 0
    if heavy.any():
        z = graph.add("Where", graph.constant(heavy), _arcsinh(graph, z), z)
    z = _clip(graph, z, row("low"), row("high"))
    z = graph.add("Sub", z, graph.constant(row("mean")))
    blocks = [_Block(graph.add("Div", z, graph.constant(row("std"))), starts)]
    return blocks + _absent(graph, absent, plans, starts)


def _absent(graph: Graph, absent: str, plans: list[Any], starts: NDArray[np.int64]) -> list[_Block]:
    """Return indicators of missing values, where training had some."""
    holed = np.flatnonzero([plan.missing for plan in plans])
    if not len(holed):
        return []
    return [_Block(_take(graph, graph.cast(absent, DOUBLE), holed), starts[holed] + 1)]


def _bins(
    graph: Graph, scaled: str, plans: list[NumberPlan], starts: NDArray[np.int64]
) -> list[_Block]:
    """How far each number is through each of its bins."""
    pairs = [
        (column, low, 1.0 / (high - low), start + i)
        for column, (plan, start) in enumerate(zip(plans, starts, strict=True))
        for i, (low, high) in enumerate(pairwise(plan.knots))
    ]
    if not pairs:
        return []
    columns, lows, slopes, places = (np.array(part) for part in zip(*pairs, strict=True))
    z = graph.add("Sub", _take(graph, scaled, columns), graph.constant(lows[None, :]))
    z = graph.add("Mul", z, graph.constant(slopes[None, :]))
    return [_Block(_clip(graph, z, 0.0, 1.0), places.astype(np.int64))]


def _truths(
    graph: Graph, x: str, plans: list[BooleanPlan], starts: NDArray[np.int64]
) -> list[_Block]:
    absent = graph.add("IsNaN", x)
    half = graph.add("Sub", x, graph.constant(np.array([[0.5]])))
    half = graph.add("Where", absent, graph.constant(np.zeros((1, 1))), half)
    return [_Block(half, starts), *_absent(graph, absent, plans, starts)]


def _one_hot(raw: RawColumns, plans: list[CategoryPlan], places: dict[str, int]) -> _Block:
    """One column for each frequent level, one for all others, one for missing."""
    graph = raw.graph
    codes = _codes(raw, plans)
    hot = graph.constant(np.array([[plan.hot for plan in plans]], dtype=np.int64))
    after = graph.constant(np.array([[plan.hot + 1 for plan in plans]], dtype=np.int64))
    missing = graph.add("Less", codes, _int(graph, 0))
    place = graph.add("Where", missing, after, graph.add("Min", codes, hot))
    widths = [plan.linear_width for plan in plans]
    every = _take(graph, place, np.repeat(np.arange(len(plans)), widths))
    wanted = np.concatenate([np.arange(width) for width in widths])
    same = graph.add("Equal", every, graph.constant(wanted[None, :]))
    starts = np.repeat(_at(plans, places), widths)
    return _Block(graph.cast(same, DOUBLE), starts + wanted)


def _frequencies(
    graph: Graph, plans: list[CategoryPlan], codes: str, places: dict[str, int]
) -> list[_Block]:
    """The log counts of levels, for the plans whose tree view has them."""
    wide = [i for i, plan in enumerate(plans) if plan.tree_width == 2]
    if not wide:
        return []
    tables = [np.log1p(np.array([*plans[i].counts, 0, 0], dtype=np.float64)) for i in wide]
    sizes = np.array([len(table) for table in tables])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    own = _take(graph, codes, np.array(wide, dtype=np.int64))
    last = graph.constant((sizes - 1)[None, :].astype(np.int64))
    at = graph.add("Where", graph.add("Less", own, _int(graph, 0)), last, own)
    at = graph.add("Add", at, graph.constant(starts[None, :].astype(np.int64)))
    found = graph.add("Gather", graph.constant(np.concatenate(tables)), at, axis=0)
    return [_Block(found, _at([plans[i] for i in wide], places) + 1)]


def _codes(raw: RawColumns, plans: list[CategoryPlan]) -> str:
    """Return the (rows, plans) levels, the count of levels for an unseen one, -1 for missing."""
    return raw.graph.join([level(raw, plan) for plan in plans])


def level(raw: RawColumns, plan: CategoryPlan) -> str:
    """Return the (rows, 1) levels of one category."""
    keys = np.array(["", *plan.levels], dtype=object)
    values = np.array([-1, *range(len(plan.levels))], dtype=np.int64)
    return raw.graph.add(
        "LabelEncoder",
        raw.read(plan.name, STRING),
        domain="ai.onnx.ml",
        keys_tensor=numpy_helper.from_array(keys),
        values_tensor=numpy_helper.from_array(values),
        default_tensor=helper.make_tensor("", INT64, [1], [len(plan.levels)]),
    )


def _numbers(raw: RawColumns, plans: list[NumberPlan]) -> str:
    """Return the (rows, plans) numbers as `columns.tame` leaves them."""
    graph = raw.graph
    x = _clip(graph, _doubles(raw, plans), -LARGEST, LARGEST)
    tiny = graph.add("LessOrEqual", graph.add("Abs", x), graph.constant(np.array([[SMALLEST]])))
    return graph.add("Where", tiny, graph.constant(np.zeros((1, 1))), x)


def _doubles(raw: RawColumns, plans: list[Any]) -> str:
    return raw.graph.join([raw.read(plan.name, DOUBLE) for plan in plans])


def _calendar(raw: RawColumns, plans: list[DatePlan]) -> Calendar:
    return calendar(raw.graph, raw.graph.join([raw.read(plan.name, INT64) for plan in plans]))


def _seconds(graph: Graph, parts: Calendar) -> str:
    return graph.add("Where", parts.missing, _blank(graph), parts.seconds)


def _clip(graph: Graph, x: str, low: Any, high: Any) -> str:
    """Clip as numpy does: NaN stays."""
    least, most = (graph.constant(np.atleast_2d(np.float64(end))) for end in (low, high))
    x = graph.add("Where", graph.add("Less", x, least), least, x)
    return graph.add("Where", graph.add("Greater", x, most), most, x)


def _arcsinh(graph: Graph, x: str) -> str:
    """Return the inverse hyperbolic sine, which ONNX Runtime lacks for doubles."""
    size = graph.add("Abs", x)
    one = graph.constant(np.ones((1, 1)))
    root = graph.add("Sqrt", graph.add("Add", graph.add("Mul", size, size), one))
    return graph.add("Mul", graph.add("Sign", x), graph.add("Log", graph.add("Add", size, root)))


def _take(graph: Graph, x: str, columns: NDArray[Any]) -> str:
    return graph.add("Gather", x, graph.constant(columns.astype(np.int64)), axis=1)


def _blank(graph: Graph) -> str:
    return graph.constant(np.array([[np.nan]]))


def _int(graph: Graph, number: int) -> str:
    return graph.constant(np.array([[number]], dtype=np.int64))


def _at(plans: list[Any], places: dict[str, int]) -> NDArray[np.int64]:
    return np.array([places[plan.name] for plan in plans], dtype=np.int64)


@dataclass(frozen=True)
class _ByType:
    numbers: list[NumberPlan]
    booleans: list[BooleanPlan]
    categories: list[CategoryPlan | TargetPlan]
    dates: list[DatePlan]
    others: list[Any]


def _by_type(encoder: Encoder) -> _ByType:
    found = _ByType([], [], [], [], [])
    for plan in encoder.plans:
        match plan:
            case NumberPlan():
                found.numbers.append(plan)
            case BooleanPlan():
                found.booleans.append(plan)
            case CategoryPlan() | TargetPlan():
                found.categories.append(plan)
            case DatePlan():
                found.dates.append(plan)
            case _:
                found.others.append(plan)
    return found
