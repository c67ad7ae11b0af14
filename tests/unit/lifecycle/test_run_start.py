"""What a run starts from: the engine, the seal's agency, folds, gates, and the stored table."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assay.data.content import read_table
from assay.errors import SpecError, Tampered
from assay.kernel.family import Capabilities
from assay.lifecycle.project import ONE_VALIDATION_PART, _check_gates, _folds, engine
from assay.lifecycle.run import _most_personal
from assay.records.snapshot import Column, DataSnapshot
from assay.records.spec import (
    Choice,
    DataSection,
    GateSpec,
    ProjectSection,
    ProjectSpec,
    SplitSection,
)
from assay.stores.workspace import open_workspace

SPEC = ProjectSpec(project=ProjectSection(name="shop"), data=DataSection(source="t", target="y"))


class Family:
    """A family that names what it needs."""

    id = "test@1"
    capabilities = Capabilities(libraries=("lightgbm",))


def test_the_engine_is_that_of_the_family():
    assert set(engine(Family()).libraries) == {"numpy", "optuna", "polars", "lightgbm"}


def test_naming_a_family_loads_no_library_that_trains():
    code = (
        "import sys\nfrom assay.kernel.plugins import load_family\nload_family('tabular')\n"
        "import assay.lifecycle.run\n"
        "print(*{n.split('.')[0] for n in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"lightgbm", "sklearn", "onnx", "onnxruntime"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("agencies", "most"),
    [
        ((), "default"),
        (("default", "accepted"), "accepted"),
        (("accepted", "user", "default"), "user"),
        (("default", "template"), "template"),
    ],
)
def test_a_seal_is_as_personal_as_its_most_personal_choice(agencies, most):
    assert _most_personal(agencies) == most


def test_a_large_table_has_one_validation_part_unless_a_person_chose_folds():
    policy = SplitSection(folds=5)
    assert _folds(policy, SPEC, ONE_VALIDATION_PART - 1) is policy
    assert _folds(policy, SPEC, ONE_VALIDATION_PART).folds == 1
    for agency, folds in (("user", 5), ("accepted", 5), ("default", 1)):
        choice = Choice(path="split.folds", value=5, agency=agency)
        spec = ProjectSpec(project=SPEC.project, data=SPEC.data, choices=(choice,))
        assert _folds(policy, spec, ONE_VALIDATION_PART).folds == folds


def test_a_gate_that_can_never_be_judged_is_refused():
    gates = (
        GateSpec(metric="roc_auc", beats="baseline"),
        GateSpec(metric="latency_p99", beats="baseline"),
    )
    with pytest.raises(SpecError) as error:
        _check_gates(ProjectSpec(project=SPEC.project, data=SPEC.data, gates=gates))
    assert (error.value.code, error.value.where) == ("GATE-BASELINE", "gates.1.beats")
    _check_gates(ProjectSpec(project=SPEC.project, data=SPEC.data, gates=gates[:1]))


def test_a_stored_table_that_is_no_table_is_named():
    space = open_workspace("memory://")
    name = space.store.put(b"not a table")
    column = Column(name="x", type="number", rows=1)
    snapshot = DataSnapshot(source="s", content="c", table=name, rows=1, columns=(column,))
    with pytest.raises(Tampered) as error:
        read_table(snapshot, space.store)
    assert (error.value.code, error.value.where) == ("DATA-TABLE-UNREADABLE", name)
