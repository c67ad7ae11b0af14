"""Files as they come, good and bad."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data.delimited import read_delimited, sniff
from assay.data.raw import to_polars
from assay.data.source import find, read_any, read_file, read_files
from assay.errors import DataError

ROWS = [["name", "price", "y"], ["Zoë", "1", "a"], ["Jürgen", "2", "b"]]


def csv_text(separator: str = ",", rows: list[list[str]] = ROWS) -> str:
    return "\n".join(separator.join(row) for row in rows) + "\n"


def code_of(function, *args, **kwargs) -> DataError:
    with pytest.raises(DataError) as caught:
        function(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators(tmp_path, encoding, separator):
    path = tmp_path / "t.csv"
    path.write_bytes(csv_text(separator).encode(encoding))
    frame = read_any(path)
    assert frame.columns == ROWS[0]
    assert frame.rows() == [tuple(row) for row in ROWS[1:]]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_mark(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes(csv_text().encode(encoding))
    assert read_any(path)["price"].to_list() == ["1", "2"]


def test_cp1252_signs_that_latin1_lacks(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("price,y\n€ 5,“a”\n".encode("cp1252"))
    assert read_any(path).row(0) == ("€ 5", "“a”")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('a,b\n"two\nlines",2\n', [("two\nlines", "2")]),
        ('a,b\n"say ""hi""",2\n', [('say "hi"', "2")]),
        ('a,b\n5" pipe,2\n6" pipe,3\n', [('5" pipe', "2"), ('6" pipe', "3")]),
        ('a;b\n"1;5";2\n', [("1;5", "2")]),
        ("a,b\r\n1,2\r\n\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
        ("a,b\r1,2\r3,4\r", [("1", "2"), ("3", "4")]),
        ("\n\na,b\n1,2\n,\n3,4", [("1", "2"), ("3", "4")]),
        ("a,b\n1,2,\n3,4,\n", [("1", "2"), ("3", "4")]),
        ("a,b,\n1,2,\n3,4,\n", [("1", "2"), ("3", "4")]),
        ("a\n1\n\n3\n", [("1",), ("3",)]),
        ("a,b\n1,\n,4\n", [("1", None), (None, "4")]),
        ('a,b\n"x, y",2\n"z",\n', [("x, y", "2"), ("z", None)]),
    ],
)
def test_quotes_lines_and_trailing_separators(tmp_path, text, rows):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert read_any(path).rows() == rows


