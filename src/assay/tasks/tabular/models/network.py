"""A small neural network for tables, on the spline view.

A plain network of relu layers with the habits that make one good on tables: piecewise-linear
encoding of numbers (Gorishniy et al. 2022), robust scaling, a short warm-up and a cosine schedule,
decoupled weight decay, a little dropout, and the weights of the best epoch (Holzmüller et al. 2024,
"Better by default"). Trained in 32 bits by numpy on one thread, so the same seed gives the same
network on any number of cores. What is kept are 16 bits of each weight, half the size for a change
of about one part in 2,000; the answers are computed from those in 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.kind import Job, Kind, Matrix
from assay.tasks.tabular.models.linear import Constant, fit_constant
from assay.tasks.tabular.models.smooth import for_all_classes, one_thread, softmax

Floats = NDArray[np.float32]

CELLS = 40_000_000
"""Cells from which the rows are sampled."""
WARM = 0.05
"""Share of the steps in which the rate of learning rises to its full height."""
MOMENTS = (0.9, 0.95)
"""How much of the means of the gradient and of its square a step of Adam keeps."""
PATIENCE = 1 / 3
"""Share of the epochs without a better score after which training stops; at least five."""


@dataclass(frozen=True)
class Network:
    """Layers of ``relu(x @ w + b)``, the last without relu: a softmax, or a number.

    A number is ``center + scale * output``, clipped to what training saw.
    """

    layers: tuple[tuple[NDArray[np.float16], Floats], ...]
    """For each layer (in, out) weights and (out,) biases"""
    classes: bool
    center: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    view: ClassVar[str] = "spline"

    @cached_property
    def _doubles(self) -> list[tuple[Matrix, Matrix]]:
        return [(w.astype(np.float64), b.astype(np.float64)) for w, b in self.layers]

    def predict(self, x: Matrix) -> Matrix:
        """Return (n, outputs)."""
        *hidden, (last, bias) = self._doubles
        for weights, base in hidden:
            x = np.maximum(x @ weights + base, 0.0)
        score: Matrix = x @ last + bias
        if self.classes:
            return softmax(score)
        return np.clip(score * self.scale + self.center, self.low, self.high)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `restore_network` needs."""
        parts: dict[str, NDArray[Any]] = {}
        for i, (weights, bias) in enumerate(self.layers):
            parts |= {f"weights{i}": weights, f"bias{i}": bias}
        number = np.array([self.center, self.scale, self.low, self.high])
        return parts | {"number": number, "classes": np.array(self.classes)}

    def graph(self, graph: Graph, x: str) -> str:
        """Write the model; returns an (n, outputs) tensor."""
        for i, layer in enumerate(self.layers):
            weights, bias = (graph.cast(graph.constant(w), TensorProto.DOUBLE) for w in layer)
            x = graph.add("Add", graph.add("MatMul", x, weights), bias)
            if i + 1 < len(self.layers):
                x = graph.add("Relu", x)
        if self.classes:
            return graph.add("Softmax", x, axis=1)
        x = graph.add("Mul", x, graph.constant(np.array(self.scale)))
        x = graph.add("Add", x, graph.constant(np.array(self.center)))
        ends = (graph.constant(np.array(end)) for end in (self.low, self.high))
        return graph.add("Clip", x, *ends)


def restore_network(arrays: dict[str, NDArray[Any]]) -> Network:
    """Rebuild a network from its arrays."""
    count = sum(name.startswith("weights") for name in arrays)
    layers = tuple((arrays[f"weights{i}"], arrays[f"bias{i}"]) for i in range(count))
    return Network(layers, bool(arrays["classes"]), *arrays["number"].tolist())


