"""What may be sent: malformed, deep, huge and hostile bodies are a client's mistake, never ours."""

from __future__ import annotations

import json
import struct
import time
import zlib
from io import BytesIO

import msgspec
import polars as pl
import pyarrow as pa
import pytest
from asking import STREAM, Server, codes, orders, post, rows_of, said
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.serve.answering.body import WIDEST, WholeRows, read_json, read_table
from assay.serve.problems import Rejected

ROW = rows_of(orders(1))[0]
FILE = "application/vnd.apache.arrow.file"


def arrow(file: bool = False, **how: str) -> bytes:
    out = BytesIO()
    frame = orders(50)
    if file:
        frame.write_ipc(out, **how)
    else:
        frame.write_ipc_stream(out, **how)
    return out.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"age": NaN}',
        b'{"age": Infinity}',
        b'{"age": 1e999}',
        b'{"age": 1' + b"0" * 5000 + b"}",
        b'"\xff\xfe"',
        b'{"age": "\\ud800"}',
        b"[" * 100_000,
        b'{"rows":' * 50_000,
        b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
        b"\xef\xbb\xbf{}",
        b"\x00" * 100,
    ],
    ids=range(14),
)
def test_what_is_no_json_is_refused(body):
    (response,) = Server().serve().ask(post(body))
    assert (response.status, codes(response)) == (400, ["SERVE-MALFORMED"])


@pytest.mark.parametrize(
    "body",
    [
        [],
        3,
        "text",
        None,
        True,
        {"rows": {}},
        {"rows": [3]},
        {"rows": [ROW, None]},
        {"rows": [[1, 2]]},
        {"rows": [ROW], "more": 1},
        {"columns": []},
        {"columns": {"age": 3}},
        {"columns": {"age": [3], "fee": [3, 4]}},
        {"columns": {"age": [3]}, "rows": [ROW]},
    ],
    ids=str,
)
def test_json_of_another_form_is_refused(body):
    (response,) = Server().serve().ask(post(body))
    assert (response.status, codes(response)) == (400, ["SERVE-BODY-FORM"])


@pytest.mark.parametrize(
    "body",
    [
        b'{"age": 1, "age": 2}',
        b'{"rows": [{"age": 1, "age": 2}]}',
        b'{"rows": [{"age" : 1, "age" : 2}]}',
        b'{"rows": [], "rows": []}',
        b'{"columns": {"age": [1], "age": [2]}}',
        b'{"a": "x:y", "b": "\\":", "age": 1, "age": 2}',
        b'{"a": "::", "age"\t:\n1, "age"\r\n: 2}',
    ],
)
def test_a_key_that_comes_twice_is_refused(body):
    (response,) = Server().serve().ask(post(body))
    assert (response.status, codes(response)) == (400, ["SERVE-DUPLICATE-KEY"])


KEYS = st.text(st.sampled_from('ab":\\ \n'), max_size=4)
PAIRS = st.lists(st.tuples(KEYS, st.text(st.sampled_from('a":\\ '), max_size=4)), max_size=5)
COLON = st.sampled_from([":", " :", ": ", "\t:\n"])


@settings(max_examples=300, deadline=None)
@given(PAIRS, COLON)
def test_exactly_repeated_keys_are_refused(pairs, colon):
    """Whatever stands in keys and cells, a repeated key is found and nothing else is refused."""
    text = "{" + ",".join(json.dumps(k) + colon + json.dumps(v) for k, v in pairs) + "}"
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        with pytest.raises(Rejected) as caught:
            read_json(text.encode())
        assert caught.value.code == "SERVE-DUPLICATE-KEY"
    else:
        assert read_json(text.encode()) == [dict(pairs)]


def test_a_column_may_be_called_rows_or_columns():
    assert read_json(b'{"rows": 3, "age": 1}') == [{"rows": 3, "age": 1}]
    assert read_json(b'{"columns": "a"}') == [{"columns": "a"}]
    assert read_json(b'{"rows": [{"rows": 3}]}') == [{"rows": 3}]
    assert read_json(b'{"columns": {"columns": [1]}}') == {"columns": [1]}


@pytest.mark.parametrize("kind", [STREAM, FILE, "text/csv"])
@pytest.mark.parametrize("body", [b"", b"nonsense", b"\xff" * 1000, b"ARROW1\x00\x00" * 20])
def test_what_is_no_table_is_refused(kind, body):
    (response,) = Server().serve().ask(post(body, kind=kind))
    assert response.status in (400, 422)
    assert codes(response)[0] in ("SERVE-MALFORMED", "SERVE-ABSENT-COLUMN")


def test_a_csv_file_with_a_column_twice_is_refused():
    body = b"age,fee,age\n1,2,3\n"
    (response,) = Server().serve().ask(post(body, kind="text/csv"))
    assert (response.status, codes(response)) == (400, ["SERVE-DUPLICATE-KEY"])


@pytest.mark.parametrize("file", [False, True])
def test_arrow_with_any_byte_changed_is_answered_or_refused(file):
    """Damage in the headers of the format is what a panic of the reader comes from."""
    whole = arrow(file)
    server, requests = Server().serve(outside="ignore", unseen="ignore"), []
    for place in [*range(0, 400, 7), *range(len(whole) - 300, len(whole), 7)]:
        for value in (0x00, 0x7F, 0xFF):
            body = whole[:place] + bytes([value]) + whole[place + 1 :]
            requests.append(post(body, kind=FILE if file else STREAM))
    for response in server.ask(*requests):
        assert response.status in (200, 400, 413, 422, 503), response.body
    assert server.traffic().failed == 0


