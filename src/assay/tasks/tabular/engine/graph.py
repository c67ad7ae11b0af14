"""A small ONNX writer: nodes, constants and tree ensembles, all in double precision.

Converters exist, but several are silently wrong, and none keeps doubles; these few operators are
all that the family needs. Tree ensembles use `ai.onnx.ml` version 5, which has double thresholds.

A graph has up to three sections, one after the other: *encode*, from raw columns to matrices;
*model*, from matrices to scores; *answer*, from scores to answers. The file holds all of them, and
the values between them are listed in it, so that a reader can cut out the model alone
(`wire.cut`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from assay.tasks.tabular.engine.files import MARK
from assay.tasks.tabular.engine.trees import Trees, packed_node, tree_node
from assay.tasks.tabular.engine.wire import field

OPSET = 21
ML_OPSET = 5
IR_VERSION = 10
"""ONNX 1.16 of 2024: what the operators need, and no newer."""

Vector = NDArray[Any]
Section = Literal["encode", "model", "answer"]
SECTIONS: tuple[Section, ...] = ("encode", "model", "answer")
_MODEL_GRAPH, _GRAPH_NODE = 7, 1


class Graph:
    """Collects nodes in order; every method returns the name of a tensor.

    The same node or constant is written once, and a node that nothing needs not at all.
    """

    def __init__(self) -> None:
        self.section: Section = "model"
        """Where new nodes go."""
        self.positives: dict[str, str] = {}
        """What `two_classes` returned, and what it was made of."""
        self._nodes: dict[Section, list[NodeProto]] = {section: [] for section in SECTIONS}
        self._constants: dict[Any, Any] = {}
        self._known: dict[bytes, str] = {}
        self._matrices: list[Any] = []
        self._columns: list[Any] = []
        self._answers: list[Any] = []
        self._count = 0

    def input(self, name: str, width: int) -> str:
        """Declare an input of (rows, width) doubles, once."""
        if all(known.name != name for known in self._matrices):
            self._matrices.append(_double(name, width))
        return name

    def column(self, name: str, kind: int, width: int = 1) -> str:
        """Declare a raw column of the `TensorProto` type `kind`: the encode section reads it."""
        self._columns.append(helper.make_tensor_value_info(name, kind, ["rows", width]))
        return name

    def answer(self, value: str, name: str, kind: int, width: int | None) -> None:
        """Let `value`, (rows, width) or (rows,) without a width, be an answer called `name`."""
        shape: list[str | int | None] = ["rows"] if width is None else ["rows", width]
        self._answers.append(helper.make_tensor_value_info(name, kind, shape))
        self.rename(value, name)

    def constant(self, value: Vector) -> str:
        """Add a constant tensor of the dtype of `value`."""
        text = value.dtype.kind == "O"
        content = tuple(value.ravel()) if text else value.tobytes()
        key = (value.dtype.str, value.shape, content)
        if key not in self._constants:
            name = self._name()
            self._constants[key] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        found: str = self._constants[key].name
        return found

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output."""
        return self._add(operator, inputs, 1, domain, attributes)[0]

    def rename(self, value: str, name: str) -> str:
        """Give a tensor a name of its own."""
        node = helper.make_node("Identity", [value], [name])
        self._nodes[self.section].append(node)
        return name

    def cast(self, x: str, to: int) -> str:
        """Add a cast to a `TensorProto` type."""
        return self.add("Cast", x, to=to)

    def split(self, x: str, widths: Sequence[int]) -> list[str]:
        """Take the columns of `x` apart."""
        if len(widths) == 1:
            return [x]
        sizes = self.constant(np.array(widths, dtype=np.int64))
        return self._add("Split", [x, sizes], len(widths), "", {"axis": 1})

    def join(self, parts: Sequence[str]) -> str:
        """Lay (rows, ·) tensors side by side."""
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

    def smallest(self, x: str, count: int) -> str:
        """Return the `count` smallest numbers of each row, in ascending order."""
        wanted = self.constant(np.array([count], dtype=np.int64))
        return self._add("TopK", [x, wanted], 2, "", {"axis": 1, "largest": 0})[0]

    def two_classes(self, positive: str) -> str:
        """Turn an (n, 1) probability of the second class into (n, 2)."""
        one = self.constant(np.ones((1, 1)))
        both = self.add("Concat", self.add("Sub", one, positive), positive, axis=1)
        self.positives[both] = positive
        return both

    def tree_sum(self, x: str, trees: Trees, weights: Vector, targets: Vector, width: int) -> str:
        """Add the sum over all trees: (n, width).

        `weights` and `targets`, (leaves,), say what each leaf, in the order of the nodes, adds
        to which output.
        """
        name = self._name()
        node = tree_node(x, name, trees, weights, targets, width)
        self._nodes[self.section].append(node)
        return name

    def build(self, output: str, name: str, width: int) -> bytes:
        """Return the file as bytes, the same for the same calls.

        `output`, (rows, width) doubles, is what the model section ends with, called `name`. The
        file takes the raw columns when there are some, and the matrices otherwise.
        """
        self.section = "model"
        self.rename(output, name)
        scores = _double(name, width)
        whole = bool(self._answers)
        needed = {name, *(answer.name for answer in self._answers)}
        nodes = self._written(needed)
        graph = GraphProto(name="assay")
        graph.initializer.extend(c for c in self._constants.values() if c.name in needed)
        graph.input.extend(self._columns if whole else self._matrices)
        graph.output.extend(self._answers if whole else [scores])
        if whole:
            graph.value_info.extend([*self._matrices, scores])
        versions = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = ModelProto(ir_version=IR_VERSION, producer_name="assay", opset_import=versions)
        written = b"".join(field(_GRAPH_NODE, node) for node in nodes)
        written += graph.SerializeToString(deterministic=True)
        content: bytes = model.SerializeToString(deterministic=True) + field(_MODEL_GRAPH, written)
        onnx.checker.check_model(content)
        return content

    def _add(
        self, operator: str, inputs: Sequence[str], outputs: int, domain: str, attributes: Any
    ) -> list[str]:
        node = helper.make_node(operator, inputs, [], domain=domain, **attributes)
        key = node.SerializeToString(deterministic=True)
        if key not in self._known:
            self._known[key] = self._name()
            node.output.extend(_numbered(self._known[key], outputs))
            self._nodes[self.section].append(node)
        return _numbered(self._known[key], outputs)

    def _name(self) -> str:
        self._count += 1
        return f"{MARK}{self._count}"

    def _written(self, wanted: set[str]) -> list[bytes]:
        """Return the nodes that `wanted` tensors need as bytes, each named by its section.

        What these nodes need is added to `wanted`.
        """
        found = []
        for section in reversed(SECTIONS):
            for place, node in reversed([*enumerate(self._nodes[section])]):
                if wanted.isdisjoint(node.output):
                    continue
                wanted.update(node.input)
                node.name = f"{section}{place}"
                found.append(packed_node(node))
        return found[::-1]


def _double(name: str, width: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows", width])


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}.{place}" for place in range(count)]
