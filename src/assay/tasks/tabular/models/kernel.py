"""A Gaussian kernel around landmarks: as strong as a support-vector machine on small tables.

The kernel is approximated from a sample of rows (Williams and Seeger 2000, "Using the Nyström
method to speed up kernel machines") and a linear model is fitted on the features that makes, so
that its answers are probabilities without another step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Job, Kind, Matrix
from assay.tasks.tabular.models.linear import Constant, fit_linear
from assay.tasks.tabular.models.smooth import (
    one_thread,
    softmax,
    squared_distances,
    write_distances,
)

LEAST = 1e-6
"""Directions of the kernel weaker than this share of the strongest are dropped: they would magnify
the last bits."""


@dataclass(frozen=True)
class Kernel:
    """``exp(-gamma |x - landmark|²) @ weights + bias``, through a softmax for classes."""

    landmarks: NDArray[np.float16]
    """(landmarks, columns)"""
    gamma: float
    weights: Matrix
    """(landmarks, outputs)"""
    bias: Matrix
    """(outputs,)"""
    classes: bool
    view: ClassVar[str] = "linear"

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        near = np.exp(-self.gamma * squared_distances(x, self.landmarks.astype(np.float64)))
        score: Matrix = near @ self.weights + self.bias
        return softmax(score) if self.classes else score

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_kernel` needs."""
        return {
            "landmarks": self.landmarks,
            "gamma": np.array(self.gamma),
            "weights": self.weights,
            "bias": self.bias,
            "classes": np.array(self.classes),
        }

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        near = write_distances(graph, x, self.landmarks)
        near = graph.add("Exp", graph.add("Mul", near, graph.constant(np.array(-self.gamma))))
        score = graph.add("MatMul", near, graph.constant(self.weights))
        score = graph.add("Add", score, graph.constant(self.bias))
        return graph.add("Softmax", score, axis=1) if self.classes else score


def fit_kernel(job: Job) -> tuple[Kernel | Constant, None]:
    """Fit on at most `landmarks` rows' neighbourhoods; the width is the median distance.

    `params` has `strength`, as for a linear model, `landmarks`, and `gamma`, which multiplies
    one over the median squared distance.
    """
    with one_thread():
        chosen = np.random.default_rng(job.seed).permutation(len(job.y))
        landmarks = job.x[np.sort(chosen[: job.params["landmarks"]])].astype(np.float16)
        points = landmarks.astype(np.float64)
        between = squared_distances(points, points)
        apart = between[between > LEAST]
        gamma = float(job.params["gamma"] / (np.median(apart) if apart.size else 1.0))
        values, vectors = np.linalg.eigh(np.exp(-gamma * between))
        kept = values > LEAST * values[-1]
        basis = vectors[:, kept] / np.sqrt(values[kept])
        features = np.exp(-gamma * squared_distances(job.x, points)) @ basis
        strength = job.params["strength"]
        model = fit_linear(features, job.y, job.classes, strength, job.weight)
        if isinstance(model, Constant):
            return model, None
        weights = basis @ model.weights
    return Kernel(landmarks, gamma, weights, model.bias, bool(job.classes)), None


def restore_kernel(arrays: dict[str, NDArray[Any]]) -> Kernel:
    """Rebuild a kernel model from its arrays."""
    return Kernel(
        landmarks=arrays["landmarks"],
        gamma=float(arrays["gamma"]),
        weights=arrays["weights"],
        bias=arrays["bias"],
        classes=bool(arrays["classes"]),
    )


KERNEL = Kind(fit=fit_kernel, restore=restore_kernel, view=lambda _: "linear")
