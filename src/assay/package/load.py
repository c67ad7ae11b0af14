"""Load a package: verify every byte, then hand the files to the family's predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.errors import Refused, Tampered
from assay.kernel.family import Explanation, Predictions, Predictor
from assay.kernel.plugins import load_predictor
from assay.metrics.operate import calibrated, group_words, operate
from assay.package.manifest import SIGNATURE, read_files, read_seal
from assay.records.base import from_json
from assay.records.fitted import Signature
from assay.records.package import Manifest


@dataclass(frozen=True)
class Operated:
    """A family's predictor whose scores become answers: calibrated, and cut at their threshold."""

    scores: Predictor
    signature: Signature

    def predict(self, frame: pl.DataFrame) -> Predictions:
        """Answer for rows with the columns of the signature."""
        scores = self.scores.predict(frame)
        return operate(self.signature.operating, scores, frame, self._code)

    def row(self, cells: Sequence[object]) -> Predictions:
        """Answer for one row, its cells as `kernel.family.Predictor.row` takes them."""
        signature = self.signature
        operating = signature.operating
        values = calibrated(operating, self.scores.row(cells), self._code)
        threshold = operating.threshold
        if operating.thresholds:
            threshold = operating.thresholds.get(_word(cells[self._group]), threshold)
        return Predictions(values, signature.classes, threshold)

    def rows(self, cells: Sequence[Sequence[object]]) -> Predictions:
        """Answer for n rows at once, each as in `row`."""
        signature = self.signature
        operating = signature.operating
        values = calibrated(operating, self.scores.rows(cells), self._code)
        threshold: float | NDArray[np.float64] = operating.threshold
        if operating.thresholds:
            known, usual = operating.thresholds, operating.threshold
            threshold = np.array([known.get(_word(row[self._group]), usual) for row in cells])
        return Predictions(values, signature.classes, threshold)

    def explain(self, frame: pl.DataFrame) -> Explanation:
        """Explain the answers for rows with the columns of the signature."""
        return self.scores.explain(frame, self)

    @cached_property
    def _code(self) -> int:
        signature = self.signature
        return signature.classes.index(signature.positive) if signature.positive is not None else 0

    @cached_property
    def _group(self) -> int:
        names = [field.name for field in self.signature.inputs]
        return names.index(self.signature.operating.group)


def _word(cell: object) -> str:
    """Return the group that `group_words` sees in a cell."""
    if isinstance(cell, str):
        return cell
    moment = isinstance(cell, int) and not isinstance(cell, bool)
    column = pl.Series([cell])
    return str(group_words(column.cast(pl.Datetime("us")) if moment else column)[0])


def open_predictor(family: str, files: Mapping[str, bytes], signature: Signature) -> Operated:
    """Return the predictor of a package's files; raises Tampered as the family's loader does."""
    return Operated(load_predictor(family)(files, signature), signature)


@dataclass(frozen=True)
class LoadedPackage:
    """A verified package in memory.

    `signature` is what a caller sends. It differs from the predictor's own where Python of the
    project's own, a file in the package, stands between them.
    """

    digest: str
    manifest: Manifest
    predictor: Operated
    signature: Signature
    path: Path


def load(path: Path, *, allow_code: bool = False) -> LoadedPackage:
    """Verify and load the package in the folder `path`.

    Raises:
        Tampered: a file is missing, changed, unexpected, or not what its name says.
        Refused: the package needs Python of its project's own and `allow_code` is False.
    """
    manifest, files = read_files(path)
    if manifest.code is not None and not allow_code:
        raise Refused(
            "PACKAGE-CODE",
            "this package needs Python code of its project's own, which runs on every prediction",
            where=manifest.code.entry,
            got=manifest.code.digest,
            hint="read the code, then pass --allow-code (in Python: allow_code=True)",
        )
    if SIGNATURE not in files:
        raise Tampered("PACKAGE-INCOMPLETE", f"the package lacks {SIGNATURE}", where=str(path))
    predictor = open_predictor(manifest.family, files, manifest.signature)
    signature = from_json(files[SIGNATURE], Signature)
    return LoadedPackage(read_seal(path), manifest, predictor, signature, path)
