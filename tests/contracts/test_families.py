"""The family contract passes a small honest family, and catches each way to break it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from assay.kernel.family import Capabilities, Explanation, Predictions, Rows
from assay.records.fitted import Candidate, Operating, Pool, Signature
from assay.records.report import Curve, Examination
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import DataSection, GateSpec, ProjectSection, ProjectSpec
from assay.testing import FamilyContract
from assay.testing.families import make_case


class Softmax:
    """Softmax regression by gradient descent on numbers; 0 rounds is the prior alone."""

    def __init__(self, candidate, parts):
        self.candidate, self.parts, self.rounds = candidate, parts, parts["rounds"]

    def predict(self, frame):
        p = self.parts
        x = (encode(frame.select(p["names"])) - p["mean"]) / p["std"]
        logits = x @ np.array(p["weights"]) + p["prior"]
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Predictions(e / e.sum(axis=1, keepdims=True), tuple(p["classes"]))

    def state(self):
        return json.dumps(self.parts, sort_keys=True).encode()


def encode(frame):
    numbers = frame.select(pl.all().cast(pl.Float64).fill_null(0.0).clip(-1e3, 1e3))
    return numbers.to_numpy().reshape(frame.height, frame.width)


class Predictor:
    def __init__(self, files, signature):
        self.signature = signature
        self.members = [(Softmax(None, p), w) for p, w in json.loads(files["blend.json"])]

    def predict(self, frame):
        values = np.sum([m.predict(frame).values * w for m, w in self.members], axis=0)
        return Predictions(values, self.signature.classes)

    def row(self, cells):
        names = [field.name for field in self.signature.inputs]
        row = pl.DataFrame([dict(zip(names, cells, strict=True))]).cast(pl.Float64)
        return self.predict(row.fill_nan(None)).values

    def rows(self, cells):
        return np.concatenate([Predictor.row(self, row) for row in cells])

    @property
    def reference(self):
        return pl.DataFrame({field.name: [0.0] for field in self.signature.inputs})

    def explain(self, frame, answering):
        """Cells are changed from zero to the row's own one column after the other."""
        names = tuple(self.reference.columns)
        frame, told = frame.select(names).cast(pl.Float64), answering.predict(frame)
        codes = told.codes(self.signature.classes.index(self.signature.positive))
        rows, steps = np.arange(len(codes)), []
        for k in range(len(names) + 1):
            mixed = frame.with_columns(pl.lit(0.0).alias(name) for name in names[k:])
            steps.append(answering.predict(mixed).values[rows, codes])
        moved = np.diff(np.stack(steps, axis=1), axis=1)
        of = tuple(self.signature.classes[code] for code in codes)
        return Explanation(names, self.reference, of, steps[0], moved, steps[-1], "one order")

    def portable(self, frame):
        return None


