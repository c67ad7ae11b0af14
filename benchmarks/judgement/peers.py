"""Ask another tool about exported cases; run by that tool's own interpreter, without Assay.

    PYTHON_OF_THE_TOOL peers.py skore|deepchecks FOLDER --seconds 60

`FOLDER/cases.json` lists the cases; each names a Parquet file, whose column
`__part__` says train or test.
Answers are written as one line of JSON a case: what each check complained about, and the seconds.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import pandas as pd

warnings.simplefilter("ignore")


def ready(case, folder):
    """Return the training and test rows of a case, text as text and the class as a word."""
    table = pd.read_parquet(folder / case["file"])
    part = table.pop("__part__")
    return table[part == "train"].reset_index(drop=True), table[part == "test"].reset_index(
        drop=True
    )


def skore(case, train, test):
    """The report of a default learner of skrub, and the summary of its checks."""
    from skore import EstimatorReport
    from skrub import tabular_pipeline

    target = case["target"]
    kind = "regressor" if case["task"] == "regression" else "classifier"
    report = EstimatorReport(
        tabular_pipeline(kind),
        X_train=train.drop(columns=target),
        y_train=train[target],
        X_test=test.drop(columns=target),
        y_test=test[target],
        pos_label=case["positive"] if case["task"] == "binary" else None,
    )
    found = report.checks.summarize().frame()
    found = found[found["section"].isin(["issue", "tip"])]
    return [[row["code"], str(row["explanation"])] for _, row in found.iterrows()]


def deepchecks(case, train, test):
    """The suites for one table and for two, as documented, with ids and dates declared."""
    from deepchecks.tabular import Dataset
    from deepchecks.tabular.suites import data_integrity, train_test_validation

    declared = {"label": case["target"], "index_name": case["id"], "datetime_name": case["date"]}
    features = [name for name in train.columns if name not in declared.values()]
    texts = [name for name in features if not pd.api.types.is_numeric_dtype(train[name])]
    sets = [
        Dataset(
            rows,
            cat_features=texts,
            label_type=case["task"],
            **{k: v for k, v in declared.items() if v},
        )
        for rows in (train, test)
    ]
    results = [
        *data_integrity().run(sets[0]).results,
        *train_test_validation().run(*sets).results,
    ]
    return [
        [type(result.check).__name__, condition.details]
        for result in results
        for condition in getattr(result, "conditions_results", ())
        if condition.category.name in ("FAIL", "WARN")
    ]


ASK = {"skore": skore, "deepchecks": deepchecks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=sorted(ASK))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args()
    out = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps({"tool": chosen.tool, "version": version(chosen.tool)}), file=out, flush=True)
    for case in json.loads((chosen.folder / "cases.json").read_text()):
        train, test = ready(case, chosen.folder)
        start = time.process_time()
        signal.signal(signal.SIGPROF, _too_long)
        signal.setitimer(signal.ITIMER_PROF, chosen.seconds)
        line = {"name": case["name"], "complaints": [], "error": ""}
        try:
            line["complaints"] = ASK[chosen.tool](case, train, test)
        except Exception as error:  # noqa: BLE001 - a peer may fail in any way; it is recorded
            line["error"] = f"{type(error).__name__}: {error}"[:300]
        signal.setitimer(signal.ITIMER_PROF, 0)
        line["cpu_seconds"] = round(time.process_time() - start, 2)
        print(json.dumps(line), file=out, flush=True)


def _too_long(*_):
    raise TimeoutError("longer than the limit")


if __name__ == "__main__":
    main()
