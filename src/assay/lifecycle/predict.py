"""Ask a model: any rows in, the same kind of rows out."""

from __future__ import annotations

import os
import uuid
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
from assay.data.source import read_any
from assay.data.transform import apply_transform
from assay.errors import StoreError, UsageError
from assay.kernel.family import Predictions
from assay.lifecycle.single import OneRow, labels, positive_code
from assay.metrics.operate import answer_sets
from assay.package.load import LoadedPackage
from assay.package.load import load as load_package
from assay.package.manifest import CODE, MANIFEST
from assay.records.fitted import Signature
from assay.registry.fold import fold
from assay.stores.workspace import default_location, open_workspace

WRITERS = (".csv", ".parquet", ".jsonl", ".ndjson")


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

    def ask(self, raw: pl.DataFrame) -> Predictions:
        """Return probabilities or numbers for rows as they were ingested; raises DataError."""
        rows = self._conform(raw, self.signature)
        code = self.package.manifest.code
        if code is not None:
            local = msgspec.structs.replace(code, file=code.file.removeprefix(f"{CODE}/"))
            rows = apply_transform(local, rows, self.package.path / CODE, allow_code=True)
            rows = self._conform(rows, self.package.predictor.signature)
        return self.package.predictor.predict(rows)

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
    workspace = open_workspace(store or default_location(None), create=False)
    version = fold(workspace.ledger.read()).resolve(str(reference))
    return workspace.root / "packages" / version.package


def answers(predictions: Predictions, signature: Signature, *, sets: bool = False) -> pl.DataFrame:
    """Return predictions as columns: `prediction` and what belongs to it."""
    if not signature.classes:
        low, high = signature.interval or (0.0, 0.0)
        number = pl.Series("prediction", predictions.values)
        return pl.DataFrame([number, (number + low).alias("low"), (number + high).alias("high")])
    chosen = labels(signature).gather(predictions.codes(positive_code(signature)))
    chances = [
        pl.Series(f"probability_{name}", predictions.values[:, place])
        for place, name in enumerate(signature.classes)
    ]
    if sets:
        inside = answer_sets(signature.operating, predictions)
        names = [[c for c, there in zip(signature.classes, row, strict=True) if there]
                 for row in inside.tolist()]  # fmt: skip
        chances.append(pl.Series("prediction_set", names, dtype=pl.List(pl.String)))
    return pl.DataFrame([chosen, *chances])


def predict_file(model: Model, file: Path, out: Path, *, sets: bool = False) -> int:
    """Answer for every row of a data file; writes its columns and the answers, whole or not at all.

    The classes of a prediction set are joined by " | ". Returns the number of rows.

    Raises:
        UsageError: the ending of `out` is not one that can be written, or of a format that cannot
            hold a column of `file`, or `out` is `file` itself.
        DataError: the file cannot be read, or does not fit the model.
        StoreError: there is no room or no right to write.
    """
    if out.suffix.lower() not in WRITERS:
        raise UsageError(
            "PREDICT-FORMAT",
            "the ending of the output file names no format that can be written",
            got=out.name,
            allowed=WRITERS,
        )
    if file.exists() and out.exists() and file.samefile(out):
        raise UsageError(
            "PREDICT-SAME-FILE",
            "the output file is the input file, which would be lost",
            where=str(file),
            got=str(out),
            hint="write to another file with -o",
        )
    raw = read_any(file)
    _check_cells(raw, out)
    answer = answers(model.ask(raw), model.signature, sets=sets)
    answer = answer.with_columns(pl.col(pl.List(pl.String)).list.join(" | "))
    for name in answer.columns:
        free = name
        while free in raw.columns:
            free += "_predicted"
        answer = answer.rename({name: free})
    _write(pl.concat([raw, answer], how="horizontal"), out)
    return raw.height


def _check_cells(raw: pl.DataFrame, out: Path) -> None:
    for name, dtype in raw.schema.items():
        if out.suffix.lower() == ".csv" and (dtype.is_nested() or dtype == pl.Binary):
            raise UsageError(
                "PREDICT-CELLS",
                "a CSV file cannot hold the cells of this column of the input",
                where=name,
                got=str(dtype),
                hint="write a Parquet or JSON Lines file: -o answers.parquet",
            )


def _write(table: pl.DataFrame, out: Path) -> None:
    draft = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        if out.suffix.lower() == ".parquet":
            table.write_parquet(draft)
        elif out.suffix.lower() == ".csv":
            table.write_csv(draft)
        else:
            table.write_ndjson(draft)
        draft.replace(out)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            "PREDICT-NOT-WRITTEN",
            f"the answers could not be written: {error}",
            where=str(out),
            hint="free some room, check the rights, or write to another place with -o",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


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
