"""LightGBM's model text as plain arrays of trees."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.engine.trees import Trees

_CATEGORY = 1
_DEFAULT_LEFT = 2
_MISSING_IS_NAN = 8
_BITS = 32


def read_trees(text: str) -> Trees:
    """Read the trees out of LightGBM's model text.

    A missing value goes where `decision_type` says if the node was fitted with missing values,
    and is taken for zero otherwise (LightGBM, `Tree::NumericalDecision`). A category goes left
    when it is one of the node's set, a missing one right (`Tree::CategoricalDecision`).
    """
    parts: list[dict[str, NDArray[Any]]] = []
    roots: list[int] = []
    start = 0
    for block in text.split("\nTree=")[1:]:
        roots.append(start)
        part = _read_tree(block, start)
        parts.append(part)
        start += len(part["feature"])
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Trees(roots=np.array(roots), **joined)


def _read_tree(block: str, start: int) -> dict[str, NDArray[Any]]:
    lines = dict(line.split("=", 1) for line in block.split("\n\n")[0].splitlines() if "=" in line)

    def numbers(name: str, dtype: type[np.generic]) -> NDArray[Any]:
        return np.array(lines.get(name, "").split(), dtype=dtype)

    leaves = numbers("leaf_value", np.float64)
    feature = numbers("split_feature", np.int64) if len(leaves) > 1 else np.zeros(0, np.int64)
    inner, threshold = len(feature), numbers("threshold", np.float64)[: len(feature)]
    decision = numbers("decision_type", np.int64)[:inner]
    fitted = (decision & _MISSING_IS_NAN) != 0
    category = (decision & _CATEGORY) != 0
    missing_left = np.where(fitted, (decision & _DEFAULT_LEFT) != 0, threshold >= 0.0) & ~category
    sizes, sets = np.zeros(inner + len(leaves), np.int64), []
    if category.any():
        bounds = numbers("cat_boundaries", np.int64)
        words = numbers("cat_threshold", np.uint32)
        for node in np.flatnonzero(category):
            which = int(threshold[node])
            found = _members(words[bounds[which] : bounds[which + 1]])
            sizes[node] = len(found)
            sets.append(found)
        threshold = np.where(category, 0.0, threshold)

    def child(name: str) -> NDArray[Any]:
        found = numbers(name, np.int64)[:inner]
        return np.where(found >= 0, found, inner + ~found) + start  # leaves follow the inner nodes

    none = np.full(len(leaves), -1)
    return {
        "feature": np.concatenate([feature, none]),
        "threshold": np.concatenate([threshold, np.zeros(len(leaves))]),
        "left": np.concatenate([child("left_child"), none]),
        "right": np.concatenate([child("right_child"), none]),
        "missing_left": np.concatenate([missing_left, np.zeros(len(leaves), dtype=bool)]),
        "value": np.concatenate([np.zeros(inner), leaves])[:, None],
        "sizes": sizes,
        "sets": np.concatenate([np.zeros(0), *sets]),
    }


def _members(words: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return the places of the bits that are set, the lowest of the first word first."""
    bits = (words[:, None] >> np.arange(_BITS, dtype=np.uint32)) & 1
    found = np.flatnonzero(bits.ravel()).astype(np.float64)
    return found if len(found) else np.array([-1.0])  # no code
