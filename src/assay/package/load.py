"""Load a package: verify every byte, then hand the files to the family's predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assay.errors import Refused
from assay.kernel.family import Predictions, Predictor
from assay.kernel.plugins import load_predictor
from assay.metrics.operate import operate
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
        signature = self.signature
        code = signature.classes.index(signature.positive) if signature.positive is not None else 0
        return operate(signature.operating, self.scores.predict(frame), frame, code)


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
        Tampered: a file is missing, changed or unexpected.
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
    predictor = open_predictor(manifest.family, files, manifest.signature)
    signature = from_json(files[SIGNATURE], Signature)
    return LoadedPackage(read_seal(path), manifest, predictor, signature, path)
