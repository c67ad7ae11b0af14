"""Training rows of an ordered split stand in time, whatever the order of the file."""

from __future__ import annotations

import numpy as np
import polars as pl

from assay.data.split import split
from assay.lifecycle.material import Material
from assay.records.snapshot import Problem
from assay.records.spec import SplitSection


def test_the_latest_rows_come_last_in_a_table_sorted_newest_first():
    days = np.arange(300.0)[::-1].copy()
    table = pl.DataFrame({"day": days, "x": days, "y": days})
    problem = Problem(family="any", task="regression", target="y", features=("x",), primary="rmse")
    _, parts, _ = split(SplitSection(time_on="day"), problem, table)
    material = Material(None, problem, table, parts, ordered=True)  # type: ignore[arg-type]
    train, valid = material.fold(material.folds[-1])
    last = days[train][-len(train) // 8 :]
    assert last.min() > np.median(days[train])
    assert days[valid].min() > days[train].max()