def test_arrow_that_is_cut_off_is_refused():
    whole = arrow()
    server = Server().serve()
    for size in range(8, len(whole) * 3 // 4, 97):
        (response,) = server.ask(post(whole[:size], kind=STREAM))
        assert response.status in (400, 422)


def test_a_table_of_nothing_but_a_huge_count_is_refused_before_it_is_filled():
    """A column without cells takes no bytes however many rows it says it has."""
    out = BytesIO()
    pl.DataFrame({"nothing": pl.Series([None] * 50_000)}).write_ipc_stream(out)
    assert len(out.getvalue()) < 20_000
    (response,) = Server().serve().ask(post(out.getvalue(), kind=STREAM))
    assert (response.status, codes(response)) == (413, ["SERVE-TOO-MANY-ROWS"])


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("file", [False, True])
def test_packed_tables_are_refused_before_a_byte_is_unpacked(compression, file):
    """A buffer that says it unpacks to 2**62 bytes would end the process."""
    whole = bytearray(arrow(file, compression=compression))
    hostile = [whole]
    for at in range(0, len(whole) - 8, 8):
        if 0 < struct.unpack_from("<q", whole, at)[0] <= 400:
            hostile.append(whole[:at] + struct.pack("<q", 2**62) + whole[at + 8 :])
    requests = [post(bytes(body), kind=FILE if file else STREAM) for body in hostile]
    for response in Server().serve().ask(*requests):
        assert (response.status, codes(response)) == (400, ["SERVE-MALFORMED"])


def test_packed_tables_are_told_what_to_do():
    (response,) = Server().serve().ask(post(arrow(compression="zstd"), kind=STREAM))
    assert "without compression" in said(response)["errors"][0]["got"]


@pytest.mark.parametrize("file", [False, True])
def test_tables_that_pyarrow_wrote_are_read(file):
    table, out = orders(50).to_arrow(), BytesIO()
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    by_polars, by_pyarrow = (
        Server()
        .serve()
        .ask(post(arrow(), kind=STREAM), post(out.getvalue(), kind=FILE if file else STREAM))
    )
    assert said(by_pyarrow)["predictions"] == said(by_polars)["predictions"]


def test_text_in_any_script_goes_there_and_back():
    row = ROW | {"region": "Île"}
    body = json.dumps(row).encode()  # with escapes
    server = Server().serve()
    first, second = server.ask(post(body), post(msgspec.json.encode(row)))
    assert said(first)["predictions"] == said(second)["predictions"]
    assert said(first)["warnings"] == []


def zlib_as_csv(rows: int) -> bytes:
    """Return a stream of zlib whose first 16 kB are text: they are stored, the rest is packed."""
    start = (b"a,b\n" + b"1,2\n" * 4_103)[:16_416]
    stored = b"x\x01\x00" + struct.pack("<HH", 16_416, 65_535 - 16_416) + start
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stored + packer.compress(b"5,6\n" * rows) + packer.flush()


def test_a_csv_body_is_never_unpacked():
    body = zlib_as_csv(1_000_000)
    assert pl.read_csv(body).height > 1_000_000  # polars would
    with pytest.raises(Rejected, match="CSV"):
        read_table(body, b"text/csv")


def test_a_csv_body_may_begin_as_zlib_does():
    frame = read_table(b"x^2,b\n1,2\n", b"text/csv")
    assert frame.to_dict(as_series=False) == {"x^2": ["1"], "b": ["2"]}


@pytest.mark.parametrize("before", [b"", b'"a\nb",'])
def test_a_csv_body_of_too_many_columns_is_refused_before_it_is_read(before):
    body = before + b",".join(b"%d" % place for place in range(WIDEST + 1)) + b"\n"
    with pytest.raises(Rejected) as error:
        read_table(body, b"text/csv")
    assert (error.value.code, error.value.status) == ("SERVE-TOO-MANY-COLUMNS", 413)


def test_a_repeated_key_among_many_is_found_at_once():
    body = json.dumps({f"{place:x}": 1 for place in range(200_000)})[:-1] + ',"z":1,"z":2}'
    began = time.perf_counter()
    with pytest.raises(Rejected, match="twice"):
        read_json(body.encode())
    assert time.perf_counter() - began < 10  # it took minutes


WHOLE = '{"rows": [{"a": 1, "b c": "10:30", "é": null}, {"é": 2.5, "a": true, "b c": "y"}]}'


def test_whole_rows_are_read_as_columns() -> None:
    read = WholeRows(["é", "b c", "a"]).read(WHOLE.encode())
    assert read == {"é": [None, 2.5], "b c": ["10:30", "y"], "a": [1, True]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"rows": []}',
        b'{"rows": {"a": 1}}',
        b'{"rows": [{"a": 1}, {}]}',
        b'{"rows": [{"a": 1, "b": 2}]}',
        b'{"rows": [{"a": 1, "a": 2}]}',
        b'{"rows": [{"a": 1}], "rows": [{"a": 2}]}',
        b'{"rows": [{"a": 1}], "more": 1}',
        b'{"columns": {"a": [1]}}',
        b'{"rows": ' + b"[" * 5000,
    ],
)
def test_any_other_rows_are_left_to_the_whole_look(body: bytes) -> None:
    assert WholeRows(["a"]).read(body) is None


def test_a_column_whose_name_no_struct_takes_is_no_whole_row() -> None:
    assert WholeRows(['a"']).read(rb'{"rows": [{"a\"": 1}]}') is None
