"""Score and processor seconds of every tabular candidate, out of fold and on test rows.

Run: ASSAY_DATA=… python benchmarks/tabular.py [TABLE]... [--only NAME,NAME] [--threads N]
Prints a line per candidate and one JSON line per table. The sizes in
`assay.tasks.tabular.portfolio` were chosen by it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.data.content import read_table
from assay.data.ingest import ingest
from assay.data.split import split
from assay.kernel.family import Predictions, Rows, class_labels
from assay.lifecycle.combine import combine
from assay.metrics import get
from assay.metrics.pool import pool
from assay.records.fitted import Candidate, Operating, Pool
from assay.records.snapshot import Problem
from assay.records.spec import (
    DataSection,
    FeaturesSection,
    MetricSection,
    ProjectSection,
    ProjectSpec,
    SplitSection,
)
from assay.stores.memory import MemoryStore
from assay.tasks.tabular.family import FAMILY

FOLDS = 5
STOP_ON = 8
"""One of so many training rows stops a fit early."""
TABLES: dict[str, tuple[str, str, dict[str, object], SplitSection]] = {
    "telco": ("telco_churn.csv", "Churn", {"drop": ("customerID",)}, SplitSection(seed=7)),
    "adult": ("adult_census.parquet", "income", {}, SplitSection(predefined_on="split")),
    "california": ("california_housing.parquet", "median_house_value", {}, SplitSection(seed=7)),
    "bank": ("bank_marketing.parquet", "y", {"drop": ("duration",)}, SplitSection(seed=7)),
    "titanic": ("titanic.csv", "survived", {"drop": ("alive",)}, SplitSection(seed=7)),
    "ames": ("ames_housing.parquet", "Sale_Price", {}, SplitSection(seed=7)),
    "wine": ("wine_quality.parquet", "quality", {}, SplitSection(seed=7)),
    "vehicle": ("vehicle_claim_fraud.parquet", "FraudFound_P", {}, SplitSection(seed=7)),
    "fraud": ("creditcard_fraud_undersampled.parquet", "Class", {}, SplitSection(seed=7)),
    "penguins": ("penguins.parquet", "species", {}, SplitSection(seed=7)),
    "sms": ("sms_spam.parquet", "label", {}, SplitSection(seed=7)),
    "sst2": ("sst2.parquet", "label", {}, SplitSection(predefined_on="split")),
    "news": ("ag_news_test.parquet", "label", {}, SplitSection(seed=7)),
}


@dataclass(frozen=True)
class Table:
    """Rows dealt into training folds and test."""

    problem: Problem
    candidates: tuple[Candidate, ...]
    baselines: tuple[Candidate, ...]
    train: Rows
    fold: np.ndarray
    test: Rows

    def part(self, wanted: np.ndarray) -> Rows:
        assert self.train.target is not None
        return Rows(self.train.frame[wanted], self.train.target[wanted])

    def score(self, target: np.ndarray, values: np.ndarray) -> float:
        answer = Predictions(values, self.problem.classes)
        return get(self.problem.primary).compute(target, answer, self.problem.positive_code)


def read(name: str) -> Table:
    file, target, extra, policy = TABLES[name]
    data = DataSection(target=target, source=file, **extra)  # type: ignore[arg-type]
    store = MemoryStore()
    folder = Path(os.environ["ASSAY_DATA"])
    snapshot = ingest(data, FeaturesSection(), folder, store, resolve=Path)
    table = read_table(snapshot, store)
    spec = ProjectSpec(
        project=ProjectSection(name=name), data=data, split=policy, metric=MetricSection()
    )
    problem = FAMILY.problem(spec, snapshot, table[target])
    _, parts, _ = split(FAMILY.split_policy(policy, problem), problem, table)
    frame = table.select(problem.features)
    if problem.classes:
        y = np.searchsorted(problem.classes, class_labels(table[target]).to_numpy())
    else:
        y = table[target].to_numpy()
    train, test = parts >= 0, parts == -1
    rows = int(train.sum())
    return Table(
        problem,
        FAMILY.candidates(problem, snapshot.columns, rows),
        FAMILY.baselines(problem, snapshot.columns),
        Rows(frame.filter(train), y[train]),
        parts[train],
        Rows(frame.filter(test), y[test]),
    )


def measure(table: Table, candidate: Candidate, threads: int) -> dict[str, object]:
    """Cross-validate a candidate, fit it again on all training rows, and score the test rows."""
    start = time.process_time()
    found, rounds = [], []
    for k in range(FOLDS):
        train, stop = np.flatnonzero(table.fold != k), None
        if candidate.stops_early:
            order = np.random.default_rng(k).permutation(train)
            train, back = np.sort(order[len(order) // STOP_ON :]), order[: len(order) // STOP_ON]
            stop = table.part(np.sort(back))
        model = FAMILY.fit(candidate, table.problem, table.part(train), stop, None, k, threads)
        rounds.append(model.rounds)
        found.append(model.predict(table.part(np.flatnonzero(table.fold == k)).frame).values)
    seconds = time.process_time() - start
    out = np.zeros((table.fold.size, *found[0].shape[1:]))
    for k in range(FOLDS):
        out[table.fold == k] = found[k]
    again = int(np.mean(rounds) * 1.1) + 1 if rounds[0] is not None else None
    start = time.process_time()
    model = FAMILY.fit(candidate, table.problem, table.train, None, again, 0, threads)
    answer = model.predict(table.test.frame).values
    files, _ = FAMILY.export([(model, 1.0)], Pool(), Operating(), table.problem, ())
    return {
        "name": candidate.name,
        "oof": out,
        "test": answer,
        "rounds": again,
        "seconds": round(seconds, 2),
        "refit": round(time.process_time() - start, 2),
        "kilobytes": sum(len(content) for content in files.values()) // 1000,
    }


def lines(table: Table, only: set[str], threads: int) -> Iterator[dict[str, object]]:
    y, test = table.train.target, table.test.target
    oof, answers = {}, {}
    for candidate in (*table.baselines, *table.candidates):
        if only and candidate.name not in only:
            continue
        line = measure(table, candidate, threads)
        if candidate in table.candidates:
            oof[candidate.name] = line["oof"]
            answers[candidate.name] = line["test"]
        line |= {"oof": table.score(y, line["oof"]), "test": table.score(test, line["test"])}
        yield line
    metric, problem = get(table.problem.primary), table.problem
    made = combine(metric, problem, y, oof, table.fold, 0)
    mean = pool(made.pool, [(answers[name], share) for name, share in made.weights.items()])
    test_score = table.score(test, mean)
    yield {"name": "ensemble", "oof": made.score, "test": test_score, "weights": made.weights}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=[])
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    for name in arguments.tables or TABLES:
        table = read(name)
        metric = table.problem.primary
        print(f"{name}: {table.problem.task}, {metric}, {table.fold.size} training rows")
        found = []
        for line in lines(table, only, arguments.threads):
            print("  ", {k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()})
            found.append(line)
        machine = {"cores": os.cpu_count(), "machine": platform.machine()}
        print(json.dumps({"table": name, "metric": metric, **machine, "lines": found}))


if __name__ == "__main__":
    main()
