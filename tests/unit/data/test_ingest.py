"""From a source to a snapshot, and every way in which that can fail."""

from __future__ import annotations

import math
import subprocess
import sys

import polars as pl
import pytest

from assay.data.content import column_digest, read_table
from assay.data.ingest import ingest, readings_of, survey
from assay.data.profile import describe
from assay.errors import AssayError, DataError, Mistakes, Refused, Tampered, all_errors
from assay.records.spec import DataSection, FeaturesSection

TYPES = {
    "key": "id",
    "size": "number",
    "count": "number",
    "colour": "category",
    "member": "boolean",
    "day": "datetime",
    "note": "text",
    "y": "number",
}


def errors_of(function, *args, **kwargs) -> list[AssayError]:
    with pytest.raises(AssayError) as caught:
        function(*args, **kwargs)
    found = all_errors(caught.value)
    assert all(error.exit_code == 2 for error in found)
    return list(found)


def codes(function, *args, **kwargs) -> list[str]:
    return [error.code for error in errors_of(function, *args, **kwargs)]


def test_one_content_whatever_the_format(project, table):
    frame = table()
    typed = frame.with_columns(
        pl.col("day").str.to_date(),
        pl.col("member") == "yes",
        pl.col("colour").cast(pl.Categorical),
        pl.col("size").cast(pl.Decimal(10, 2)),
        pl.col("y").cast(pl.Int8),
    )
    frame.write_csv(project.folder / "t.csv")
    frame.write_csv(project.folder / "semi.csv", separator=";")
    frame.write_ndjson(project.folder / "t.jsonl")
    typed.write_parquet(project.folder / "t.parquet")
    typed.drop("size").with_columns(frame["size"]).select(frame.columns).write_ipc(
        project.folder / "t.arrow"
    )
    names = ("t.csv", "semi.csv", "t.jsonl", "t.parquet", "t.arrow")
    snapshots = [project.ingest(name) for name in names]
    for snapshot in snapshots:
        assert {c.name: c.type for c in snapshot.columns} == TYPES
        assert snapshot.content == snapshots[0].content
        assert snapshot.rows == 60


def test_content_changes_with_any_value_type_or_name(project):
    base = "a,b,y\n1,x,1\n2,,2\n3,z,3\n"
    variants = [base, base.replace("x", "w"), base.replace("a,b", "a,c"), base.replace("3,z", ",z")]
    variants.append(base.replace("2,,2", "2,z,2").replace("3,z,3", "3,,3"))
    found = set()
    for text in variants:
        project.file("t.csv", text)
        found.add(project.ingest().content)
    project.file("t.csv", base)
    found.add(project.ingest(types={"a": "category"}).content)
    assert len(found) == len(variants) + 1


def test_content_is_stable_across_processes(project):
    project.file("t.csv", "a,b,y\n1,x,1\n2,,2\n")
    script = (
        "import polars as pl\nfrom assay.data.content import column_digest\n"
        "print(column_digest(pl.Series('a', ['x', None, 'ü'])))"
    )
    made = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert made.stdout.strip() == column_digest(pl.Series("a", ["x", None, "ü"]))


def test_column_digest_sees_values_only():
    whole = pl.Series("a", ["x", "yz", None, "x"])
    parts = pl.concat([whole[:1], whole[1:]], rechunk=False)
    assert column_digest(whole) == column_digest(parts)
    assert column_digest(pl.Series(["ab", "c"])) != column_digest(pl.Series(["a", "bc"]))
    assert column_digest(pl.Series(["", "c"])) != column_digest(pl.Series([None, "c"]))
    assert column_digest(pl.Series([0.0])) == column_digest(pl.Series([-0.0]))
    assert column_digest(pl.Series([0.0])) != column_digest(pl.Series([None], dtype=pl.Float64))


def test_table_comes_back_typed(project, table):
    table().write_csv(project.folder / "t.csv")
    snapshot = project.ingest(drop=("note",))
    frame = read_table(snapshot, project.store)
    assert frame.schema == {
        "key": pl.String,
        "size": pl.Float64,
        "count": pl.Float64,
        "colour": pl.String,
        "member": pl.Boolean,
        "day": pl.Datetime("us"),
        "y": pl.Float64,
    }
    assert snapshot.dropped == ("note",)
    assert read_table(snapshot, project.store) is frame
    fresh = pl.read_ipc(project.store.get(snapshot.table))
    assert fresh.equals(frame)


def test_a_damaged_table_is_tampered(project):
    project.file("t.csv", "a,y\n1,1\n2,2\n")
    snapshot = project.ingest()
    bad = project.store.put(b"no arrow")
    with pytest.raises(Tampered):
        read_table(type(snapshot)(**{**_fields(snapshot), "table": bad}), project.store)


