"""The profile that lies in a version's package."""

from __future__ import annotations

from assay.errors import Tampered, UsageError
from assay.package.manifest import MANIFEST
from assay.records.base import digest_of, from_json
from assay.records.package import Manifest, ModelVersion
from assay.stores.workspace import Workspace
from assay.watch.profile import FILE, Profile, read_profile


def open_profile(workspace: Workspace, version: ModelVersion) -> Profile:
    """Return what a version is compared with.

    Raises:
        UsageError: WATCH-NO-PROFILE, the package was made before there were profiles.
        Tampered: the profile is not what the package was built with.
    """
    folder = workspace.root / "packages" / version.package
    manifest = (folder / MANIFEST).read_bytes()
    wanted = from_json(manifest, Manifest).files.get(FILE)
    if wanted is None:
        raise UsageError(
            "WATCH-NO-PROFILE",
            "the package of this version has no profile to compare with",
            where=f"{version.name}@{version.version}",
            got=version.package,
            hint="`assay run` the project again: packages of this version of Assay have one",
        )
    data = (folder / FILE).read_bytes()
    if digest_of(manifest) != version.package or digest_of(data) != wanted:
        raise Tampered(
            "PACKAGE-CHANGED",
            "the content of this file is not what the package was built with",
            where=str(folder / FILE),
            hint="restore the package from a copy, or run the project again",
        )
    return read_profile(data)
