"""A version of a model as files for another place: facts from the store, texts from `deploy/`."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import onnxruntime

import assay
from assay.deploy.facts import MODEL_FILE, Facts, Tensor
from assay.deploy.files import KINDS, SERVER, model_path, next_steps, written
from assay.deploy.requirements import OURS, pinned
from assay.deploy.sizing import Measured, Sizing, sized
from assay.deploy.wheel import wheel
from assay.errors import Refused, UsageError
from assay.kernel.store import get_record
from assay.lifecycle.load_testing.load_test import TESTED
from assay.lifecycle.serving.seed import seed
from assay.package.manifest import read_files
from assay.records.deployment import LoadTest
from assay.records.event import Event
from assay.records.package import Manifest, ModelVersion
from assay.registry.fold import fold
from assay.stores.faults import explained
from assay.stores.workspace import Workspace, find_workspace

MOST_WORKERS, MOST_PORT, MOST_RPS = 256, 65_535, 10_000_000
_CARRIED = ("METADATA", "entry_points.txt")


@dataclass(frozen=True)
class Deployed:
    """What was written, by path in the folder; how it was sized; and what to run next in it."""

    folder: Path
    model: str
    package: str
    files: tuple[str, ...]
    sizing: Sizing
    then: tuple[str, ...]


def deploy(
    kind: str,
    reference: str,
    out: Path,
    *,
    workers: int = 1,
    port: int = 8080,
    rps: float | None = None,
    store: str | Path | None = None,
) -> Deployed:
    """Write the files that run `NAME[@VERSION]` at a place of this kind into the folder `out`.

    Raises:
        UsageError: DEPLOY-KIND, DEPLOY-NUMBER, DEPLOY-FOLDER for a folder that is not empty, or no
            such model.
        Refused: DEPLOY-CODE for a package with Python of its project's own; DEPLOY-PORTABLE where
            only the model file would go there and it cannot answer alone.
        Tampered: the package is not what it was built as.
        MissingExtra: DEPLOY-REQUIREMENT.
        StoreError: there is no room or no right to write.
    """
    _check(kind, workers, port, rps)
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    found = fold(events).resolve(reference)
    package = workspace.root / "packages" / found.package
    manifest, files = read_files(package)
    _check_code(manifest, found)
    place, (ours, data) = KINDS[kind], _our_wheel()
    inputs, outputs = _tensors(manifest, files, found) if place.portable is not None else ((), ())
    facts = Facts(
        model=found.name,
        version=found.version,
        digest=found.package,
        made_by=assay.__version__,
        port=port,
        workers=workers,
        sizing=sized(workers, rps, _measured(workspace, events, found)),
        requirements=pinned(_installed),
        versions={name: _installed(name) or "" for name in place.versions},
        wheel=ours,
        python=platform.python_version(),
        inputs=inputs,
        outputs=outputs,
    )
    texts, alone = written(kind, facts), model_path(kind, facts)
    with explained(out):
        _check_empty(out)
        for path, text in texts.items():
            _put(out / path, text.encode())
        if place.wheel is not None:
            _put(out / place.wheel / ours, data)
        if alone is not None:
            _put(out / alone, files[MODEL_FILE])
        if place.package is not None:
            shutil.copytree(package, out / place.package)
        if place.server:
            seed(workspace, events, found, out / SERVER)
        paths = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    then = tuple(next_steps(kind, facts))
    return Deployed(out, facts.reference, found.package, tuple(paths), facts.sizing, then)


def _check(kind: str, workers: int, port: int, rps: float | None) -> None:
    if kind not in KINDS:
        close = get_close_matches(kind, KINDS, n=1)
        raise UsageError(
            "DEPLOY-KIND",
            "there is no such place to deploy to",
            got=kind,
            allowed=list(KINDS),
            hint=f"did you mean {close[0]}?" if close else "",
        )
    for flag, value, most in (
        ("--workers", workers, MOST_WORKERS),
        ("--port", port, MOST_PORT),
        ("--rps", 1 if rps is None else rps, MOST_RPS),
    ):
        if not 0 < value <= most:
            raise UsageError(
                "DEPLOY-NUMBER",
                "this number is too small or too large",
                where=flag,
                got=value,
                allowed=[f"above 0, at most {most:,}"],
            )


def _check_code(manifest: Manifest, found: ModelVersion) -> None:
    if manifest.code is not None:
        raise Refused(
            "DEPLOY-CODE",
            "this package needs Python of its project's own, and what that imports is not known",
            where=manifest.code.entry,
            got=f"{found.name}@{found.version}",
            hint="serve it where it was made: assay serve NAME --allow-code",
        )


def _check_empty(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise UsageError(
            "DEPLOY-FOLDER",
            "the folder is not empty, and nothing in it is overwritten",
            where=str(out),
            hint="name a new folder with -o",
        )


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _measured(
    workspace: Workspace, events: Sequence[Event], found: ModelVersion
) -> Measured | None:
    """Return what the last load test of the version found, None without one."""
    tests = [e for e in events if e.kind == TESTED and e.data["package"] == found.package]
    if not tests:
        return None
    record = get_record(workspace.store, tests[-1].data["record"], LoadTest)
    return Measured(
        workers=tests[-1].data.get("workers", 1),
        capacity=record.capacity_rps,
        peak_mb=record.peak_mb,
        slo_ms=record.slo_ms,
    )


def _tensors(
    manifest: Manifest, files: Mapping[str, bytes], found: ModelVersion
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return the inputs and outputs of the model file; each input has to be a column."""
    if MODEL_FILE not in files:
        raise _not_portable(found, f"the package has no {MODEL_FILE}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(files[MODEL_FILE], options)
    columns = {field.name for field in manifest.signature.inputs}
    for port in session.get_inputs():
        if port.name not in columns:
            raise _not_portable(found, f"{port.name} is made of a column by Assay, not by the file")
    return _read(session.get_inputs()), _read(session.get_outputs())


def _read(ports: Sequence[Any]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(p.name, p.type, tuple(n if isinstance(n, int) else None for n in p.shape))
        for p in ports
    )


def _not_portable(found: ModelVersion, why: str) -> Refused:
    return Refused(
        "DEPLOY-PORTABLE",
        f"the model file of this package cannot answer without Assay: {why}",
        got=f"{found.name}@{found.version}",
        hint="deploy it to a place that runs Assay, such as docker",
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _our_wheel() -> tuple[str, bytes]:
    """Return Assay as it is installed here, as a wheel."""
    root = Path(assay.__file__).parent
    files = {
        f"{root.name}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    about = distribution(OURS)
    entries = {name: text for name in _CARRIED if (text := about.read_text(name))}
    return wheel(OURS, about.version, files, entries)