class Honest:
    id = "honest@1"
    capabilities = Capabilities()

    def problem(self, spec, snapshot, target):
        classes = tuple(sorted(target.unique()))
        names = tuple(c.name for c in snapshot.columns if c.name != spec.data.target)
        return Problem(
            family="honest", task="binary", target=spec.data.target, classes=classes,
            positive=classes[-1], features=names, primary="log_loss",
        )  # fmt: skip

    def profile(self, problem, snapshot):
        return ()

    def split_policy(self, policy, problem):
        return policy

    def baselines(self, problem, columns):
        return (Candidate(name="prior", kind="prior"),)

    def candidates(self, problem, columns, rows):
        return (Candidate(name="softmax", kind="softmax", params={"rate": 0.5, "most": 40}),)

    def spaces(self, problem, columns, rows):
        return ()

    def student(self, problem, columns, rows):
        return None

    def scaling(self, train, valid):
        return encode(train.frame)

    def fit(self, candidate, problem, train, valid, rounds, seed, threads):
        seen = self.scaling(train, valid)
        mean, std = seen.mean(axis=0), seen.std(axis=0) + 1e-9
        truth = np.eye(len(problem.classes))[train.truth]
        parts = {
            "names": list(problem.features), "classes": list(problem.classes), "rounds": None,
            "mean": mean.tolist(), "std": std.tolist(), "prior": np.log(truth.mean(0)).tolist(),
            "weights": np.zeros((seen.shape[1], truth.shape[1])).tolist(),
        }  # fmt: skip
        if candidate.kind == "prior":
            return Softmax(candidate, parts)
        x, best = (encode(train.frame) - mean) / std, (np.inf, 0, parts["weights"])
        most = candidate.params["most"] if rounds is None else rounds
        for step in range(1, most + 1):
            gap = truth - Softmax(candidate, parts).predict(train.frame).values
            parts["weights"] = (parts["weights"] + 0.5 * x.T @ gap / len(x)).tolist()
            if valid is not None:
                answer = Softmax(candidate, parts).predict(valid.frame).values
                loss = -np.log(answer[np.arange(len(answer)), valid.truth]).mean()
                best = min(best, (loss, step, parts["weights"]), key=lambda b: b[:2])
        if valid is not None:
            parts["weights"], most = best[2], best[1]
        return Softmax(candidate, parts | {"rounds": most})

    def restore(self, candidate, problem, state):
        return Softmax(candidate, json.loads(state))

    def export(self, members, pool, operating, problem, inputs):
        blend = [(model.parts, weight) for model, weight in members]
        signature = Signature(
            family=self.id, task=problem.task, target=problem.target, inputs=tuple(inputs),
            classes=problem.classes, positive=problem.positive,
        )  # fmt: skip
        return {"blend.json": json.dumps(blend).encode()}, signature

    def nasty_rows(self, problem, train, seed):
        blank = {name: [None, float("inf"), -1e308, 0.0] for name in problem.features}
        return pl.DataFrame(blank, schema=train.frame.schema)

    def explain(self, problem, predictor, models, rows, train, seed):
        curve = Curve(kind="importance", title="t", data={"columns": ["x"], "mean": [0.5]})
        return (Examination(name="importance", title="t", reading="x matters", curves=(curve,)),)

    def profile_for_watch(self, inputs, frame):
        return tuple(inputs), frame

    def default_gates(self, problem):
        return (GateSpec(metric="log_loss", beats="baseline"),)


def data():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 120))
    label = np.where(x + rng.normal(size=120) > 0, "yes", "no")
    return pl.DataFrame({"x": x, "y": y, "label": label}).with_columns(
        pl.when(pl.col("y") > 1.5).then(None).otherwise(pl.col("y")).alias("y")
    )


def spec_and_snapshot():
    table = data()
    columns = tuple(
        Column(name=n, type="number" if n != "label" else "category", rows=table.height)
        for n in table.columns
    )
    spec = ProjectSpec(project=ProjectSection(name="p"), data=DataSection(target="label"))
    return spec, DataSnapshot(source="s", content="", table="", rows=120, columns=columns)


class TestHonest(FamilyContract):
    @pytest.fixture(scope="class")
    @classmethod
    def family(cls):
        return Honest()

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls):
        return spec_and_snapshot()[0]

    @pytest.fixture(scope="class")
    @classmethod
    def snapshot(cls):
        return spec_and_snapshot()[1]

    @pytest.fixture(scope="class")
    @classmethod
    def table(cls):
        return data()

    @pytest.fixture(scope="class")
    @classmethod
    def loader(cls):
        return Predictor


# ---- families that break one rule each


class ScalesOnValidation(Honest):
    def scaling(self, train, valid):
        return np.vstack([encode(rows.frame) for rows in (train, valid) if rows is not None])


class Random(Honest):
    def fit(self, *arguments):
        model = super().fit(*arguments)
        model.parts["prior"] = np.random.default_rng().normal(size=2).tolist()
        return model


class ForgetsState(Honest):
    def restore(self, candidate, problem, state):
        return Softmax(candidate, json.loads(state) | {"prior": [0.0, 0.0]})


class RoundsOnExport(Honest):
    def export(self, members, pool, operating, problem, inputs):
        files, signature = super().export(members, pool, operating, problem, inputs)
        blend = json.loads(files["blend.json"])
        for parts, _ in blend:
            parts["prior"] = np.float16(parts["prior"]).tolist()
        return {"blend.json": json.dumps(blend).encode()}, signature


class LosesWeight(Honest):
    def export(self, members, pool, operating, problem, inputs):
        return super().export([(m, w * 0.9) for m, w in members], pool, operating, problem, inputs)


class RoundsInOneRow(Predictor):
    def row(self, cells):
        return super().row(cells).round(3)


