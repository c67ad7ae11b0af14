"""Do 95 % intervals hold the truth 95 % of the time, and do paired tests keep to their 5 %?

    python benchmarks/judgement/coverage.py [--rounds 1000] [--sizes 200 2000 20000] [--jobs 2]
        [--only NAME...] > benchmarks/results/judgement-coverage.json

Each process below is a population from which rows can be drawn without end. The truth of a metric
is its value on millions of them; then small tests are drawn, one after another, and it is counted
how often their intervals hold the truth, and on which side they miss it. `null` compares two
models that are equally good and counts how often the comparison says that they are not.
`within` is the share of the cells that lie in the wanted range, 93.5 to 96.5 % (3.5 to 6.5 %).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.signal import lfilter

from assay.evaluate import compare, estimates
from assay.kernel.family import Predictions
from assay.metrics import get, names_for

TRUTH_ROWS = 2_000_000
WANTED = {"coverage": (0.935, 0.965), "null": (0.035, 0.065)}
GROUP = 10


def probability(score):
    return 1 / (1 + np.exp(-score))


def two(positive):
    return Predictions(np.column_stack([1 - positive, positive]))


def binary(rate, shift, stretch=1.0):
    """Two normal classes `shift` apart, scored by Bayes' rule times `stretch`."""

    def draw(rng, n):
        truth = (rng.random(n) < rate).astype(np.int64)
        score = shift * (rng.normal(size=n) + shift * truth - shift / 2)
        score += np.log(rate / (1 - rate))
        return truth, two(probability(score * stretch)), {}

    return draw


