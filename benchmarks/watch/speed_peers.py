"""A peer's side of the speed benchmark, run by the peer's own Python: one JSON line at the end.

python speed_peers.py evidently|nannyml REFERENCE CURRENT
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import pandas as pd

warnings.simplefilter("ignore")
TARGET = "answer"


def evidently(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """Return the columns that the preset calls drifted, with its defaults."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    numbers = list(reference.select_dtypes("number").columns)
    words = [name for name in reference.columns if name not in numbers]
    roles = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    old, new = (Dataset.from_pandas(t, data_definition=roles) for t in (reference, current))
    found = Report([DataDriftPreset()]).run(new, old).dict()
    drifted = []
    for metric in found["metrics"]:
        config = metric.get("config", {})
        if config.get("column") is None or not isinstance(metric["value"], (int, float)):
            continue
        distance = "distance" in config["method"] or config["method"] in ("psi", "jensenshannon")
        value, threshold = metric["value"], config["threshold"]
        if value >= threshold if distance else value < threshold:
            drifted.append(config["column"])
    return sorted(drifted)


def nannyml(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """Return the columns with an alert of any method in any chunk, ten chunks."""
    import nannyml as nml

    names = list(reference.columns)
    judge = nml.UnivariateDriftCalculator(
        column_names=names,
        continuous_methods=["jensen_shannon", "kolmogorov_smirnov"],
        categorical_methods=["jensen_shannon", "chi2"],
        chunk_number=10,
    )
    found = judge.fit(reference).calculate(current).filter(period="analysis").to_df()
    return sorted(
        {column[0] for column in found.columns if column[-1] == "alert" and found[column].any()}
    )


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmHWM"))


def main() -> None:
    peer, old, new = sys.argv[1:]
    start = time.perf_counter()
    __import__(peer)
    imported = time.perf_counter() - start
    reference, current = (pd.read_parquet(path).drop(columns=TARGET) for path in (old, new))
    start = time.perf_counter()
    flagged = {"evidently": evidently, "nannyml": nannyml}[peer](reference, current)
    print(
        json.dumps(
            {
                "seconds": round(time.perf_counter() - start, 2),
                "import_s": round(imported, 2),
                "flagged": flagged,
                "rows": len(current),
                "peak_mb": round(_peak(), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
