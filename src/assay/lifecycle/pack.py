"""The package: model, signature, cards and the project's own code, verified in a fresh process."""

from __future__ import annotations

from pathlib import Path

import msgspec

from assay.data.ingest import readings_of
from assay.data.transform import code_of
from assay.errors import UsageError
from assay.gates import judge
from assay.kernel.stage import Context, Inputs, Note, take
from assay.lifecycle.fit import field_of
from assay.lifecycle.predict import Model
from assay.package.build import build, size_of
from assay.package.load import load
from assay.package.manifest import CODE, SIGNATURE
from assay.package.smoke import example_frame, smoke
from assay.records.audit import Audit
from assay.records.base import digest, digest_of, to_json
from assay.records.engine import Engine
from assay.records.fitted import Fitted, Leaderboard, Members, Signature
from assay.records.package import Code, Manifest, Package, Profiled
from assay.records.report import Report
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import FeaturesSection, ProjectSpec
from assay.records.split import Split
from assay.report.cards import data_card, model_card
from assay.report.view import RunView
from assay.watch.profile import FILE as PROFILE


def package(inputs: Inputs, context: Context) -> Package:
    """Run the stage: write the package, ask it in a fresh process, and only then name it."""
    spec, fitted = take(inputs, "spec", ProjectSpec), take(inputs, "fit", Fitted)
    snapshot = take(inputs, "snapshot", DataSnapshot)
    report = take(inputs, "evaluate", Report)
    signature = raw_signature(fitted.signature, snapshot)
    files = {name: context.store.get(found) for name, found in fitted.files.items()}
    files[SIGNATURE] = to_json(signature)
    view = card_view(inputs)
    files[PROFILE] = context.store.get(take(inputs, "profile", Profiled).profile)
    files["model_card.md"] = model_card(view).encode()
    files["data_card.md"] = data_card(view).encode()
    code = _code(take(inputs, "spec.features", FeaturesSection), snapshot, context, files)
    manifest = Manifest(
        name=spec.project.name,
        engine=f"assay {take(inputs, 'engine', Engine).assay}",
        family=fitted.signature.family,
        files={name: digest_of(data) for name, data in files.items()},
        signature=fitted.signature,
        parity=report.parity,
        seal=report.seal,
        data=snapshot.content,
        code=code,
    )
    folder = context.folder / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    context.notify(Note("package", "asking it in a fresh process"))
    path = build(folder, manifest, files, check=_ask)
    return Package(
        name=spec.project.name,
        digest=path.name,
        path=f"packages/{path.name}",
        bytes=size_of(path),
        parity=report.parity,
    )


def raw_signature(signature: Signature, snapshot: DataSnapshot) -> Signature:
    """Return the signature of raw rows: the columns before `features.transform`, if any."""
    if not snapshot.raw:
        return signature
    return msgspec.structs.replace(
        signature, inputs=tuple(field_of(c, readings_of(snapshot)) for c in snapshot.raw)
    )


def card_view(inputs: Inputs) -> RunView:
    """Return what the cards are written from: records only, no times and no run.

    The gates are judged as on a first look, with nothing live: what else is in the store is no
    input of the run, and must not change the package.
    """
    seal, report = take(inputs, "seal", Seal), take(inputs, "evaluate", Report)
    alone = msgspec.structs.replace(
        report,
        looks=1,
        comparisons=tuple(c for c in report.comparisons if c.against == "baseline"),
        unasked="",
    )
    return RunView(
        run="",
        project=take(inputs, "spec", ProjectSpec),
        snapshot=take(inputs, "snapshot", DataSnapshot),
        problem=take(inputs, "problem", Problem),
        split=take(inputs, "split", Split),
        audit=take(inputs, "audit", Audit),
        seal=seal,
        seal_digest=digest(seal),
        sealed_at="",
        started_at="",
        seconds=0.0,
        stages=(),
        test_reads=0,
        actor="",
        leaderboard=take(inputs, "search", Leaderboard),
        members=take(inputs, "members", Members),
        fitted=take(inputs, "fit", Fitted),
        report=alone,
        decision=judge(seal.gates, alone, digest(seal)),
    )


def _code(
    features: FeaturesSection, snapshot: DataSnapshot, context: Context, files: dict[str, bytes]
) -> Code | None:
    """Add the file of the project's own Python, which loads only with leave."""
    if features.transform is None:
        return None
    code = code_of(features.transform, context.project)
    data = (context.project / code.file).read_bytes()
    trained_with = next(s.example for s in snapshot.cleaning if s.rule == "transform")
    if digest_of(data) != trained_with:
        raise UsageError(
            "TRANSFORM-CHANGED",
            "the project's own Python changed while the run was going on",
            where=code.file,
            hint="run again: what does not depend on it is not fitted twice",
        )
    name = f"{CODE}/{code.file}"
    files[name] = data
    return msgspec.structs.replace(code, file=name)


def _ask(path: Path) -> None:
    loaded = load(path, allow_code=True)
    example = example_frame(loaded.predictor.signature.inputs)
    smoke(path, loaded.manifest.family, loaded.predictor.predict(example))
    if loaded.manifest.code is not None:
        # the whole way, so that code which needs a file outside of the package is found now
        Model(path.name, loaded).predict(example_frame(loaded.signature.inputs))
