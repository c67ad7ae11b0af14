"""What `assay deploy` writes, started as elsewhere: alone, with nothing else installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
import pytest
import yaml
from shop import ROWS, Serving, Shop, wait_ready

import assay
from assay.deploy.requirements import SERVING
from assay.lifecycle.deploying.deploy import deploy
from assay.lifecycle.predict import load


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Return a folder with the serve-only distributions and Assay, and nothing else."""
    folder: Path = tmp_path_factory.mktemp("site")
    for name in SERVING:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or () if file.parts[0] != ".."}:
            if top != "__pycache__":
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
    (folder / "assay").symlink_to(Path(assay.__file__).parent)
    return folder


def start(site: Path, store: Path, words: list[str], **more: str) -> Serving:
    """Run Python without its site-packages: what is not in `site` cannot be imported."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), **more}
    process = subprocess.Popen(
        [sys.executable, "-S", *words],
        env=environment,
        cwd=store,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Serving(process)


def test_serving_needs_nothing_but_what_is_listed(site, trained: Shop, tmp_path):
    store = shutil.copytree(trained.store, tmp_path / "store")
    command = ["-m", "assay.cli.main", "serve", "churny", "--store", str(store), "--port", "0"]
    serving = start(site, tmp_path, [*command, "--workers", "1"])
    try:
        wait_ready(serving)
        client = serving.client()
        answer = client.predict(*ROWS[:3])
        expected = load("churny", store=trained.store).predict(pl.DataFrame(ROWS[:3]))
        assert [p["label"] for p in answer["predictions"]] == expected["prediction"].to_list()
        for path in ("/metrics", "/openapi.json", "/docs", "/", "/v2/models/churny"):
            assert client.get(path).status == 200, path
        assert client.post("/explain", {"rows": ROWS[:1]}).status == 200
    finally:
        serving.close()


def test_a_missing_distribution_would_be_noticed(site, trained: Shop, tmp_path):
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    for path in site.iterdir():
        if not path.name.startswith("msgspec"):
            (fewer / path.name).symlink_to(path)
    command = ["-m", "assay.cli.main", "serve", "churny", "--store", str(trained.store)]
    serving = start(fewer, tmp_path, [*command, "--port", "0"])
    _, said = serving.process.communicate(timeout=60)
    assert serving.process.returncode != 0
    assert "msgspec" in said


def bundle(trained: Shop, tmp_path: Path) -> Path:
    deploy("docker", "churny@1", tmp_path / "out", store=trained.store)
    return tmp_path / "out" / "server"


def test_the_start_of_the_image_serves_the_version_twice_from_one_state(site, trained, tmp_path):
    server, state = bundle(trained, tmp_path), tmp_path / "state"
    state.mkdir()
    for path in server.rglob("*"):  # a root file system that is read-only
        path.chmod(0o555 if path.is_dir() else 0o444)
    expected = load("churny@1", store=trained.store).predict(pl.DataFrame(ROWS[:5]))
    for _ in range(2):
        words = [str(server / "start.py"), "--host", "127.0.0.1", "--port", "0", "--workers", "1"]
        serving = start(site, tmp_path, words, ASSAY_STATE=str(state))
        try:
            wait_ready(serving)
            found = serving.client().predict(*ROWS[:5])
            assert serving.stop() == 0
        finally:
            serving.close()
        assert found["model"] == "churny@1"
        got = [p["probabilities"]["yes"] for p in found["predictions"]]
        assert got == expected["probability_yes"].to_list()
    assert len(list(state.iterdir())) == 1


def test_an_open_address_needs_the_tokens_that_are_mounted(site, trained: Shop, tmp_path):
    server, state = bundle(trained, tmp_path), tmp_path / "state"
    state.mkdir()
    words = [str(server / "start.py"), "--host", "0.0.0.0", "--port", "0", "--workers", "1"]
    bare = start(site, tmp_path, words, ASSAY_STATE=str(state), ASSAY_TOKENS="/nowhere")
    _, said = bare.process.communicate(timeout=60)
    assert bare.process.returncode == 2, said
    token = made_token(server / "store")
    shutil.move(server / "store" / "tokens.toml", tmp_path / "tokens.toml")
    tokens = str(tmp_path / "tokens.toml")
    serving = start(site, tmp_path, words, ASSAY_STATE=str(state), ASSAY_TOKENS=tokens)
    try:
        wait_ready(serving)
        assert serving.client().post("/predict", {"rows": ROWS[:1]}).status == 401
        assert serving.client(token).predict(ROWS[0])["model"] == "churny@1"
    finally:
        serving.close()


def made_token(store: Path) -> str:
    command = [sys.executable, "-m", "assay.cli.main", "token", "web", "--scope", "predict"]
    said = subprocess.run([*command, "--store", store], check=True, capture_output=True, text=True)
    return said.stdout.split()[-1]


def test_what_goes_to_triton_and_mlflow_answers_as_we_do(trained: Shop, tmp_path):
    """The folder's own description of the file is enough to ask it."""
    deploy("mlflow", "churny@2", tmp_path / "mlflow", store=trained.store)
    deploy("triton", "churny@2", tmp_path / "triton", store=trained.store)
    file = tmp_path / "triton" / "churny" / "2" / "model.onnx"
    made = yaml.safe_load((tmp_path / "mlflow" / "MLmodel").read_text())
    assert (tmp_path / "mlflow" / "model.onnx").read_bytes() == file.read_bytes()
    rows = pl.DataFrame(ROWS[:20]).drop_nulls()
    feeds = {
        spec["name"]: tensor(spec, rows) for spec in yaml.safe_load(made["signature"]["inputs"])
    }
    answers = [spec["name"] for spec in yaml.safe_load(made["signature"]["outputs"])]
    session = onnxruntime.InferenceSession(file)
    found = dict(zip(answers, session.run(answers, feeds), strict=True))
    ours = load("churny@2", store=trained.store).predict(rows)
    assert np.allclose(found["probability"][:, 1], ours["probability_yes"].to_numpy(), atol=1e-12)
    assert list(found["prediction"]) == ours["prediction"].to_list()


def tensor(spec: dict[str, Any], rows: pl.DataFrame) -> np.ndarray[Any, Any]:
    kind = {"float64": np.float64, "str": object, "int64": np.int64}[spec["tensor-spec"]["dtype"]]
    return rows[spec["name"]].to_numpy().astype(kind).reshape(spec["tensor-spec"]["shape"])


def test_ray_gets_a_package_that_loads(trained: Shop, tmp_path):
    deploy("ray", "churny@2", tmp_path / "out", store=trained.store)
    ours = load("churny@2", store=trained.store)
    assert load(tmp_path / "out" / "package").predict(ROWS[0]) == ours.predict(ROWS[0])
