"""Performance estimated without labels under covariate shift, beside NannyML on the same windows.

    python benchmarks/watch/estimates.py [--splits 6] [--windows 20] [--tables adult_census ...]

Each table is split at random `--splits` times: a model is trained, examined and packaged by Assay
on 40 % and 15 % of the rows; from the rest windows are drawn that lean to some values of one to
three random columns, by 0.3 to 2.5 standard deviations of their mixture. What is estimated from the
answers alone is compared with what the labels say. NannyML's CBPE gets the same answers, and the
test rows as its reference. `as tested` says that nothing changed: the value on the test rows, with
its interval. Results: `benchmarks/results/watch-estimates.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import assay
from assay.data.conform import conform
from assay.kernel.family import Predictions
from assay.lifecycle.watching.subject import open_subject
from assay.metrics import get
from assay.registry.fold import fold
from assay.stores.workspace import find_workspace
from assay.watch.columns.count import codes
from assay.watch.drift.joint import compare_joint
from assay.watch.performance.estimated import estimate, unlike
from assay.watch.profile import Profile

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("ASSAY_BENCH_CACHE", Path.home() / ".cache" / "assay-benchmarks"))
NANNYML = CACHE / "watch" / "nannyml" / "bin" / "python"
RESULTS = HERE.parent / "results" / "watch-estimates.json"
METRICS = ("roc_auc", "average_precision", "f1")
MOST_ROWS, WINDOW = 24_000, 2_000

PROJECT = """
[project]
name = "{name}"
[data]
source = "train.parquet"
test = "test.parquet"
target = "target"
positive = "1"
[metric]
primary = "roc_auc"
also = ["average_precision", "f1"]
[budget]
iterations = 3
"""


@dataclass(frozen=True)
class Table:
    """A binary table of $ASSAY_DATA, the columns left out, and the positive class."""

    file: str
    target: str
    positive: str
    drop: tuple[str, ...] = ()


TABLES = {
    "adult_census": Table("adult_census.parquet", "income", ">50K", ("split", "education_num")),
    "bank_marketing": Table("bank_marketing.parquet", "y", "yes", ("duration",)),
    "telco_churn": Table("telco_churn.csv", "Churn", "Yes", ("customerID",)),
    "vehicle_claim_fraud": Table("vehicle_claim_fraud.parquet", "FraudFound_P", "1",
                                 ("PolicyNumber",)),
    "mammography": Table("mammography.parquet", "label", "1"),
    "creditcard_fraud": Table("creditcard_fraud_undersampled.parquet", "Class", "1"),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A model in production: its profile, and rows with answers and truth that it has not seen."""

    profile: Profile
    frame: pl.DataFrame
    cells: NDArray[np.int32]
    answers: Predictions
    truth: NDArray[np.int64]
    tested: Predictions
    tested_truth: NDArray[np.int64]


def read(table: Table) -> pl.DataFrame:
    """Return the table with its target as 0 and 1, each row once."""
    path = Path(os.environ["ASSAY_DATA"]) / table.file
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    positive = frame[table.target].cast(pl.String).str.strip_chars() == table.positive
    frame = frame.drop(table.target, *table.drop).with_columns(positive.cast(int).alias("target"))
    return frame.unique(maintain_order=True)


def trained(name: str, frame: pl.DataFrame, seed: int, folder: Path) -> Case:
    """Run a project on a part of the rows and let its model answer the rest."""
    order = np.random.default_rng(seed).permutation(frame.height)[:MOST_ROWS]
    cuts = [int(len(order) * share) for share in (0.4, 0.55)]
    parts = [frame[np.sort(part)] for part in np.split(order, cuts)]
    folder.mkdir(parents=True)
    for part, file in zip(parts, ("train", "test"), strict=False):
        part.write_parquet(folder / f"{file}.parquet")
    (folder / "assay.toml").write_text(PROJECT.format(name=name))
    store = folder / "store"
    assay.run(folder, store=store)
    workspace = find_workspace(store)
    version = fold(workspace.ledger.read()).resolve(f"{name}@1")
    subject = open_subject(workspace, version)
    ask = assay.load(f"{name}@1", store=store).ask
    inputs = subject.signature.inputs
    readings = {field.name: field.reading for field in inputs}
    test, later = (conform(part, inputs, readings=readings) for part in parts[1:])
    return Case(
        subject.profile,
        later,
        codes(subject.profile.columns, subject.columns.look(later)),
        ask(later),
        parts[2]["target"].to_numpy(),
        ask(test),
        parts[1]["target"].to_numpy(),
    )


