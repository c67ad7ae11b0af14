"""Gradient-boosted trees by LightGBM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import lightgbm
import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.engine.graph import Graph, Trees

Matrix = NDArray[np.float64]

PATIENCE = 50
"""Rounds without a better score on the validation rows before boosting stops."""
_DEFAULT_LEFT = 2
_MISSING_IS_NAN = 8


@dataclass(frozen=True)
class Boosting:
    """Boosted trees as LightGBM's model text; `outputs` is 1 for numbers and two classes."""

    text: str
    outputs: int
    classes: bool
    view: Literal["tree", "linear"] = "tree"

    @cached_property
    def _native(self) -> Any:
        return lightgbm.Booster(model_str=self.text)

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, classes) or (n, 1)."""
        if not len(x):
            return np.zeros((0, 2 if self.classes and self.outputs == 1 else self.outputs))
        found: Matrix = np.asarray(self._native.predict(x)).reshape(len(x), self.outputs)
        return np.hstack([1.0 - found, found]) if self.classes and self.outputs == 1 else found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_boosting` needs."""
        text = np.frombuffer(self.text.encode(), dtype=np.uint8)
        return {
            "text": text,
            "outputs": np.array(self.outputs),
            "classes": np.array(self.classes),
        }

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        trees = read_trees(self.text)
        leaf = np.flatnonzero(trees.feature < 0)
        target = (np.searchsorted(trees.roots, leaf, side="right") - 1) % self.outputs
        score = graph.tree_sum(x, trees, trees.value[leaf, 0], target, self.outputs)
        if not self.classes:
            return score
        if self.outputs == 1:
            return graph.two_classes(graph.add("Sigmoid", score))
        return graph.add("Softmax", score, axis=1)


def fit_boosting(
    train: tuple[Matrix, NDArray[Any]],
    valid: tuple[Matrix, NDArray[Any]] | None,
    classes: int,
    params: dict[str, Any],
    rounds: int,
    seed: int,
    threads: int,
    weights: tuple[NDArray[np.float64] | None, NDArray[np.float64] | None] = (None, None),
) -> tuple[Boosting, int]:
    """Boost at most `rounds` rounds; returns the model and how many were kept.

    With `valid`, the rounds after the best validation loss are dropped. `weights` are those of the
    rows of both.
    """
    outputs = classes if classes > 2 else 1
    objective = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    settings = params | {
        "objective": objective,
        "num_class": outputs,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(train[0], train[1], weight=weights[0], params={"verbosity": -1})
    if valid is None:
        booster = lightgbm.train(settings, data, rounds)
        best = rounds
    else:
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        check = data.create_valid(valid[0], valid[1], weight=weights[1])
        booster = lightgbm.train(settings, data, rounds, valid_sets=[check], callbacks=[stop])
        best = booster.best_iteration or booster.current_iteration()
    text = booster.model_to_string(num_iteration=best)
    # The parameters that follow the trees name threads and seeds, and prediction needs none.
    return Boosting(text.split("\nparameters:")[0] + "\n", outputs, classes > 0), best


def restore_boosting(arrays: dict[str, NDArray[Any]]) -> Boosting:
    """Rebuild boosted trees from their arrays."""
    text = arrays["text"].tobytes().decode()
    return Boosting(text, int(arrays["outputs"]), bool(arrays["classes"]))


def read_trees(text: str) -> Trees:
    """Read the trees out of LightGBM's model text.

    A missing value goes where `decision_type` says if the node was fitted with missing values,
    and is taken for zero otherwise (LightGBM, `Tree::NumericalDecision`).
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
    missing_left = np.where(fitted, (decision & _DEFAULT_LEFT) != 0, threshold >= 0.0)

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
    }
