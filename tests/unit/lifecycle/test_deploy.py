"""From a store to the folder that is deployed, with the frozen store of a release."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import msgspec
import pytest

from assay.cli.main import main
from assay.errors import Refused, Tampered, UsageError
from assay.kernel.stage import Context
from assay.kernel.store import put_record
from assay.lifecycle.deploying import deploy as lifecycle
from assay.lifecycle.deploying.deploy import deploy
from assay.lifecycle.verify import verify
from assay.records.base import from_json
from assay.records.deployment import LoadTest
from assay.records.package import Code, Manifest
from assay.registry.fold import MOVED, REGISTERED, fold
from assay.stores.workspace import Workspace, open_workspace

GOLDEN = Path(__file__).parents[2] / "golden" / "0.1.0" / "store"


@pytest.fixture
def store(tmp_path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "store"))


def opened(store: Path) -> tuple[Workspace, Context]:
    workspace = open_workspace(store)
    return workspace, Context(workspace.store, workspace.ledger, workspace.root)


def refused(kind: str, store: Path, out: Path, error: type[Exception], **more: float) -> str:
    with pytest.raises(error) as caught:
        deploy(kind, "golden", out, store=store, **more)  # type: ignore[arg-type]
    return str(caught.value.code)  # type: ignore[attr-defined]


def test_the_store_that_goes_along_holds_the_version_and_its_chain(store, tmp_path):
    made = deploy("docker", "golden", tmp_path / "out", store=store)
    seeded = tmp_path / "out" / "server" / "store"
    found = verify(str(seeded))
    assert (found.packages, found.events) == (1, 3)
    registry = fold(open_workspace(seeded).ledger.read())
    assert registry.resolve("golden").package == made.package
    started = next(open_workspace(seeded).ledger.read())
    assert started.data["folder"] == "project"
    assert set(made.files) >= {"server/Dockerfile", "server/start.py", "server/store/ledger.sqlite"}


def test_a_later_version_keeps_its_number(store, tmp_path):
    workspace, context = opened(store)
    first = fold(workspace.ledger.read()).resolve("golden")
    for package in ("a" * 64, first.package):
        context.append(REGISTERED, "other", package=package, run=first.run, verdict="accepted")
    context.append(MOVED, "other", alias="champion", version=2, reason="", verdict="accepted")
    deploy("docker", "other", tmp_path / "out", store=store)
    seeded = open_workspace(tmp_path / "out" / "server" / "store")
    version = fold(seeded.ledger.read()).resolve("other")
    assert (version.version, version.package) == (2, first.package)
    assert "golden" not in fold(seeded.ledger.read()).versions


def test_the_project_file_and_its_fallback_come_along(store, tmp_path):
    workspace, context = opened(store)
    first = fold(workspace.ledger.read()).resolve("golden")
    project = tmp_path / "project"
    shutil.copytree(GOLDEN.parent, project, ignore=shutil.ignore_patterns("store"))
    text = (project / "assay.toml").read_text() + '\n[serve]\nfallback = "golden@1"\n'
    (project / "assay.toml").write_text(text)
    started = next(e for e in workspace.ledger.read() if e.kind == "run.started")
    data = started.data | {"folder": str(project)}
    context.append("run.started", "mine", **data)
    digest = shutil.copytree(store / "packages" / first.package, store / "packages" / ("b" * 64))
    context.append(REGISTERED, "mine", package=digest.name, run="mine", verdict="accepted")
    context.append(MOVED, "mine", alias="champion", version=1, reason="", verdict="accepted")
    with pytest.raises(Tampered):  # it is not what its folder says
        deploy("docker", "mine", tmp_path / "no", store=store)
    shutil.rmtree(digest)
    context.append(REGISTERED, "ours", package=first.package, run="mine", verdict="accepted")
    context.append(MOVED, "ours", alias="champion", version=1, reason="", verdict="accepted")
    made = deploy("docker", "ours", tmp_path / "out", store=store)
    assert (tmp_path / "out" / "server" / "project" / "assay.toml").read_text() == text
    registry = fold(open_workspace(tmp_path / "out" / "server" / "store").ledger.read())
    assert registry.resolve("golden@1").package == made.package
    assert registry.resolve("ours").version == 1


def test_the_load_test_of_this_package_sizes_it(store, tmp_path):
    workspace, context = opened(store)
    version = fold(workspace.ledger.read()).resolve("golden")
    record = LoadTest(
        model="golden@1", rps=100.0, seconds=1.0, requests=100, errors=0, p50_ms=0.1, p99_ms=0.4,
        slo_ms=50.0, capacity_rps=1000.0, peak_mb=200.0,
    )  # fmt: skip
    digest = put_record(workspace.store, record)
    for package in (version.package, "c" * 64):
        other = digest if package == version.package else "d" * 64
        context.append("load.tested", "golden", package=package, record=other)
    made = deploy("kubernetes", "golden", tmp_path / "out", store=store, rps=2_000)
    assert (made.sizing.target_rps, made.sizing.copies, made.sizing.memory_mb) == (700, 3, 224)


def test_the_wheel_is_this_assay(store, tmp_path):
    made = deploy("ray", "golden", tmp_path / "out", store=store)
    wheel = next(tmp_path.glob("out/*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        code = archive.read("assay/lifecycle/deploying/deploy.py")
    assert code == Path(lifecycle.__file__).read_bytes()
    assert not [name for name in names if "__pycache__" in name]
    assert "package/manifest.sha256" in made.files


def test_only_a_model_file_that_answers_alone_goes_alone(store, tmp_path):
    # this one is of before the file took raw columns
    assert refused("triton", store, tmp_path / "out", Refused) == "DEPLOY-PORTABLE"
    assert not (tmp_path / "out").exists()


def test_python_of_a_project_does_not_travel(store, tmp_path, monkeypatch):
    workspace, _ = opened(store)
    folder = store / "packages" / fold(workspace.ledger.read()).resolve("golden").package
    manifest = from_json((folder / "manifest.json").read_bytes(), Manifest)
    code = Code(entry="prepare:clean", file="code/prepare.py", digest="0" * 64)
    changed = msgspec.structs.replace(manifest, code=code)
    monkeypatch.setattr(lifecycle, "read_files", lambda path: (changed, {}))
    assert refused("docker", store, tmp_path / "out", Refused) == "DEPLOY-CODE"


def test_nothing_is_overwritten(store, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    assert refused("docker", store, tmp_path / "out", UsageError) == "DEPLOY-FOLDER"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"port": 70_000}, {"rps": -1.0}])
def test_numbers_have_limits(store, tmp_path, wrong):
    assert refused("docker", store, tmp_path / "out", UsageError, **wrong) == "DEPLOY-NUMBER"


def test_an_unknown_place_names_the_nearest(store, tmp_path, capsys):
    words = ["deploy", "kubernets", "golden", "-o", tmp_path / "out", "--store", store, "--json"]
    assert main([str(word) for word in words]) == 2
    error = json.loads(capsys.readouterr().out)["errors"][0]
    assert (error["code"], error["try"]) == ("DEPLOY-KIND", "did you mean kubernetes?")


def test_a_package_that_was_changed_goes_nowhere(store, tmp_path):
    next((store / "packages").glob("*/model.onnx")).write_bytes(b"other")
    assert refused("docker", store, tmp_path / "out", Tampered) == "PACKAGE-CHANGED"


def test_the_command_says_what_to_run_next(store, tmp_path, capsys):
    words = ["deploy", "systemd", "golden@1", "-o", tmp_path / "out", "--store", store]
    assert main([str(word) for word in words]) == 0
    said = capsys.readouterr().out
    assert "golden@1 as systemd" in said
    assert "sudo sh install.sh" in said
    assert main([*map(str, words[:4]), str(tmp_path / "two"), *map(str, words[5:]), "--json"]) == 0
    data = json.loads(capsys.readouterr().out.splitlines()[-1])["data"]
    assert data["model"] == "golden@1"
    assert "assay-golden.service" in data["files"]
    assert data["sizing"]["copies"] == 2
