"""Members made directly of encoders and cores, for tests of the engine alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl
from tabular_cases import KINDS, mixed_table

from assay.kernel.family import Predictions
from assay.metrics.operate import operate
from assay.metrics.pool import pool as pooled
from assay.package.load import Operated
from assay.records.fitted import Candidate, Field, Operating, Pool
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.encoder import fit_encoder
from assay.tasks.tabular.engine.export import export
from assay.tasks.tabular.engine.predictor import load
from assay.tasks.tabular.models.boosting import fit_boosting
from assay.tasks.tabular.models.forest import fit_forest
from assay.tasks.tabular.models.kind import Job
from assay.tasks.tabular.models.model import TabularModel
from assay.tasks.tabular.models.prepare import targeted

FEATURES = ("number", "income", "city", "member", "since", "review", "constant", "many")
TARGETS = {2: "sold", 3: "grade", 0: "price"}


@dataclass(frozen=True)
class Scale:
    """A core on any view: a product with weights, through a softmax for classes."""

    weights: np.ndarray
    classes: bool
    view: str

    def predict(self, x: np.ndarray) -> np.ndarray:
        score = x @ self.weights
        if not self.classes:
            return score
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def arrays(self) -> dict[str, Any]:
        return {}

    def graph(self, graph: Any, x: str) -> str:
        score = graph.add("MatMul", x, graph.constant(self.weights))
        return graph.add("Softmax", score, axis=1) if self.classes else score


def table(rows: int = 240) -> pl.DataFrame:
    """The mixed table with a category of many levels."""
    many = np.random.default_rng(1).integers(0, 37, rows)
    return mixed_table(rows).with_columns(pl.Series("many", [f"level {i}" for i in many]))


def problem_of(classes: int, features: Sequence[str] = FEATURES) -> Problem:
    names = tuple("abc"[:classes])
    return Problem(
        family="tabular",
        task="regression",
        target=TARGETS[classes],
        classes=names,
        positive="b" if classes == 2 else None,
        features=tuple(features),
        primary="r2",
    )


def members(
    classes: int,
    rows: pl.DataFrame,
    text: Sequence[str] = ("review",),
    features: Sequence[str] = FEATURES,
) -> list[TabularModel]:
    """Two boosters, one on means of the target, a forest, and a member on each smooth view."""
    frame = rows.select(features)
    y = rows[TARGETS[classes]].to_numpy()
    if classes:
        y = np.searchsorted(np.unique(y), y)
    encoder = fit_encoder(frame, features, text)
    means, view = targeted(encoder, frame, y, classes, 0)
    draw = np.random.default_rng(0)
    x, most = encoder.tree(frame), {"num_leaves": 7, "learning_rate": 0.1, "rounds": 12}
    settings = {"extra": False, "trees": 5, "leaf": 3, "features": 0.7}

    def scale(name: str) -> Scale:
        width = getattr(encoder, f"{name}_width")
        return Scale(draw.normal(size=(width, classes or 1)) / 9, bool(classes), name)

    cores = [
        (fit_boosting(Job(x=x, y=y, classes=classes, params=most))[0], encoder),
        (fit_boosting(Job(x=view, y=y, classes=classes, params=most))[0], means),
        (fit_forest(Job(x=x, y=y, classes=classes, params=settings)), encoder),
        (scale("linear"), encoder),
        (scale("spline"), means),
    ]
    candidate = Candidate(name="made", kind="made")
    names = problem_of(classes).classes
    return [TabularModel(candidate, None, of, core, names) for core, of in cores]


def packaged(
    models: list[tuple[Any, float]],
    classes: int,
    how: Pool = Pool(),  # noqa: B008 (frozen)
    operating: Operating = Operating(),  # noqa: B008 (frozen)
) -> tuple[Operated, dict[str, bytes]]:
    """Export and load."""
    types = table(12).select(FEATURES).schema
    fields = [Field(name=n, type=KINDS[type(types[n])], missing=True) for n in FEATURES]
    files, signature = export(models, how, operating, problem_of(classes), fields)
    signature = msgspec.structs.replace(signature, operating=operating)
    return Operated(load(files, signature), signature), files


def trained(
    models: list[tuple[Any, float]],
    frame: pl.DataFrame,
    classes: int,
    how: Pool,
    operating: Operating,
) -> Predictions:
    """Answer by the cores themselves."""
    scores = pooled(how, [(model.predict(frame).values, weight) for model, weight in models])
    names = problem_of(classes).classes
    return operate(operating, Predictions(scores, names), frame, 1 if classes == 2 else 0)