def leaning(frame: pl.DataFrame, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the places of rows that lean to some values of one to three columns."""
    score = np.zeros(frame.height)
    for name in rng.choice(frame.columns, size=min(int(rng.integers(1, 4)), frame.width),
                           replace=False):  # fmt: skip
        ranks = frame[name].rank("dense").fill_null(0).to_numpy()
        if frame[name].dtype.is_numeric():
            each = np.argsort(np.argsort(ranks)) / frame.height - 0.5
            score += rng.choice([-1, 1]) * each * np.sqrt(12)
        else:
            score += rng.standard_normal(int(ranks.max()) + 1)[ranks.astype(np.int64)]
    score /= max(float(score.std()), 1e-9)
    tilted = rng.uniform(0.3, 2.5) * score + rng.gumbel(size=frame.height)
    return np.argsort(-tilted)[:size]


def windows(case: Case, count: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the places of windows in which both classes occur."""
    size = min(WINDOW, case.frame.height // 3)
    made, attempt = 0, 0
    while made < count:
        rng = np.random.default_rng([seed, attempt])
        places, attempt = leaning(case.frame, size, rng), attempt + 1
        if 5 <= case.truth[places].sum() <= size - 5:
            made += 1
            yield places


def ours(case: Case, places: NDArray[np.int64]) -> tuple[dict[str, list[float] | None], float]:
    """Return each metric's value, low and high, None where nothing is said, and the seconds."""
    start = time.perf_counter()
    profile = case.profile
    cells = case.cells[places]
    shift = None
    if profile.joint is not None:
        at = {column.name: i for i, column in enumerate(profile.columns)}
        chosen = [at[name] for name in profile.joint.columns]
        shift = compare_joint(profile.joint, [profile.columns[i] for i in chosen], cells[:, chosen])
    doubt = unlike(profile.joint, shift)
    found = estimate(profile, case.answers.take(places), cells, doubt=doubt)
    said = {m.metric: None if m.value is None else [m.value, m.low, m.high] for m in found}
    return said, time.perf_counter() - start


def theirs(case: Case, chosen: list[NDArray[np.int64]], folder: Path) -> dict[str, Any]:
    """Return what NannyML says of each window."""
    rows = np.concatenate(chosen)
    answers = case.answers.take(rows)
    number = np.repeat(np.arange(len(chosen)), [len(c) for c in chosen])
    _scored(case.tested).with_columns(truth=pl.Series(case.tested_truth)).write_parquet(
        folder / "reference.parquet"
    )
    _scored(answers).with_columns(window=pl.Series(number)).write_parquet(
        folder / "windows.parquet"
    )
    asked = [NANNYML, HERE / "estimates_nannyml.py", folder]
    done = subprocess.run(asked, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _scored(answers: Predictions) -> pl.DataFrame:
    return pl.DataFrame({"score": answers.values[:, 1], "answer": answers.codes(1)})


def measured(name: str, splits: int, count: int) -> dict[str, Any]:
    """Return how both fare on a table."""
    found: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    frame, seconds, unsaid, per_split = read(TABLES[name]), [], 0, []
    for seed in range(splits):
        folder = Path(tempfile.mkdtemp(prefix="estimates-"))
        case = trained(name, frame, seed, folder / "project")
        chosen = list(windows(case, count, seed))
        peer = theirs(case, chosen, folder)
        shutil.rmtree(folder)
        inside = []
        for number, places in enumerate(chosen):
            said, took = ours(case, places)
            seconds.append(took)
            unsaid += said["roc_auc"] is None
            for metric in METRICS:
                true = get(metric).compute(case.truth[places], case.answers.take(places), 1)
                if said[metric] is None:
                    continue
                tested = case.profile.metrics[metric]
                told = {
                    "assay": said[metric],
                    "nannyml": peer[metric][number],
                    "as tested": [tested.value, tested.low, tested.high],
                }
                for who, values in told.items():
                    found[metric, who].append([*values, true])
                if metric == "roc_auc":
                    inside.append(said[metric][1] <= true <= said[metric][2])
        per_split.append(float(np.mean(inside)) if inside else None)
    return {
        "rows": frame.height,
        "windows": splits * count,
        "unsaid": unsaid,
        "seconds": round(float(np.median(seconds)), 4),
        "roc_auc_inside_by_split": per_split,
        **{metric: {who: _summary(found[metric, who]) for who in ("assay", "nannyml", "as tested")}
           for metric in METRICS},
    }  # fmt: skip


def _summary(lines: list[list[float]]) -> dict[str, float]:
    value, low, high, true = np.array(lines).T
    return {
        "inside": round(float(((low <= true) & (true <= high)).mean()), 3),
        "width": round(float((high - low).mean()), 4),
        "off": round(float(np.abs(value - true).mean()), 4),
        "lean": round(float((value - true).mean()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--tables", nargs="*", default=list(TABLES))
    given = parser.parse_args()
    found = {}
    for name in given.tables:
        found[name] = measured(name, given.splits, given.windows)
        print(name, json.dumps(found[name]), flush=True)
    if given.tables == list(TABLES):
        machine = {"cores": os.cpu_count(), "python": platform.python_version()}
        result = {"machine": machine, "given": vars(given), "tables": found}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