def fit_network(job: Job) -> tuple[Network | Constant, int]:
    """Train; returns the network and the epochs that were kept.

    `params` has `width`, `layers`, `epochs`, `batch`, `rate`, `decay` and `dropout`. The schedule
    is that of all `epochs`, whether or not training ends before.
    """
    present = np.unique(job.y) if job.classes else np.zeros(0, np.int64)
    if len(present) == 1:
        return fit_constant(job.y, job.classes, job.weight), 1
    task = _Target.of(job, present)
    with one_thread():
        layers, epochs = _train(job, task)
    if job.classes:
        layers[-1] = for_all_classes(*layers[-1], present, job.classes)
    number = task.center, task.scale, task.low, task.high
    stored = tuple((weights.astype(np.float16), bias) for weights, bias in layers)
    return Network(stored, bool(job.classes), *number), epochs


@dataclass(frozen=True)
class _Target:
    """What the network learns: one-hot classes, or a number of mean 0 and spread 1."""

    present: NDArray[np.int64]
    center: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def of(cls, job: Job, present: NDArray[np.int64]) -> _Target:
        if job.classes:
            return cls(present)
        most = float(np.abs(job.y).max()) or 1.0  # squares of the largest numbers overflow
        center = float(np.average(job.y / most, weights=job.weight)) * most
        scale = float((job.y / most - center / most).std()) * most or 1.0
        return cls(present, center, scale, float(job.y.min()), float(job.y.max()))

    def encode(self, y: NDArray[Any]) -> Floats:
        """Return (n, outputs); a class that training lacks is a row of zeros."""
        if len(self.present):
            return np.asarray(y[:, None] == self.present, np.float32)
        return np.asarray((y[:, None] - self.center) / self.scale, np.float32)


class _Layers:
    """Weights and biases as views of one vector, so that a step is a few sums over it."""

    def __init__(self, widths: list[int]) -> None:
        shapes = [shape for a, b in pairwise(widths) for shape in ((a, b), (b,))]
        sizes = [int(np.prod(shape)) for shape in shapes]
        self.vector = np.zeros(sum(sizes), np.float32)
        parts = np.split(self.vector, np.cumsum(sizes)[:-1])
        views = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        self.pairs = list(zip(views[::2], views[1::2], strict=True))

    def copy(self) -> list[tuple[Floats, Floats]]:
        return [(weights.copy(), bias.copy()) for weights, bias in self.pairs]

    def score(self, x: Floats) -> Floats:
        """Return (n, outputs) without dropout."""
        for weights, bias in self.pairs[:-1]:
            x = np.maximum(x @ weights + bias, 0.0)
        weights, bias = self.pairs[-1]
        found: Floats = x @ weights + bias
        return found


def _train(job: Job, task: _Target) -> tuple[list[tuple[Floats, Floats]], int]:
    """Return the best layers and the number of epochs that made them."""
    rng = np.random.default_rng(job.seed)
    x, wanted = np.asarray(job.x, np.float32), task.encode(job.y)
    weight = None if job.weight is None else (job.weight / job.weight.mean()).astype(np.float32)
    hidden = [job.params["width"]] * job.params["layers"]
    net = _Layers([x.shape[1], *hidden, wanted.shape[1]])
    _begin(net, x, wanted, rng, bool(job.classes))
    limit = job.params["epochs"]
    last = limit if job.valid is not None else min(limit, job.rounds or limit)
    check = _Check.of(job, task)
    best = net.copy(), 0, np.inf
    epoch = 0
    for epoch in _epochs(net, x, wanted, weight, job, rng, last):
        if check is not None:
            loss = check.loss(net)
            if loss < best[2]:
                best = net.copy(), epoch, loss
            if epoch - best[1] >= max(5, PATIENCE * limit):
                break
    layers, kept = (net.copy(), epoch) if check is None else best[:2]
    if not all(np.isfinite(part).all() for pair in layers for part in pair) or not kept:
        raise ValueError("the network did not converge")
    return layers, kept


