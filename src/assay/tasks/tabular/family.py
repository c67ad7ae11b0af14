"""The family of tables: binary, multi-class and regression."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import polars as pl

from assay.kernel.family import Answering, Capabilities, Model, Rows
from assay.kernel.loader import load
from assay.records.audit import Finding
from assay.records.fitted import Candidate, Field, Operating, Pool, Signature, Space
from assay.records.report import Examination
from assay.records.snapshot import Column, DataSnapshot, Problem
from assay.records.spec import GateSpec, ProjectSpec, SplitSection
from assay.tasks.tabular import nasty, problem
from assay.tasks.tabular.explain import explain
from assay.tasks.tabular.portfolio import choose
from assay.tasks.tabular.portfolio.facts import facts_of

# The libraries that train take seconds to import: what needs them is loaded on first use.
_EVERY = "assay.tasks.tabular.models.every:EVERY"
_FIT = "assay.tasks.tabular.models.model:fit"
_RESTORE = "assay.tasks.tabular.models.model:restore"
_EXPORT = "assay.tasks.tabular.engine.export:export"


class Tabular:
    """Rows with typed columns; `kernel.family.Family` says what each method does."""

    id = "tabular@2"
    capabilities = Capabilities(
        libraries=("scikit-learn", "lightgbm", "onnx", "onnxruntime"), trainer=_EVERY
    )

    def problem(self, spec: ProjectSpec, snapshot: DataSnapshot, target: pl.Series) -> Problem:
        """State task, classes, features and metrics; raises DataError and SpecError."""
        return problem.state(spec, snapshot, target)

    def profile(self, problem: Problem, snapshot: DataSnapshot) -> Sequence[Finding]:
        """Note when there are more columns than rows, which no score out of fold can mend."""
        columns = len(problem.features)
        if columns <= snapshot.rows:
            return ()
        return (
            Finding(
                code="MORE-COLUMNS-THAN-ROWS",
                severity="warning",
                where=problem.target,
                message=f"{columns} columns stand against {snapshot.rows} rows",
                evidence={"columns": columns, "rows": snapshot.rows},
                hint="drop columns that cannot matter; some will fit by chance",
            ),
        )

    def split_policy(self, policy: SplitSection, problem: Problem) -> SplitSection:
        """Stratify on the classes unless the policy says otherwise."""
        given = (policy.stratify_on, policy.group_on, policy.time_on, policy.group_time_on)
        if not problem.classes or any(given) or policy.predefined_on:
            return policy
        return msgspec.structs.replace(policy, stratify_on=problem.target)

    def baselines(self, problem: Problem, columns: Sequence[Column]) -> tuple[Candidate, ...]:
        """Return a constant, the best single column, and a linear model; see `choose.baselines`."""
        return choose.baselines(facts_of(problem, columns, 0))

    def candidates(
        self, problem: Problem, columns: Sequence[Column], rows: int
    ) -> tuple[Candidate, ...]:
        """Return boosted trees, linear models and forests, best guesses first."""
        return choose.candidates(facts_of(problem, columns, rows))

    def spaces(self, problem: Problem, columns: Sequence[Column], rows: int) -> tuple[Space, ...]:
        """Return the parameters of each kind of model that are worth tuning."""
        return choose.spaces(facts_of(problem, columns, rows))

    def student(self, problem: Problem, columns: Sequence[Column], rows: int) -> Candidate | None:
        """Return boosted trees that learn an ensemble's answers; None for many classes."""
        return choose.student(facts_of(problem, columns, rows))

    def fit(
        self,
        candidate: Candidate,
        problem: Problem,
        train: Rows,
        valid: Rows | None,
        rounds: int | None,
        seed: int,
        threads: int,
    ) -> Model:
        """Fit encoder and model on `train` alone; `valid` only stops boosting early."""
        model: Model = load(_FIT)(candidate, problem, train, valid, rounds, seed, threads)
        return model

    def restore(self, candidate: Candidate, problem: Problem, state: bytes) -> Model:
        """Rebuild a fitted model from its state."""
        model: Model = load(_RESTORE)(candidate, problem, state)
        return model

    def export(
        self,
        members: Sequence[tuple[Model, float]],
        pool: Pool,
        operating: Operating,
        problem: Problem,
        inputs: Sequence[Field],
    ) -> tuple[dict[str, bytes], Signature]:
        """Return an ONNX graph of the pooled members and its encoders as JSON."""
        package: tuple[dict[str, bytes], Signature] = load(_EXPORT)(
            members, pool, operating, problem, inputs
        )
        return package

    def nasty_rows(self, problem: Problem, train: Rows, seed: int) -> pl.DataFrame:
        """Return training rows with missing, unseen and extreme values."""
        return nasty.nasty_rows(problem.features, train.frame, seed)

    def explain(
        self,
        problem: Problem,
        predictor: Answering,
        models: Sequence[tuple[Model, float]],
        rows: Rows,
        train: Rows,
        seed: int,
    ) -> tuple[Examination, ...]:
        """Return importance, contributions, dependence, and single answers explained."""
        return explain(problem, predictor, models, rows, train, seed)

    def profile_for_watch(
        self, inputs: Sequence[Field], frame: pl.DataFrame
    ) -> tuple[tuple[Field, ...], pl.DataFrame]:
        """Return the rows themselves: their columns are what monitoring knows."""
        return tuple(inputs), frame

    def default_gates(self, problem: Problem) -> tuple[GateSpec, ...]:
        """Propose to beat the baseline, and a modest floor."""
        floors = {
            "binary": ("roc_auc", 0.7),
            "multiclass": (
                "balanced_accuracy",
                round(min(0.9, 1.5 / max(2, len(problem.classes))), 2),
            ),
            "regression": ("r2", 0.3),
        }
        metric, floor = floors[problem.task]
        return (
            GateSpec(metric=problem.primary, beats="baseline"),
            GateSpec(metric=metric, at_least=floor),
        )


FAMILY = Tabular()
