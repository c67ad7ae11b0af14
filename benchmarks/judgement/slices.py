"""Does the slice search raise false alarms, and does it find a bad slice that was planted?

    python benchmarks/judgement/slices.py [--null 300] [--planted 100]
        > benchmarks/results/judgement-slices.json

Null tables tell nothing about who is answered wrongly. `made`: columns of noise beside calibrated
answers. The others are real: a model (LightGBM) answers test rows of a real table, then the rows of
its features are shuffled against the answers, so that columns and answers stay what they are and
no longer belong together. Planted: on such a table a slice of 5 % of the rows is made worse by 15
points of accuracy, by turning true answers round (`turned`: the labels there follow another rule)
or by mixing answers among its rows (`mixed`: the model has no grip there). The slice is a value, a
tail of a number, a range anywhere in a number, or a value and a tail of two columns, none of it cut
where the search cuts. It counts as found when a slice found has at least half of its rows and is
at most 2.5 times as large; `any` when anything was found.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections import Counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm
import numpy as np
import polars as pl
from scipy.special import expit
from tables import available, base

from assay.evaluate.search import row_losses, search
from assay.metrics.weighted import Rows

ROWS = 4_000
DROP = 0.15
SHARE = 0.05
REAL = ("adult_census", "bank_marketing", "telco_churn", "california_housing")


def made(rng):
    """Return columns of noise and answers of a calibrated model."""
    columns = {f"n{i}": rng.normal(size=ROWS) for i in range(10)}
    for i in range(10):
        shares = rng.dirichlet(np.full(rng.integers(2, 9), 2.0))
        columns[f"c{i}"] = [f"v{k}" for k in rng.choice(len(shares), ROWS, p=shares)]
    chance = expit(2.5 * rng.normal(size=ROWS))
    return pl.DataFrame(columns), (rng.random(ROWS) < chance).astype(np.int64), two(chance)


def two(chance):
    return np.column_stack([1 - chance, chance])


def answered(name):
    """Return a real table's features, truth and a model's answers for rows it did not see."""
    found = base(name, 3 * ROWS)
    table = found.table.drop(found.target)
    codes = np.column_stack(
        [
            c.cast(pl.Float64) if c.dtype.is_numeric() else c.cast(str).rank("dense").cast(float)
            for c in table
        ]
    )
    number = found.task == "regression"
    truth = found.table[found.target].cast(str) if not number else found.table[found.target]
    truth = truth.to_numpy().astype(float) if number else (truth == found.positive).to_numpy() * 1
    test = np.zeros(table.height, dtype=bool)
    test[np.random.default_rng(1).permutation(table.height)[: min(ROWS, table.height // 2)]] = True
    kind = lightgbm.LGBMRegressor if number else lightgbm.LGBMClassifier
    model = kind(n_estimators=120, learning_rate=0.05, verbose=-1, n_jobs=1, random_state=0)
    model.fit(codes[~test], truth[~test])
    values = model.predict(codes[test]) if number else model.predict_proba(codes[test])
    return table.filter(test), truth[test], values


def shuffled(real, rng):
    table, truth, values = real
    return table[rng.permutation(table.height)], truth, values


def ranged(series, share, kind, rng):
    """Return where a number lies in a tail, or in a range anywhere, of about this share."""
    numbers = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = numbers[np.isfinite(numbers)]
    start = rng.choice([0.0, 1 - share]) if kind == "tail" else rng.uniform(0, 1 - share)
    low, high = np.quantile(known, [start, start + share])
    with np.errstate(invalid="ignore"):
        return (numbers > low if start else numbers >= low) & (numbers <= high)


def plant(table, kind, rng):
    """Return a mask of 4 to 6 % of the rows of this kind."""
    numbers = [c for c in table.columns if table[c].dtype.is_numeric() and table[c].n_unique() > 20]
    words = [c for c in table.columns if c not in numbers]
    for _ in range(3_000):
        inside = np.ones(table.height, dtype=bool)
        if kind in ("value", "pair"):
            column = table[rng.choice(words)]
            value = rng.choice(column.drop_nulls().unique().sort().to_numpy())
            inside &= (column == value).fill_null(value=False).to_numpy()
        if kind in ("tail", "range"):
            inside &= ranged(table[rng.choice(numbers)], SHARE, kind, rng)
        if kind == "pair" and 0.12 < inside.mean() < 0.6:
            share = SHARE / inside.mean()
            inside &= ranged(table[rng.choice(numbers)], share, "tail", rng)
        if 0.8 * SHARE <= inside.mean() <= 1.2 * SHARE:
            return inside
    return None


def spoiled(truth, values, inside, how, rng):
    """Return truth and answers with 15 points less accuracy inside; None where that is not had."""
    truth, values = truth.copy(), values.copy()
    wrong = values.argmax(axis=1) != truth
    goal = min(wrong[inside].mean() + DROP, 1.0) * inside.sum()
    for place in rng.permutation(np.flatnonzero(inside)):
        if (values[inside].argmax(axis=1) != truth[inside]).sum() >= goal:
            break
        if how == "turned":
            truth[place] = 1 - truth[place]
        else:
            values[place] = values[rng.integers(len(values))]
    else:
        return None
    return truth, values


def found_in(table, truth, values):
    rows = Rows(truth, values, 1) if values.ndim == 2 else Rows(truth, values)
    return search(table, row_losses(rows)).found


def hit(found, inside):
    return any(
        2 * (one.mask & inside).sum() >= inside.sum() and one.mask.sum() <= 2.5 * inside.sum()
        for one in found
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--null", type=int, default=300)
    parser.add_argument("--planted", type=int, default=100)
    chosen = parser.parse_args()
    real = {name: answered(name) for name in available(REAL)}
    rng = np.random.default_rng(0)
    sources = {"made": lambda: made(rng)}
    sources |= {name: lambda r=r: shuffled(r, rng) for name, r in real.items()}
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "rows": ROWS,
        "null": {},
        "planted": {},
    }
    for name, draw in sources.items():
        alarms = sum(bool(found_in(*draw())) for _ in range(chosen.null))
        result["null"][name] = {"tables": chosen.null, "false_alarms": alarms / chosen.null}
        print(name, "null", alarms / chosen.null, file=sys.stderr)
    for name, draw in sources.items():
        if draw()[2].ndim == 1:
            continue
        tally: Counter[str] = Counter()
        for place in range(chosen.planted):
            kind = ("value", "tail", "range", "pair")[place % 4]
            how = ("turned", "mixed")[place // 4 % 2]
            table, truth, values = draw()
            inside = plant(table, kind, rng)
            if inside is None:
                continue
            worse = spoiled(truth, values, inside, how, rng)
            if worse is None:
                continue
            truth, values = worse
            found = found_in(table, truth, values)
            for key in ("all", kind, how, f"{kind}, {how}"):
                tally[key] += 1
                tally[key + " hit"] += hit(found, inside)
                tally[key + " any"] += bool(found)
        result["planted"][name] = {
            key: {
                "tables": count,
                "found": round(tally[key + " hit"] / count, 3),
                "any": round(tally[key + " any"] / count, 3),
            }
            for key, count in tally.items()
            if not key.endswith((" hit", " any"))
        }
        print(name, result["planted"][name].get("all"), file=sys.stderr)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