def _begin(
    net: _Layers, x: Floats, wanted: Floats, rng: np.random.Generator, classes: bool
) -> None:
    """Draw the first weights (He et al. 2015) for rows as long as these; the last ones small."""
    length = max(1e-3, float((x[:10_000] ** 2).sum(axis=1).mean()))
    for i, (weights, _) in enumerate(net.pairs):
        fan = length if i == 0 else len(weights)
        spread = np.sqrt(2.0 / fan) * (0.1 if i + 1 == len(net.pairs) else 1.0)
        weights[:] = rng.normal(size=weights.shape) * spread
    if classes:
        net.pairs[-1][1][:] = np.log(wanted.mean(axis=0))


def _epochs(
    net: _Layers,
    x: Floats,
    wanted: Floats,
    weight: Floats | None,
    job: Job,
    rng: np.random.Generator,
    last: int,
) -> Iterator[int]:
    """Train epoch after epoch by AdamW (Loshchilov and Hutter 2019), and yield their numbers."""
    params, classes = job.params, bool(job.classes)
    batch = min(params["batch"], len(x))
    steps = len(x) // batch
    total, step = steps * params["epochs"], 0
    slope = _Layers([len(net.pairs[0][0]), *(len(bias) for _, bias in net.pairs)])
    mean, square = np.zeros_like(net.vector), np.zeros_like(net.vector)
    first, second = MOMENTS
    for epoch in range(1, last + 1):
        order = rng.permutation(len(x))
        for rows in np.split(order[: steps * batch], steps):
            each = None if weight is None else weight[rows]
            _slopes(net, slope, x[rows], wanted[rows], each, classes, params["dropout"], rng)
            step += 1
            done = step / total
            rate = params["rate"] * min(1.0, done / WARM) * 0.5 * (1.0 + np.cos(np.pi * done))
            mean += (1.0 - first) * (slope.vector - mean)
            square += (1.0 - second) * (slope.vector**2 - square)
            size = np.sqrt(square / (1.0 - second**step)) + 1e-8
            for weights, _ in net.pairs:
                weights *= 1.0 - rate * params["decay"]
            net.vector -= (rate / (1.0 - first**step)) * mean / size
        yield epoch


def _slopes(
    net: _Layers,
    slope: _Layers,
    x: Floats,
    wanted: Floats,
    weight: Floats | None,
    classes: bool,
    dropout: float,
    rng: np.random.Generator,
) -> None:
    """Write the gradient of the mean loss of a batch."""
    seen = [x]
    for weights, bias in net.pairs[:-1]:
        hidden = np.maximum(seen[-1] @ weights + bias, 0.0)
        if dropout:
            hidden *= rng.random(hidden.shape, dtype=np.float32) >= dropout
            hidden *= 1.0 / (1.0 - dropout)
        seen.append(hidden)
    weights, bias = net.pairs[-1]
    score = seen[-1] @ weights + bias
    error = ((softmax(score) if classes else score) - wanted) / len(x)
    if weight is not None:
        error *= weight[:, None]
    for i in reversed(range(len(net.pairs))):
        np.matmul(seen[i].T, error, out=slope.pairs[i][0])
        slope.pairs[i][1][:] = error.sum(axis=0)
        if i:
            error = error @ net.pairs[i][0].T
            error *= seen[i] > 0.0
            if dropout:
                error *= 1.0 / (1.0 - dropout)


@dataclass(frozen=True)
class _Check:
    """The rows that stop training."""

    x: Floats
    wanted: Floats
    weight: NDArray[np.float64] | None
    classes: bool

    @classmethod
    def of(cls, job: Job, task: _Target) -> _Check | None:
        if job.valid is None:
            return None
        x, y, weight = job.valid
        return cls(np.asarray(x, np.float32), task.encode(y), weight, bool(job.classes))

    def loss(self, net: _Layers) -> float:
        """Return the log loss, or the mean squared error."""
        score = net.score(self.x).astype(np.float64)
        share = softmax(score)
        each = -np.log(np.maximum(share, 1e-15)) * self.wanted
        if not self.classes:
            each = (score - self.wanted) ** 2
        return float(np.average(each.sum(axis=1), weights=self.weight))


NETWORK = Kind(fit=fit_network, restore=restore_network, view=lambda _: "spline", cells=CELLS)