class MixesUpRows(Predictor):
    def rows(self, cells):
        return super().rows(cells)[::-1]


class NoBaseline(Honest):
    def baselines(self, problem, columns):
        return ()


class OneNameTwice(Honest):
    def baselines(self, problem, columns):
        return self.candidates(problem, columns, 0)


class TidyRows(Honest):
    def nasty_rows(self, problem, train, seed):
        return train.frame.drop_nulls()[:5]


class LooksAtOtherRows(Honest):
    def profile_for_watch(self, inputs, frame):
        return tuple(inputs), frame.with_columns(pl.all().reverse())


class TwoRulesInAGate(Honest):
    def default_gates(self, problem):
        return (GateSpec(metric="log_loss", at_most=1.0, beats="baseline"),)


class NotANumber(Honest):
    def explain(self, problem, predictor, models, rows, train, seed):
        curve = Curve(kind="importance", title="t", data={"mean": [float("nan")]})
        return (Examination(name="importance", title="t", reading="?", curves=(curve,)),)


CHECKS = {
    ScalesOnValidation: "test_validation_rows_only_stop_early",
    Random: "test_fits_the_same_twice",
    ForgetsState: "test_state_restores_the_model",
    RoundsOnExport: "test_export_answers_as_trained",
    LosesWeight: "test_export_answers_as_trained",
    NoBaseline: "test_declares_baselines_and_candidates",
    OneNameTwice: "test_declares_baselines_and_candidates",
    TidyRows: "test_makes_nasty_rows",
    LooksAtOtherRows: "test_says_what_monitoring_looks_at",
    TwoRulesInAGate: "test_proposes_gates_of_one_rule",
    NotANumber: "test_explains",
}


@pytest.mark.parametrize("broken", CHECKS, ids=lambda kind: kind.__name__)
def test_the_contract_catches(broken):
    case = make_case(broken(), *spec_and_snapshot(), data())
    models = [case.fit(candidate, case.valid) for candidate in case.everyone]
    files, signature = case.family.export(
        [(models[-1], 1.0)], Pool(), Operating(), case.problem, case.inputs
    )
    known = {"case": case, "models": models, "loader": Predictor}
    known["predictor"] = Predictor(files, signature)
    check = getattr(FamilyContract(), CHECKS[broken])
    arguments = check.__code__.co_varnames[1 : check.__code__.co_argcount]
    with pytest.raises(AssertionError):
        check(**{name: known[name] for name in arguments})


def test_rows_keep_their_target():
    case = make_case(Honest(), *spec_and_snapshot(), data())
    assert isinstance(case.train, Rows)
    assert case.train.frame.height + case.valid.frame.height == 120
    assert set(case.train.truth) == {0, 1}


def test_the_contract_catches_another_answer_for_one_row():
    case = make_case(Honest(), *spec_and_snapshot(), data())
    model = case.fit(case.everyone[-1], None, 5)
    files, signature = case.family.export(
        [(model, 1.0)], Pool(), Operating(), case.problem, case.inputs
    )
    FamilyContract().test_one_row_needs_no_frame(case, Predictor(files, signature))
    for liar in (RoundsInOneRow, MixesUpRows):
        with pytest.raises(AssertionError):
            FamilyContract().test_one_row_needs_no_frame(case, liar(files, signature))


class LosesAContribution(Predictor):
    def explain(self, frame, answering):
        found = super().explain(frame, answering)
        return replace(found, contributions=found.contributions * [1.0, 0.0])


class StartsSomewhere(Predictor):
    def explain(self, frame, answering):
        found = super().explain(frame, answering)
        shift = np.full_like(found.contributions[:, :1], 0.01)
        return replace(
            found, base=found.base - 0.01, contributions=found.contributions + shift * [1.0, 0.0]
        )


@pytest.mark.parametrize("broken", [LosesAContribution, StartsSomewhere])
def test_the_contract_catches_a_wrong_explanation(broken):
    case = make_case(Honest(), *spec_and_snapshot(), data())
    model = case.fit(case.everyone[-1], None, 5)
    files, signature = case.family.export(
        [(model, 1.0)], Pool(), Operating(), case.problem, case.inputs
    )
    FamilyContract().test_says_why(case, Predictor(files, signature))
    with pytest.raises(AssertionError):
        FamilyContract().test_says_why(case, broken(files, signature))
