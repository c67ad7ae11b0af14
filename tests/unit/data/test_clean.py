"""The cleaning rules and their counts."""

from __future__ import annotations

import polars as pl
import pytest

from assay.data.clean import RULES, step, tidy, unique_names
from assay.data.raw import Raw
from assay.errors import DataError


def raw(*columns):
    frame = pl.DataFrame({f"column_{i}": values for i, (_, values) in enumerate(columns)})
    return Raw(frame, tuple(name for name, _ in columns))


def rules(snapshot, where):
    return {s.rule: s.cells for s in snapshot.cleaning if s.where == where}


def test_a_second_column_of_the_same_content_goes():
    frame, steps = unique_names(raw(("a", [1, 2]), ("a", [1, 2]), ("b", [1, 2])), {"a"})
    assert frame.columns == ["a", "b"]
    assert [(s.rule, s.where, s.cells) for s in steps] == [("duplicate-column", "a", 2)]


def test_a_second_column_of_other_content_gets_a_free_number():
    frame, steps = unique_names(raw(("a", [1]), ("a_2", [2]), ("a", [3])), {"b"})
    assert frame.columns == ["a", "a_2", "a_3"]
    assert [s.rule for s in steps] == ["renamed-column"]


def test_a_named_column_must_be_one_column():
    with pytest.raises(DataError) as caught:
        unique_names(raw(("a", [1]), ("a", [3])), {"a"})
    assert caught.value.code == "DATA-DUPLICATE-COLUMN"


def test_tidy_counts_what_it_changes():
    cells, steps = tidy(pl.Series("x", [" a ", "b", "NA", "?", None, " "]), ["b"])
    assert cells.to_list() == ["a", None, None, None, None, None]
    assert [(s.rule, s.cells, s.example) for s in steps] == [
        ("missing", 4, "'b' → missing"),
        ("spaces", 1, "' a ' → 'a'"),
    ]


def test_an_unknown_rule_is_a_fault_of_ours():
    with pytest.raises(ValueError, match="invented"):
        step("invented", "x", 1)
    assert all(what for what in RULES.values())


def test_long_values_are_cut_in_examples():
    assert len(step("spaces", "x", 1, "a" * 500, "b" * 500).example) < 100


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["$1,200", "5", "$7"], {"number-signs": 2}),
        (["1,5", "2,5", "-"], {"decimal-comma": 2, "missing": 1}),
        (["yes", "no", ""], {"boolean-words": 2}),
        (["2020-01-31", "2020-02-01", "2020-02-02"], {"date-as-text": 3}),
        (["31/01/2020", "01/02/2020", "02/02/2020"], {"day-first": 3}),
        (["03/01/2020", "01/02/2020", "02/02/2020"], {"month-first": 3}),
        (["2020-01-31", "31.01.2020", "02.02.2020"], {"date-forms": 3}),
        (["1", "2", "3"], {}),
        (["a", "b", "c"], {}),
    ],
)
def test_steps_of_a_csv_column(project, cells, expected):
    lines = [f"{cell};{i}" for i, cell in enumerate(cells)]
    project.file("t.csv", "\n".join(["x;y", *lines]))
    assert rules(project.ingest(), "x") == expected


@pytest.mark.parametrize(
    ("cells", "example"),
    [
        (["5", "€ 2.607,97", "1,5"], "'€ 2.607,97' → 2607.97"),
        (["3", "$1,200.50", "7"], "'$1,200.50' → 1200.5"),
        (["yes", "no", "no"], "'yes' → True"),
        (["?", "31/01/2020", "01/02/2020"], "'31/01/2020' → 2020-01-31 00:00:00"),
        (["03/01/2020", "01/02/2020", "02/02/2020"], "'03/01/2020' → 2020-03-01 00:00:00"),
        (["x", "True", "FALSE"], "'True' → 'true'"),
    ],
)
def test_an_example_shows_a_cell_that_changed(project, cells, example):
    lines = [f"{cell};{i}" for i, cell in enumerate(cells)]
    project.file("t.csv", "\n".join(["x;y", *lines]))
    found = [s for s in project.ingest().cleaning if s.where == "x" and s.rule != "missing"]
    assert [s.example for s in found] == [example]


def test_a_made_up_header_is_shown(project):
    project.file("t.csv", "x;;y\n1;q;1\n2;r;0\n")
    assert [s.example for s in project.ingest().cleaning] == ["'' → 'column_2'"]


def test_numbers_as_text_count_only_where_the_format_has_numbers(project):
    frame = pl.DataFrame({"x": ["1", "2", "3"], "y": [0, 1, 0]})
    frame.write_parquet(project.folder / "t.parquet")
    frame.write_csv(project.folder / "t.csv")
    assert rules(project.ingest("t.parquet"), "x") == {"number-as-text": 3}
    assert rules(project.ingest("t.csv"), "x") == {}


def test_every_rule_that_occurs_is_declared(project):
    project.file("t.csv", "x;;z;z;y; \n 1;q;a;b;1;\n$2;r;c;d;;\n3;s;e;f;0;\n")
    snapshot = project.ingest(missing_target="drop")
    found = {s.rule for s in snapshot.cleaning}
    assert found <= set(RULES)
    assert found >= {"blank-column", "blank-header", "renamed-column", "missing-target"}
    assert [c.name for c in snapshot.columns] == ["x", "column_2", "z", "z_2", "y"]


def test_inf_among_words_is_a_word(project):
    project.file("t.csv", "a,y\n1,inf\n2,sup\n3,inf\n")
    assert project.ingest().rows == 3
