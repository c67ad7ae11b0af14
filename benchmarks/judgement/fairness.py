"""What each mitigation brings and costs on Adult by sex, with the product's own model.

The table's own test rows are used, and no choice looks at them. For thresholds, 20 further splits
of all rows say how much of a number is the luck of the test rows.

Run: ASSAY_DATA=… python benchmarks/judgement/fairness.py   (needs the extra `fairness`)
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.data.catalogue import get
from assay.evaluate.answers.rules import Rule
from assay.evaluate.fairness.groups import DEFINITIONS, differences, grouping
from assay.evaluate.fairness.mitigation import TOLERANCE, group_thresholds
from assay.kernel.family import Predictions, Rows
from assay.kernel.plugins import load_family
from assay.lifecycle.combine import combine
from assay.lifecycle.material import Material
from assay.lifecycle.operate import operating_of
from assay.lifecycle.search.fold import fit_rows
from assay.lifecycle.weigh import row_weights
from assay.lifecycle.workshop import MORE_ROWS
from assay.metrics import get as get_metric
from assay.metrics.intervals.linear import critical, wilson
from assay.metrics.operate import operate
from assay.metrics.pool import pool
from assay.records.fitted import Candidate, Pool
from assay.records.snapshot import Problem
from assay.records.spec import AnswersSection, FairnessSection

RESULT = Path(__file__).parents[1] / "results" / "judgement-fairness.json"
TARGET, POSITIVE, GROUP, FOLDS, SPLITS = "income", ">50K", "sex", 5, 20
MEMBERS = ("boosting", "boosting_small")
Members = list[tuple[Any, float]]
MITIGATIONS = ("none", "reweigh", "constrain", "thresholds")


def material() -> Material:
    """Return Adult under its own split, in five random folds."""
    table = pl.read_parquet(get("adult_census"))
    parts = np.random.default_rng(0).permutation(table.height) % FOLDS
    parts[(table["split"] == "test").to_numpy()] = -1
    dropped = {TARGET, "split", "education_num"}
    problem = Problem(
        family="tabular",
        task="binary",
        target=TARGET,
        classes=tuple(sorted(table[TARGET].unique())),
        positive=POSITIVE,
        features=tuple(c for c in table.columns if c not in dropped),
        primary="roc_auc",
    )
    family = load_family(problem.family)
    return Material(family, problem, table, parts.astype(np.int8), ordered=False)


def weighted(rows: Rows, weight: np.ndarray | None) -> Rows:
    return dataclasses.replace(rows, weight=weight)


def one_fitted(
    data: Material, candidate: Candidate, weight: np.ndarray | None
) -> tuple[np.ndarray, Any]:
    """Return a candidate's predictions out of fold, and it fitted on all training rows."""
    values = np.zeros((data.train_index.size, 2))
    rounds = []
    for fold in data.folds:
        train, valid = data.fold(fold)
        own = None if weight is None else weight[np.searchsorted(data.train_index, train)]
        part = weighted(data.rows(train), own)
        found = fit_rows(
            candidate, data.problem, part, data.rows(valid), ordered=False, seed=0, threads=1
        )
        if found.values is None:
            raise RuntimeError(found.failed)
        values[np.searchsorted(data.train_index, valid)] = found.values
        rounds.append(found.rounds)
    every = weighted(data.rows(data.train_index), weight)
    last = round(float(np.mean(rounds)) * MORE_ROWS)
    return values, data.family.fit(candidate, data.problem, every, None, last, 0, 1)


def fitted(data: Material, weight: np.ndarray | None) -> tuple[np.ndarray, Members, Pool]:
    """Return the champion's predictions out of fold, and its weighted members with their pool."""
    known = {c.name: one_fitted(data, c, weight) for c in candidates(data)}
    index, metric = data.train_index, get_metric(data.problem.primary)
    out = {name: values for name, (values, _) in known.items()}
    found = combine(metric, data.problem, data.rows(index).truth, out, data.parts[index], 0)
    values = pool(found.pool, [(out[name], share) for name, share in found.weights.items()])
    members = [(known[name][1], share) for name, share in found.weights.items()]
    return values, members, found.pool


def candidates(data: Material) -> list[Candidate]:
    declared = data.family.candidates(data.problem, [], data.train_index.size)
    return [candidate for candidate in declared if candidate.name in MEMBERS]


