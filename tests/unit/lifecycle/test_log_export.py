"""The log of a store, exported whole or not at all."""

from __future__ import annotations

import polars as pl
import pytest

from assay.errors import StoreError
from assay.lifecycle.log import export

ROWS = pl.LazyFrame({"at": [1, 2], "request": ["a", "b"]})


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_rows_are_exported_in_the_form_that_the_name_says(tmp_path, ending):
    out = tmp_path / f"log{ending}"
    export(ROWS, out)
    read = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".jsonl": pl.read_ndjson}[ending]
    assert read(out).equals(ROWS.collect())
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_what_cannot_be_written_is_told(tmp_path):
    with pytest.raises(StoreError) as caught:
        export(ROWS, tmp_path / "nowhere" / "log.csv")
    assert caught.value.code == "LOG-NOT-WRITTEN"
