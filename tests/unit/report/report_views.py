"""Run views made by hand, as real runs would fill them."""

from __future__ import annotations

from dataclasses import replace

from report_parts import FINDINGS, PARITY, binary_curves, columns, est, leaderboard, member, sha

from assay.records.audit import Audit, Finding
from assay.records.decision import Decision, GateResult
from assay.records.fitted import Field, Fitted, Signature
from assay.records.package import ModelVersion, Package
from assay.records.report import (
    Comparison,
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
        test="t",
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
