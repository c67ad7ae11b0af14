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
from assay.records.fitted import Signature
from assay.records.snapshot import Problem
from assay.records.spec import ProjectSection
from assay.registry.fold import fold


@dataclass(frozen=True)
class Rival:
    """The live version's name (`churn@2`) and its answers to the test rows.

    `answers` is None where it could not be asked, and `why` says so; both are empty before anything
    is live.
    """

    name: str = ""
    answers: Predictions | None = None
    why: str = ""


def live_rival(
    inputs: Inputs, context: Context, material: Material, index: NDArray[np.int64]
) -> Rival:
    """Return what the champion of this name says of the test rows.

    It may have seen some of these rows in its own training, which flatters it: the cautious side.
    What is live is no input of the run: the same inputs stay the same run, and the report names
    the version that was live when the test rows were read.
    """
    name = take(inputs, "spec.project", ProjectSection).name
    registry = fold(context.ledger.read())
    live = registry.champion(name)
    if live is None:
        return Rival()
    version = registry.versions[name][live - 1]
    called = f"{name}@{live}"
    try:
        package = load(context.folder / "packages" / version.package, allow_code=context.allow_code)
        if not _same_question(package.signature, material.problem):
            return _unasked(called, "it answers another question", context)
        return Rival(called, Model(called, package).ask(material.table[index]))
    except AssayError as error:
        return _unasked(called, error.message, context)


def _same_question(signature: Signature, problem: Problem) -> bool:
    asked = (problem.target, problem.classes, problem.positive)
    return (signature.target, signature.classes, signature.positive) == asked


def _unasked(called: str, why: str, context: Context) -> Rival:
    said = f"{called} is live and could not be asked: {why}"
    context.notify(Note("evaluate", said))
    return Rival(called, why=said)
