"""A version of a model as the server asks it: a verified package behind `serve.servable`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
import polars as pl

from assay.data.columns import TableReader
from assay.data.conform import conform
from assay.data.raw import to_polars
from assay.data.row import RowReader, Unread
from assay.data.transform import apply_transform
from assay.kernel.family import Explanation, Predictions
from assay.lifecycle.serving.example import example_of
from assay.package.load import LoadedPackage
from assay.package.load import load as load_package
from assay.package.manifest import CODE
from assay.records.fitted import Signature
from assay.registry.fold import fold
from assay.serve.servable import Cells
from assay.stores.workspace import Workspace


class PackageServable:
    """A loaded package under its name and version; keeps `serve.servable.Servable`."""

    def __init__(self, name: str, version: int, package: LoadedPackage) -> None:
        self.name, self.version, self.package = name, version, package
        self.digest, self.signature = package.digest, package.signature
        inputs, missing = self.signature.inputs, self.signature.missing
        self._read = RowReader(inputs, missing).read
        self._columns = TableReader(inputs, missing)

    @cached_property
    def example(self) -> Mapping[str, Any]:
        """Return a typical row, as a caller may send it."""
        return example_of(self.package)

    def read(self, row: Mapping[str, Any]) -> Cells | None:
        """Type one row; None where it does not fit and `table` is to say why."""
        try:
            return self._read(row)
        except Unread:
            return None

    def table(self, raw: object) -> pl.DataFrame:
        """Type many rows: a frame, a list of rows or a dict of columns; raises DataError."""
        if isinstance(raw, Mapping | pl.DataFrame):
            try:
                return self._columns.read(raw)
            except Unread:  # `conform` says why, or reads it all the same
                pass
        return _typed(to_polars(raw), self.signature)

    def rows(self, cells: Sequence[Cells]) -> Predictions:
        """Answer for typed rows that arrived one by one, in one call."""
        if self.package.manifest.code is not None:
            return self.ask(self._frame(cells))
        predictor = self.package.predictor
        return predictor.row(cells[0]) if len(cells) == 1 else predictor.rows(cells)

    def ask(self, frame: pl.DataFrame) -> Predictions:
        """Answer for a typed table."""
        return self.package.predictor.predict(self._made(frame))

    def explain(self, frame: pl.DataFrame) -> Explanation:
        """Explain the answers for a typed table, by the columns that the model itself sees."""
        return self.package.predictor.explain(self._made(frame))

    def warm(self) -> None:
        """Answer one row and a table of one; raises what a request would."""
        frame = self.table([self.example])
        self.ask(frame)
        cells = self.read(self.example)
        if cells is not None:
            self.rows([cells])
            self.rows([cells, cells])

    def _made(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return what Python of the project's own makes of typed rows, where there is some."""
        code = self.package.manifest.code
        if code is None:
            return frame
        local = msgspec.structs.replace(code, file=code.file.removeprefix(f"{CODE}/"))
        made = apply_transform(local, frame, self.package.path / CODE, allow_code=True)
        return _typed(made, self.package.predictor.signature)

    def _frame(self, cells: Sequence[Cells]) -> pl.DataFrame:
        columns = zip(*cells, strict=True)
        fields = self.signature.inputs
        return pl.DataFrame(
            [_series(f.name, f.type, c) for f, c in zip(fields, columns, strict=True)]
        )


def load_servable(
    workspace: Workspace, model: str, version: int, *, allow_code: bool = False
) -> PackageServable:
    """Load a version, every byte verified, and answer once with it.

    Raises:
        UsageError: there is no such version.
        Tampered: the package is not what it was built as.
        Refused: it needs Python of its project's own and `allow_code` is False.
    """
    found = fold(workspace.ledger.read()).resolve(f"{model}@{version}")
    package = load_package(workspace.root / "packages" / found.package, allow_code=allow_code)
    servable = PackageServable(model, version, package)
    servable.warm()
    return servable


def _typed(raw: pl.DataFrame, signature: Signature) -> pl.DataFrame:
    readings = {field.name: field.reading for field in signature.inputs}
    return conform(raw, signature.inputs, missing=signature.missing, readings=readings)


def _series(name: str, kind: str, cells: Sequence[Any]) -> pl.Series:
    """Return typed cells, in the form of `Predictor.row`, as the column they came from."""
    if kind == "number":
        return pl.Series(name, cells, dtype=pl.Float64).fill_nan(None)
    if kind == "datetime":
        return pl.Series(name, cells, dtype=pl.Int64).cast(pl.Datetime("us"))
    return pl.Series(name, cells, dtype=pl.Boolean if kind == "boolean" else pl.String)