CELLS = st.text(
    st.sampled_from(list("ab1 ,;|\"'\t\n€é")) | st.characters(exclude_categories=["Cs", "Cc"]),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_csv_module_writes_is_read_back(rows, separator, quoting, end):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerows([("first", "second", "third"), *rows])
    kept = [tuple(cell or None for cell in row) for row in rows if any(row)]
    data = text.getvalue().encode()
    if not kept:
        assert code_of(read_delimited, data, "t.csv").code == "DATA-EMPTY"
        return
    raw = read_delimited(data, "t.csv")
    assert raw.names == ("first", "second", "third")
    assert raw.frame.rows() == kept


def test_blank_header_gets_a_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,,c\n1,2,3\n4,5,6\n")
    raw = read_file(path)
    assert raw.names == ("a", "column_2", "c")
    assert [step.rule for step in raw.steps] == ["blank-header"]


def test_decimal_commas_do_not_pass_for_separators():
    assert sniff(b"a;b\n1,5;2,5\n3,5;4,5\n") == ";"


@pytest.mark.parametrize(
    ("name", "content", "code", "where"),
    [
        ("t.csv", b"", "DATA-EMPTY", "t.csv"),
        ("t.csv", b"\n \n", "DATA-EMPTY", "t.csv"),
        ("t.csv", b"a,b\n", "DATA-EMPTY", "t.csv"),
        ("t.csv", b"a,b\n1,2\n3,\x004\n", "DATA-NUL", "t.csv:3"),
        ("t.csv", b"a,b\n1,2\n3\n", "DATA-RAGGED", "t.csv:3"),
        ("t.csv", b"a,b\n1,2\n3,4,5\n", "DATA-RAGGED", "t.csv:3"),
        ("t.csv", b'a,b\n"x\ny",2\n3,4,5\n', "DATA-RAGGED", "t.csv:4"),
        ("t.csv", b'a,b\n1,2\n"open,4\n5,6\n', "DATA-RAGGED", "t.csv:3"),
        ("t.csv", b"a,b\nZo\xc3\xab,1\nZo\xeb,2\n", "DATA-ENCODING", "t.csv:3, byte 13"),
        ("t.csv", b"\xff\xfea\x00,\x00\x00\xd8", "DATA-ENCODING", "t.csv:1, byte 4"),
        ("t.xlsx", b"PK\x03\x04....", "DATA-FORMAT", "t.xlsx"),
        ("t.png", b"\x89PNG\r\n\x1a\n", "DATA-FORMAT", "t.png"),
        ("t.pdf", b"%PDF-1.7", "DATA-FORMAT", "t.pdf"),
        ("t.csv", b"%PDF-1.7", "DATA-FORMAT", "t.csv"),
        ("t.csv", b"<!DOCTYPE html><title>404</title>", "DATA-FORMAT", "t.csv"),
        ("t.bin", b"\x01\x02\x00\x00\x07", "DATA-FORMAT", "t.bin"),
        ("t.parquet", b"a,b\n1,2\n", "DATA-FORMAT", "t.parquet"),
        ("t.parquet", b"PAR1 and then nothing PAR1", "DATA-FORMAT", "t.parquet"),
        ("t.csv.gz", b"\x1f\x8b\x08 broken", "DATA-FORMAT", "t.csv.gz"),
        ("t.json", b"{", "DATA-FORMAT", "t.json:1"),
        ("t.jsonl", b'{"a": 1}\n{"a": }\n', "DATA-FORMAT", "t.jsonl:2"),
        ("t.json", b"[1, 2]", "DATA-FORMAT", "t.json"),
    ],
)
def test_files_that_are_no_table(tmp_path, name, content, code, where):
    path = tmp_path / name
    path.write_bytes(content)
    error = code_of(read_any, path)
    assert (error.code, error.where) == (code, where)
    assert error.exit_code == 2
    assert error.hint


def test_numpy_archive_is_no_table(tmp_path):
    np.savez(tmp_path / "t.npz", a=np.arange(3))
    assert code_of(read_any, tmp_path / "t.npz").code == "DATA-FORMAT"


@pytest.mark.parametrize("quoted", [False, True])
def test_huge_cell_is_refused_quickly(tmp_path, quoted):
    cell = b"x" * 50_000_000
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1," + (b'"' + cell + b'"' if quoted else cell) + b"\n3,4\n")
    start = time.perf_counter()
    error = code_of(read_any, path)
    assert error.code == "DATA-CELL-TOO-LARGE"
    assert time.perf_counter() - start < 10


def test_every_typed_format_gives_the_same_rows(tmp_path, table):
    frame = table()
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_ipc(tmp_path / "t.arrow")
    frame.write_ipc_stream(tmp_path / "t.feather")
    frame.write_ndjson(tmp_path / "t.jsonl")
    (tmp_path / "t.json").write_text(json.dumps(frame.to_dicts()))
    for name in ("t.parquet", "t.arrow", "t.feather", "t.jsonl", "t.json"):
        assert read_any(tmp_path / name).equals(frame), name


def test_gzip_and_text_suffixes(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(csv_text().encode()))
    assert read_any(tmp_path / "t.csv.gz").height == 2


def test_json_values_of_several_kinds_become_text(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1, "b": true}\n{"a": "x"}\n{"b": 2.5}\n')
    assert read_any(path).rows() == [("1", "true"), ("x", None), (None, "2.5")]


def test_folder_and_glob_are_read_in_sorted_order(tmp_path):
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text(f"file,n\n{name},1\n")
    (tmp_path / "README.md").write_text("no data")
    for source in (".", "*.csv", "[ab].csv"):
        paths = find(source, tmp_path, lambda _: tmp_path)
        assert read_files(paths).frame.to_series(0).to_list() == ["a.csv", "b.csv"]


def test_files_may_order_their_columns_differently(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("y,x\n2,1\n")
    raw = read_files([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert raw.frame.rows() == [("1", "2"), ("1", "2")]


def test_files_of_other_columns_are_named(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,z\n1,2\n")
    error = code_of(read_files, [tmp_path / "a.csv", tmp_path / "b.csv"])
    assert (error.code, error.where) == ("DATA-FILES-DIFFER", "b.csv")


def test_finding(tmp_path):
    (tmp_path / "churn.csv").write_text("a\n1\n")
    (tmp_path / "empty").mkdir()
    known = tmp_path / "known.csv"
    assert find("catalogue:known", tmp_path, lambda name: tmp_path / f"{name}.csv") == [known]
    error = code_of(find, "chrun.csv", tmp_path, lambda _: tmp_path)
    assert (error.code, error.allowed) == ("DATA-NOT-FOUND", ("churn.csv",))
    assert error.where.startswith(str(tmp_path))  # what was tried, wherever the path started
    assert error.hint == "did you mean churn.csv?"
    for source in ("empty", "*.parquet", "nothing-like-it"):
        error = code_of(find, source, tmp_path, lambda _: tmp_path)
        assert error.code == "DATA-NOT-FOUND"
        assert error.where.startswith(str(tmp_path))
        assert error.hint
    error = code_of(find, "https://user:secret@host/t.csv", tmp_path, lambda _: tmp_path)
    assert error.code == "DATA-SOURCE"
    assert "secret" not in str(error)


def test_forbidden_file(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    assert code_of(read_any, path).code == "DATA-PERMISSION"


def test_rows_from_python():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "n": pandas.array([1, None], dtype="Int64"),
            "f": [1.5, float("nan")],
            "b": pandas.array([True, None], dtype="boolean"),
            "s": pandas.array(["x", None], dtype="string"),
            "c": pandas.Categorical(["u", "v"]),
            "d": pandas.to_datetime(["2020-01-31", None]),
            "z": pandas.to_datetime(["2020-01-31T00:00:00+02:00", "2020-02-01T00:00:00+02:00"]),
        },
        index=["i", "j"],
    )
    found = to_polars(frame)
    assert found.columns == list("nfbscdz")
    assert found.select("n", "b", "s", "c").rows() == [(1, True, "x", "u"), (None, None, None, "v")]
    assert found["d"].dtype == found["z"].dtype == pl.Datetime("us")
    assert found["d"].null_count() == 1
    assert str(found["z"][0]) == "2020-01-30 22:00:00"


def test_rows_from_dicts():
    rows = [{"a": 1, "b": "x"}, {"a": 2.5}]
    assert to_polars(rows).rows() == [(1.0, "x"), (2.5, None)]
    assert to_polars({"a": [1, 2], "b": ["x", None]}).rows() == [(1, "x"), (2, None)]
    assert to_polars({"a": 1, "b": b"xy"}).rows() == [(1, b"xy")]
    assert code_of(to_polars, 5).code == "DATA-KIND"
    assert code_of(to_polars, {"a": [1, 2], "b": [1]}).code == "DATA-KIND"
