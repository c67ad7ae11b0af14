"""The numbers of the whole way through: start-up, three real tables against peers, a large profile.

Run: ASSAY_DATA=… python benchmarks/spine.py [startup|runs|profile]...
Writes benchmarks/results/spine.json with the machine's description, and prints what it measured.
Peers (LightGBM and scikit-learn's histogram boosting, both with their defaults, ordinal codes for
categories) are fitted and scored on the very rows that the run trained and tested on.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import polars as pl

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "spine.json"
EXAMPLES = HERE.parent / "examples"
TABLES = ("churn", "adult", "california")
REPEATS = 10


def machine() -> dict[str, object]:
    """Describe the machine without naming it."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    from assay.kernel.executor import cores

    return {"processor": model, "cores": cores(), "python": platform.python_version()}


def startup() -> dict[str, object]:
    """Time `import assay` and `assay --help`, each in fresh processes."""

    def median(words: list[str]) -> float:
        taken = []
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
            taken.append(time.perf_counter() - start)
        return round(statistics.median(taken[1:]), 3)

    bare = median(["-c", "pass"])
    return {
        "bare_python_s": bare,
        "import_assay_s": median(["-c", "import assay"]),
        "assay_help_s": median(["-m", "assay.cli.main", "--help"]),
        "core_packages": len(core_packages("assay-ml")),
    }


def core_packages(name: str, seen: set[str] | None = None) -> set[str]:
    """Return the distributions that an install without extras brings, itself included."""
    from packaging.requirements import Requirement

    seen = set() if seen is None else seen
    key = name.lower().replace("_", "-")
    if key in seen:
        return seen
    seen.add(key)
    for text in distribution(name).requires or []:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            core_packages(wanted.name, seen)
    return seen


def runs() -> dict[str, object]:
    """Run the examples in fresh processes and fit the peers on the same rows."""
    return {name: run_example(EXAMPLES / name) for name in TABLES}


def run_example(folder: Path) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as store:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "assay.cli.main", "run", folder, "--store", store, "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.perf_counter() - start
        data = json.loads(done.stdout.splitlines()[-1])["data"]
        primary = data["comparison"]["metric"]
        ours = data["champion"]["metrics"][primary]
        return {
            "verdict": data["verdict"],
            "metric": primary,
            "assay": round(ours["value"], 5),
            "interval": [round(ours["low"], 5), round(ours["high"], 5)],
            **peers(store, data["run"]),
            "wall_s": round(wall, 1),
            "not_fitting_share": round(1 - fitting(store, data) / wall, 3),
            "package_mb": round(data["package"]["bytes"] / 1e6, 2),
            "parity": data["parity"],
            "peak_rss_mb": data["peak_rss_mb"],
        }


def fitting(store: str, data: dict[str, object]) -> float:
    """Return the seconds of wall clock that went into fits: of search, members, learning curve.

    The fits of search and members are in the ledger with their seconds, shared among the workers;
    a fit that was ended with the search counts for nothing.
    """
    from assay.lifecycle.result import open_run
    from assay.lifecycle.run import choose_executor

    result = open_run(data["run"], store)
    workers = choose_executor(result.view.snapshot, result.view.project.budget).workers
    done = [
        event.data["seconds"]
        for event in result.workspace.ledger.read()
        if event.kind == "work.finished" and event.subject.startswith("fit:")
    ]
    return sum(done) / workers + data["seconds"]["learning"]


def peers(store: str, run: str) -> dict[str, float]:
    """Fit both peers with their defaults on the run's training rows and score its test rows."""
    import lightgbm
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    from assay.data.content import read_table
    from assay.kernel.family import Predictions
    from assay.lifecycle.material import read_parts, target_codes
    from assay.lifecycle.result import open_run
    from assay.metrics import get

    result = open_run(run, store)
    problem, view = result.view.problem, result.view
    table = read_table(view.snapshot, result.workspace.store)
    parts = read_parts(result.workspace.store.get(view.split.rows))
    numbers = table.select(
        pl.col(name).rank("dense").cast(pl.Float64)
        if table[name].dtype in (pl.String, pl.Boolean)
        else pl.col(name).cast(pl.Float64)
        for name in problem.features
    ).to_numpy()
    truth = target_codes(table[problem.target], problem)
    train, test = parts >= 0, parts == -1
    metric = get(problem.primary)
    found = {}
    for name, model in {
        "lightgbm_defaults": lightgbm.LGBMClassifier(verbose=-1, n_jobs=2)
        if problem.classes
        else lightgbm.LGBMRegressor(verbose=-1, n_jobs=2),
        "histgb_defaults": HistGradientBoostingClassifier(random_state=0)
        if problem.classes
        else HistGradientBoostingRegressor(random_state=0),
    }.items():
        model.fit(numbers[train], truth[train])
        values = (
            model.predict_proba(numbers[test]) if problem.classes else model.predict(numbers[test])
        )
        answer = Predictions(np.asarray(values, dtype=np.float64), problem.classes)
        found[name] = round(metric.compute(truth[test], answer, problem.positive_code), 5)
    return found


def profile() -> dict[str, object]:
    """Profile and audit a million rows of 30 columns beside a bare polars profile, in one run."""
    from ingest import make

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        make(1_000_000).write_parquet(file)
        (Path(folder) / "assay.toml").write_text(
            '[project]\nname = "million"\n[data]\nsource = "table.parquet"\ntarget = "target"\n'
        )
        found = {}
        for name, words in {
            "assay_check": ["-m", "assay.cli.main", "check", folder, "--json"],
            "bare_polars": [__file__, "--bare", str(file)],
        }.items():
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", MEASURED, *words], capture_output=True, text=True, check=True
            )
            found[f"{name}_s"] = round(time.perf_counter() - start, 2)
            found[f"{name}_peak_mb"] = round(float(done.stderr.splitlines()[-1]))
        found["ratio"] = round(found["assay_check_s"] / found["bare_polars_s"], 2)
        return found


MEASURED = """
import resource, subprocess, sys
quiet = subprocess.DEVNULL
subprocess.run([sys.executable, *sys.argv[1:]], stdout=quiet, stderr=quiet)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, file=sys.stderr)
"""


def bare(file: str) -> None:
    """Do what a profile needs with polars alone: describe, top values, histograms, correlations."""
    table = pl.read_parquet(file)
    table.describe()
    table.select(pl.all().n_unique())
    for name in table.columns:
        if table[name].dtype.is_numeric():
            table[name].hist(bin_count=50)
        else:
            table[name].value_counts(sort=True).head(20)
    table.select(pl.selectors.numeric().fill_null(0.0)).corr()


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--bare"]:
        bare(arguments[1])
        return
    parts = {"startup": startup, "runs": runs, "profile": profile}
    RESULTS.parent.mkdir(exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results["machine"] = machine()
    for name in arguments or parts:
        results[name] = parts[name]()
        print(json.dumps({name: results[name]}, indent=1))
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
