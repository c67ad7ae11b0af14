"""Tables and problems that the tests of the family share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from assay.kernel.family import Rows
from assay.records.snapshot import Column, ColumnType, DataSnapshot, Problem
from assay.records.spec import DataSection, ProjectSection, ProjectSpec
from assay.tasks.tabular.family import FAMILY
from assay.testing.families import rows_of

KINDS: dict[type[pl.DataType], ColumnType] = {
    pl.Float64: "number",
    pl.Boolean: "boolean",
    pl.Datetime: "datetime",
    pl.String: "category",
}


def mixed_table(rows: int = 240, seed: int = 0) -> pl.DataFrame:
    """Every type of column with missing cells, and a target of each task."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=rows)
    city = rng.choice(["Rome", "Oslo", "Łódź", "rare"], rows, p=[0.5, 0.3, 0.19, 0.01])
    mood = rng.choice(["good fast service", "bad slow food", "never again bad"], rows)
    signal = number + (city == "Oslo") + (mood == "good fast service") + rng.normal(size=rows) / 3
    table = pl.DataFrame(
        {
            "number": number,
            "income": rng.pareto(1.0, rows) * 1e4,
            "city": city,
            "member": rng.random(rows) < 0.5,
            "since": [
                datetime(2020, 1, 1) + timedelta(hours=int(h)) for h in rng.integers(0, 9999, rows)
            ],
            "review": mood,
            "constant": np.full(rows, 7.0),
        }
    )
    gaps = {name: pl.Series(rng.random(rows) < 0.1) for name in table.columns[:-1]}
    gappy = [pl.when(g).then(None).otherwise(pl.col(n)).alias(n) for n, g in gaps.items()]
    return table.with_columns(gappy).with_columns(
        pl.Series("sold", np.where(signal > 0.8, "yes", "no")),
        pl.Series("grade", np.digitize(signal, [0.0, 1.0]).astype(str)),
        pl.Series("price", signal * 1e5),
    )


def snapshot_of(table: pl.DataFrame, text: Sequence[str] = ("review",)) -> DataSnapshot:
    columns = []
    for name in table.columns:
        series = table[name]
        kind = "text" if name in text else KINDS[type(series.dtype)]
        missing = series.null_count()
        columns.append(Column(name=name, type=kind, rows=len(series), missing=missing))
    return DataSnapshot(
        source="made", content="", table="", rows=table.height, columns=tuple(columns)
    )


def spec_of(target: str, table: pl.DataFrame, **data: object) -> ProjectSpec:
    drop = tuple({"sold", "grade", "price"} & set(table.columns) - {target})
    section = DataSection(target=target, source="made.csv", drop=drop, **data)  # type: ignore[arg-type]
    return ProjectSpec(project=ProjectSection(name="made"), data=section)


def state(
    target: str, table: pl.DataFrame, **data: object
) -> tuple[Problem, Rows, tuple[Column, ...]]:
    """Return problem, rows and columns of a question about a table."""
    snapshot = snapshot_of(table)
    problem = FAMILY.problem(spec_of(target, table, **data), snapshot, table[target])
    return problem, rows_of(table, problem), snapshot.columns
