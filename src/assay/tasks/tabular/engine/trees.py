"""Trees as flat arrays, and as an ONNX node.

One node for the trees of all members would be slower: with more than one output ONNX Runtime keeps
a list of scores for each row, and the trees of one member stay in the processor's cache while they
answer for many rows (`benchmarks/engine.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as default
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, helper, numpy_helper

from assay.tasks.tabular.engine.ensemble import AT_MOST, MEMBER, SUM, UNCHANGED
from assay.tasks.tabular.engine.wire import field, packed

Vector = NDArray[Any]

_NODE_ATTRIBUTE, _ATTRIBUTE_INTS = 5, 8


@dataclass(frozen=True)
class Trees:
    """All trees of an ensemble, their nodes end to end.

    `roots` has the first node of each tree. `feature` is -1 at a leaf; otherwise a row goes to
    `left` when its feature is at most `threshold`, or missing and `missing_left`; both are node
    numbers over all trees. `value` is (nodes, outputs) and counts at the leaves.

    A node whose `sizes` is not 0 sends a row to `left` when its feature, a code, is one of so many
    `sets`, which lie end to end; `sizes` is empty where all nodes compare with a threshold.
    """

    roots: Vector
    feature: Vector
    threshold: Vector
    left: Vector
    right: Vector
    missing_left: Vector
    value: Vector
    sizes: Vector = default(default_factory=lambda: np.zeros(0, dtype=np.int64))
    sets: Vector = default(default_factory=lambda: np.zeros(0))


def tree_node(
    x: str, output: str, trees: Trees, weights: Vector, targets: Vector, width: int
) -> NodeProto:
    """Return a node that sums the leaves that a row of `x` reaches: (n, width).

    `weights` and `targets`, (leaves,) in node order, say what a leaf adds to which output.
    Thresholds and leaves are doubles (`ai.onnx.ml` 5, TreeEnsemble).
    """
    leaf = trees.feature < 0
    inner = np.flatnonzero(~leaf)
    # ONNX numbers inner nodes and leaves apart
    number = np.where(leaf, np.cumsum(leaf) - 1, np.cumsum(~leaf) - 1)
    # A tree that is a single leaf gets a node whose branches both lead to it.
    bare = trees.roots[leaf[trees.roots]]
    left = np.concatenate([trees.left[inner], bare])
    right = np.concatenate([trees.right[inner], bare])
    roots = number[trees.roots]
    roots[leaf[trees.roots]] = len(inner) + np.arange(len(bare))

    def of_nodes(values: Vector) -> Vector:
        return np.concatenate([values[inner], np.zeros(len(bare))])

    sizes = of_nodes(trees.sizes if len(trees.sizes) else np.zeros(len(leaf))).astype(np.int64)
    members = np.insert(trees.sets, np.cumsum(sizes[sizes > 0]), np.nan)  # NaN ends a set
    more = {"membership_values": _tensor(members, np.float64)} if len(members) else {}
    return helper.make_node(
        "TreeEnsemble",
        [x],
        [output],
        domain="ai.onnx.ml",
        aggregate_function=SUM,
        post_transform=UNCHANGED,
        n_targets=width,
        tree_roots=_ints(roots),
        nodes_featureids=_ints(of_nodes(trees.feature)),
        nodes_splits=_tensor(of_nodes(trees.threshold), np.float64),
        nodes_modes=_tensor(np.where(sizes > 0, MEMBER, AT_MOST), np.uint8),
        nodes_truenodeids=_ints(number[left]),
        nodes_trueleafs=_ints(leaf[left]),
        nodes_falsenodeids=_ints(number[right]),
        nodes_falseleafs=_ints(leaf[right]),
        nodes_missing_value_tracks_true=_ints(of_nodes(trees.missing_left)),
        leaf_targetids=_ints(targets),
        leaf_weights=_tensor(weights, np.float64),
        **more,
    )


def packed_node(node: NodeProto) -> bytes:
    """Return a node as bytes, its lists of whole numbers packed.

    That is a byte less for each number than the `onnx` library writes; every reader of protocol
    buffers must know both forms.
    """
    few = NodeProto()
    few.CopyFrom(node)
    del few.attribute[:]
    found = few.SerializeToString(deterministic=True)
    for attribute in node.attribute:
        content = attribute.SerializeToString(deterministic=True)
        if attribute.ints:
            short = AttributeProto(name=attribute.name, type=attribute.type)
            numbers = packed(np.array(attribute.ints, dtype=np.int64))
            content = short.SerializeToString(deterministic=True) + field(_ATTRIBUTE_INTS, numbers)
        found += field(_NODE_ATTRIBUTE, content)
    return bytes(found)


def _ints(values: Vector) -> list[int]:
    numbers: list[int] = values.astype(np.int64).tolist()
    return numbers


def _tensor(values: Vector, dtype: type[np.generic]) -> Any:
    return numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype))
