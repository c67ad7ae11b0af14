"""Assay as a wheel that pip installs."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from assay.deploy.requirements import SERVING, pinned
from assay.deploy.wheel import wheel
from assay.errors import MissingExtra

ROOT = Path(__file__).parents[3]
ABOUT = {
    "METADATA": "Metadata-Version: 2.1\nName: some-thing\nVersion: 1.2\n",
    "entry_points.txt": "[console_scripts]\nsome = some:main\n",
}


def test_pip_installs_it_and_checks_its_record(tmp_path):
    name, data = wheel("some-thing", "1.2", {"some/__init__.py": b"x = 4\n"}, ABOUT)
    (tmp_path / name).write_bytes(data)
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, "--target", tmp_path / "site", tmp_path / name], check=True)
    asked = "import some, importlib.metadata as m; print(some.x, m.version('some-thing'))"
    said = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path / "site", capture_output=True, text=True
    )
    assert said.stdout.split() == ["4", "1.2"]


def test_the_record_has_the_hash_of_each_file():
    name, data = wheel("some-thing", "1.2", {"some/__init__.py": b"x = 4\n"}, ABOUT)
    assert name == "some_thing-1.2-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        lines = archive.read("some_thing-1.2.dist-info/RECORD").decode().splitlines()
        said = {path: (kind, size) for path, kind, size in (line.split(",") for line in lines)}
        for path in archive.namelist()[:-1]:  # all but the record itself
            content = archive.read(path)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            assert said[path] == (f"sha256={digest.rstrip('=')}", str(len(content)))


def test_the_same_files_are_the_same_wheel():
    files = {"b.py": b"b", "a.py": b"a"}
    again = dict(reversed(files.items()))
    assert wheel("x", "1", files, ABOUT) == wheel("x", "1", again, ABOUT)


def test_requirements_are_few_and_pinned():
    lines = pinned(lambda name: "1.0")
    assert lines == tuple(f"{name}==1.0" for name in SERVING)
    assert len(SERVING) + 1 <= 12  # with Assay itself


def test_the_lock_of_a_serve_only_install_has_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = [re.split(r"[>=<]", line)[0] for line in project["dependency-groups"]["serve"]]
    assert names == list(SERVING)
    locks = {
        name: re.findall(r"^(\S+==\S+)", (ROOT / name).read_text(), re.MULTILINE)
        for name in ("requirements.lock", "requirements-serve.lock")
    }
    assert {pin.split("==")[0] for pin in locks["requirements-serve.lock"]} == set(SERVING)
    assert set(locks["requirements-serve.lock"]) <= set(locks["requirements.lock"])


def test_a_missing_requirement_is_named():
    with pytest.raises(MissingExtra) as caught:
        pinned(lambda name: None if name == "uvloop" else "1.0")
    assert (caught.value.code, caught.value.got) == ("DEPLOY-REQUIREMENT", "uvloop")