def _fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


@pytest.mark.parametrize(
    ("text", "section", "expected"),
    [
        ("a,y\n1,1\n2,2\n", {"target": "Y"}, ["DATA-TARGET-UNKNOWN"]),
        ("a,y\n1,1\n2,2\n", {"drop": ("b",), "types": {"c": "id"}}, ["DATA-COLUMN-UNKNOWN"] * 2),
        ("a,y\n1,1\n2,2\n", {"types": {"a": "float"}}, ["DATA-TYPE-UNKNOWN"]),
        ("a,y\n1,1\n2,2\n", {"drop": ("y",)}, ["DATA-TARGET-DROPPED"]),
        ("a,y\n1,1\n", {}, ["DATA-TOO-FEW-ROWS"]),
        ("a,b,c,y\n,,1,1\n,NA,2,2\n", {}, ["DATA-COLUMN-EMPTY"] * 2),
        ("a,y\n1,1\n2,\n3,NA\n", {}, ["DATA-TARGET-MISSING"]),
        ("a,y\n1,\n2,\n3,\n", {"missing_target": "drop"}, ["DATA-TARGET-MISSING"]),
        ("a,a,y\n1,2,1\n2,3,2\n", {"drop": ("a",)}, ["DATA-DUPLICATE-COLUMN"]),
        ("y,y\n1,2\n2,3\n", {}, ["DATA-DUPLICATE-COLUMN"]),
        ("a,y\nx,1\n2,2\n", {"types": {"a": "number"}}, ["DATA-CELL-TYPE"]),
        ("a,y\nx,1\nno,2\n", {"types": {"a": "boolean"}}, ["DATA-CELL-TYPE"]),
        ("a,y\nx,1\n2020-01-01,2\n", {"types": {"a": "datetime"}}, ["DATA-CELL-TYPE"]),
        ("a,y\nabc,1\n31.1.2020,2\n", {"types": {"y": "datetime"}}, ["DATA-CELL-TYPE"]),
        ("a,y\n2020-01-31,1\n31.01.2020,2\nJan 5 2020,3\n", {}, ["DATA-DATE-FORMATS"]),
    ],
)
def test_bad_tables(project, text, section, expected):
    project.file("t.csv", text)
    assert codes(project.ingest, **section) == expected


@pytest.mark.parametrize(
    ("section", "code"),
    [({"source": None}, "DATA-SOURCE"), ({"source": "none.csv"}, "DATA-NOT-FOUND")],
)
def test_sources_that_are_none(project, section, code):
    (error,) = errors_of(project.ingest, **section)
    assert error.code == code
    assert error.where
    assert error.hint


def test_one_row_is_too_few(project):
    project.file("t.csv", "a,y\n1,1\n")
    (error,) = errors_of(project.ingest)
    assert (error.code, error.got) == ("DATA-TOO-FEW-ROWS", 1)
    assert "data.source" in error.hint


def test_wrong_target_names_the_nearest(project):
    project.file("t.csv", "a,Churn\n1,1\n2,2\n")
    (error,) = errors_of(project.ingest, target="churn")
    assert error.allowed == ("Churn",)
    assert "Churn" in error.hint


def test_missing_target_shows_rows_and_the_way_out(project):
    project.file("t.csv", "a,y\n1,1\n2,\n3,NA\n4,2\n")
    (error,) = errors_of(project.ingest)
    assert error.got == 2
    assert "rows 2, 3" in error.where
    assert 'missing_target = "drop"' in error.hint
    snapshot = project.ingest(missing_target="drop")
    assert snapshot.rows == 2
    assert [(s.rule, s.cells) for s in snapshot.cleaning] == [("missing-target", 2)]


def test_ten_thousand_columns(project):
    names = ",".join(f"c{i}" for i in range(10_000))
    project.file("t.csv", f"{names}\n{','.join(['1'] * 10_000)}\n{','.join(['2'] * 10_000)}\n")
    assert codes(project.ingest, target="c1") == ["DATA-TOO-WIDE"]


def test_nested_columns_are_all_named_and_can_be_dropped(project):
    frame = pl.DataFrame({"l": [[1], [2]], "s": [{"a": 1}] * 2, "b": [b"x", b"y"], "y": [1, 2]})
    frame.with_columns(a=pl.Series([1, 2])).write_parquet(project.folder / "t.parquet")
    found = errors_of(project.ingest, "t.parquet")
    assert [(e.code, e.where) for e in found] == [
        ("DATA-NESTED", f"column {name}") for name in "lsb"
    ]
    assert project.ingest("t.parquet", drop=("l", "s", "b")).rows == 2
    assert codes(project.ingest, "t.parquet", target="l") == ["DATA-NESTED"]


