"""Ask a model: any rows in, the same kind of rows out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, cast

import msgspec
import polars as pl

from assay.data.conform import conform
from assay.data.raw import is_single, to_polars
from assay.data.transform import apply_transform
from assay.errors import UsageError
from assay.kernel.family import Predictions
from assay.lifecycle.single import OneRow
from assay.metrics.answers import answers
from assay.package.load import LoadedPackage
from assay.package.load import load as load_package
from assay.package.manifest import CODE, MANIFEST
from assay.records.fitted import Signature
from assay.registry.fold import fold
from assay.stores.workspace import find_workspace


@dataclass(frozen=True, repr=False)
class Model:
    """A loaded package under the name it was asked for by; `digest` names its exact content."""

    reference: str
    package: LoadedPackage

    @property
    def digest(self) -> str:
        """Return the digest of the package."""
        return self.package.digest

    @property
    def signature(self) -> Signature:
        """Return what the model takes and gives back."""
        return self.package.signature

    def predict(self, frame: Any, *, sets: bool = False) -> Any:
        """Answer for rows, in the kind of frame they came in: polars, pandas, or a list of dicts.

        A dict with one cell for each column is one row and the quickest way to ask for it; its
        answer is a dict too.

        Returns:
            One row per row, in order: `prediction`, and `probability_<class>` for each class, or
            `low` and `high` (an interval at `answers.coverage`) for a number. With `sets` also
            `prediction_set`: the classes that cannot be ruled out at that coverage.

        Raises:
            DataError: columns are missing, or a cell is not of its column's type.
        """
        if isinstance(frame, list) and not frame:
            return []
        if isinstance(frame, Mapping) and self.package.manifest.code is None:
            one = self._one(frame, sets=sets)
            if one is not None:
                return one
        answer = answers(self.ask(to_polars(frame)), self.signature, sets=sets)
        return _in_kind_of(frame, answer)

    def explain(self, frame: Any) -> Any:
        """Say why rows are answered so, in the kind of frame they came in.

        Returns:
            One row per row, in order: `of`, the class whose probability is explained (not for a
            number), `base`, its value for a typical row, `value`, its value for this one, and
            `contribution_<column>` for each column. Base and contributions add up to the value.

        Raises:
            DataError: columns are missing, or a cell is not of its column's type.
        """
        found = self.package.predictor.explain(self._typed(to_polars(frame)))
        columns = [pl.Series("base", found.base), pl.Series("value", found.values)]
        if self.signature.classes:
            columns.insert(0, pl.Series("of", found.of, dtype=pl.String))
        columns += [
            pl.Series(f"contribution_{name}", found.contributions[:, place])
            for place, name in enumerate(found.columns)
        ]
        return _in_kind_of(frame, pl.DataFrame(columns))

    def ask(self, raw: pl.DataFrame) -> Predictions:
        """Return probabilities or numbers for rows as they were ingested; raises DataError."""
        return self.package.predictor.predict(self._typed(raw))

    def _typed(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that the predictor takes, after the project's own Python if any."""
        rows = self._conform(raw, self.signature)
        code = self.package.manifest.code
        if code is not None:
            local = msgspec.structs.replace(code, file=code.file.removeprefix(f"{CODE}/"))
            rows = apply_transform(local, rows, self.package.path / CODE, allow_code=True)
            rows = self._conform(rows, self.package.predictor.signature)
        return rows

    @cached_property
    def _one(self) -> OneRow:
        return OneRow(self.package.predictor, self.signature)

    @staticmethod
    def _conform(rows: pl.DataFrame, signature: Signature) -> pl.DataFrame:
        readings = {field.name: field.reading for field in signature.inputs}
        return conform(rows, signature.inputs, missing=signature.missing, readings=readings)

    def __repr__(self) -> str:
        inputs, classes = len(self.signature.inputs), len(self.signature.classes)
        kind = f"{classes} classes" if classes else "a number"
        columns = "column" if inputs == 1 else "columns"
        target = self.signature.target
        return f"Model({self.reference}: {target} from {inputs:,} {columns}, {kind})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(f.name)}</td><td>{f.type}</td></tr>" for f in self.signature.inputs
        )
        title = escape(f"{self.reference}: {self.signature.target}")
        return f"<h4>{title}</h4><table>{rows}</table>"


def load(
    reference: str | Path, *, store: str | Path | None = None, allow_code: bool = False
) -> Model:
    """Load `NAME`, `NAME@VERSION`, `NAME@champion`, or the folder of a package.

    Every byte is verified first.

    Raises:
        UsageError: no such model or package.
        Tampered: the package is not what it was built as.
        Refused: it needs Python of its project's own and `allow_code` is False.
    """
    path = package_path(reference, store)
    return Model(str(reference), load_package(path, allow_code=allow_code))


def package_path(reference: str | Path, store: str | Path | None = None) -> Path:
    """Return the folder of a package, by path or by name; raises UsageError."""
    path = Path(reference)
    if path.name == MANIFEST:
        path = path.parent
    if (path / MANIFEST).exists():
        return path
    if os.sep in str(reference):
        raise UsageError(
            "PACKAGE-NOT-FOUND",
            "there is no package in this folder",
            where=str(path),
            hint="name a folder with a manifest.json, or a model such as churn@champion",
        )
    workspace = find_workspace(store)
    version = fold(workspace.ledger.read()).resolve(str(reference))
    return workspace.root / "packages" / version.package


def _in_kind_of(given: Any, answer: pl.DataFrame) -> Any:
    """Return `answer` as polars, pandas (with the same index), a dict, or a list of dicts."""
    if isinstance(given, pl.DataFrame | pl.LazyFrame):
        return answer
    if type(given).__module__.partition(".")[0] == "pandas":
        columns = {name: answer[name].to_list() for name in answer.columns}
        return type(given)(columns, index=given.index)
    if isinstance(given, Mapping):
        one = cast("Mapping[str, Any]", given)
        columns = answer.to_dict(as_series=False)
        one_row = all(map(is_single, one.values()))
        return {name: values[0] for name, values in columns.items()} if one_row else columns
    return answer.to_dicts()
