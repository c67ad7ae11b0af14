"""A made world in which the truth is known: inputs, a model that is wrong where c is, labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from assay.kernel.family import Predictions
from assay.records.fitted import Field
from assay.records.report import Estimate, SliceResult
from assay.records.snapshot import Problem
from assay.records.spec import GateSpec
from assay.watch.columns.build import profile_columns
from assay.watch.columns.count import codes
from assay.watch.performance.known import build_known
from assay.watch.profile import Profile

FIELDS = [
    Field(name="x", type="number", missing=False),
    Field(name="z", type="number", missing=False),
    Field(name="kind", type="category", missing=False),
]
CLASSES = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c"), "regression": ()}
METRICS = {
    "binary": ("roc_auc", "average_precision", "accuracy", "precision", "recall", "f1", "log_loss",
               "brier"),
    "multiclass": ("accuracy", "f1_macro", "log_loss", "roc_auc_ovr"),
    "regression": ("rmse", "mae", "r2", "median_ae"),
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    frame: pl.DataFrame
    answers: Predictions
    truth: np.ndarray

    def codes(self, profile: Profile) -> np.ndarray:
        return codes(profile.columns, self.frame)

    def take(self, index: np.ndarray) -> Sample:
        return Sample(self.frame[index], self.answers.take(index), self.truth[index])


def sample(task: str, n: int, seed: int, lean: float = 0.0, concept: float = 0.0) -> Sample:
    """Return n rows; `lean` makes the kind c more frequent, `concept` changes the relation."""
    rng = np.random.default_rng([seed, 11])
    shares = np.array([0.5, 0.4, 0.1 + lean])
    kind = rng.choice(3, size=n, p=shares / shares.sum())
    x, z = rng.normal(size=n) + lean / 2, rng.normal(size=n)
    frame = pl.DataFrame({"x": x, "z": z, "kind": np.array(["a", "b", "c"])[kind]})
    hidden = np.where(kind == 2, 1.2, 0.0) + concept  # what the model does not know
    if task == "binary":
        known = 1.5 * x - 0.7
        truth = (rng.random(n) < _sigmoid(known + hidden - concept * 2 * (x > 0))).astype(np.int64)
        return Sample(frame, Predictions(_two(_sigmoid(known)), CLASSES[task]), truth)
    if task == "multiclass":
        odds = np.column_stack([x, z, np.zeros(n)])
        chances = _softmax(odds * (1 - 0.5 * np.minimum(hidden, 1.5)[:, None]))
        truth = (rng.random((n, 1)) >= np.cumsum(chances, axis=1)[:, :-1]).sum(axis=1)
        return Sample(frame, Predictions(_softmax(odds), CLASSES[task]), truth)
    noise = (0.5 + hidden) * rng.laplace(size=n)
    return Sample(frame, Predictions(2 * x + z), 2 * x + z + noise)


@cache
def profile(
    task: str, seed: int = 0, rows: int = 4_000, gates: tuple[GateSpec, ...] = ()
) -> Profile:
    """Return the profile of the model, from `rows` rows out of fold and a third of them as test."""
    train, test = sample(task, rows, 100 + seed), sample(task, rows // 3, 200 + seed)
    columns = profile_columns(train.frame, FIELDS)
    problem = Problem(
        family="made@1", task=task, target="y", classes=CLASSES[task],
        positive="yes" if task == "binary" else None, primary=METRICS[task][0],
    )  # fmt: skip
    known = build_known(
        problem, columns, codes(columns, train.frame), train.answers, train.truth,
        codes(columns, test.frame), test.answers, test.truth,
    )  # fmt: skip
    some = Estimate(value=0.5, low=0.4, high=0.6, n=1)
    return Profile(
        rows=rows,
        test_rows=rows // 3,
        columns=columns,
        known=known,
        primary=METRICS[task][0],
        metrics=dict.fromkeys(METRICS[task], some),
        gates=gates,
        slices=tuple(
            SliceResult(column="kind", value=value, rows=1, metrics={}) for value in "abc"
        ),
    )


def _sigmoid(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


def _two(positive: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - positive, positive])


def _softmax(odds: np.ndarray) -> np.ndarray:
    each = np.exp(odds - odds.max(axis=1, keepdims=True))
    return each / each.sum(axis=1, keepdims=True)
