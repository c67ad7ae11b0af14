"""What every family must do."""

# ruff: noqa: S101 -- a contract suite asserts

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from assay.kernel.family import (
    Family,
    Model,
    Predictions,
    Predictor,
    PredictorLoader,
    Rows,
    class_labels,
)
from assay.kernel.plugins import check_family, load_predictor
from assay.records.audit import Finding
from assay.records.base import digest, from_json, to_json
from assay.records.fitted import Candidate, Field, Operating, Pool
from assay.records.report import Examination
from assay.records.snapshot import COLUMN_TYPES, Column, DataSnapshot, Problem
from assay.records.spec import ProjectSpec
from assay.testing.answers import answered, blended, cells_of, difference, equal, evenly, spoilt

TOLERANCE = 1e-7
"""Largest difference between trained and exported model, relative to numbers above 1."""

SEED = 7


@dataclass(frozen=True)
class Case:
    """A family with a problem of its kind, and rows to train, validate and ask on."""

    family: Family
    problem: Problem
    columns: tuple[Column, ...]
    train: Rows
    valid: Rows

    @property
    def inputs(self) -> tuple[Field, ...]:
        """Return what an exported model takes."""
        return tuple(
            Field(
                name=column.name,
                type=column.type,
                missing=column.missing > 0,
                low=column.low,
                high=column.high,
                categories=tuple(value for value, _ in column.top),
            )
            for column in self.columns
        )

    @property
    def everyone(self) -> tuple[Candidate, ...]:
        """Return the baselines, then the candidates."""
        rows = self.train.frame.height
        return (
            *self.family.baselines(self.problem, self.columns),
            *self.family.candidates(self.problem, self.columns, rows),
        )

    def fit(self, candidate: Candidate, valid: Rows | None, rounds: int | None = None) -> Model:
        """Fit on the training rows, with one thread and a fixed seed."""
        return self.family.fit(candidate, self.problem, self.train, valid, rounds, SEED, 1)

    def nasty(self) -> pl.DataFrame:
        """Return the family's nasty rows."""
        return self.family.nasty_rows(self.problem, self.train, SEED)

    def check(self, answer: Predictions, rows: int) -> None:
        """Check the form of predictions: finite, one for each row, probabilities that sum to 1."""
        values = answer.values
        assert np.isfinite(values).all()
        if not self.problem.classes:
            assert values.shape == (rows,)
            return
        assert answer.classes == self.problem.classes
        assert values.shape == (rows, len(self.problem.classes))
        assert ((values >= 0) & (values <= 1)).all()
        np.testing.assert_allclose(values.sum(axis=1), 1.0, rtol=0, atol=1e-9)


def make_case(
    family: Family, spec: ProjectSpec, snapshot: DataSnapshot, table: pl.DataFrame
) -> Case:
    """State the problem and deal the rows of `table`: three in four train, the others validate."""
    problem = family.problem(spec, snapshot, table[spec.data.target])
    order = np.random.default_rng(SEED).permutation(table.height)
    cut = table.height * 3 // 4
    train, valid = (rows_of(table[part], problem) for part in (order[:cut], order[cut:]))
    columns = tuple(snapshot.column(name) for name in problem.features)
    return Case(family, problem, columns, train, valid)


def rows_of(table: pl.DataFrame, problem: Problem) -> Rows:
    """Return features and target of a table, the target as codes or numbers."""
    target = table[problem.target]
    frame = table.select(problem.features)
    if not problem.classes:
        return Rows(frame, target.cast(pl.Float64).to_numpy())
    codes = {name: code for code, name in enumerate(problem.classes)}
    labels = class_labels(target).replace_strict(codes, return_dtype=pl.Int64)
    return Rows(frame, labels.to_numpy())


