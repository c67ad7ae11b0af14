"""NannyML's estimates (CBPE, defaults) of exported windows; run by its own interpreter.

    PYTHON_OF_NANNYML estimates_nannyml.py FOLDER

`FOLDER/reference.parquet` has the test rows with `truth`, `score` and `answer`,
`FOLDER/windows.parquet` windows of equal size one after the other. Writes one JSON list a metric:
value, low and high of every window.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pandas as pd

warnings.simplefilter("ignore")


def main() -> None:
    import nannyml

    folder = Path(sys.argv[1])
    reference = pd.read_parquet(folder / "reference.parquet")
    windows = pd.read_parquet(folder / "windows.parquet")
    size = int((windows["window"] == 0).sum())
    metrics = ["roc_auc", "f1", "average_precision"]
    estimator = nannyml.CBPE(
        problem_type="classification_binary",
        y_pred_proba="score",
        y_pred="answer",
        y_true="truth",
        metrics=metrics,
        chunk_size=size,
    )
    estimator.fit(reference)
    found = estimator.estimate(windows.drop(columns="window")).filter(period="analysis").to_df()
    names = ("value", "lower_confidence_boundary", "upper_confidence_boundary")
    print(json.dumps({m: found[m][list(names)].to_numpy().tolist() for m in metrics}))


if __name__ == "__main__":
    main()
