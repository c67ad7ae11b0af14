"""Small tables, made the way ingestion and the tabular family would hand them over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from assay.data.audit import audit
from assay.kernel.family import class_labels
from assay.records.audit import Audit, Finding
from assay.records.snapshot import CleaningStep, Column, ColumnType, DataSnapshot, Problem
from assay.records.spec import Acceptance, GateSpec, SplitSection


def column_of(values: pl.Series, kind: ColumnType | None) -> Column:
    dtype = values.dtype
    if kind is None:
        kind = (
            "boolean" if dtype == pl.Boolean
            else "number" if dtype.is_numeric()
            else "datetime" if dtype.is_temporal()
            else "category"
        )  # fmt: skip
    present = values.drop_nulls()
    numbers = dtype.is_numeric() and len(present) > 0
    return Column(
        name=values.name,
        type=kind,
        rows=len(values),
        missing=values.null_count(),
        unique=present.n_unique(),
        low=float(present.min()) if numbers else None,
        high=float(present.max()) if numbers else None,
    )


def run_audit(
    table: pl.DataFrame,
    target: str = "y",
    *,
    types: dict[str, ColumnType] | None = None,
    classes: Sequence[str] | None = None,
    positive: str | None = None,
    parts: np.ndarray | None = None,
    policy: SplitSection | None = None,
    gates: Sequence[GateSpec] = (),
    accept: Sequence[Acceptance] = (),
    extra: Sequence[Finding] = (),
    primary: str = "roc_auc",
    features: Sequence[str] | None = None,
    cleaning: Sequence[CleaningStep] = (),
    seed: int = 0,
) -> Audit:
    """Audit a table; a float target with many values asks for a number, others for classes."""
    whole = [c for c in table.columns if table[c].dtype.is_integer()]
    table = table.with_columns(pl.col(whole).cast(pl.Float64))
    if classes is None:
        values = table[target].drop_nulls()
        number = values.dtype.is_float() and values.n_unique() > 10
        classes = [] if number else sorted(class_labels(values).unique())
    columns = tuple(column_of(table[c], (types or {}).get(c)) for c in table.columns)
    snapshot = DataSnapshot(
        source="made here",
        content="c",
        table="t",
        rows=table.height,
        columns=columns,
        cleaning=tuple(cleaning),
    )
    problem = Problem(
        family="tabular",
        task="regression" if not classes else "binary" if len(classes) == 2 else "multiclass",
        target=target,
        classes=tuple(classes),
        positive=(positive or classes[1]) if len(classes) == 2 else None,
        features=tuple(features or [c for c in table.columns if c != target]),
        primary=primary,
    )
    if parts is None:
        parts = random_parts(table.height, seed)
    policy = policy or SplitSection()
    return audit(problem, snapshot, table, parts, policy, gates, accept, extra)


def random_parts(rows: int, seed: int = 0, test: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = (np.arange(rows) % 5).astype(np.int8)
    parts[rng.permutation(rows)[: int(rows * test)]] = -1
    return parts


def honest_table(seed: int = 0, rows: int = 600, classes: int = 2) -> pl.DataFrame:
    """Return a clean table of every type, with gaps; `classes` 0 asks for a number."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=rows)
    noise = rng.normal(size=rows)
    gaps = rng.random(rows) < 0.1
    columns: dict[str, Any] = {
        "weight": signal + rng.normal(size=rows),
        "height": rng.normal(170, 10, rows),
        "visits": rng.poisson(3, rows).astype(float),
        "town": rng.choice(["north", "south", "east", "west"], rows),
        "smoker": rng.random(rows) < 0.3,
    }
    score = signal + noise
    if classes == 0:
        columns["y"] = score
    else:
        edges = np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1])
        columns["y"] = np.array([f"class {i}" for i in range(classes)])[np.digitize(score, edges)]
    table = pl.DataFrame(columns)
    return table.with_columns(
        pl.when(pl.Series(gaps)).then(None).otherwise(pl.col("height")).alias("height")
    )


@pytest.fixture
def run() -> Callable[..., Audit]:
    return run_audit


@pytest.fixture
def honest() -> Callable[..., pl.DataFrame]:
    return honest_table


@pytest.fixture
def only() -> Callable[[Audit, str], Finding]:
    """Return the one finding of a code; a test that expects one fails on none and on two."""

    def one(result: Audit, code: str) -> Finding:
        (finding,) = [finding for finding in result.findings if finding.code == code]
        return finding

    return one


@pytest.fixture
def codes() -> Callable[[Audit], set[str]]:
    return lambda result: {finding.code for finding in result.findings}