def test_survey_leaves_out_what_cannot_be_used(project):
    frame = pl.DataFrame(
        {"l": [[1], [2], [3]], "e": [None, None, None], "a": [1, 2, 5], "y": [1, 2, None]}
    )
    frame.write_parquet(project.folder / "t.parquet")
    section = DataSection(source="t.parquet", target="y")
    found = survey(section, project.folder, project.store, resolve=lambda _: project.folder)
    assert [name for name, _ in found.dropped] == ["l", "e"]
    assert all(reason for _, reason in found.dropped)
    assert [c.name for c in found.snapshot.columns] == ["a", "y"]
    assert found.snapshot.dropped == ("l", "e")
    assert found.snapshot.rows == 2
    again = DataSection(
        source="t.parquet", target="y", drop=found.snapshot.dropped, missing_target="drop"
    )
    snapshot = ingest(
        again, FeaturesSection(), project.folder, project.store, resolve=lambda _: project.folder
    )
    assert snapshot.content == found.snapshot.content


def test_forced_types(project):
    project.file("t.csv", "zip,flag,when,n,y\n1001,1,2020-01-01,5,a\n1002,0,2020-01-02,6,b\n")
    kinds = {"zip": "category", "flag": "boolean", "when": "text", "n": "id", "y": "category"}
    snapshot = project.ingest(types=kinds)
    assert {c.name: c.type for c in snapshot.columns} == kinds
    row = read_table(snapshot, project.store).row(0)
    assert row == ("1001", True, "2020-01-01", "5", "a")


def test_missing_words_of_the_project(project):
    project.file("t.csv", "a,b,y\n-999,none given,1\n2,x,2\n")
    snapshot = project.ingest(missing=("-999", "none given"))
    assert [snapshot.column(name).missing for name in "ab"] == [1, 1]
    assert snapshot.column("a").type == "number"


def test_statistics_of_a_number():
    column = describe(pl.Series("x", [1.0, 2.0, 4.0, None, math.inf]), "number")
    assert (column.rows, column.missing, column.unique) == (5, 1, 4)
    assert (column.low, column.high, column.median) == (1.0, 4.0, 2.0)
    assert column.mean == pytest.approx(7 / 3)
    assert column.std == pytest.approx(math.sqrt(14 / 9))
    assert sum(column.histogram) == 3
    assert column.histogram[0] == column.histogram[-1] == 1
    assert len(column.histogram) == 20


@pytest.mark.parametrize(
    ("values", "bars"),
    [([5.0, 5.0], (2,)), ([math.inf, None], ()), ([-1.7e308, 1.7e308], (1, *[0] * 18, 1))],
)
def test_statistics_of_odd_numbers(values, bars):
    column = describe(pl.Series("x", values, pl.Float64), "number")
    assert column.histogram == bars


def test_statistics_of_words_and_dates():
    column = describe(pl.Series("x", ["b", "a", "a", None, "c"]), "category")
    assert (column.unique, column.top) == (3, (("a", 2), ("b", 1), ("c", 1)))
    assert describe(pl.Series("x", [True, None]), "boolean").top == (("true", 1),)
    moments = pl.Series("x", ["1970-01-02", "1970-01-04"]).str.to_datetime()
    column = describe(moments, "datetime")
    assert (column.low, column.high) == (86_400.0, 3 * 86_400.0)
    assert describe(pl.Series("x", ["b", "a", "a"]), "text").unique == 2


def test_hostile_names_and_cells_stay_what_they_are(project):
    project.file("t.csv", '"<script>x</script>",y\n"=cmd|\' /C calc\'!A0",1\n"{{7*7}}",2\n')
    snapshot = project.ingest()
    assert snapshot.columns[0].name == "<script>x</script>"
    assert {value for value, _ in snapshot.columns[0].top} == {"=cmd|' /C calc'!A0", "{{7*7}}"}


FEATURES = "import helper\ndef add(frame):\n    return helper.double(frame)\n"
HELPER = (
    "import polars as pl\ndef double(frame):\n    return frame.with_columns(b=pl.col('a') * 2)\n"
)


def test_transform_makes_columns(project):
    project.file("t.csv", "a,c,y\n1,yes,1\n2,no,2\n3,no,5\n")
    project.file("features.py", FEATURES)
    project.file("helper.py", HELPER)
    path, modules = list(sys.path), set(sys.modules)
    snapshot = project.ingest(transform="features:add")
    assert [(c.name, c.type) for c in snapshot.columns] == [
        ("a", "number"),
        ("c", "boolean"),
        ("b", "number"),
        ("y", "number"),
    ]
    assert snapshot.cleaning[-1].rule == "transform"
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if "helper" in name}


