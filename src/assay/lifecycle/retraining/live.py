"""The live version as a retraining needs it: its run, its criteria, what it learned from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.content import read_table
from assay.data.transform import code_of
from assay.errors import Refused
from assay.kernel.family import Predictions
from assay.lifecycle import history
from assay.lifecycle.material import read_parts, target_codes
from assay.lifecycle.operate import out_of_fold
from assay.lifecycle.predict import Model
from assay.metrics.base import Truth
from assay.metrics.operate import operate
from assay.package.load import load
from assay.records.event import Event
from assay.records.fitted import Signature
from assay.records.package import ModelVersion
from assay.registry.fold import fold
from assay.report.view import RunView
from assay.stores.workspace import Workspace


@dataclass(frozen=True)
class Known:
    """Rows that a model is known on: inputs (n rows), truth (n,), and answers out of fold."""

    table: pl.DataFrame
    truth: Truth
    answers: Predictions


@dataclass(frozen=True)
class Live:
    """The champion of a name, the run that made it, and the folder of its project."""

    workspace: Workspace
    version: ModelVersion
    view: RunView
    folder: Path

    @classmethod
    def open(cls, workspace: Workspace, events: list[Event], name: str) -> Live:
        """Return the champion; raises UsageError where there is none."""
        version = fold(events).resolve(name)
        entry = history.runs(events)[version.run]
        return cls(workspace, version, history.view(workspace, entry), Path(entry.folder))

    @property
    def reference(self) -> str:
        """Return NAME@VERSION."""
        return f"{self.version.name}@{self.version.version}"

    @cached_property
    def model(self) -> Model:
        """Return the package, verified and ready to be asked; its own Python may run."""
        path = self.workspace.root / "packages" / self.version.package
        return Model(self.reference, load(path, allow_code=True))

    @property
    def signature(self) -> Signature:
        """Return what the model takes and gives back."""
        return self.model.signature

    @cached_property
    def old(self) -> pl.DataFrame:
        """Return the table that it learned from, test rows included."""
        return read_table(self.view.snapshot, self.workspace.store)

    @cached_property
    def train(self) -> NDArray[np.int64]:
        """Return the places of the training rows in that table."""
        return np.flatnonzero(read_parts(self.workspace.store.get(self.view.split.rows)) >= 0)

    def known(self) -> Known:
        """Return the training rows with answers from models that had not seen them.

        No test row is read: the door stays shut.
        """
        view, store = self.view, self.workspace.store
        if view.leaderboard is None or view.members is None or view.fitted is None:
            raise Refused(
                "RETRAIN-NO-RUN",
                "the records of the run that made the live version are not all there",
                got=view.run,
                hint="assay run makes them anew",
            )
        values = out_of_fold(view.leaderboard, view.members, store)
        sound = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        table = self.old[self.train[sound]]
        answers = operate(
            view.fitted.signature.operating,
            Predictions(values[sound], view.problem.classes),
            table,
            view.problem.positive_code,
        )
        truth = target_codes(table[view.problem.target], view.problem)
        return Known(table.select(view.problem.features), truth, answers)

    def require_code(self) -> None:
        """Raise Refused RETRAIN-CODE where the project's own Python is another than it was."""
        sealed, entry = self.model.package.manifest.code, self.view.project.features.transform
        if sealed is None or entry is None:
            return
        now = code_of(entry, self.folder)
        if now.digest != sealed.digest:
            raise Refused(
                "RETRAIN-CODE",
                "the project's own Python was changed since the live version was made",
                where=str(now.file),
                got=now.digest,
                allowed=[sealed.digest],
                hint="assay run judges what was changed",
            )
