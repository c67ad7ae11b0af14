"""A transform is run on a part of the rows and on all: what looks at other rows is refused."""

from __future__ import annotations

import sys

import pytest

from assay.errors import DataError

HEAD = "import polars as pl\n\ndef add(frame):\n    return frame.with_columns("
ROWS = 300
TABLE = "a,b,y\n" + "\n".join(f"{r * r % 97},{r if r < 200 else ''},{r % 7}" for r in range(ROWS))

LOOKS_ELSEWHERE = {
    "a mean": "c=pl.col('a') - pl.col('a').mean()",
    "a rank": "c=pl.col('a').rank()",
    "the row before": "c=pl.col('a').shift(1)",
    "a running sum": "c=pl.col('a').cum_sum()",
    "gaps far from the start": "c=pl.col('b').fill_null(pl.col('b').mean())",
    "a row number": "c=pl.int_range(pl.len())",
}
ROW_BY_ROW = {
    "a sum": "c=pl.col('a') + pl.col('b')",
    "a logarithm": "c=(pl.col('a') + 1).log()",
    "a fixed filling": "c=pl.col('b').fill_null(3.5)",
    "words": "c=pl.format('{}!', pl.col('a'))",
}


@pytest.mark.parametrize("rule", LOOKS_ELSEWHERE.values(), ids=LOOKS_ELSEWHERE)
def test_what_looks_at_other_rows_is_refused_with_the_column_and_a_row(project, rule):
    project.file("t.csv", TABLE)
    project.file("features.py", f"{HEAD}{rule})\n")
    with pytest.raises(DataError) as caught:
        project.ingest(transform="features:add")
    assert caught.value.code == "TRANSFORM-NOT-ROWWISE"
    assert str(caught.value.got).startswith("c of row ")


@pytest.mark.parametrize("rule", ROW_BY_ROW.values(), ids=ROW_BY_ROW)
def test_what_looks_at_its_own_row_is_fine(project, rule):
    project.file("t.csv", TABLE)
    project.file("features.py", f"{HEAD}{rule})\n")
    assert "c" in [column.name for column in project.ingest(transform="features:add").columns]


def test_columns_that_depend_on_the_rows_are_refused(project):
    project.file("t.csv", "a,town,y\n" + "\n".join(f"{r},t{r // 40},{r % 7}" for r in range(ROWS)))
    project.file("features.py", "def add(frame):\n    return frame.to_dummies('town')\n")
    with pytest.raises(DataError) as caught:
        project.ingest(transform="features:add")
    assert caught.value.code == "TRANSFORM-NOT-ROWWISE"
    assert "columns town_t" in str(caught.value.got)


def test_running_the_code_leaves_no_file_beside_it(project, monkeypatch):
    """A package that was asked would otherwise hold a file that its manifest does not name."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = project.file("features.py", f"{HEAD}c=pl.col('a') + 1)\n")
    project.file("t.csv", TABLE)
    project.ingest(transform="features:add")
    assert not list(file.parent.rglob("*.pyc"))
