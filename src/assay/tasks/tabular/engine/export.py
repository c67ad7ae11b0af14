"""Pooled members as one ONNX file, raw columns in and answers out, with the encoders as JSON.

The model section has an input for each encoder and view that a member reads: `assay:tree_0`, ….
The predictor of this package feeds it by itself, and leaves the rest of the file to others.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay.kernel.family import Model
from assay.records.base import to_json
from assay.records.fitted import Field, Operating, Pool, Signature
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.engine.answer import answer
from assay.tasks.tabular.engine.columns import RawColumns, encode
from assay.tasks.tabular.engine.files import ENCODER_FILE, MARK, MODEL_FILE, SCORES, Encoders
from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.engine.pool import pooled
from assay.tasks.tabular.models.model import TabularModel


def export(
    members: Sequence[tuple[Model, float]],
    pool: Pool,
    operating: Operating,
    problem: Problem,
    inputs: Sequence[Field],
) -> tuple[dict[str, bytes], Signature]:
    """Return the files of the package and the signature; weights are as the pool takes them."""
    graph, encoders = Graph(), list[Encoder]()
    matrices: dict[str, tuple[Encoder, str]] = {}
    parts = []
    for model, weight in members:
        if not isinstance(model, TabularModel):
            raise TypeError(f"{type(model).__name__} is not a model of this family")
        if model.encoder not in encoders:
            encoders.append(model.encoder)
        view = model.core.view
        name = f"{MARK}{view}_{encoders.index(model.encoder)}"
        matrices[name] = model.encoder, view
        matrix = graph.input(name, getattr(model.encoder, f"{view}_width"))
        parts.append((model.core.graph(graph, matrix), weight))
    width = len(problem.classes) or 1
    scores = pooled(graph, pool, parts, width)
    raw = RawColumns(graph)
    graph.section = "encode"
    for name, (encoder, view) in matrices.items():
        encode(raw, encoder, view, name)
    answer(raw, SCORES, operating, problem, encoders[0])
    files = {
        MODEL_FILE: graph.build(scores, SCORES, width),
        ENCODER_FILE: to_json(Encoders(encoders=tuple(encoders))),
    }
    signature = Signature(
        family=problem.family,
        task=problem.task,
        target=problem.target,
        inputs=tuple(inputs),
        classes=problem.classes,
        positive=problem.positive,
    )
    return files, signature
