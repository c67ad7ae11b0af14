"""Planted wrong labels: is their rate estimated, and are the most suspicious rows truly wrong?

    python benchmarks/judgement/labels.py > benchmarks/results/judgement-labels.json
    ... --tables adult_census digits    --seeds 3

A share of the labels of a real table is changed to any other class ("5 %", "10 %", "20 %"), or 30 %
of the rows of the last class are given the first ("one class"); of a number, a share of the answers
is that of other rows. LightGBM answers out of fold, from the wrong labels. Beside the estimate
stand two others: `joint`, the share of rows off the diagonal of the confident joint, and
`subtracted`, that less what labels drawn from the model's own probabilities would give. The labels
as they came are taken as right, so an error on "0 %" is partly theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm
import numpy as np
import polars as pl
from sklearn.model_selection import KFold, StratifiedKFold
from tables import Base, available, base

from assay.evaluate.labels.noise import confident_joint, label_noise, number_noise

ROWS = 20_000
CLASSES = (
    "digits",
    "breast_cancer",
    "creditcard_fraud_undersampled",
    "mammography",
    "adult_census",
    "bank_marketing",
    "vehicle_claim_fraud",
    "telco_churn",
)
NUMBERS = (
    "etth1",
    "ames_housing",
    "california_housing",
    "beijing_pm25",
    "wine_quality",
    "diabetes",
)
SHARES = {"0 %": 0.0, "5 %": 0.05, "10 %": 0.1, "20 %": 0.2}
ONE_CLASS = 0.3


def matrix(found: Base) -> np.ndarray:
    """Return the features as (n, columns) numbers, words as their ranks."""
    table = found.table.drop(found.target)
    return table.select(
        pl.col(name).cast(pl.Float64)
        if table[name].dtype.is_numeric()
        else pl.col(name).rank("dense").cast(pl.Float64)
        for name in table.columns
    ).to_numpy()


def flipped(labels: np.ndarray, share: float, size: int, rng: np.random.Generator) -> np.ndarray:
    wrong = rng.permutation(len(labels)) < round(share * len(labels))
    return np.where(wrong, (labels + rng.integers(1, size, len(labels))) % size, labels)


def one_class(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    wrong = (labels == size - 1) & (rng.random(len(labels)) < ONE_CLASS)
    return np.where(wrong, 0, labels)


def chances(features: np.ndarray, given: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return (n, classes) probabilities out of fold."""
    answers = np.zeros((len(given), size))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    for train, held in folds.split(features, given):
        model = lightgbm.LGBMClassifier(n_estimators=80, num_leaves=15, n_jobs=1, verbose=-1)
        model.fit(features[train], given[train])
        answers[np.ix_(held, model.classes_)] = model.predict_proba(features[held])
    return answers


def numbers(features: np.ndarray, given: np.ndarray, seed: int) -> np.ndarray:
    """Return (n,) predictions out of fold."""
    answers = np.zeros(len(given))
    for train, held in KFold(5, shuffle=True, random_state=seed).split(features):
        model = lightgbm.LGBMRegressor(n_estimators=100, num_leaves=15, n_jobs=1, verbose=-1)
        answers[held] = model.fit(features[train], given[train]).predict(features[held])
    return answers


def off_diagonal(joint: np.ndarray) -> float:
    return float(1 - np.trace(joint) / joint.sum())


def others(given: np.ndarray, probabilities: np.ndarray, rng: np.random.Generator) -> dict:
    drawn = (probabilities.cumsum(axis=1) > rng.random((len(given), 1))).argmax(axis=1)
    joint = off_diagonal(confident_joint(given, probabilities))
    overlap = off_diagonal(confident_joint(drawn, probabilities))
    return {"joint": joint, "subtracted": joint - overlap}


def line(noise, wrong: np.ndarray, seconds: float) -> dict:
    """Return one case: truth and estimate in per cent, and how many of the worst rows are wrong."""
    worst = np.argsort(-noise.suspicion, kind="stable")
    rate = noise.rate
    return {
        "true": wrong.mean(),
        "estimate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "settled": noise.settled,
        "top_20": wrong[worst[:20]].mean(),
        "top_100": wrong[worst[:100]].mean(),
        "seconds": seconds,
    }


def of_classes(found: Base, seed: int) -> dict[str, dict]:
    features = matrix(found)
    labels = found.table[found.target].cast(pl.String).rank("dense").to_numpy().astype(int) - 1
    size = int(labels.max()) + 1
    made = {
        name: flipped(labels, share, size, np.random.default_rng([seed, i]))
        for i, (name, share) in enumerate(SHARES.items())
    }
    made["one class"] = one_class(labels, size, np.random.default_rng([seed, 9]))
    lines = {}
    for name, given in made.items():
        probabilities = chances(features, given, size, seed)
        start = time.process_time()
        noise = label_noise(given, probabilities)
        seconds = time.process_time() - start
        lines[name] = line(noise, given != labels, seconds) | others(
            given, probabilities, np.random.default_rng(seed)
        )
    return lines


def of_numbers(found: Base, seed: int) -> dict[str, dict]:
    features = matrix(found)
    truth = found.table[found.target].cast(pl.Float64).to_numpy()
    lines = {}
    for i, (name, share) in enumerate(SHARES.items()):
        rng = np.random.default_rng([seed, i])
        picked = rng.permutation(len(truth)) < round(share * len(truth))
        given = np.where(picked, truth[rng.integers(0, len(truth), len(truth))], truth)
        predicted = numbers(features, given, seed)
        start = time.process_time()
        noise = number_noise(given, predicted)
        lines[name] = line(noise, given != truth, time.process_time() - start)
    return lines


def summary(runs: list[dict[str, dict]]) -> dict[str, dict]:
    """Return the mean over seeds of each case, the largest error, and how often it is inside."""
    found = {}
    for case in runs[0]:
        cases = [run[case] for run in runs]
        means = {key: round(float(np.mean([c[key] for c in cases])), 4) for key in cases[0]}
        means["largest_error"] = round(max(abs(c["estimate"] - c["true"]) for c in cases), 4)
        means["inside"] = float(np.mean([c["low"] <= c["true"] <= c["high"] for c in cases]))
        found[case] = means
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="*", default=[*CLASSES, *NUMBERS])
    parser.add_argument("--seeds", type=int, default=2)
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    result: dict = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "rows": ROWS,
        "seeds": chosen.seeds,
        "tables": {},
    }
    for name in available(tuple(chosen.tables)):
        found = base(name, ROWS)
        measure = of_numbers if found.task == "regression" else of_classes
        runs = [measure(found, seed) for seed in range(chosen.seeds)]
        result["tables"][name] = {"task": found.task, "cases": summary(runs)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