@pytest.mark.parametrize(
    ("code", "expected", "where"),
    [
        ("def add(frame):\n    return frame['nothing']\n", "TRANSFORM-FAILED", "features.py:2"),
        ("1 +\n", "TRANSFORM-FAILED", "features.py:1"),
        ("import no_such_module\n", "TRANSFORM-FAILED", "features.py:1"),
        ("add = 5\n", "TRANSFORM-NOT-FOUND", "features.transform"),
        ("def add(frame):\n    return frame.head(1)\n", "TRANSFORM-ROWS", "features.transform"),
        ("def add(frame):\n    return 5\n", "DATA-KIND", ""),
        (
            "def add(frame):\n    return frame.rename({'a': 'y'})\n",
            "TRANSFORM-TARGET",
            "features.transform",
        ),
    ],
)
def test_transforms_that_fail(project, code, expected, where):
    project.file("t.csv", "a,y\n1,1\n2,2\n3,5\n")
    project.file("features.py", code)
    (error,) = errors_of(project.ingest, transform="features:add")
    assert (error.code, error.where) == (expected, where)


@pytest.mark.parametrize("name", ["features", "../features:add", "features:", "a/b:c"])
def test_transform_names(project, name):
    project.file("t.csv", "a,y\n1,1\n2,2\n")
    assert codes(project.ingest, transform=name) == ["TRANSFORM-NAME"]


def test_transform_needs_its_file_and_permission(project):
    project.file("t.csv", "a,y\n1,1\n2,2\n")
    (error,) = errors_of(project.ingest, transform="features:add")
    assert error.code == "TRANSFORM-NOT-FOUND"
    assert "features.py" in error.hint
    project.file("features.py", "raise SystemExit\n")
    with pytest.raises(Refused):
        project.ingest(transform="features:add", allow_code=False)


def test_readings_come_from_the_cleaning(project):
    project.file("t.csv", "a;d;y\n1,5;31/01/2020;1\n2,5;01/02/2020;2\n")
    assert readings_of(project.ingest()) == {"a": "decimal-comma", "d": "day-first"}


def test_several_mistakes_come_together(project):
    project.file("t.csv", "a,b,y\n,x,1\n,2,2\n")
    with pytest.raises(Mistakes) as caught:
        project.ingest(types={"b": "number"})
    assert [e.code for e in caught.value.errors] == ["DATA-COLUMN-EMPTY", "DATA-CELL-TYPE"]
    assert isinstance(caught.value.errors[0], DataError)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("telco_churn.csv", "Churn", {"customerID": "id", "TotalCharges": "number"}),
        ("titanic.csv", "survived", {"alone": "boolean", "deck": "category"}),
        ("airline_passengers.csv", "Passengers", {"Month": "datetime"}),
        ("sms_spam.parquet", "label", {"text": "text", "label": "category"}),
        ("ames_housing.parquet", "Sale_Price", {"Year_Built": "number", "Central_Air": "boolean"}),
        ("creditcard_fraud_undersampled.parquet", "Class", {"Time": "number", "V1": "number"}),
        ("vehicle_claim_fraud.parquet", "FraudFound_P", {"PolicyNumber": "id", "Age": "number"}),
    ],
)
def test_real_tables(project, data_folder, name, target, expected):
    section = DataSection(source=str(data_folder / name), target=target)
    found = survey(section, project.folder, project.store, resolve=lambda _: data_folder)
    assert {n: found.snapshot.column(n).type for n in expected} == expected
    assert found.dropped == ()


@pytest.mark.data
def test_telco_total_charges_has_eleven_gaps(project, data_folder):
    snapshot = project.ingest(str(data_folder / "telco_churn.csv"), "Churn")
    assert snapshot.rows == 7043
    assert snapshot.column("TotalCharges").missing == 11
    steps = [s for s in snapshot.cleaning if s.where == "TotalCharges"]
    assert [(s.rule, s.cells) for s in steps] == [("missing", 11)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_target_without_end_is_missing(project, suffix):
    frame = pl.DataFrame({"x": [1, 2, 3, 4], "y": [1.5, math.inf, -math.inf, 2.0]})
    path = project.folder / f"t.{suffix}"
    frame.write_csv(path) if suffix == "csv" else frame.write_parquet(path)
    (error,) = errors_of(project.ingest, path.name)
    assert error.got == 2
    assert "infinite" in str(error)
    snapshot = project.ingest(path.name, missing_target="drop")
    assert (snapshot.rows, snapshot.column("y").high) == (2, 2.0)
    assert project.ingest(path.name, types={"y": "category"}).rows == 4
