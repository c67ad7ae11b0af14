"""Write the diagnosis table with a column that was filled in after the diagnosis.

Usage: python make_table.py [FOLDER]    the folder of this file when none is given
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from assay.data.catalogue import get

MALIGNANT = ("surgery", "chemotherapy", "radiotherapy")
BENIGN = ("none", "check in a year")


def main(folder: Path) -> Path:
    """Write `table.csv` into `folder` and return its path; the same table every time."""
    table = pl.read_parquet(get("breast_cancer"))
    rng = np.random.default_rng(7)
    malignant = (table["diagnosis"] == "malignant").to_numpy()
    step = np.where(
        malignant, rng.choice(MALIGNANT, table.height), rng.choice(BENIGN, table.height)
    )
    target = folder / "table.csv"
    table.insert_column(-1, pl.Series("next_step", step)).write_csv(target)
    return target


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
