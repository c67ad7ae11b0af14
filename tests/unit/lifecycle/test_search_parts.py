"""Pieces of the search and of what comes before it: stopping rows, failed fits, seal and split."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from assay.data.content import read_table
from assay.errors import DataError, SpecError, Tampered
from assay.kernel.family import Capabilities, Predictions, Rows
from assay.kernel.stage import Context
from assay.lifecycle import search
from assay.lifecycle.material import Material, read_array
from assay.lifecycle.project import ONE_VALIDATION_PART, _check_gates, _folds, engine
from assay.lifecycle.run import _most_personal
from assay.lifecycle.search import STOP_ON, Search, _held_back, fit_fold, fit_scope
from assay.records.engine import Engine
from assay.records.fitted import Candidate
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import (
    Choice,
    DataSection,
    GateSpec,
    ProjectSection,
    ProjectSpec,
    SplitSection,
)
from assay.records.split import Split
from assay.stores.workspace import open_workspace

PROBLEM = Problem(
    family="test", task="binary", target="y", classes=("no", "yes"), positive="yes",
    features=("x",), primary="roc_auc",
)  # fmt: skip
SPEC = ProjectSpec(project=ProjectSection(name="shop"), data=DataSection(source="t", target="y"))


def rows(size: int, truth: np.ndarray | None = None) -> Rows:
    found = np.arange(size) % 2 if truth is None else truth
    return Rows(pl.DataFrame({"x": np.arange(size)}), found)


class Family:
    """Answers with a constant, and remembers what it was given to fit and to stop on."""

    id = "test@1"
    capabilities = Capabilities(libraries=("lightgbm",))

    def __init__(self, broken: bool = False) -> None:
        self.given: list[tuple[list[int], list[int] | None]] = []
        self.broken = broken

    def fit(self, candidate, problem, train, valid, rounds, seed, threads):
        if self.broken:
            raise MemoryError("the library gave up")
        stop = None if valid is None else valid.frame["x"].to_list()
        self.given.append((train.frame["x"].to_list(), stop))
        self.rounds = None
        return self

    def predict(self, frame):
        return Predictions(np.full((frame.height, 2), 0.5), ("no", "yes"))


@pytest.fixture
def family(monkeypatch):
    made = Family()
    monkeypatch.setattr(search, "load_family", lambda _: made)
    return made


# ---- early stopping


def test_the_rows_that_stop_a_fit_are_of_its_training_part_and_of_every_class():
    truth = np.array([0] * 160 + [1] * 16)
    kept, back = _held_back(rows(truth.size, truth), ordered=False, seed=1)
    parts = [set(part.frame["x"]) for part in (kept, back)]
    assert parts[0] | parts[1] == set(range(truth.size))
    assert not parts[0] & parts[1]
    assert np.bincount(back.truth).tolist() == [20, 2]
    for part in (kept, back):
        assert (truth[part.frame["x"].to_numpy()] == part.truth).all()
        assert part.frame["x"].is_sorted()
    other = _held_back(rows(truth.size, truth), ordered=False, seed=2)[1]
    assert set(other.frame["x"]) != parts[1]


def test_in_time_the_last_rows_stop_the_fit():
    kept, back = _held_back(rows(80), ordered=True, seed=1)
    assert back.frame["x"].to_list() == list(range(80 - 80 // STOP_ON, 80))
    assert kept.frame["x"].to_list() == list(range(80 - 80 // STOP_ON))


def test_no_row_stops_a_fit_that_it_scores(family):
    train, valid = rows(80), Rows(pl.DataFrame({"x": range(100, 120)}), np.zeros(20, int))
    for stops_early in (True, False):
        candidate = Candidate(name="a", kind="k", stops_early=stops_early)
        fit_fold(candidate, 0, PROBLEM, train, valid, False, 1, 1)
    (fitted, stopped), (everything, nothing) = family.given
    assert max(stopped) < 80
    assert sorted(fitted + stopped) == list(range(80))
    assert (everything, nothing) == (list(range(80)), None)


# ---- failed fits


@pytest.fixture
def state(tmp_path):
    space = open_workspace("memory://")
    context = Context(space.store, space.ledger, tmp_path, run="one")
    table = pl.DataFrame({"x": range(40), "y": ["no", "yes"] * 20})
    parts = (np.arange(40) % 5).astype(np.int8)
    material = Material(Family(), PROBLEM, table, parts, ordered=False)
    return lambda: Search(material, context, "scope", 0, 1e9)


def test_a_fit_that_failed_is_tried_again_by_the_next_run_and_not_in_every_fold(
    state, family, tmp_path
):
    candidate = Candidate(name="a", kind="k")
    family.broken = True
    first = state()
    first.run([candidate], limited=False)
    assert first.trial(candidate).status == "failed"
    assert "the library gave up" in first.trial(candidate).note
    assert len(first.fits) == 1
    assert not list(first.context.ledger.read())
    family.broken = False
    second = state()
    second.run([candidate], limited=False)
    trial = second.trial(candidate)
    assert (trial.status, len(second.fits)) == ("done", 5)
    assert read_array(second.context.store.get(trial.predictions)).shape == (40, 2)


def test_what_a_fit_depends_on_is_its_rows_and_the_software_and_not_the_metric():
    given = {
        "problem": PROBLEM,
        "snapshot": DataSnapshot(source="s", content="c", table="t", rows=40, columns=()),
        "split": Split(policy="p", seed=0, train=32, valid=0, test=8, folds=5, rows="r"),
        "engine": Engine(assay="1", family="test@1", python="3", libraries={}),
    }
    scope = fit_scope(given)

    def changed(name: str, **fields) -> str:
        kind = type(given[name])
        values = {f: getattr(given[name], f) for f in given[name].__struct_fields__}
        return fit_scope({**given, name: kind(**{**values, **fields})})

    assert changed("problem", primary="log_loss", also=("brier",)) == scope
    assert changed("snapshot", source="elsewhere") == scope
    assert changed("split", policy="in other words") == scope
    for name, fields in (
        ("problem", {"features": ()}), ("snapshot", {"content": "d"}), ("split", {"rows": "s"}),
        ("split", {"ordered": True}), ("engine", {"libraries": {"lightgbm": "5"}}),
    ):  # fmt: skip
        assert changed(name, **fields) != scope, name


def test_a_search_without_a_baseline_that_fits_says_so(state, family, monkeypatch):
    made = state()
    made.material.family.baselines = lambda *_: (Candidate(name="prior", kind="k"),)
    made.material.family.candidates = lambda *_: ()
    monkeypatch.setattr(Material, "open", lambda *_: made.material)
    family.broken = True
    with pytest.raises(DataError) as error:
        search.search(
            {
                "problem": PROBLEM,
                "snapshot": DataSnapshot(source="s", content="c", table="t", rows=40, columns=()),
                "split": Split(policy="p", seed=0, train=32, valid=0, test=8, folds=5, rows="r"),
                "engine": engine(Family()),
                "spec.budget": SPEC.budget,
            },
            made.context,
        )
    assert error.value.code == "SEARCH-NO-BASELINE"
    assert "the library gave up" in error.value.got


# ---- what a run starts from


def test_the_engine_is_that_of_the_family():
    assert set(engine(Family()).libraries) == {"numpy", "polars", "lightgbm"}


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
