"""Cases with a known truth for what looks at answers: calibration, thresholds, sets, fairness."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from assay.evaluate.case import Case, Sample
from assay.kernel.family import Predictions
from assay.metrics import get
from assay.metrics.operate import operate, two_classes
from assay.records.fitted import Candidate, Leaderboard, Operating, Trial
from assay.records.report import Curve
from assay.records.seal import Seal
from assay.records.snapshot import Problem
from assay.records.spec import AnswersSection, FairnessSection, SplitSection

BOARD = Leaderboard(
    metric="roc_auc",
    baselines=(Trial(candidate=Candidate(name="prior", kind="constant"), status="done"),),
    trials=(),
    weights={"prior": 1.0},
    score=0.5,
)


def make_case(
    truth: np.ndarray,
    values: np.ndarray,
    table: pl.DataFrame | None = None,
    operating: Operating | None = None,
    classes: tuple[str, ...] = ("no", "yes"),
    groups: np.ndarray | None = None,
    **sections: Any,
) -> Case:
    """Return a case of test rows alone; `sections` are the answers and fairness of the seal."""
    operating = operating or Operating()
    table = pl.DataFrame({"x": np.arange(len(truth))}) if table is None else table
    task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    problem = Problem(
        family="made",
        task=task,
        target="y",
        classes=classes,
        positive="yes" if task == "binary" else None,
        features=tuple(table.columns),
        primary={"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}[task],
    )
    seal = Seal(
        question="",
        decision="",
        data="",
        task=task,
        target="y",
        positive=problem.positive,
        primary=problem.primary,
        also=(),
        split=SplitSection(),
        slices=(),
        gates=(),
        answers=sections.get("answers", AnswersSection()),
        fairness=sections.get("fairness", FairnessSection()),
    )
    raw = Predictions(values, classes)
    sample = Sample(table=table, truth=truth, places=np.arange(len(truth)))
    answered = operate(operating, raw, table, problem.positive_code)
    return Case(
        problem=problem,
        seal=seal,
        metrics=(get(problem.primary),),
        test=sample,
        train=sample,
        champion=answered,
        raw=raw,
        baseline=raw,
        oof=answered,
        operating=operating,
        leaderboard=BOARD,
        learning=Curve(kind="learning", title="", data={}),
        predict=lambda frame: raw,
        groups=groups,
        seed=1,
    )


def scores(n: int, seed: int = 0, slope: float = 1.0, shift: float = 0.0) -> tuple[Any, Any]:
    """Return truth and (n, 2) probabilities whose log-odds are `slope` times too large."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-0.7, 1.8, n)
    truth = (rng.random(n) < expit(z)).astype(np.int64)
    truth[:2] = (0, 1)
    return truth, two_classes(expit(slope * z + shift), 1)


def grouped(
    n: int, seed: int = 0, help_b: float = 0.0, slope_b: float = 1.0
) -> tuple[Any, Any, pl.DataFrame]:
    """Return truth, probabilities and a table of groups a and b, whose b gets other scores."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], n, p=[0.6, 0.4])
    z = rng.normal(-0.5, 1.8, n)
    truth = (rng.random(n) < expit(z)).astype(np.int64)
    given = np.where(group == "b", slope_b * z + help_b, z)
    return truth, two_classes(expit(given), 1), pl.DataFrame({"sex": group})
