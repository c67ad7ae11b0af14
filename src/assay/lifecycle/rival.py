"""The model that is live under a project's name, asked about the same test rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.kernel.family import Predictions
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.material import Material
from assay.lifecycle.predict import Model
from assay.package.load import load
from assay.records.spec import ProjectSection
from assay.registry.fold import fold


@dataclass(frozen=True)
class Rival:
    """The live version's name (`churn@2`) and its answers to the test rows."""

    name: str
    answers: Predictions


def live_rival(
    inputs: Inputs, context: Context, material: Material, index: NDArray[np.int64]
) -> Rival | None:
    """Return what the champion of this name says of the test rows, None where it cannot be asked.

    It may have seen some of these rows in its own training, which flatters it: the cautious side.
    What is live is no input of the run: the same inputs stay the same run, and the report names
    the version that was live when the test rows were read.
    """
    name = take(inputs, "spec.project", ProjectSection).name
    registry = fold(context.ledger.read())
    live = registry.champion(name)
    if live is None:
        return None
    version = registry.versions[name][live - 1]
    called = f"{name}@{live}"
    try:
        package = load(context.folder / "packages" / version.package, allow_code=context.allow_code)
        if package.signature.classes != material.problem.classes:
            return None
        return Rival(called, Model(called, package).ask(material.table[index]))
    except AssayError as error:
        text = f"{called} is live and could not be asked: {error.message}"
        context.notify(Note("evaluate", text))
        return None
