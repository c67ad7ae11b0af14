"""Does a planted leak move a quick model's score by more than the score's own interval?

Two quick models are asked, a small LightGBM and a linear model; it is enough that one of them is
led astray. Leaks by columns are judged on the same test rows with and without the columns. Leaks by
rows need another split, hence other test rows: there the difference must exceed both intervals
together.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray
from planted import Checked, checked
from planting import Case
from sklearn.linear_model import LogisticRegression, Ridge
from tables import base

from assay.data.split import split
from assay.evaluate import estimates
from assay.kernel.family import Predictions, class_labels
from assay.metrics import get
from assay.records.report import Estimate
from assay.records.spec import SplitSection

METRIC = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "r2"}
MODELS = ("lightgbm", "linear")
TOKENS = 60
FAST = {"n_estimators": 40, "num_leaves": 15, "verbose": -1, "n_jobs": 1, "random_state": 0}

Scores = dict[str, Estimate]


def moved(case: Case, leaky: Checked) -> dict[str, Any]:
    """Return both scores of a case, and whether the leak moves one of them out of its interval."""
    told, honest = scores(leaky, case), clean_scores(case, leaky)
    same_rows = case.planted.origin is None and case.planted.honest is None
    rows = {
        model: _compared(told[model], honest[model], same_rows=same_rows, either=_either(case))
        for model in MODELS
    }
    best = max(rows.values(), key=lambda row: (row["moves"], row["leaky"] - row["clean"]))
    return {"metric": METRIC[case.base.task], **best}


def _either(case: Case) -> bool:
    """Return True where a leak may lower the score as well: the test rows are of another kind."""
    return case.planted.honest is not None


def _compared(told: Estimate, honest: Estimate, *, same_rows: bool, either: bool) -> dict[str, Any]:
    above = honest.high - honest.value
    limit = above if same_rows else float(np.hypot(above, told.value - told.low))
    change = told.value - honest.value
    return {
        "clean": round(honest.value, 4),
        "clean_low": round(honest.low, 4),
        "clean_high": round(honest.high, 4),
        "leaky": round(told.value, 4),
        "moves": bool((abs(change) if either else change) > limit),
    }


def clean_scores(case: Case, leaky: Checked) -> Scores:
    """Return the scores of the same table without the leak."""
    planted = case.planted
    if planted.origin is not None:
        test = np.random.default_rng(1).permutation(np.unique(planted.origin))
        test = test[: len(test) // 5]
        parts = np.where(np.isin(planted.origin, test), -1, 0).astype(np.int8)
        return scores(leaky, case, parts)
    if planted.honest is not None:
        policy = SplitSection(**planted.honest)
        _, parts, _ = split(policy, leaky.problem, leaky.table)
        return scores(leaky, case, parts, without=tuple(planted.split.values()))
    if planted.drop and planted.split != case.base.split:
        return scores(leaky, case, without=planted.drop)
    return _base_scores(case.base.name, case.base.table.height)


@cache
def _base_scores(name: str, rows: int) -> Scores:
    found = base(name, rows, distinct=True)
    plain = checked(found, found.table, found.split)
    return _scores(plain.table, found.target, found.task, plain.parts, ())


def scores(
    found: Checked,
    case: Case,
    parts: NDArray[np.int8] | None = None,
    without: tuple[str, ...] = (),
) -> Scores:
    """Return each model's score on the test rows of a checked table."""
    drop = (*without, *(name for key, name in case.planted.split.items() if key == "predefined_on"))
    where = found.parts if parts is None else parts
    return _scores(found.table, case.base.target, case.base.task, where, drop)


def _scores(
    table: pl.DataFrame, target: str, task: str, parts: NDArray[np.int8], drop: tuple[str, ...]
) -> Scores:
    features = table.drop(target, *(name for name in drop if name in table.columns))
    matrix = np.column_stack([_numbers(column) for column in features])
    if task == "regression":
        truth: NDArray[Any] = table[target].cast(pl.Float64).to_numpy()
    else:
        labels = class_labels(table[target])
        known = sorted(labels.unique())
        truth = labels.replace_strict(known, range(len(known)), return_dtype=pl.Int64).to_numpy()
    train, test = parts >= 0, parts == -1
    metric = get(METRIC[task])
    return {
        model: estimates(
            [metric],
            truth[test],
            _answers(model, task, matrix[train], truth[train], matrix[test], int(truth.max()) + 1),
            positive_code=1,
            replicates=500,
        )[metric.name]
        for model in MODELS
    }


def _answers(
    model: str, task: str, rows: NDArray[Any], truth: NDArray[Any], asked: NDArray[Any], size: int
) -> Predictions:
    if model == "linear":
        rows, asked = _standard(rows, asked)
    if task == "regression":
        made = lightgbm.LGBMRegressor(**FAST) if model == "lightgbm" else Ridge()
        return Predictions(np.asarray(made.fit(rows, truth).predict(asked), np.float64))
    if model == "lightgbm":
        chance = lightgbm.LGBMClassifier(**FAST).fit(rows, truth)
    else:
        chance = LogisticRegression(max_iter=1000, tol=1e-3, C=0.5).fit(rows, truth)
    values = np.zeros((len(asked), size))
    values[:, chance.classes_.astype(int)] = chance.predict_proba(asked)
    return Predictions(values, tuple(map(str, range(size))))


def _standard(rows: NDArray[Any], asked: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both in standard units of the first, gaps at the median and marked by a column."""
    median = np.nan_to_num(np.nanmedian(rows, axis=0))
    rows, asked = (
        np.column_stack([np.where(np.isnan(m), median, m), np.isnan(m)]) for m in (rows, asked)
    )
    scale = np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1.0)
    mean = rows.mean(axis=0)
    return (rows - mean) / scale, np.clip((asked - mean) / scale, -20, 20)


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    """Return a column as numbers: dates as times, text as its place in order, prose as words."""
    if column.dtype.is_temporal():
        return column.to_physical().cast(pl.Float64).to_numpy()
    if column.dtype != pl.String:
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if (column.str.count_matches(" ").mean() or 0) >= 3:
        words = column.fill_null("").str.to_lowercase().str.split(" ")
        counts = words.explode().value_counts().sort(["count", column.name], descending=True)
        common = counts.head(TOKENS)[column.name]
        return np.column_stack([words.list.contains(word).to_numpy() for word in common]) * 1.0
    return column.rank("dense").cast(pl.Float64).fill_null(float("nan")).to_numpy()
