"""More run views: many classes, and a number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from msgspec.structs import replace as change
from report_parts import est, leaderboard, sha
from report_views import binary_view

from assay.records.decision import Decision, GateResult
from assay.records.report import (
    Comparison,
    Curve,
    Scores,
)
from assay.records.spec import (
    GateSpec,
)
from assay.report import RunView


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
