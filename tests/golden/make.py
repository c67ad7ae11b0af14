"""Freeze a small finished store, so that every later version can be asked to read it.

Run as `python tests/golden/make.py`, once per released version; it writes tests/golden/VERSION
and refuses to write over one that is there.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import assay

HERE = Path(__file__).parent
ROWS = 200
LIMIT = 400_000
"""Most bytes of one frozen store."""

PROJECT = """\
[project]
name = "golden"
question = "Who leaves?"

[data]
source = "table.csv"
target = "left"
positive = "yes"

[budget]
time = "1m"
only = ["linear_0.3"]

[[gates]]
metric = "roc_auc"
at_least = 0.6

[[slices]]
column = "region"
"""


def make_table() -> pl.DataFrame:
    """Return numbers, a category, a boolean, a day and missing cells, with a target."""
    rng = np.random.default_rng(20261122)
    fee = rng.normal(50, 10, ROWS).round(2)
    visits = rng.poisson(6, ROWS)
    region = rng.choice(["north", "south", "west"], ROWS)
    score = (fee - 50) / 10 - (visits - 6) / 2.5 + (region == "west") + rng.normal(0, 0.5, ROWS)
    days = np.datetime64("2024-01-01") + rng.integers(0, 500, ROWS)
    return pl.DataFrame(
        {
            "fee": pl.Series(fee).set(pl.Series(rng.random(ROWS) < 0.05), None),
            "visits": visits,
            "region": pl.Series(region).set(pl.Series(rng.random(ROWS) < 0.05), None),
            "member": rng.random(ROWS) < 0.4,
            "since": pl.Series(days).cast(pl.Date),
            "left": np.where(score > 0.2, "yes", "no"),
        }
    )


def main() -> int:
    """Make the project, run it, and keep its store with the answers of its package."""
    target = HERE / assay.__version__
    if target.exists():
        sys.stderr.write(f"{target} is frozen already\n")
        return 2
    os.environ["LOGNAME"] = "golden"  # the actor of every event
    with tempfile.TemporaryDirectory(prefix="assay-golden-") as folder:
        home = Path(folder) / "golden"
        home.mkdir()
        make_table().write_csv(home / "table.csv")
        (home / "assay.toml").write_text(PROJECT, encoding="utf-8")
        result = assay.run(home, store=home / "store")
        model = assay.load("golden@champion", store=home / "store")
        model.predict(pl.read_csv(home / "table.csv")).write_csv(home / "answers.csv")
        for extra in ("locks", "reports"):
            shutil.rmtree(home / "store" / extra, ignore_errors=True)
        size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
        if result.verdict != "accepted" or size > LIMIT:
            sys.stderr.write(f"not frozen: {result.verdict}, {size:,} bytes\n")
            return 1
        shutil.copytree(home, target)
    sys.stdout.write(f"{target}: {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