def clustered(rng, n):
    """Groups of ten rows that share half of the score's noise and lean to one class."""
    group = np.arange(n) // GROUP
    lean = rng.beta(2, 4, n // GROUP + 1)[group]
    truth = (rng.random(n) < lean).astype(np.int64)
    noise = np.sqrt(0.5) * (rng.normal(size=n // GROUP + 1)[group] + rng.normal(size=n))
    return truth, two(probability(1.5 * truth + noise - 1)), {"groups": group}


def clustered_number(rng, n):
    """Groups of ten rows that share half of their error."""
    group = np.arange(n) // GROUP
    signal = 12 + rng.gamma(3, size=n)
    noise = np.sqrt(0.5) * (rng.normal(size=n // GROUP + 1)[group] + rng.normal(size=n))
    return signal + noise, Predictions(signal), {"groups": group}


def several(shares, shift):
    """Classes of these shares, each with a score of its own; probabilities by softmax."""

    def draw(rng, n):
        truth = rng.choice(len(shares), n, p=shares)
        score = rng.normal(size=(n, len(shares))) + shift * np.eye(len(shares))[truth]
        values = np.exp(score)
        return truth, Predictions(values / values.sum(axis=1, keepdims=True)), {}

    return draw


def number(noise):
    """A number off zero, predicted with a bias and with this noise."""

    def draw(rng, n):
        signal = rng.gamma(3, size=n)
        return 12 + signal + noise(rng, n), Predictions(12.3 + signal * 0.9), {}

    return draw


def series(rng, n):
    """A number in time whose errors hang together: the one before explains half of the next."""
    signal = rng.gamma(3, size=n)
    error = lfilter([np.sqrt(1 - 0.5**2)], [1, -0.5], rng.normal(size=n + 50))[50:]
    return 12 + signal + error, Predictions(12 + signal), {"times": np.arange(n)}


def binary_series(rng, n):
    """Two classes in time, both the mood and the errors of the score lasting for a while."""
    mood, error = (
        lfilter([np.sqrt(1 - 0.6**2)], [1, -0.6], rng.normal(size=n + 50))[50:] for _ in range(2)
    )
    truth = (mood + rng.normal(size=n) > 0.7).astype(np.int64)
    return truth, two(probability(1.5 * truth - 1 + error)), {"times": np.arange(n)}


PROCESSES = {
    "half positive": ("binary", binary(0.5, 1.0)),
    "20 % positive": ("binary", binary(0.2, 1.5)),
    "20 % positive, overconfident": ("binary", binary(0.2, 1.5, 2.0)),
    "5 % positive": ("binary", binary(0.05, 1.5)),
    "three classes": ("multiclass", several([0.6, 0.3, 0.1], 1.5)),
    "five classes": ("multiclass", several([0.2] * 5, 1.5)),
    "number, normal errors": ("regression", number(lambda rng, n: rng.normal(size=n))),
    "number, Laplace errors": ("regression", number(lambda rng, n: rng.laplace(size=n))),
    "number, heavy tails (t, 5)": ("regression", number(lambda rng, n: rng.standard_t(5, n))),
    "groups of ten, two classes": ("binary", clustered),
    "groups of ten, number": ("regression", clustered_number),
    "series, number": ("regression", series),
    "series, two classes": ("binary", binary_series),
}


def measured_for(task):
    return [get(name) for name in names_for(task) if not get(name).operational]


def coverage(name, n, rounds, replicates):
    """Return for each metric its truth, how often intervals held it, and how they missed."""
    task, draw = PROCESSES[name]
    metrics = measured_for(task)
    truth, answers, _ = draw(np.random.default_rng(1), TRUTH_ROWS)
    true = {m.name: m.compute(truth, answers, 1) for m in metrics}
    tally = {m.name: np.zeros(4) for m in metrics}
    rng = np.random.default_rng(n)
    for seed in range(rounds):
        truth, answers, kind = draw(rng, n)
        fit = [m for m in metrics if not m.unfit(truth, answers.values.shape[-1], 1)]
        found = estimates(
            fit, truth, answers, positive_code=1, seed=seed, replicates=replicates, **kind
        )
        for metric, e in found.items():
            tally[metric] += [true[metric] < e.low, true[metric] > e.high, e.high - e.low, 1]
    return {
        metric: {
            "true": round(true[metric], 4),
            "coverage": round(float(1 - (below + above) / count), 4),
            "truth_below": round(float(below / count), 4),
            "truth_above": round(float(above / count), 4),
            "mean_width": round(float(width / count), 4),
        }
        for metric, (below, above, width, count) in tally.items()
    }


def rivals(rng, n):
    """Two models of two classes whose noise is half shared."""
    truth = (rng.random(n) < 0.3).astype(np.int64)
    shared, one, other = rng.normal(size=(3, n)) * np.sqrt(0.5)
    return truth, [two(probability(1.5 * truth + shared + own - 1.3)) for own in (one, other)]


def rivals_of_three(rng, n):
    """Two models of three classes whose noise is half shared."""
    truth = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    shared, one, other = rng.normal(size=(3, n, 3)) * np.sqrt(0.5)
    scores = [np.exp(1.5 * np.eye(3)[truth] + shared + own) for own in (one, other)]
    return truth, [Predictions(s / s.sum(axis=1, keepdims=True)) for s in scores]


def rivals_of_numbers(rng, n):
    """Two models of a number whose errors are half shared."""
    signal = rng.gamma(3, size=n)
    shared, one, other = rng.laplace(size=(3, n)) * np.sqrt(0.5)
    return 12 + signal, [Predictions(12 + signal + shared + own) for own in (one, other)]


RIVALS = {"binary": rivals, "multiclass": rivals_of_three, "regression": rivals_of_numbers}


def null(task, n, rounds, replicates):
    """Return for each metric how often two equally good models are told apart."""
    metrics = measured_for(task)
    rejected = {m.name: np.zeros(2) for m in metrics}
    rng = np.random.default_rng(n + 1)
    for seed in range(rounds):
        truth, models = RIVALS[task](rng, n)
        for metric in metrics:
            if metric.unfit(truth, models[0].values.shape[-1], 1):
                continue
            result = compare(
                metric, truth, *models, positive_code=1, seed=seed, replicates=replicates
            )
            held = result.difference.low <= 0 <= result.difference.high
            rejected[metric.name] += [result.p_value < 0.05, held]
    return {
        name: {"rejected": round(p / rounds, 4), "coverage": round(held / rounds, 4)}
        for name, (p, held) in rejected.items()
    }


def cell(job):
    kind, name, n, rounds, replicates = job
    run = coverage if kind == "coverage" else null
    return kind, n, name, run(name, n, rounds, replicates)


def timing(rows=100_000):
    """Return the processor seconds of all intervals of two classes on many rows, the best of 3."""
    metrics = measured_for("binary")
    truth, answers, _ = binary(0.25, 1.5)(np.random.default_rng(0), rows)
    taken = []
    for _ in range(3):
        start = time.process_time()
        estimates(metrics, truth, answers, positive_code=1)
        taken.append(time.process_time() - start)
    return {"rows": rows, "metrics": len(metrics), "replicates": 2000, "seconds": min(taken)}


def by_metric(sizes, key):
    """Return each metric's mean over the processes, by the number of rows."""
    means = {}
    for n, processes in sizes.items():
        for metrics in processes.values():
            for metric, found in metrics.items():
                means.setdefault(n, {}).setdefault(metric, []).append(found[key])
    return {
        n: {m: round(float(np.mean(v)), 3) for m, v in each.items()} for n, each in means.items()
    }


def summary(results):
    """Return the share of cells in the wanted range, by kind, those that are not, and means."""
    lines = {}
    for kind, (low, high) in WANTED.items():
        key = "coverage" if kind == "coverage" else "rejected"
        every = {
            f"{metric}, {name}, n = {n}": cell[key]
            for n, processes in results[kind].items()
            for name, metrics in processes.items()
            for metric, cell in metrics.items()
        }
        outside = {where: share for where, share in every.items() if not low <= share <= high}
        lines[kind] = {
            "cells": len(every),
            "within": round(1 - len(outside) / max(len(every), 1), 3),
            "outside": outside,
            "by_metric": by_metric(results[kind], key),
        }
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="*", default=[200, 2000, 20000])
    parser.add_argument("--kinds", nargs="*", default=["coverage", "null"])
    parser.add_argument("--only", nargs="*", default=[], help="part of a process's name")
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    names = {"coverage": PROCESSES, "null": RIVALS}
    jobs = [
        (kind, name, n, chosen.rounds, chosen.replicates)
        for n in chosen.sizes
        for kind in chosen.kinds
        for name in names[kind]
        if not chosen.only or any(part in name for part in chosen.only)
    ]
    results: dict[str, dict[str, dict[str, object]]] = {"coverage": {}, "null": {}}
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for kind, n, name, found in pool.map(cell, jobs):
            results[kind].setdefault(str(n), {})[name] = found
            print(f"{kind} {name} {n}", file=sys.stderr)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    head = {"machine": machine, "numpy": np.__version__, "rounds": chosen.rounds}
    head["time"] = timing()
    print(json.dumps({**head, "summary": summary(results), **results}, indent=1))


if __name__ == "__main__":
    main()
