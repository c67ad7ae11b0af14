"""A small ONNX writer: nodes, constants and tree ensembles, all in double precision.

Converters exist, but several are silently wrong, and none keeps doubles; these few operators are
all that the family needs. Tree ensembles use `ai.onnx.ml` version 5, which has double thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
ML_OPSET = 5
IR_VERSION = 10
"""ONNX 1.16 of 2024: what the operators need, and no newer."""

Vector = NDArray[Any]


@dataclass(frozen=True)
class Trees:
    """All trees of an ensemble, their nodes end to end.

    `roots` has the first node of each tree. `feature` is -1 at a leaf; otherwise a row goes to
    `left` when its feature is at most `threshold`, or missing and `missing_left`; both are node
    numbers over all trees. `value` is (nodes, outputs) and counts at the leaves.
    """

    roots: Vector
    feature: Vector
    threshold: Vector
    left: Vector
    right: Vector
    missing_left: Vector
    value: Vector


class Graph:
    """Collects nodes in order; every method returns the name of a tensor."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []

    def input(self, name: str, width: int) -> str:
        """Declare an input of (rows, width) doubles, once."""
        if all(known.name != name for known in self._inputs):
            shape: list[str | int | None] = ["rows", width]
            self._inputs.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape))
        return name

    def constant(self, value: Vector) -> str:
        """Add a constant tensor of the dtype of `value`."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output."""
        name = f"t{len(self._nodes)}"
        node = helper.make_node(operator, inputs, [name], domain=domain, **attributes)
        self._nodes.append(node)
        return name

    def cast(self, x: str, to: int) -> str:
        """Add a cast to a `TensorProto` type."""
        return self.add("Cast", x, to=to)

    def two_classes(self, positive: str) -> str:
        """Turn an (n, 1) probability of the second class into (n, 2)."""
        one = self.constant(np.ones((1, 1)))
        return self.add("Concat", self.add("Sub", one, positive), positive, axis=1)

    def tree_sum(self, x: str, trees: Trees, weights: Vector, targets: Vector, width: int) -> str:
        """Add the sum over all trees: (n, width).

        `weights` and `targets`, (leaves,), say what each leaf, in the order of the nodes, adds
        to which output.
        """
        leaf = trees.feature < 0
        inner = np.flatnonzero(~leaf)
        number = np.where(leaf, np.cumsum(leaf) - 1, np.cumsum(~leaf) - 1)
        # A tree that is a single leaf gets a node whose branches both lead to it.
        bare = trees.roots[leaf[trees.roots]]
        left = np.concatenate([trees.left[inner], bare])
        right = np.concatenate([trees.right[inner], bare])
        roots = number[trees.roots]
        roots[leaf[trees.roots]] = len(inner) + np.arange(len(bare))
        zeros = np.zeros(len(bare))
        return self.add(
            "TreeEnsemble",
            x,
            domain="ai.onnx.ml",
            aggregate_function=1,  # sum
            post_transform=0,  # none
            n_targets=width,
            tree_roots=roots.tolist(),
            nodes_featureids=_ints(np.concatenate([trees.feature[inner], zeros])),
            nodes_splits=_tensor(np.concatenate([trees.threshold[inner], zeros]), np.float64),
            nodes_modes=_tensor(np.zeros(len(left)), np.uint8),  # less or equal
            nodes_truenodeids=_ints(number[left]),
            nodes_trueleafs=_ints(leaf[left]),
            nodes_falsenodeids=_ints(number[right]),
            nodes_falseleafs=_ints(leaf[right]),
            nodes_missing_value_tracks_true=_ints(
                np.concatenate([trees.missing_left[inner], zeros])
            ),
            leaf_targetids=_ints(targets),
            leaf_weights=_tensor(weights, np.float64),
        )

    def build(self, output: str, name: str, width: int) -> bytes:
        """Return the model as bytes, the same for the same calls, `output` renamed to `name`."""
        self._nodes.append(helper.make_node("Identity", [output], [name]))
        shape: list[str | int | None] = ["rows", width]
        result = helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape)
        graph = helper.make_graph(self._nodes, "assay", self._inputs, [result], self._constants)
        versions = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
        model = helper.make_model(graph, opset_imports=versions, producer_name="assay")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def _ints(values: Vector) -> list[int]:
    numbers: list[int] = values.astype(np.int64).tolist()
    return numbers


def _tensor(values: Vector, dtype: type[np.generic]) -> Any:
    return numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype))
