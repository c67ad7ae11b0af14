"""The tabular family keeps the contract, for each of its tasks."""

from __future__ import annotations

from typing import Any, ClassVar

import polars as pl
import pytest
from tabular_cases import mixed_table, snapshot_of, spec_of

from assay.kernel.family import Family
from assay.records.snapshot import DataSnapshot
from assay.records.spec import ProjectSpec
from assay.tasks.tabular.family import FAMILY
from assay.testing.families import FamilyContract


class _Mixed(FamilyContract):
    target: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def family(cls) -> Family:
        return FAMILY

    @pytest.fixture(scope="class")
    @classmethod
    def table(cls) -> pl.DataFrame:
        return mixed_table(rows=160)

    @pytest.fixture(scope="class")
    @classmethod
    def spec(cls, table: pl.DataFrame) -> ProjectSpec:
        return spec_of(cls.target, table)

    @pytest.fixture(scope="class")
    @classmethod
    def snapshot(cls, table: pl.DataFrame) -> DataSnapshot:
        return snapshot_of(table)


class TestBinary(_Mixed):
    target = "sold"


class TestMulticlass(_Mixed):
    target = "grade"


class TestRegression(_Mixed):
    target = "price"


def test_the_three_tasks_are_what_they_are_called() -> None:
    table: Any = mixed_table()
    tasks = [
        FAMILY.problem(spec_of(t, table), snapshot_of(table), table[t]).task
        for t in ("sold", "grade", "price")
    ]
    assert tasks == ["binary", "multiclass", "regression"]
