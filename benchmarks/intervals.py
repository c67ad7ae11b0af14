"""Do 95 % intervals hold the truth 95 % of the time, and how long do they take?

    python benchmarks/intervals.py [--rounds 400] [--only coverage|time] > intervals.json

Coverage: the truth of each metric comes from one very large sample of a known process; fresh small
samples of it are drawn and their intervals checked, the misses counted on each side. `null` is the
paired comparison of two models that are equally good: how often it says that they are not.
Time: 2,000 replicates of 10 metrics on 100,000 rows, with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from assay.evaluate import compare, estimates
from assay.kernel.family import Predictions
from assay.metrics import get, names_for

TRUTH_ROWS = 2_000_000
SKIPPED = {"latency_p50", "latency_p99", "package_bytes", "mape"}


def probability(score):
    return 1 / (1 + np.exp(-score))


def two(positive):
    return Predictions(np.column_stack([1 - positive, positive]))


def binary(rate, shift, honest=True):
    """Two normal classes `shift` apart, scored by Bayes' rule, or by an overconfident one."""

    def draw(rng, n):
        truth = (rng.random(n) < rate).astype(np.int64)
        score = shift * (rng.normal(size=n) + shift * truth - shift / 2)
        score += np.log(rate / (1 - rate))
        return truth, two(probability(score * (1 if honest else 2))), None

    return draw


def clustered(rng, n):
    """Groups of ten rows that share half of the score's noise and lean to one class."""
    group = np.arange(n) // 10
    lean = rng.beta(1, 2, n // 10 + 1)[group]
    truth = (rng.random(n) < lean).astype(np.int64)
    noise = np.sqrt(0.5) * (rng.normal(size=n // 10 + 1)[group] + rng.normal(size=n))
    return truth, two(probability(1.5 * truth + noise - 1)), group


def three(rng, n):
    truth = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    score = rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[truth]
    values = np.exp(score)
    return truth, Predictions(values / values.sum(axis=1, keepdims=True)), None


def number(rng, n):
    signal = rng.gamma(3, size=n)
    return signal + rng.laplace(size=n), Predictions(signal * 0.9 + 0.3), None


PROCESSES = {
    "binary": ("binary", binary(0.25, 1.5)),
    "binary, overconfident": ("binary", binary(0.25, 1.5, honest=False)),
    "binary, 5 % positive": ("binary", binary(0.05, 2.0)),
    "binary, nearly separable": ("binary", binary(0.5, 4.0)),
    "binary, groups of ten": ("binary", clustered),
    "three classes": ("multiclass", three),
    "number": ("regression", number),
}


def coverage(task, draw, n, rounds):
    rng = np.random.default_rng(n)
    metrics = [get(name) for name in names_for(task) if name not in SKIPPED]
    truth, answers, _ = draw(np.random.default_rng(1), TRUTH_ROWS)
    true = {m.name: m.compute(truth, answers, 1) for m in metrics}
    tally = {m.name: np.zeros(4) for m in metrics}
    for seed in range(rounds):
        truth, answers, groups = draw(rng, n)
        fit = [m for m in metrics if not m.unfit(truth, answers.values.shape[-1], 1)]
        found = estimates(fit, truth, answers, positive_code=1, groups=groups, seed=seed)
        for name, e in found.items():
            tally[name] += [true[name] < e.low, true[name] > e.high, e.high - e.low, 1]
    return {
        name: {
            "true": round(true[name], 4),
            "coverage": round(float(1 - (below + above) / count), 3),
            "truth_below": round(float(below / count), 3),
            "truth_above": round(float(above / count), 3),
            "mean_width": round(float(width / count), 4),
        }
        for name, (below, above, width, count) in tally.items()
    }


def null_rejections(n, rounds):
    """Compare two models of the same process whose noise is half shared."""
    names = ("roc_auc", "average_precision", "accuracy", "f1", "log_loss")
    rejected = dict.fromkeys(names, 0)
    covered = dict.fromkeys(names, 0)
    rng = np.random.default_rng(n + 1)
    for seed in range(rounds):
        truth = (rng.random(n) < 0.3).astype(np.int64)
        shared, one, other = rng.normal(size=(3, n)) * np.sqrt(0.5)
        models = [two(probability(1.5 * truth + shared + own - 1.3)) for own in (one, other)]
        for name in names:
            result = compare(get(name), truth, *models, positive_code=1, seed=seed, replicates=1000)
            rejected[name] += result.p_value < 0.05
            covered[name] += result.difference.low <= 0 <= result.difference.high
    return {
        name: {"p_below_0.05": rejected[name] / rounds, "coverage": covered[name] / rounds}
        for name in names
    }


def timing(rows=100_000):
    truth, answers, _ = binary(0.25, 1.5)(np.random.default_rng(0), rows)
    metrics = [get(name) for name in names_for("binary") if name not in SKIPPED][:10]
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        estimates(metrics, truth, answers, positive_code=1)
        taken.append(time.perf_counter() - start)
    names = [metric.name for metric in metrics]
    return {"rows": rows, "metrics": names, "replicates": 2000, "seconds": round(min(taken), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--sizes", type=int, nargs="*", default=[200, 2000])
    parser.add_argument("--only", choices=["coverage", "time"])
    chosen = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    result = {"machine": machine, "numpy": np.__version__, "rounds": chosen.rounds}
    if chosen.only != "coverage":
        result["time"] = [timing(), timing(1_000_000)]
    if chosen.only != "time":
        for n in chosen.sizes:
            result[f"coverage at n = {n}"] = {
                name: coverage(task, draw, n, chosen.rounds)
                for name, (task, draw) in PROCESSES.items()
            }
            result[f"null at n = {n}"] = null_rejections(n, chosen.rounds)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
