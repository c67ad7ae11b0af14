"""Run views made by hand, as real runs would fill them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from msgspec.structs import replace as change
from report_parts import FINDINGS, PARITY, binary_curves, columns, est, leaderboard, member, sha

from assay.records.audit import Audit, Finding
from assay.records.decision import Decision, GateResult
from assay.records.fitted import Field, Fitted, Signature
from assay.records.package import ModelVersion, Package
from assay.records.report import (
    Comparison,
    Curve,
    Report,
    Scores,
    SliceResult,
)
from assay.records.seal import Seal
from assay.records.snapshot import CleaningStep, DataSnapshot, Problem
from assay.records.spec import (
    Choice,
    DataSection,
    GateSpec,
    ProjectSection,
    ProjectSpec,
    SplitSection,
)
from assay.records.split import Split
from assay.report import RunView, StageTime


def binary_view() -> RunView:
    gates = (
        GateSpec(metric="roc_auc", at_least=0.8),
        GateSpec(metric="roc_auc", beats="baseline"),
        GateSpec(metric="latency_p99", at_most=10.0),
    )
    problem = Problem(
        family="tabular@1",
        task="binary",
        target="Churn",
        classes=("No", "Yes"),
        positive="Yes",
        features=tuple(c.name for c in columns()[1:-1]),
        primary="roc_auc",
        also=("average_precision", "accuracy", "recall", "brier"),
        reason="it scores the ranking, whatever share of cases one decides to act on",
    )
    seal = Seal(
        question="Which customers will leave within a month, so that the retention team can call "
        "them?",
        decision="Call the 10 % with the highest score",
        data=sha("d"),
        task="binary",
        target="Churn",
        positive="Yes",
        primary="roc_auc",
        also=problem.also,
        split=SplitSection(),
        slices=(),
        gates=gates,
    )
    champion = Scores(
        name="ensemble of 2",
        metrics={
            "accuracy": est(0.8034, 0.0207, method="wilson"),
            "roc_auc": est(0.8461, 0.0212, method="delong"),
            "average_precision": est(0.6571, 0.043),
            "recall": est(0.5428, 0.05, method="wilson"),
            "brier": est(0.1341, 0.0088),
        },
    )
    baseline = Scores(
        name="logistic, two columns",
        metrics={
            "accuracy": est(0.7711, 0.0218),
            "roc_auc": est(0.7952, 0.0244),
            "average_precision": est(0.551, 0.047),
            "recall": est(0.41, 0.05),
            "brier": est(0.1533, 0.0084),
        },
    )
    slices = (
        SliceResult(
            column="SeniorCitizen", value="0", rows=1178, metrics={"roc_auc": est(0.849, 0.024)}
        ),
        SliceResult(
            column="SeniorCitizen", value="1", rows=231, metrics={"roc_auc": est(0.801, 0.058)}
        ),
        SliceResult(
            column="Contract",
            value="Month-to-month",
            rows=771,
            metrics={"roc_auc": est(0.762, 0.034)},
        ),
        SliceResult(
            column="Contract", value="One year", rows=301, metrics={"roc_auc": est(0.781, 0.079)}
        ),
        SliceResult(
            column="Contract", value="Two year", rows=37, metrics={"roc_auc": est(0.8, 0.16)}
        ),
        SliceResult(
            column="Contract", value="other", rows=6, metrics={}, note="fewer than 20 rows"
        ),
    )
    report = Report(
        seal=sha("a"),
        rows=1409,
        champion=champion,
        baseline=baseline,
        comparison=Comparison(
            metric="roc_auc",
            champion=champion.name,
            baseline=baseline.name,
            difference=est(0.0509, 0.0128, method="delong"),
            p_value=1e-9,
        ),
        slices=slices,
        curves=binary_curves(),
        parity=PARITY,
        latency_ms={"p50": est(0.41, 0.01, 800), "p99": est(0.93, 0.15, 800)},
        package_bytes=812_400,
    )
    decision = Decision(
        verdict="accepted",
        seal=sha("a"),
        gates=(
            GateResult(
                name="roc_auc ≥ 0.80",
                metric="roc_auc",
                verdict="accepted",
                value=0.8461,
                low=0.8249,
                high=0.8673,
                threshold=0.8,
                reason="the whole interval is above",
            ),
            GateResult(
                name="roc_auc beats the baseline",
                metric="roc_auc",
                verdict="accepted",
                value=0.0509,
                low=0.0381,
                high=0.0637,
                threshold=0.0,
            ),
            GateResult(
                name="latency_p99 ≤ 10 ms",
                metric="latency_p99",
                verdict="accepted",
                value=0.93,
                low=0.78,
                high=1.08,
                threshold=10.0,
            ),
        ),
    )
    signature = Signature(
        family="tabular@1",
        task="binary",
        target="Churn",
        classes=("No", "Yes"),
        positive="Yes",
        inputs=(
            Field(name="tenure", type="number", missing=False, low=0, high=72),
            Field(
                name="Contract",
                type="category",
                missing=False,
                categories=("Month-to-month", "One year", "Two year"),
            ),
            Field(name="signed|on", type="datetime", missing=True, low=1.5e9, high=1.7e9),
        ),
    )
    fitted = Fitted(
        name="ensemble of 2",
        members=(member("LightGBM, small leaves", 0.62), member("logistic, regularised", 0.38)),
        baseline=member("logistic, two columns", 1.0),
        signature=signature,
        files={"model.onnx": sha("e"), "signature.json": sha("f")},
    )
    spec = ProjectSpec(
        project=ProjectSection(name="telco-churn", question=seal.question, decision=seal.decision),
        data=DataSection(
            target="Churn",
            source="telco_churn.csv",
            positive="Yes",
            description="Customers of a telephone company in California.",
        ),
        gates=gates,
        choices=(
            Choice(path="project.question", value=seal.question, agency="user"),
            Choice(path="split.test", value=0.2, agency="accepted"),
            Choice(path="metric.also", value=list(problem.also), agency="template"),
            Choice(path="split.seed", value=7, agency="default"),
        ),
    )
    stages = ("ingest", "audit", "split", "search", "fit", "evaluate", "judge", "package")
    seconds = (0.4, 0.3, 0.05, 21.2, 2.6, 1.9, 0.01, 1.3)
    return RunView(
        run="20261122-074801-telco-churn-3f9a",
        project=spec,
        problem=problem,
        seal=seal,
        snapshot=DataSnapshot(
            source="/home/someone/telco_churn.csv",
            content=sha("d"),
            table=sha("b"),
            rows=7043,
            columns=columns(),
            dropped=("customerID",),
            licence="CC BY 4.0",
            cleaning=(
                CleaningStep(
                    rule="blank is missing", where="TotalCharges", cells=11, example="' ' → missing"
                ),
                CleaningStep(
                    rule="text to number",
                    where="TotalCharges",
                    cells=7032,
                    example="'29.85' → 29.85",
                ),
            ),
        ),
        split=Split(
            policy="stratify_on Churn",
            seed=7,
            train=5634,
            valid=0,
            test=1409,
            folds=5,
            rows=sha("c"),
        ),
        audit=Audit(
            findings=FINDINGS, checks=("leakage", "ids", "duplicates", "constants", "order")
        ),
        seal_digest=sha("a"),
        sealed_at="2026-11-22T07:48:02.120000+00:00",
        started_at="2026-11-22T07:48:01.000000+00:00",
        seconds=28.4,
        stages=tuple(StageTime(n, s, n == "ingest") for n, s in zip(stages, seconds, strict=True)),
        test_reads=1,
        actor="ines",
        leaderboard=leaderboard(),
        fitted=fitted,
        report=report,
        decision=decision,
        package=Package(
            name="telco-churn",
            digest=sha("9"),
            path="/home/someone/.assay/packages/9",
            bytes=812_400,
            parity=PARITY,
        ),
        version=ModelVersion(
            name="telco-churn",
            version=3,
            package=sha("9"),
            run="r",
            verdict="accepted",
            at="2026-11-22T07:48:29+00:00",
            aliases=("champion",),
        ),
        versions=(("assay", "0.1.0"), ("Python", "3.11.2"), ("LightGBM", "4.7.0")),
    )


def stopped_view() -> RunView:
    leak = Finding(
        code="LEAK-TARGET",
        severity="error",
        where="treatment",
        message="The column “treatment” alone tells the diagnosis for 99.1% of the rows, so it was "
        "most likely filled in afterwards.",
        evidence={
            "rows": 569,
            "accuracy of the column alone": 0.991,
            "shuffled": 0.627,
            "cross table": {
                "surgery": {"malignant": 207, "benign": 2},
                "none": {"malignant": 3, "benign": 355},
                "missing": {"malignant": 2, "benign": 0},
            },
        },
        hint='Drop it (drop = ["treatment"] in [data]), or accept it with a reason in [audit].',
    )
    view = binary_view()
    return replace(
        view,
        audit=Audit(findings=(leak, *FINDINGS[:3]), checks=view.audit.checks),
        leaderboard=None,
        fitted=None,
        report=None,
        decision=None,
        package=None,
        version=None,
        halted="audit",
        reason="the audit found 1 error",
        test_reads=0,
        stages=view.stages[:2],
    )


def multiclass_view() -> RunView:
    view, classes = binary_view(), tuple(f"cultivar {c}" for c in "ABCDE")
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 9, (5, 5)) + np.diag([60, 71, 48, 30, 12])
    edges = np.linspace(0, 1, 21)
    series = {
        c: np.histogram(rng.beta(2 + i, 6 - i, 200), edges)[0].tolist()
        for i, c in enumerate(classes)
    }
    curves = (
        Curve(
            kind="confusion",
            title="Confusion matrix",
            data={"classes": list(classes), "counts": counts.tolist()},
        ),
        Curve(
            kind="score_histogram",
            title="Scores by class",
            data={"edges": edges.tolist(), "series": series},
        ),
        view.report.curves[5],  # type: ignore[union-attr]
    )
    metrics = {
        "accuracy": est(0.81, 0.06, 320, "wilson"),
        "f1_macro": est(0.78, 0.07, 320),
        "log_loss": est(0.61, 0.11, 320),
    }
    base = {
        "accuracy": est(0.79, 0.06, 320),
        "f1_macro": est(0.7, 0.07, 320),
        "log_loss": est(0.7, 0.1, 320),
    }
    report = change(
        view.report,
        rows=320,
        curves=curves,
        slices=(),
        champion=Scores(name="random forest", metrics=metrics),
        baseline=Scores(name="best single column", metrics=base),
        comparison=Comparison(
            metric="accuracy",
            champion="a",
            baseline="b",
            difference=est(0.02, 0.05, 320),
            p_value=0.41,
        ),
    )
    gates = (
        GateSpec(metric="accuracy", at_least=0.8),
        GateSpec(metric="accuracy", beats="baseline"),
        GateSpec(metric="log_loss", at_most=0.9),
    )
    decision = Decision(
        verdict="inconclusive",
        seal=sha("a"),
        gates=(
            GateResult(
                name="accuracy ≥ 0.80",
                metric="accuracy",
                verdict="inconclusive",
                value=0.81,
                low=0.75,
                high=0.87,
                threshold=0.8,
                rows_needed=11_520,
                reason="the interval holds the threshold",
            ),
            GateResult(
                name="accuracy beats the baseline",
                metric="accuracy",
                verdict="inconclusive",
                value=0.02,
                low=-0.03,
                high=0.07,
                threshold=0.0,
                rows_needed=2_000,
            ),
            GateResult(
                name="log_loss ≤ 0.9",
                metric="log_loss",
                verdict="accepted",
                value=0.61,
                low=0.5,
                high=0.72,
                threshold=0.9,
            ),
        ),
    )
    problem = change(
        view.problem,
        task="multiclass",
        target="cultivar",
        classes=classes,
        positive=None,
        primary="accuracy",
        also=("f1_macro", "log_loss"),
    )
    return replace(
        view,
        problem=problem,
        report=report,
        decision=decision,
        leaderboard=leaderboard("accuracy"),
        seal=change(
            view.seal,
            question="Which cultivar is this wine from?",
            gates=gates,
            decision="",
            primary="accuracy",
            target="cultivar",
            task="multiclass",
        ),
        test_reads=2,
    )


def regression_view() -> RunView:
    view, rng = binary_view(), np.random.default_rng(8)
    actual = rng.lognormal(12.1, 0.5, 1500).clip(15_000, 500_000)
    predicted = actual * rng.normal(1, 0.16, 1500) + 9_000
    errors, edges = np.histogram(actual - predicted, 30)
    importance = view.report.curves[5]  # type: ignore[union-attr]
    curves = (
        Curve(
            kind="predicted_actual",
            title="Predicted and actual",
            data={"actual": actual.round(1).tolist(), "predicted": predicted.round(1).tolist()},
        ),
        Curve(
            kind="residuals",
            title="Errors",
            data={
                "edges": edges.tolist(),
                "counts": errors.tolist(),
                "predicted": predicted.tolist(),
                "residual": (actual - predicted).tolist(),
            },
        ),
        importance,
    )
    metrics = {
        "rmse": est(46_900, 1_100, 4128),
        "mae": est(30_600, 560, 4128),
        "r2": est(0.834, 0.008, 4128),
    }
    base = {
        "rmse": est(72_400, 1_300, 4128),
        "mae": est(52_700, 700, 4128),
        "r2": est(0.601, 0.013, 4128),
    }
    report = change(
        view.report,
        rows=4128,
        curves=curves,
        slices=(),
        champion=Scores(name="LightGBM", metrics=metrics),
        baseline=Scores(name="ridge", metrics=base),
        comparison=Comparison(
            metric="rmse",
            champion="a",
            baseline="b",
            difference=est(25_500, 900, 4128),
            p_value=0.0002,
        ),
    )
    gate = GateSpec(metric="rmse", at_most=45_000.0)
    decision = Decision(
        verdict="rejected",
        seal=sha("a"),
        gates=(
            GateResult(
                name="rmse ≤ 45,000",
                metric="rmse",
                verdict="rejected",
                value=46_900,
                low=45_800,
                high=48_000,
                threshold=45_000,
            ),
        ),
    )
    problem = change(
        view.problem,
        task="regression",
        target="median_house_value",
        classes=(),
        positive=None,
        primary="rmse",
        also=("mae", "r2"),
    )
    return replace(
        view,
        problem=problem,
        report=report,
        decision=decision,
        package=None,
        version=None,
        leaderboard=None,
        seal=change(
            view.seal,
            question="What is the median house worth in this block?",
            gates=(gate,),
            decision="Set the first offer",
            primary="rmse",
            task="regression",
        ),
    )
