"""Gradient-boosted trees by LightGBM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import lightgbm
import numpy as np
from lightgbm.callback import CallbackEnv, EarlyStopException
from numpy.typing import NDArray

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Job, Kind, Matrix, patience
from assay.tasks.tabular.models.lightgbm_text import read_trees

WIDE = 40
"""From this many columns on, histograms are made column by column."""
LONG = 100_000
"""So they are from this many rows on."""
OWN = ("rounds", "objective")
"""Parameters of a candidate that are not LightGBM's."""
LEAST_SHARE = 0.01
"""Shares of a class that are too small to teach."""
TAUGHT_CELLS = 30_000_000
"""Cells of the rows that a student of many classes learns from, at most: 240 MB."""


@dataclass(frozen=True)
class Boosting:
    """Boosted trees as LightGBM's model text; `outputs` is 1 for numbers and two classes."""

    text: str
    outputs: int
    classes: bool
    view: ClassVar[str] = "tree"

    @cached_property
    def _native(self) -> Any:
        return lightgbm.Booster(model_str=self.text)

    @property
    def gain(self) -> NDArray[np.float64]:
        """Return (columns,): how much the loss fell at the splits on each column."""
        return np.asarray(self._native.feature_importance("gain"), dtype=np.float64)

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


@dataclass(eq=False)
class _Stop:
    """Ends boosting after `patience` rounds without a better loss.

    A round that finds no split adds no tree: `round` counts rounds, `trees` those with trees, both
    up to the best round, or to the last one without validation rows.
    """

    patience: int
    best: float = np.inf
    round: int = 0
    trees: int = 0
    order: int = 30  # among LightGBM's callbacks: that of its own early stopping

    def __call__(self, env: CallbackEnv) -> None:
        """Look at a round that is finished."""
        found = env.evaluation_result_list or []
        if not found or found[0][2] < self.best or not self.trees:
            self.best = found[0][2] if found else self.best
            model: Any = env.model
            self.round, self.trees = env.iteration + 1, model.current_iteration()
        if env.iteration + 1 - self.round >= self.patience:
            raise EarlyStopException(self.round - 1, found)


def fit_boosting(job: Job) -> tuple[Boosting, int]:
    """Boost at most `job.rounds` rounds; returns the model and how many were kept.

    With `job.valid`, the rounds after the best validation loss are dropped. The parameters are
    LightGBM's, and `rounds` at most; `objective` replaces the squared error of numbers.
    """
    outputs = job.classes if job.classes > 2 else 1
    limit = job.rounds or job.params["rounds"]
    settings = _settings(job, outputs)
    flags = {"verbosity": -1}
    codes = np.flatnonzero(job.codes).tolist()
    x, y, weight = _untaught(job.x, job.y, job.weight, outputs, job.seed)
    data = lightgbm.Dataset(x, y, weight=weight, categorical_feature=codes, params=flags)
    checks = []
    if job.valid is not None:
        vx, vy, weight = _untaught(*job.valid, outputs, job.seed)
        checks = [data.create_valid(vx, vy, weight=weight)]
    stop = _Stop(patience(settings.get("learning_rate", 0.1)))
    booster = lightgbm.train(settings, data, limit, valid_sets=checks, callbacks=[stop])
    text = booster.model_to_string(num_iteration=stop.trees)
    # The parameters that follow the trees name threads and seeds, and prediction needs none.
    core = Boosting(text.split("\nparameters:")[0] + "\n", outputs, job.classes > 0)
    return core, stop.round


def _settings(job: Job, outputs: int) -> dict[str, Any]:
    taught = job.y.ndim == 2
    classes = "binary" if outputs == 1 else "multiclass"
    classes = "cross_entropy" if taught and outputs == 1 else classes
    given = {name: value for name, value in job.params.items() if name not in OWN}
    limits: dict[str, Any] = {}
    if any(job.limits.monotone):
        limits["monotone_constraints"] = list(job.limits.monotone)
        # `intermediate` and `advanced` let answers fall, as a test of ours found (LightGBM 4.7)
        limits["monotone_constraints_method"] = "basic"
    if job.limits.groups:
        limits["interaction_constraints"] = [list(group) for group in job.limits.groups]
    by_column = job.x.shape[1] >= WIDE or len(job.x) >= LONG
    return {
        **given,
        **limits,
        "objective": classes if job.classes else job.params.get("objective", "regression"),
        "num_class": outputs,
        "seed": job.seed,
        "num_threads": job.threads,
        "deterministic": True,
        "force_col_wise": by_column,
        "force_row_wise": not by_column,
        "verbosity": -1,
    }


def _untaught(
    x: Matrix, y: NDArray[Any], weight: NDArray[np.float64] | None, outputs: int, seed: int
) -> tuple[Matrix, NDArray[Any], NDArray[np.float64] | None]:
    """Turn (n, classes) probabilities into what LightGBM can learn.

    Two classes: the second's. More: each row once for each class, weighted by its probability,
    which has the same loss. Shares below `LEAST_SHARE` are left out, and rows that would make more
    than `TAUGHT_CELLS` are sampled.
    """
    if y.ndim == 1:
        return x, y, weight
    if outputs == 1:
        return x, y[:, 1], weight
    shares = np.where(y < LEAST_SHARE, 0.0, y)
    most = len(y) * TAUGHT_CELLS // max(1, np.count_nonzero(shares) * x.shape[1])
    if most < len(y):
        draw = np.random.default_rng(seed)
        left_out = draw.choice(len(y), len(y) - max(1, most), replace=False)
        shares[left_out] = 0.0
    place, label = np.nonzero(shares)
    share = shares[place, label]
    return x[place], label, share if weight is None else share * weight[place]


def restore_boosting(arrays: dict[str, NDArray[Any]]) -> Boosting:
    """Rebuild boosted trees from their arrays."""
    text = arrays["text"].tobytes().decode()
    return Boosting(text, int(arrays["outputs"]), bool(arrays["classes"]))


BOOSTING = Kind(fit=fit_boosting, restore=restore_boosting)
