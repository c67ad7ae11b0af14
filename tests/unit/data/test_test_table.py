"""`data.test`: test rows in a table of their own."""

import polars as pl
import pytest

from assay.data.content import read_table
from assay.data.raw import raw_of
from assay.data.rows import first_of_copies, with_test
from assay.data.split import TEST, split
from assay.errors import DataError
from assay.records.snapshot import Problem
from assay.records.spec import SplitSection


def problem():
    return Problem(family="f", task="binary", target="y", classes=("0", "1"), positive="1",
                   features=("x",), primary="roc_auc", also=())  # fmt: skip


def frame(start, rows):
    numbers = range(start, start + rows)
    return pl.DataFrame({"x": [i / 3 for i in numbers], "y": [i % 2 for i in numbers]})


def test_the_rows_of_the_test_table_are_the_test_rows(project):
    frame(0, 80).write_csv(project.folder / "old.csv")
    frame(500, 20).select("y", "x").write_csv(project.folder / "fresh.csv")
    snapshot = project.ingest("old.csv", target="y", test="fresh.csv")
    assert (snapshot.rows, snapshot.test_rows) == (100, 20)
    table = read_table(snapshot, project.store)
    words, parts, _ = split(SplitSection(), problem(), table, snapshot.test_rows)
    assert words == "data.test"
    assert sorted(table["x"].filter(parts == TEST)) == pytest.approx(sorted(frame(500, 20)["x"]))
    assert set(parts[:80].tolist()) == {0, 1, 2, 3, 4}


def test_rows_that_are_left_out_are_not_counted(project):
    """A test row without a target goes, and so does one that repeats a training row."""
    frame(0, 80).write_csv(project.folder / "old.csv")
    fresh = pl.concat([frame(500, 18), frame(7, 1), pl.DataFrame({"x": [9.5], "y": [None]})])
    fresh.write_csv(project.folder / "fresh.csv")
    snapshot = project.ingest(
        "old.csv", target="y", test="fresh.csv", missing_target="drop", duplicates="drop"
    )
    assert (snapshot.rows, snapshot.test_rows) == (98, 18)


def test_a_test_table_of_nothing_but_copies_is_refused(project):
    """Else the test rows would be drawn from the training rows without a word."""
    frame(0, 80).write_csv(project.folder / "old.csv")
    frame(7, 5).write_csv(project.folder / "fresh.csv")
    with pytest.raises(DataError) as caught:
        project.ingest("old.csv", target="y", test="fresh.csv", duplicates="drop")
    assert caught.value.code == "DATA-TEST-EMPTY"


def test_tables_of_other_columns_or_kinds_are_refused():
    rows = raw_of(pl.DataFrame({"a": [1], "b": ["x"]}))
    with pytest.raises(DataError) as caught:
        with_test(rows, raw_of(pl.DataFrame({"a": [1]})))
    assert caught.value.code == "DATA-TEST-COLUMNS"
    assert list(caught.value.allowed) == ["b"]
    with pytest.raises(DataError) as caught:
        with_test(rows, raw_of(pl.DataFrame({"a": [[1]], "b": ["x"]})))
    assert caught.value.code == "DATA-TEST-TYPES"


def test_copies_are_found_in_every_column():
    kept, steps = first_of_copies(pl.DataFrame({"a": [1, 1, 2, 1], "b": ["x", "x", "x", "y"]}))
    assert kept.to_list() == [True, False, True, True]
    assert steps[0].cells == 1
    assert first_of_copies(pl.DataFrame({"a": [1, 2]}))[1] == []
