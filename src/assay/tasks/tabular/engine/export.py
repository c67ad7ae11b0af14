"""A weighted mean of members as one ONNX graph, with the encoders beside it as JSON.

The graph has an input for each encoder and view that a member reads: `tree_0`, `linear_0`, ….
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.kernel.family import Model
from assay.records.base import to_json
from assay.records.fitted import Field, Operating, Pool, Signature
from assay.records.snapshot import Problem
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.engine.files import ENCODER_FILE, MODEL_FILE, OUTPUT, Encoders
from assay.tasks.tabular.engine.graph import Graph
from assay.tasks.tabular.models.model import TabularModel


def export(
    members: Sequence[tuple[Model, float]],
    pool: Pool,  # noqa: ARG001
    operating: Operating,  # noqa: ARG001
    problem: Problem,
    inputs: Sequence[Field],
) -> tuple[dict[str, bytes], Signature]:
    """Return the files of the package and the signature; the weights are scaled to sum to 1."""
    graph, encoders = Graph(), list[Encoder]()
    total = sum(weight for _, weight in members)
    terms = []
    for model, weight in members:
        if not isinstance(model, TabularModel):
            raise TypeError(f"{type(model).__name__} is not a model of this family")
        if model.encoder not in encoders:
            encoders.append(model.encoder)
        view = model.core.view
        name = f"{view}_{encoders.index(model.encoder)}"
        width = getattr(model.encoder, f"{view}_width")
        answer = model.core.graph(graph, graph.input(name, width))
        share = graph.constant(np.array([[weight / total]]))
        terms.append(graph.add("Mul", answer, share))
    mean = terms[0]
    for term in terms[1:]:
        mean = graph.add("Add", mean, term)
    files = {
        MODEL_FILE: graph.build(mean, OUTPUT, len(problem.classes) or 1),
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