class FamilyContract:
    """Checks of `kernel.family.Family`; give `family`, `spec`, `snapshot` and `table`.

    The four fixtures have the scope of the class, so that every model is fitted once; write them
    as class methods, `@pytest.fixture(scope="class")` above `@classmethod`. A table of some hundred
    rows that holds what the family claims to handle (missing values, categories) is enough. Give
    `loader` too when the family is not installed under its name.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def family(cls) -> Family:
        """Return the family."""
        raise NotImplementedError("override the fixture `family`")

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls) -> ProjectSpec:
        """Return a project file with a question for the family."""
        raise NotImplementedError("override the fixture `spec`")

    @pytest.fixture(scope="class")
    @classmethod
    def snapshot(cls) -> DataSnapshot:
        """Return the record of `table`, its columns profiled."""
        raise NotImplementedError("override the fixture `snapshot`")

    @pytest.fixture(scope="class")
    @classmethod
    def table(cls) -> pl.DataFrame:
        """Return the rows, target included."""
        raise NotImplementedError("override the fixture `table`")

    @pytest.fixture(scope="class")
    @classmethod
    def loader(cls, case: Case) -> PredictorLoader:
        """Return the function that loads an exported model: the one installed for the family."""
        return load_predictor(case.problem.family)

    @pytest.fixture(scope="class")
    @classmethod
    def case(
        cls, family: Family, spec: ProjectSpec, snapshot: DataSnapshot, table: pl.DataFrame
    ) -> Case:
        """Return the family with its problem and rows."""
        return make_case(family, spec, snapshot, table)

    @pytest.fixture(scope="class")
    @classmethod
    def models(cls, case: Case) -> list[Model]:
        """Return every baseline and candidate, fitted with early stopping."""
        return [case.fit(candidate, case.valid) for candidate in case.everyone]

    @pytest.fixture(scope="class")
    @classmethod
    def predictor(cls, case: Case, models: list[Model], loader: PredictorLoader) -> Predictor:
        """Return the equal blend of all models, exported and loaded."""
        if not case.family.capabilities.exportable:
            pytest.skip("this family says that it cannot be exported")
        return _exported(case, evenly(models), loader)

    def test_keeps_the_protocol(self, family: Family) -> None:
        """The id is well-formed; every method is there with the right argument names."""
        assert check_family(family, "the fixture `family`") is family

    def test_states_the_problem(
        self, family: Family, spec: ProjectSpec, snapshot: DataSnapshot, table: pl.DataFrame
    ) -> None:
        """Family, target, features and classes are those of the data, twice the same."""
        target = table[spec.data.target]
        problem = family.problem(spec, snapshot, target)
        assert problem == family.problem(spec, snapshot, target)
        assert problem.family == family.id.split("@")[0]
        assert problem.target == spec.data.target
        assert problem.features
        assert set(problem.features) <= set(table.columns) - {problem.target}
        assert problem.classes == tuple(sorted(problem.classes))
        assert set(class_labels(target).unique()) == set(problem.classes) or not problem.classes
        assert (problem.positive in problem.classes) == (len(problem.classes) == 2)
        assert problem.primary

    def test_keeps_the_split_that_was_asked(self, case: Case, spec: ProjectSpec) -> None:
        """The family may fill in a policy, and leaves what the file says."""
        policy = case.family.split_policy(spec.split, case.problem)
        assert (policy.test, policy.seed) == (spec.split.test, spec.split.seed)
        for key in ("stratify_on", "group_on", "time_on", "group_time_on", "predefined_on"):
            asked = getattr(spec.split, key)
            assert asked is None or getattr(policy, key) == asked

    def test_declares_baselines_and_candidates(self, case: Case) -> None:
        """Both are there, with names of their own and plain values, twice the same."""
        rows = case.train.frame.height
        assert case.family.baselines(case.problem, case.columns)
        assert case.family.candidates(case.problem, case.columns, rows)
        names = [candidate.name for candidate in case.everyone]
        assert len(set(names)) == len(names)
        assert case.everyone == case.everyone
        for candidate in case.everyone:
            assert from_json(to_json(candidate), Candidate) == candidate

    def test_proposes_gates_of_one_rule(self, case: Case) -> None:
        """Each proposed gate sets exactly one of its rules."""
        gates = case.family.default_gates(case.problem)
        assert gates
        for gate in gates:
            assert [gate.at_least, gate.at_most, gate.beats].count(None) == 2

    def test_profiles(self, case: Case, snapshot: DataSnapshot) -> None:
        """The family's own findings are findings, twice the same."""
        found = list(case.family.profile(case.problem, snapshot))
        assert all(isinstance(finding, Finding) for finding in found)
        assert found == list(case.family.profile(case.problem, snapshot))

    def test_answers_in_form(self, case: Case, models: list[Model]) -> None:
        """Answers are finite, one for each row; probabilities sum to 1."""
        for model in models:
            case.check(model.predict(case.valid.frame), case.valid.frame.height)
            case.check(model.predict(case.valid.frame.clear()), 0)

    def test_fits_the_same_twice(self, case: Case, models: list[Model]) -> None:
        """The same seed gives the same answers, to the last bit."""
        if not case.family.capabilities.deterministic:
            pytest.skip("this family says that it is not deterministic")
        for model in models:
            again = case.fit(model.candidate, case.valid)
            assert again.rounds == model.rounds, model.candidate.name
            assert equal(model, again, case.valid.frame), model.candidate.name

    def test_validation_rows_only_stop_early(self, case: Case, models: list[Model]) -> None:
        """Whatever the validation rows hold, the model is the one that training alone gives.

        A model that stopped after n rounds equals one fitted for n rounds without them.
        """
        for model in models:
            misled = case.fit(model.candidate, spoilt(case.valid, SEED))
            for seen in (model, misled):
                alone = case.fit(model.candidate, None, seen.rounds)
                assert equal(seen, alone, case.valid.frame), model.candidate.name

    def test_state_restores_the_model(self, case: Case, models: list[Model]) -> None:
        """The restored model answers the same to the last bit, on nasty rows too."""
        frame = case.nasty()
        for model in models:
            restored = case.family.restore(model.candidate, case.problem, model.state())
            assert equal(model, restored, case.valid.frame), model.candidate.name
            assert equal(model, restored, frame), model.candidate.name

    def test_makes_nasty_rows(self, case: Case) -> None:
        """They have the features, something is missing, and they are twice the same."""
        frame = case.nasty()
        assert frame.height > 0
        assert set(case.problem.features) <= set(frame.columns)
        assert any(column.null_count() > 0 for column in frame)
        assert frame.equals(case.nasty(), null_equal=True)

    def test_says_what_monitoring_looks_at(self, case: Case) -> None:
        """Columns of known types, a row for each row, and each row by itself."""
        fields, watched = case.family.profile_for_watch(case.inputs, case.valid.frame)
        assert [field.name for field in fields] == watched.columns
        assert {field.type for field in fields} <= {*COLUMN_TYPES, "vector"}
        same, some = case.family.profile_for_watch(case.inputs, case.valid.frame[3:9])
        assert same == fields
        assert some.equals(watched[3:9], null_equal=True)

    def test_export_answers_as_trained(
        self, case: Case, models: list[Model], loader: PredictorLoader
    ) -> None:
        """Each model alone and all together: no label flips, no number is off."""
        if not case.family.capabilities.exportable:
            pytest.skip("this family says that it cannot be exported")
        code = case.problem.positive_code if case.problem.positive is not None else None
        for members in [*([(model, 1.0)] for model in models), evenly(models)]:
            name = " + ".join(model.candidate.name for model, _ in members)
            predictor = _exported(case, members, loader)
            for frame in (case.valid.frame, case.nasty().select(case.problem.features)):
                trained = blended(members, frame)
                served = predictor.predict(frame)
                case.check(served, frame.height)
                assert difference(trained, served) <= TOLERANCE, name
                if case.problem.classes:
                    assert (trained.codes(code) == served.codes(code)).all(), name

    def test_export_is_reproducible(self, case: Case, models: list[Model]) -> None:
        """The same models give the same files, byte for byte, and a signature that says what."""
        if not case.family.capabilities.exportable:
            pytest.skip("this family says that it cannot be exported")
        files, signature = case.family.export(
            evenly(models), Pool(), Operating(), case.problem, case.inputs
        )
        again = case.family.export(evenly(models), Pool(), Operating(), case.problem, case.inputs)
        assert (files, signature) == again
        assert files
        assert signature.inputs == case.inputs
        assert signature.target == case.problem.target
        assert signature.classes == case.problem.classes
        assert signature.positive == case.problem.positive

    def test_serves_any_rows(self, case: Case, predictor: Predictor) -> None:
        """No rows, one row, other column order, more columns: each row's answer is its own."""
        frame = case.valid.frame
        whole = predictor.predict(frame)
        case.check(predictor.predict(frame.clear()), 0)
        mixed = frame.select(pl.lit("<script>").alias("not asked for"), *reversed(frame.columns))
        assert difference(whole, predictor.predict(mixed)) == 0
        one = predictor.predict(frame[3:4])
        assert difference(Predictions(whole.values[3:4], whole.classes), one) <= 1e-12

    def test_one_row_needs_no_frame(self, case: Case, predictor: Predictor) -> None:
        """The cells of a row, nasty ones too, are answered as a frame of it, to the last bit."""
        names = [field.name for field in predictor.signature.inputs]
        nasty = case.nasty().select(case.problem.features)
        for frame in (case.valid.frame[:40], nasty.gather_every(max(1, nasty.height // 60))):
            cells = [cells_of(one, names) for one in frame.iter_slices(1)]
            for row, one in zip(cells, frame.iter_slices(1), strict=True):
                found, expected = predictor.row(row), predictor.predict(one).values
                assert (found.shape, found.tobytes()) == (expected.shape, expected.tobytes()), row
            together = Predictions(predictor.rows(cells), predictor.signature.classes)
            assert difference(predictor.predict(frame), together) <= 1e-12
            assert predictor.rows(cells[:1]).tobytes() == predictor.row(cells[0]).tobytes()

    def test_says_why(self, case: Case, predictor: Predictor) -> None:
        """From the package alone, contributions add up to each answer; a typical row has none."""
        names = tuple(field.name for field in predictor.signature.inputs)
        frame = pl.concat([case.valid.frame.select(names)[:5], case.nasty().select(names)[:5]])
        found, served = predictor.explain(frame, predictor), predictor.predict(frame)
        assert found.columns == names
        assert found.contributions.shape == (frame.height, len(names))
        of, values = answered(case.problem, served)
        assert found.of == of
        assert np.array_equal(found.values, values)
        gap = np.abs(found.base + found.contributions.sum(axis=1) - found.values)
        assert (gap <= 1e-9 * np.maximum(1.0, np.abs(found.values))).all()
        alone = predictor.explain(frame[3:4], predictor)
        assert np.allclose(alone.contributions, found.contributions[3:4], rtol=0, atol=1e-12)
        assert predictor.reference.columns == list(names)
        typical = predictor.explain(predictor.reference, predictor)
        assert not typical.contributions.any()
        assert (typical.base == typical.values).all()

    def test_the_plain_file_answers_alike(self, case: Case, predictor: Predictor) -> None:
        """What a program without Assay is told is what the predictor says."""
        for frame in (case.valid.frame, case.nasty().select(case.problem.features)):
            answer = predictor.portable(frame)
            if answer is None:
                pytest.skip("this family has no plain file")
            served = predictor.predict(frame)
            assert difference(served, answer[0]) <= TOLERANCE
            if answer[1] is not None:
                code = case.problem.positive_code if case.problem.positive is not None else None
                assert (answer[1] == served.codes(code)).all()

    def test_unseen_and_missing_values_are_answered(self, case: Case, predictor: Predictor) -> None:
        """All values missing, or none of them ever seen, still gives an answer."""
        frame = case.valid.frame
        missing = frame.with_columns(pl.lit(None).cast(t).alias(n) for n, t in frame.schema.items())
        texts = [name for name, kind in frame.schema.items() if kind == pl.String]
        unseen = frame.with_columns(pl.lit("\x00 <never> 🜁").alias(name) for name in texts)
        numbers = [name for name, kind in frame.schema.items() if kind.is_float()]
        extreme = frame.with_columns(pl.lit(float("inf")).alias(name) for name in numbers)
        for odd in (missing, unseen, extreme):
            case.check(predictor.predict(odd), frame.height)

    def test_explains(self, case: Case, models: list[Model], predictor: Predictor) -> None:
        """Explanations are examinations with plain finite data, twice the same."""
        members = evenly(models)

        def explain() -> tuple[Examination, ...]:
            return case.family.explain(
                case.problem, predictor, members, case.valid, case.train, SEED
            )

        found = explain()
        assert len({examination.name for examination in found}) == len(found)
        for examination in found:
            # NaN would come back as null
            assert from_json(to_json(examination), Examination) == examination
            assert examination.reading
        assert [digest(one) for one in found] == [digest(one) for one in explain()]


def _exported(case: Case, members: list[tuple[Model, float]], loader: PredictorLoader) -> Predictor:
    files, signature = case.family.export(members, Pool(), Operating(), case.problem, case.inputs)
    return loader(files, signature)
