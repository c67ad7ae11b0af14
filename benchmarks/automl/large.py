"""A million rows of 30 columns under a budget of two minutes, beside LightGBM on all of them.

    python benchmarks/automl/large.py [--seconds 120] [--rows 1000000] [--loud]

The rows are made, so that the truth is known: a class drawn with a probability that depends on
numbers, steps, products and words. The area under the ROC curve of that probability is the most
that any model can reach. Writes benchmarks/results/automl-large.json.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
from measure import wait_until_quiet
from run import WORK, measure
from sklearn.metrics import roc_auc_score
from summary import RESULTS, machine, short
from tables import TEST_SHARE, Table

NUMBERS, LEVELS = 20, (3, 5, 8, 12, 20, 50, 200, 1000)
"""Columns of numbers, and the words that each column of text has; two more are yes or no."""
MISSING = 0.03


def make(rows: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Return (rows, 31) made columns, the last the target, and (rows,) the true probability."""
    random = np.random.default_rng(11)
    x = random.normal(size=(rows, NUMBERS))
    score = 0.8 * x[:, 0] - 0.5 * x[:, 1] + 0.7 * x[:, 2] * x[:, 3] + 0.6 * (x[:, 4] > 0.5)
    score += 0.5 * np.abs(x[:, 5]) + 0.4 * np.sin(2 * x[:, 6]) + 0.3 * x[:, 7] * (x[:, 8] > 0)
    columns: dict[str, pl.Series] = {}
    for place in range(NUMBERS):
        values = np.exp(x[:, place]) if place % 5 == 0 else x[:, place]
        gaps = pl.Series(random.random(rows) < MISSING)
        columns[f"number_{place}"] = pl.Series(values).set(gaps, None)
    for place, levels in enumerate(LEVELS):
        words = pl.Series([f"word {level}" for level in range(levels)])
        # a few words are frequent and many are rare
        drawn = (levels * random.random(rows) ** 2).astype(np.int64)
        columns[f"text_{place}"] = words.gather(drawn)
        score += 0.4 * random.normal(size=levels)[drawn]
    for place in range(2):
        flag = random.random(rows) < 0.3
        columns[f"flag_{place}"] = pl.Series(flag)
        score += 0.3 * flag * x[:, 9 + place]
    chance = 1 / (1 + np.exp(-(score - np.quantile(score, 0.7))))
    drawn = random.random(rows) < chance
    columns["target"] = pl.Series(np.where(drawn, "yes", "no"))
    return pl.DataFrame(columns), chance


def prepare(rows: int, work: Path) -> tuple[Table, float]:
    """Write the rows as the benchmark's tables are, and return the best area that there can be."""
    frame, chance = make(rows)
    train = round(rows * (1 - TEST_SHARE))
    table = Table("made", "target", ("no", "yes"), frame.width - 1, train, rows - train)
    folder = work / "tables" / table.name
    folder.mkdir(parents=True, exist_ok=True)
    frame[:train].write_parquet(folder / "train.parquet")
    frame[train:].write_parquet(folder / "test.parquet")
    (folder / "table.json").write_text(json.dumps(asdict(table)))
    return table, float(roc_auc_score(frame["target"][train:] == "yes", chance[train:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--loud", action="store_true", help="do not wait for a quiet machine")
    parser.add_argument("--work", type=Path, default=WORK)
    chosen = parser.parse_args()
    table, best = prepare(chosen.rows, chosen.work)
    found = {"rows": chosen.rows, "machine": machine(), "roc_auc_of_the_truth": round(best, 6)}
    for framework, seconds in (("assay", chosen.seconds), ("lightgbm", 0)):
        if not chosen.loud:
            wait_until_quiet()
        found[framework] = short(measure(framework, table, seconds, chosen.work))
        print(framework, json.dumps(found[framework]), flush=True)
    found["at"] = time.strftime("%Y-%m-%d")
    if chosen.rows == parser.get_default("rows"):
        (RESULTS / "automl-large.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
