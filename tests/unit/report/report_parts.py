"""Parts of the run views: columns, findings, curves, trials."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace as change

from assay.records.audit import Finding
from assay.records.fitted import Candidate, Leaderboard, Member, Trial
from assay.records.report import (
    Curve,
    Estimate,
    Parity,
)
from assay.records.snapshot import Column

PARITY = Parity(
    rows=1409, nasty_rows=512, max_abs_diff=3.1e-8, label_flips=0, tolerance=1e-6, worst="row 88"
)


WITHOUT = change(PARITY, rows=300, nasty_rows=200, max_abs_diff=4.4e-16)
"""The parity of the model file, asked without Assay."""


def est(value: float, half: float, n: int = 1409, method: str = "bootstrap") -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, n=n, method=method)


def sha(letter: str) -> str:
    return (letter * 3 + "4f09be71d2") * 5 + letter * 2


def columns() -> tuple[Column, ...]:
    def col(name: str, kind: str, **more: object) -> Column:
        return Column(name=name, type=kind, rows=7043, **more)  # type: ignore[arg-type]

    bell = tuple(int(400 * np.exp(-((i - 6) ** 2) / 18)) for i in range(20))
    return (
        col("customerID", "id", unique=7043),
        col(
            "tenure",
            "number",
            unique=73,
            low=0,
            high=72,
            mean=32.4,
            std=24.6,
            median=29,
            histogram=(1371, 833, 530, 412, 390, 371, 360, 352, 389, 420, 455, 1160),
        ),
        col(
            "MonthlyCharges",
            "number",
            unique=1585,
            low=18.25,
            high=118.75,
            mean=64.8,
            std=30.1,
            median=70.35,
            histogram=(1653, 282, 336, 520, 618, 960, 1101, 870, 543, 160),
        ),
        col(
            "TotalCharges",
            "number",
            unique=6530,
            missing=11,
            low=18.8,
            high=8684.8,
            median=1397.5,
            histogram=bell,
        ),
        col(
            "Contract",
            "category",
            unique=3,
            top=(("Month-to-month", 3875), ("Two year", 1695), ("One year", 1473)),
        ),
        col(
            "PaymentMethod",
            "category",
            unique=4,
            top=(("Electronic check", 2365), ("Mailed check", 1612), ("Bank transfer", 1544)),
        ),
        col("SeniorCitizen", "boolean", unique=2, top=(("0", 5901), ("1", 1142))),
        col("Churn", "category", unique=2, top=(("No", 5174), ("Yes", 1869))),
    )


FINDINGS = (
    Finding(
        code="ID-COLUMN",
        severity="warning",
        where="customerID",
        message="Every row has its own value, so the column can name a row but not say anything "
        "about it.",
        evidence={"rows": 7043, "different": 7043, "examples": ["7590-VHVEG", "5575-GNVDE"]},
        hint="Add it to drop in the [data] section.",
    ),
    Finding(
        code="DUPLICATE-ROWS-SPLIT",
        severity="warning",
        where="rows",
        message="22 training rows have a twin among the test rows.",
        evidence={
            "test rows": 9,
            "share of test rows": 0.0064,
            "pairs": [{"train row": 22, "test row": 100}, {"train row": 71, "test row": 964}],
        },
        hint="Remove duplicates, or split with group_on.",
    ),
    Finding(
        code="HIGH-MISSING",
        severity="note",
        where="TotalCharges",
        message="11 of 7,043 values are missing.",
        evidence={"missing": 11},
    ),
    Finding(
        code="ROW-ORDER",
        severity="error",
        where="rows",
        message="The number of a row tells the target to a degree.",
        evidence={"roc_auc": 0.61},
        accepted="The export was sorted by contract; checked with Ines.",
    ),
)


def roc_points(strength: float) -> tuple[list[float], list[float]]:
    x = np.linspace(0, 1, 60) ** 2
    return x.round(4).tolist(), (x ** (1 / strength)).round(4).tolist()


def binary_curves() -> tuple[Curve, ...]:
    rng = np.random.default_rng(3)
    (x, y), (bx, by) = roc_points(4.6), roc_points(3.0)
    recall = np.linspace(0, 1, 60)
    edges = np.linspace(0, 1, 21)
    predicted = np.array([0.02, 0.05, 0.09, 0.14, 0.2, 0.27, 0.36, 0.47, 0.6, 0.76])
    observed = predicted + rng.normal(0, 0.02, 10)
    no = np.histogram(rng.beta(1.4, 5, 1035), edges)[0]
    yes = np.histogram(rng.beta(3.4, 2.6, 374), edges)[0]
    names = [
        "Contract",
        "tenure",
        "InternetService",
        "TotalCharges",
        "MonthlyCharges",
        "OnlineSecurity",
        "PaymentMethod",
        "a column with quite a long name of its own",
    ]
    mean = np.array([0.061, 0.048, 0.026, 0.017, 0.012, 0.007, 0.004, -0.0004])
    return (
        Curve(
            kind="roc",
            title="ROC curve",
            data={
                "x": x,
                "y": y,
                "baseline_x": bx,
                "baseline_y": by,
                "x_label": "False positive rate",
                "y_label": "True positive rate",
            },
        ),
        Curve(
            kind="precision_recall",
            title="Precision and recall",
            data={
                "x": recall.tolist(),
                "y": (0.27 + 0.63 * (1 - recall**1.5)).tolist(),
                "baseline_x": recall.tolist(),
                "baseline_y": (0.27 + 0.4 * (1 - recall)).tolist(),
                "x_label": "Recall",
                "y_label": "Precision",
            },
        ),
        Curve(
            kind="calibration",
            title="Calibration",
            data={
                "predicted": predicted.tolist(),
                "observed": observed.clip(0, 1).tolist(),
                "low": (observed - 0.06).clip(0, 1).tolist(),
                "high": (observed + 0.06).clip(0, 1).tolist(),
                "count": [141] * 10,
            },
        ),
        Curve(
            kind="confusion",
            title="Confusion matrix",
            data={"classes": ["No", "Yes"], "counts": [[929, 106], [171, 203]]},
            note="Labels at a score of 0.5.",
        ),
        Curve(
            kind="score_histogram",
            title="Scores by class",
            data={"edges": edges.tolist(), "series": {"No": no.tolist(), "Yes": yes.tolist()}},
        ),
        Curve(
            kind="importance",
            title="Importance of columns",
            data={
                "columns": names,
                "mean": mean.tolist(),
                "low": (mean - 0.003).tolist(),
                "high": (mean + 0.003).tolist(),
            },
        ),
        Curve(
            kind="learning",
            title="Learning curve",
            data={
                "rows": [563, 1127, 2254, 3380, 4507],
                "train": [0.93, 0.9, 0.885, 0.879, 0.874],
                "valid": [0.815, 0.829, 0.839, 0.844, 0.847],
            },
        ),
        Curve(kind="spectrogram", title="Not known here", data={"z": [1]}),
    )


def trial(name: str, score: float, seed: int, **more: object) -> Trial:
    scores = (score + np.random.default_rng(seed).normal(0, 0.008, 5)).tolist()
    return Trial(
        candidate=Candidate(name=name, kind=name),
        status="done",
        score=float(np.mean(scores)),
        scores=tuple(scores),
        seconds=1.7,
        **more,  # type: ignore[arg-type]
    )


def leaderboard(metric: str = "roc_auc") -> Leaderboard:
    return Leaderboard(
        metric=metric,
        baselines=(trial("logistic, two columns", 0.795, 1), trial("prior", 0.5, 9)),
        trials=(
            trial("logistic, regularised", 0.845, 2),
            trial("random forest", 0.838, 3),
            trial("extra trees", 0.829, 4),
            trial("LightGBM, small leaves", 0.848, 5, rounds=(212, 240, 198, 230, 221)),
            Trial(
                candidate=Candidate(name="LightGBM, deep", kind="lightgbm"),
                status="skipped",
                note="the time budget was spent",
            ),
        ),
        weights={"LightGBM, small leaves": 0.62, "logistic, regularised": 0.38},
        score=0.8496,
        stopped_by="budget",
        seconds=21.0,
    )


def member(name: str, weight: float) -> Member:
    return Member(
        candidate=Candidate(name=name, kind="x"), weight=weight, rounds=None, state=sha("5")
    )