def measured(data: Material, answers: Predictions, index: np.ndarray) -> dict[str, Any]:
    """Return accuracy and the differences by sex of these rows, each with its interval."""
    code = data.problem.positive_code
    positive = (data.table[TARGET][index] == POSITIVE).to_numpy()
    called = answers.codes(code) == code
    words = data.table[GROUP][index].to_list()
    found = differences(grouping(GROUP, words, positive, called), np.random.default_rng(0), None)
    right = float((called == positive).mean())
    low, high = wilson(right, len(positive), critical(0.95))
    numbers = {"accuracy": [right, low, high]}
    for name in DEFINITIONS:
        numbers[name] = [found[name].value, found[name].low, found[name].high]
    return {name: [round(v, 4) for v in values] for name, values in numbers.items()}


def resplit(data: Material, score: np.ndarray) -> dict[str, Any]:
    """Return what thresholds bring on `SPLITS` random splits of all scored rows, as large."""
    positive = (data.table[TARGET] == POSITIVE).to_numpy()
    words = data.table[GROUP].to_numpy()
    apart, cost = [], []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(score))
        chosen, fresh = order[: data.train_index.size], order[data.train_index.size :]
        own = group_thresholds(
            Rule(), "average_odds", score[chosen], positive[chosen], words[chosen], 0.5
        )
        cut = np.array([own[word] for word in words[fresh]])
        called = score[fresh].round(9) >= cut
        found = grouping(GROUP, words[fresh].tolist(), positive[fresh], called)
        apart.append(differences(found, np.random.default_rng(0), None)["average_odds"].value)
        plain = ((score[fresh] >= 0.5) == positive[fresh]).mean()
        cost.append(plain - (called == positive[fresh]).mean())
    return {
        "splits": SPLITS,
        "average_odds_mean": round(float(np.mean(apart)), 4),
        "average_odds_largest": round(float(np.max(apart)), 4),
        "share_at_most_0.02": float(np.mean(np.array(apart) <= 0.02)),
        "share_within_both": float(np.mean((np.array(apart) <= 0.02) & (np.array(cost) <= 0.02))),
        "accuracy_cost_mean": round(float(np.mean(cost)), 4),
        "accuracy_cost_largest": round(float(np.max(cost)), 4),
    }


def main() -> None:
    """Measure every mitigation and write the results."""
    data = material()
    test = np.flatnonzero(data.parts < 0)
    frame = data.table[test].select(data.problem.features)
    known: dict[bytes, tuple[np.ndarray, Members, Pool]] = {}
    result: dict[str, Any] = {
        "data": "adult_census, its own test rows",
        "rows": [int(data.train_index.size), int(test.size)],
        "by": GROUP,
        "model": f"the search's ensemble of {' and '.join(MEMBERS)}",
        "columns": ["value", "low", "high"],
        "tolerance_out_of_fold": TOLERANCE,
    }
    for mitigate in MITIGATIONS:
        start = time.process_time()
        fairness = FairnessSection(columns=(GROUP,), mitigate=mitigate)
        weight = row_weights(data, fairness, candidates(data)[0], 0, 1)
        key = b"" if weight is None else weight.tobytes()
        if key not in known:
            known[key] = fitted(data, weight)
        values, members, how = known[key]
        group = GROUP if mitigate == "thresholds" else ""
        point = operating_of(data, values, AnswersSection(), fairness, group)
        said = [(model.predict(frame).values, share) for model, share in members]
        raw = Predictions(pool(how, said), data.problem.classes)
        answers = operate(point, raw, data.table[test], data.problem.positive_code)
        found: dict[str, Any] = measured(data, answers, test)
        found["why"] = point.why
        found["cpu_seconds"] = round(time.process_time() - start, 1)
        if mitigate == "thresholds":
            score = np.zeros(data.table.height)
            code = data.problem.positive_code
            score[data.train_index], score[test] = values[:, code], raw.values[:, code]
            found["other_splits"] = resplit(data, score)
        result[mitigate] = found
        print(mitigate, json.dumps(found), file=sys.stderr)
    for mitigate in MITIGATIONS[1:]:
        cost = result["none"]["accuracy"][0] - result[mitigate]["accuracy"][0]
        result[mitigate]["accuracy_cost"] = round(cost, 4)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
