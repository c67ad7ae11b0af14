"""Tree ensembles read back from the bytes of an ONNX file, without the library that wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.engine.wire import fields, nodes, unpacked

Vector = NDArray[Any]

AT_MOST, MEMBER = 0, 6
"""Modes of nodes."""
UNCHANGED, SUM = 0, 1
"""A post-transform and an aggregate function."""

_INPUT, _OUTPUT, _OPERATOR, _ATTRIBUTE = 1, 2, 4, 5
_NAME, _NUMBER, _TENSOR, _NUMBERS = 1, 3, 5, 8
_TENSOR_TYPE, _TENSOR_RAW = 2, 9
_TYPES = {2: np.uint8, 11: np.float64}


@dataclass(frozen=True)
class Ensemble:
    """A TreeEnsemble node: of the matrix `source` it makes `output`, (rows, width).

    Inner nodes are numbered from 0, and leaves after them. A row goes to `left` where its feature
    is at most `threshold` or, at a node with `sizes` above 0, one of as many `sets` in a row; a
    missing one where `missing_left` is 1. A leaf adds its `weights` to the output `targets`.
    """

    source: str
    output: str
    width: int
    roots: Vector
    feature: Vector
    threshold: Vector
    left: Vector
    right: Vector
    missing_left: Vector
    sizes: Vector
    sets: Vector
    targets: Vector
    weights: Vector

    def members(self, node: int) -> Vector:
        """Return the set of an inner node; empty where it has a threshold."""
        return self.sets[self._ends[node] - self.sizes[node] : self._ends[node]]

    @cached_property
    def _ends(self) -> Vector:
        return np.cumsum(self.sizes)


@dataclass(frozen=True)
class Grown:
    """The trees of an ensemble in the order of their outputs, and their leaves from left to right.

    A row for each inner node of each tree: of the tree's leaves, those to the left of `node` are
    from `start` up to `middle`, and those to its right up to `stop`.
    """

    leaves: Vector
    """(trees,): how many a tree has."""
    outputs: Vector
    """(trees,): what it adds to, in ascending order."""
    values: Vector
    """(trees, most leaves): what a leaf adds."""
    tree: Vector
    """(nodes,), in ascending order."""
    node: Vector
    start: Vector
    middle: Vector
    stop: Vector


def grow(trees: Ensemble, most: int) -> Grown | None:
    """Number the leaves of all trees.

    None where a tree has more than `most` of them or adds to several outputs, or without trees.
    """
    levels = _levels(trees, most)
    if not levels:
        return None
    below = _below(levels)
    if below[0].max() > most:
        return None
    start, splits, ends = np.zeros(len(trees.roots), dtype=np.int64), [], []
    for (node, tree, inner), counts in zip(levels, below[1:], strict=True):
        leaf = ~inner
        ends.append((tree[leaf], start[leaf], node[leaf] - len(trees.feature)))
        left, half = start[inner], len(counts) // 2
        middle = left + counts[:half]
        splits.append((tree[inner], node[inner], left, middle, middle + counts[half:]))
        start = np.concatenate([left, middle])
    tree, place, leaf = (np.concatenate(part) for part in zip(*ends, strict=True))
    outputs = np.zeros(len(trees.roots), dtype=np.int64)
    outputs[tree] = trees.targets[leaf]
    if (outputs[tree] != trees.targets[leaf]).any():
        return None
    values = np.zeros((len(outputs), most))
    values[tree, place] = trees.weights[leaf]
    order = np.argsort(outputs, kind="stable")
    tree, *parts = (np.concatenate(part) for part in zip(*splits, strict=True))
    tree = np.argsort(order)[tree]
    by_tree = np.argsort(tree, kind="stable")
    sorted_parts = (part[by_tree] for part in (tree, *parts))
    return Grown(below[0][order], outputs[order], values[order], *sorted_parts)


_Level = tuple[Vector, Vector, Vector]
"""Nodes of the same depth, their trees, and whether they are inner ones."""


def _levels(trees: Ensemble, most: int) -> list[_Level]:
    """Return all nodes by depth: what is left of a level's inner nodes, then what is right.

    Empty where a tree is too deep to have at most so many leaves.
    """
    node, tree = trees.roots, np.arange(len(trees.roots))
    found = []
    while len(node):
        inner = node < len(trees.feature)
        found.append((node, tree, inner))
        if len(found) > most or len(node) > most * len(trees.roots):
            return []
        node = np.concatenate([trees.left[node[inner]], trees.right[node[inner]]])
        tree = np.tile(tree[inner], 2)
    return found


def _below(levels: list[_Level]) -> list[Vector]:
    """Return how many leaves are below each node of each level, and of an empty one at the end."""
    found = [np.zeros(0, dtype=np.int64)]
    for _, _, inner in reversed(levels):
        count = np.ones(len(inner), dtype=np.int64)
        half = len(found[-1]) // 2
        count[inner] = found[-1][:half] + found[-1][half:]
        found.append(count)
    return found[::-1]


def ensembles(model: bytes, section: str) -> Iterator[Ensemble]:
    """Return the tree ensembles of a section that are sums, as `trees.tree_node` writes them.

    Raises ValueError as `wire.fields` does.
    """
    for node in nodes(model, section):
        parts: dict[int, list[bytes]] = {}
        for number, content, _ in fields(node):
            parts.setdefault(number, []).append(content)
        if parts[_OPERATOR] != [b"TreeEnsemble"]:
            continue
        found = dict(_attribute(content) for content in parts[_ATTRIBUTE])
        modes = found["nodes_modes"]
        plain = np.isin(modes, (AT_MOST, MEMBER)).all()
        if plain and (found["aggregate_function"], found["post_transform"]) == (SUM, UNCHANGED):
            yield _ensemble(parts[_INPUT][0].decode(), parts[_OUTPUT][0].decode(), found)


def _ensemble(source: str, output: str, found: dict[str, Any]) -> Ensemble:
    inner = len(found["nodes_modes"])
    members = found.get("membership_values", np.zeros(0))
    ends = np.isnan(members)  # of each set
    sizes = np.zeros(inner, dtype=np.int64)
    sizes[found["nodes_modes"] == MEMBER] = np.diff(np.flatnonzero(ends), prepend=-1) - 1
    return Ensemble(
        source=source,
        output=output,
        width=int(found["n_targets"]),
        roots=found["tree_roots"],
        feature=found["nodes_featureids"],
        threshold=found["nodes_splits"],
        left=found["nodes_truenodeids"] + inner * found["nodes_trueleafs"],
        right=found["nodes_falsenodeids"] + inner * found["nodes_falseleafs"],
        missing_left=found["nodes_missing_value_tracks_true"],
        sizes=sizes,
        sets=members[~ends],
        targets=found["leaf_targetids"],
        weights=found["leaf_weights"],
    )


def _attribute(message: bytes) -> tuple[str, Any]:
    """Return the name and the value of an attribute: a whole number, several, or a tensor."""
    name, numbers = "", bytearray()
    value: Any = None
    for number, content, _ in fields(message):
        if number == _NAME:
            name = content.decode()
        elif number == _NUMBER:
            value = int(unpacked(content)[0])
        elif number == _TENSOR:
            value = _tensor(content)
        elif number == _NUMBERS:
            numbers += content
    return name, unpacked(bytes(numbers)) if value is None else value


def _tensor(message: bytes) -> Vector:
    parts = {number: content for number, content, _ in fields(message)}
    kind = _TYPES[int(unpacked(parts[_TENSOR_TYPE])[0])]
    return np.frombuffer(parts.get(_TENSOR_RAW, b""), dtype=kind)
