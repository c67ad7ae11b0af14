"""From facts to the text of every file, by its path in the folder that is written."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from assay.deploy.facts import MODEL_FILE, Facts, Tensor
from assay.deploy.triton import config

SERVER = "server"
"""The folder of what runs: Assay, the package in a store of its own, and the Dockerfile."""
BUILD = "python:3.13-slim-trixie"
"""Where the image is put together."""
BASE = "gcr.io/distroless/python3-debian13:nonroot"
"""What it runs on: Python 3.13 and its libraries, no shell and no package manager."""

_DTYPES = {"tensor(double)": "float64", "tensor(int64)": "int64", "tensor(string)": "str"}


@dataclass(frozen=True)
class Kind:
    """A place that a model can go to.

    `templates` maps a template to the path that it is written to, and `then` says what to run next;
    `{app}`, `{image}`, `{port}` and `{wheel}` stand for what the facts have. Our server runs there
    from a store of its own (`server`), or the whole package is put into a folder (`package`), or
    the model file goes there alone (`portable`, a path). `versions` are distributions whose
    versions the files name.
    """

    templates: Mapping[str, str]
    then: Sequence[str]
    server: bool = False
    package: str | None = None
    portable: str | None = None
    versions: Sequence[str] = ()

    @property
    def wheel(self) -> str | None:
        """Return the folder that Assay itself is put into, None where it is not needed."""
        return SERVER if self.server else self.package and ""


def _under(folder: str, to: str, *names: str) -> dict[str, str]:
    return {f"{folder}/{name}.j2": f"{to}{name}" for name in names}


_SERVED = _under("server", f"{SERVER}/", "start.py", "requirements-serve.txt")
_IMAGE = _SERVED | _under("docker", f"{SERVER}/", "Dockerfile", ".dockerignore")
_BUILD = f"docker build -t {{image}} {SERVER}"
_TOKENS = f"assay token {{app}} --scope predict --store {SERVER}/store"
_MOVE = f"mv {SERVER}/store/tokens.toml ."
_GIVE = "kubectl create secret generic {app}-tokens --from-file=tokens.toml"

KINDS: Mapping[str, Kind] = {
    "docker": Kind(
        _IMAGE,
        (
            _BUILD,
            _TOKENS,
            _MOVE,
            "docker run --read-only --cap-drop ALL -p {port}:{port} -v {app}-state:/var/lib/assay"
            ' -v "$PWD/tokens.toml:/run/secrets/assay/tokens.toml:ro" {image}',
        ),
        server=True,
    ),
    "compose": Kind(
        _IMAGE | _under("compose", "", "compose.yaml"),
        (_TOKENS, _MOVE, "docker compose up --build -d"),
        server=True,
    ),
    "kubernetes": Kind(
        _IMAGE
        | _under(
            "kubernetes",
            "kubernetes/",
            *("deployment.yaml", "service.yaml", "state.yaml", "hpa.yaml", "pdb.yaml"),
            "networkpolicy.yaml",
        ),
        (
            f"{_BUILD} && docker push {{image}}",
            _TOKENS,
            _MOVE,
            _GIVE,
            "kubectl apply -f kubernetes/",
        ),
        server=True,
    ),
    "kserve": Kind(
        _IMAGE | _under("kserve", "kserve/", "servingruntime.yaml", "inferenceservice.yaml"),
        (f"{_BUILD} && docker push {{image}}", _TOKENS, _MOVE, _GIVE, "kubectl apply -f kserve/"),
        server=True,
    ),
    "systemd": Kind(
        _SERVED
        | {
            "systemd/unit.service.j2": "assay-{app}.service",
            "systemd/install.sh.j2": "install.sh",
        },
        (_TOKENS, _MOVE, "sudo sh install.sh", "curl http://127.0.0.1:{port}/v2/health/ready"),
        server=True,
    ),
    "ray": Kind(
        _under("server", "", "requirements-serve.txt")
        | _under("ray", "", "model.py", "serve_config.yaml"),
        (
            "pip install --no-deps -r requirements-serve.txt ./{wheel}",
            "serve run serve_config.yaml",
        ),
        package="package",
    ),
    "triton": Kind(
        {},
        ("tritonserver --model-repository .",),
        portable="{app}/{version}",
    ),
    "mlflow": Kind(
        _under("mlflow", "", "MLmodel", "python_env.yaml", "requirements.txt"),
        ("mlflow models serve -m . --env-manager local",),
        portable="",
        versions=("numpy", "onnx", "onnxruntime"),
    ),
}


def written(kind: str, facts: Facts) -> dict[str, str]:
    """Return the text of each file of a kind, by its path."""
    values = {
        name: getattr(facts, name)
        for name in (
            *(field.name for field in fields(facts)),
            "reference",
            "header",
            "app",
            "image",
        )
    }
    values |= {"build": BUILD, "base": BASE}
    texts = {
        _filled(path, facts): _templates().get_template(template).render(values)
        for template, path in KINDS[kind].templates.items()
    }
    if kind == "triton":
        texts[f"{facts.app}/config.pbtxt"] = config(facts)
    return texts


def next_steps(kind: str, facts: Facts) -> list[str]:
    """Return the commands that bring it to life, to be run in the folder."""
    return [_filled(line, facts) for line in KINDS[kind].then]


def model_path(kind: str, facts: Facts) -> str | None:
    """Return where the model file goes alone, None where it does not."""
    folder = KINDS[kind].portable
    return None if folder is None else posixpath.join(_filled(folder, facts), MODEL_FILE)


def _filled(text: str, facts: Facts) -> str:
    names = ("app", "image", "port", "version", "wheel")
    return text.format(**{name: getattr(facts, name) for name in names})


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("assay.deploy"),
        autoescape=False,  # noqa: S701 - no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["schema"] = _schema
    return made


def _schema(tensors: Sequence[Tensor]) -> str:
    """Return tensors as MLflow's signature has them, for a text in single quotes of YAML."""
    found: list[dict[str, Any]] = [
        {
            "name": tensor.name,
            "type": "tensor",
            "tensor-spec": {"dtype": _DTYPES[tensor.type], "shape": [-1, *tensor.shape[1:]]},
        }
        for tensor in tensors
    ]
    return json.dumps(found).replace("'", "''")
