"""A version that is watched: what its rows are compared with, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import polars as pl

from assay.kernel.family import Predictions
from assay.kernel.plugins import load_family
from assay.lifecycle.predict import Model
from assay.lifecycle.watching.opened import open_profile
from assay.lifecycle.watching.tally import Columns
from assay.package.load import load as load_package
from assay.package.manifest import MANIFEST, SIGNATURE
from assay.records.base import from_json
from assay.records.fitted import Field, Signature
from assay.records.package import Manifest, ModelVersion
from assay.stores.workspace import Workspace
from assay.watch.profile import Profile

Ask = Callable[[pl.DataFrame], Predictions]

_NUMBERS = ("number", "datetime", "boolean")
"""Types that are never text where a column is in the log as it was."""


@dataclass(frozen=True)
class Subject:
    """A version with its profile, what it takes and answers, and how to ask it.

    `hidden` are columns that the log does not have as they were. `ask` is None where the package
    cannot be asked: one with Python of its own that was not allowed.
    """

    version: ModelVersion
    profile: Profile
    signature: Signature
    columns: Columns
    hidden: frozenset[str] = frozenset()
    ask: Ask | None = None


def open_subject(
    workspace: Workspace,
    version: ModelVersion,
    hidden: frozenset[str] = frozenset(),
    *,
    allow_code: bool = False,
) -> Subject:
    """Return a version to watch; the model itself is loaded when it is first asked.

    Raises UsageError for a package without a profile, Tampered for one that was changed.
    """
    profile = open_profile(workspace, version)
    folder = workspace.root / "packages" / version.package
    manifest = from_json((folder / MANIFEST).read_bytes(), Manifest)
    # what a caller sends, before Python of the project's own: that is logged, and profiled
    signature = from_json((folder / SIGNATURE).read_bytes(), Signature)
    family = load_family(manifest.family)

    @cache
    def model() -> Model:
        name = f"{version.name}@{version.version}"
        return Model(name, load_package(folder, allow_code=allow_code))

    def look(inputs: tuple[Field, ...], rows: pl.DataFrame) -> pl.DataFrame:
        words = rows.select(pl.col(pl.String)).columns  # a pseudonym, where the type is another
        gone = {f.name for f in inputs if f.type in _NUMBERS and f.name in words}
        return family.profile_for_watch(inputs, rows.drop(gone | hidden, strict=False))[1]

    return Subject(
        version,
        profile,
        signature,
        Columns(profile.columns, profile.answers, partial(look, signature.inputs)),
        hidden,
        (lambda rows: model().ask(rows)) if allow_code or manifest.code is None else None,
    )
