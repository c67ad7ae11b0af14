"""The tables of the benchmark, each split once and written for every framework alike.

A table leaves here as `train.parquet` and `test.parquet`: the same rows, the same columns, for all.
Columns that name the row or restate the answer are dropped for all; rows without an answer too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn import datasets

TEST_SHARE = 0.2
MAX_ROWS = 50_000


@dataclass(frozen=True)
class Source:
    """Where a table comes from: a file of `$ASSAY_DATA`, or a loader of scikit-learn.

    `numbers` are columns of text that are numbers but for some blanks; `distinct` leaves out rows
    whose features repeat an earlier row's, so that no test row was trained on.
    """

    target: str
    file: str = ""
    load: Callable[[], Any] | None = None
    classes: bool = True
    drop: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    distinct: bool = False


SOURCES: dict[str, Source] = {
    # fnlwgt is a sampling weight, education_num is education in numbers
    "adult": Source("income", "adult_census.parquet", drop=("split", "fnlwgt", "education_num")),
    # duration is known after the call only; it stays, as in most published figures of this table
    "bank": Source("y", "bank_marketing.parquet"),
    "telco": Source("Churn", "telco_churn.csv", drop=("customerID",), numbers=("TotalCharges",)),
    "mammography": Source("label", "mammography.parquet", distinct=True),
    "claim_fraud": Source("FraudFound_P", "vehicle_claim_fraud.parquet", drop=("PolicyNumber",)),
    "card_fraud": Source("Class", "creditcard_fraud_undersampled.parquet"),
    "titanic": Source("survived", "titanic.csv", drop=("alive",)),
    "breast_cancer": Source("target", load=datasets.load_breast_cancer),
    "digits": Source("target", load=datasets.load_digits),
    "ames": Source("Sale_Price", "ames_housing.parquet", classes=False),
    "california": Source("median_house_value", "california_housing.parquet", classes=False),
    "wine_quality": Source("quality", "wine_quality.parquet", classes=False, distinct=True),
    "diabetes": Source("target", load=datasets.load_diabetes, classes=False),
    # hours dealt out at random: filling in gaps, not forecasting; No is the row's number
    "beijing_pm25": Source("pm2_5", "beijing_pm25.parquet", classes=False, drop=("No",)),
}


@dataclass(frozen=True)
class Table:
    """A table on disk. `classes` are the sorted labels, none for a number."""

    name: str
    target: str
    classes: tuple[str, ...]
    columns: int
    train_rows: int
    test_rows: int

    @property
    def task(self) -> str:
        """Return binary, multiclass or regression."""
        return {0: "regression", 2: "binary"}.get(len(self.classes), "multiclass")

    @property
    def metric(self) -> str:
        """Return the metric that frameworks are told to minimise."""
        return "log_loss" if self.classes else "rmse"


def prepare(name: str, work: Path) -> Table:
    """Write a table's two files below `work` where they are not there yet, and describe it."""
    folder = work / "tables" / name
    about = folder / "table.json"
    if not about.exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = SOURCES[name]
        frame = read(source)
        test = deal(frame, source)
        labels = frame[source.target].unique().sort().to_list() if source.classes else []
        frame.filter(~test).write_parquet(folder / "train.parquet")
        frame.filter(test).write_parquet(folder / "test.parquet")
        rows = int(test.sum())
        table = Table(
            name, source.target, tuple(labels), frame.width - 1, frame.height - rows, rows
        )
        about.write_text(json.dumps(asdict(table), indent=1))
    found = json.loads(about.read_text())
    return Table(**{**found, "classes": tuple(found["classes"])})


def read(source: Source) -> pl.DataFrame:
    """Return the rows that count, with classes as text."""
    if source.load is not None:
        bunch = source.load()
        names = [str(name) for name in getattr(bunch, "feature_names", ())]
        frame = pl.DataFrame(bunch.data, schema=names)
        answer = bunch.target
        if source.classes:
            answer = np.asarray(bunch.target_names).astype(str)[answer]
        frame = frame.with_columns(pl.Series(source.target, answer))
    else:
        path = Path(os.environ["ASSAY_DATA"]) / source.file
        csv = path.suffix == ".csv"
        frame = pl.read_csv(path, infer_schema_length=None) if csv else pl.read_parquet(path)
    frame = frame.drop_nulls(source.target).drop(source.drop)
    frame = frame.with_columns(pl.col(source.numbers).cast(pl.Float64, strict=False))
    if source.classes:
        frame = frame.with_columns(pl.col(source.target).cast(pl.String))
    if source.distinct:
        features = [column for column in frame.columns if column != source.target]
        frame = frame.unique(features, keep="first", maintain_order=True)
    if frame.height > MAX_ROWS:
        kept = np.random.default_rng(0).choice(frame.height, MAX_ROWS, replace=False)
        frame = frame[np.sort(kept)]
    return frame


def deal(frame: pl.DataFrame, source: Source) -> np.ndarray:
    """Return (n,) True for the test rows: one in five, of every class alike."""
    random = np.random.default_rng(0)
    test = np.zeros(frame.height, dtype=bool)
    strata = [np.arange(frame.height)]
    if source.classes:
        answers = frame[source.target].to_numpy()
        strata = [np.flatnonzero(answers == label) for label in np.unique(answers)]
    for rows in strata:
        test[random.permutation(rows)[: round(rows.size * TEST_SHARE)]] = True
    return test


def truth(table: Table, work: Path) -> np.ndarray:
    """Return (n,) the answers of the test rows: the place of the class, or the number."""
    column = pl.read_parquet(work / "tables" / table.name / "test.parquet")[table.target]
    if not table.classes:
        return column.cast(pl.Float64).to_numpy()
    return np.searchsorted(np.array(table.classes), column.to_numpy())


def losses(table: Table, answer: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (n,) the loss of every row: minus the log of the right class's share, or the square.

    Shares are made to sum to one and kept a rounding error from nought, as in scikit-learn.
    """
    found: np.ndarray
    if table.classes:
        shares = values / values.sum(axis=1, keepdims=True)
        right = shares[np.arange(answer.size), answer]
        found = -np.log(np.maximum(right, np.finfo(np.float64).eps))
    else:
        found = np.square(values - answer)
    return found


def overall(table: Table, row_losses: np.ndarray) -> float:
    """Return the log loss or the RMSE of rows with these losses; lower is better."""
    mean = float(row_losses.mean())
    return mean if table.classes else mean**0.5
