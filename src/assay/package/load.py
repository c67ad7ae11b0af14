"""Load a package: verify every byte, then hand the files to the family's predictor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.errors import Refused
from assay.kernel.family import Predictor
from assay.kernel.plugins import load_predictor
from assay.package.manifest import SIGNATURE, package_digest, read_files
from assay.records.base import from_json
from assay.records.fitted import Signature
from assay.records.package import Manifest


@dataclass(frozen=True)
class LoadedPackage:
    """A verified package in memory.

    `signature` is what a caller sends. It differs from the predictor's own where Python of the
    project's own, a file in the package, stands between them.
    """

    digest: str
    manifest: Manifest
    predictor: Predictor
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
    predictor = load_predictor(manifest.family)(files, manifest.signature)
    signature = from_json(files[SIGNATURE], Signature)
    return LoadedPackage(package_digest(manifest), manifest, predictor, signature, path)
