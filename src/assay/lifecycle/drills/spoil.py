"""Second versions for a drill: one that answers alike, one that is whole and answers wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from assay.errors import UsageError
from assay.package.build import build, size_of
from assay.package.manifest import SIGNATURE, read_files
from assay.records.base import digest_of, from_json, to_json
from assay.records.fitted import Signature
from assay.records.package import Manifest, ModelVersion, Package
from assay.registry.change import register
from assay.stores.workspace import Workspace

WHY = "a drill"
"""The reason that is given for what a drill does."""


def add_twin(workspace: Workspace, good: ModelVersion) -> ModelVersion:
    """Register a version that answers as `good` does, and is another package all the same."""
    manifest, files = read_files(workspace.root / "packages" / good.package)
    return _add(workspace, good, manifest, files)


def add_wrong(workspace: Workspace, good: ModelVersion) -> ModelVersion:
    """Register a version that is whole by every digest and whose answers are wrong.

    Its classes, or for a number its columns, stand in another order than the model was trained
    with: a mistake that happens, and that no digest shows.

    Raises:
        UsageError: DRILL-NO-FAULT where there is nothing to mix up.
    """
    manifest, files = read_files(workspace.root / "packages" / good.package)
    signature = from_json(files[SIGNATURE], Signature)
    if signature.classes:
        files[SIGNATURE] = to_json(_turned(signature))
        manifest = msgspec.structs.replace(manifest, signature=_turned(manifest.signature))
    else:
        files |= mixed_up(files, [f.name for f in signature.inputs if f.type == "number"])
    return _add(workspace, good, manifest, files)


def _turned(signature: Signature) -> Signature:
    """Give each class the name of the next."""
    return msgspec.structs.replace(
        signature, classes=(*signature.classes[1:], signature.classes[0])
    )


def mixed_up(files: Mapping[str, bytes], numbers: Sequence[str]) -> dict[str, bytes]:
    """Give each column of numbers the name of the next, in what the model's own files call them.

    Raises UsageError DRILL-NO-FAULT where there are no two such columns.
    """
    names = dict(zip(numbers, [*numbers[1:], *numbers[:1]], strict=True))
    changed = {
        name: msgspec.json.encode(_renamed(msgspec.json.decode(data), names))
        for name, data in files.items()
        if name.endswith(".json") and name != SIGNATURE
    }
    if len(names) < 2 or all(changed[name] == files[name] for name in changed):
        raise UsageError(
            "DRILL-NO-FAULT",
            "this model has no columns of numbers that could be mixed up",
            allowed=["a model of classes", "a model with two or more columns of numbers"],
        )
    return changed


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


def _add(
    workspace: Workspace, good: ModelVersion, manifest: Manifest, files: Mapping[str, bytes]
) -> ModelVersion:
    digests = {name: digest_of(data) for name, data in files.items()}
    other = msgspec.structs.replace(manifest, seal=WHY, files=digests)
    path = build(workspace.folder("packages"), other, files, lambda _: None)
    package = Package(
        name=good.name,
        digest=path.name,
        path=f"packages/{path.name}",
        bytes=size_of(path),
        parity=manifest.parity,
    )
    return register(workspace.context(good.run), package, "inconclusive")
