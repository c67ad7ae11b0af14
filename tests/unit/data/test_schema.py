"""Which type a column is given."""

from __future__ import annotations

import datetime as dt
import uuid

import polars as pl
import pytest

from assay.data.coerce import DAY_FIRST, DECIMAL_COMMA, coerce, plain, to_text, without_missing
from assay.data.dates import parse_dates
from assay.data.schema import infer
from assay.errors import DataError

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "again"]


def typed(values, name="x", target=False):
    cells = without_missing(plain(pl.Series(name, values)))
    found = infer(cells, is_target=target)
    return found, coerce(cells, found.type, found.reading)


@pytest.mark.parametrize(
    ("values", "kind", "reading", "expected"),
    [
        (["1", "2.5", "-3e2", "+4", ".5", "6."], "number", "", [1, 2.5, -300, 4, 0.5, 6]),
        (["29.85", " ", "1889.5"], "number", "", [29.85, None, 1889.5]),
        (["1,5", "2,25", "3"], "number", DECIMAL_COMMA, [1.5, 2.25, 3]),
        (["1.234,5", "12.000,25"], "number", DECIMAL_COMMA, [1234.5, 12000.25]),
        (["1,234.5", "12,000"], "number", "", [1234.5, 12000]),
        (["1,234", "2,345"], "number", "", [1234, 2345]),
        (["0,512", "0,25"], "number", DECIMAL_COMMA, [0.512, 0.25]),
        (["€ 1,200.50", "-$5", "7 £"], "number", "", [1200.5, -5, 7]),
        (["45 %", "12.5%"], "number", "", [45, 12.5]),
        (["1 234", "5\u00a0678,5", "9’000"], "number", DECIMAL_COMMA, [1234, 5678.5, 9000]),
        (["inf", "-Infinity", "1"], "number", "", [float("inf"), float("-inf"), 1]),
        (["\u22125", "3"], "number", "", [-5, 3]),
        (["01234", "98101"], "category", "", ["01234", "98101"]),
        (["1", "2", "three"], "category", "", ["1", "2", "three"]),
        (["1,5", "1.5"], "category", "", ["1,5", "1.5"]),
        (["1_000", "2"], "category", "", ["1_000", "2"]),
        (["yes", "No", "YES"], "boolean", "", [True, False, True]),
        (["t", "f", None], "boolean", "", [True, False, None]),
        (["true"], "boolean", "", [True]),
        (["yes", "no", "0", "1"], "boolean", "", [True, False, False, True]),
        (["0", "1", "1"], "number", "", [0, 1, 1]),
        (["f", "m"], "category", "", ["f", "m"]),
        (["f", "f"], "category", "", ["f", "f"]),
        (["n", "y", "maybe"], "category", "", ["n", "y", "maybe"]),
    ],
)  # fmt: skip
def test_text_cells(values, kind, reading, expected):
    found, series = typed(values)
    assert (found.type, found.reading) == (kind, reading)
    assert series.to_list() == expected


@pytest.mark.parametrize(
    ("values", "reading", "note", "first"),
    [
        (["2020-01-31", "2020-02-01"], "", "", "2020-01-31 00:00:00"),
        (["2020-01-31T10:30:00Z", "2020-01-31"], "", "", "2020-01-31 10:30:00"),
        (["2020-01-31 10:30:00.25+02:00"], "", "", "2020-01-31 08:30:00.250000"),
        (["1949-01", "1949-02"], "", "", "1949-01-01 00:00:00"),
        (["2020/1/31", "2020/2/1"], "", "", "2020-01-31 00:00:00"),
        (["31.1.2020", "01.02.2020"], "", "", "2020-01-31 00:00:00"),
        (["31/01/2020", "01/02/2020"], DAY_FIRST, DAY_FIRST, "2020-01-31 00:00:00"),
        (["01/02/2020", "31/01/2020"], DAY_FIRST, DAY_FIRST, "2020-02-01 00:00:00"),
        (["01/31/2020", "02/01/2020"], "", "", "2020-01-31 00:00:00"),
        (["01/02/2020", "02/03/2020"], "", "month-first", "2020-01-02 00:00:00"),
        (["1/31/69 1:05 PM", "1/1/68 12:00 am"], "", "", "1969-01-31 13:05:00"),
        (["Jan 5, 2020", "December 31 2019"], "", "", "2020-01-05 00:00:00"),
        (["5 Jan 2020", "31-Dec-1995"], "", "", "2020-01-05 00:00:00"),
        (["2020-01-31", "31.01.2020"], "", "date-forms", "2020-01-31 00:00:00"),
    ],
)
def test_dates(values, reading, note, first):
    found, series = typed(values)
    assert (found.type, found.reading, found.note) == ("datetime", reading, note)
    assert str(series[0]) == first
    assert series.null_count() == 0


@pytest.mark.parametrize(
    "values", [["2020-13-01", "2020-01-01"], ["12:30", "13:30"], ["1-2", "3-4"], ["2020", "2021"]]
)
def test_what_is_no_date(values):
    assert typed(values)[0].type != "datetime"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["2020-01-31", "31.01.2020", "Jan 5, 2020"], ["Jan 5, 2020", "31.01.2020"]),
        (["31/01/2020", "01/31/2020"], ["31/01/2020", "01/31/2020"]),
    ],
)
def test_dates_written_in_too_many_ways(values, named):
    with pytest.raises(DataError) as caught:
        typed(values)
    assert caught.value.code == "DATA-DATE-FORMATS"
    assert all(any(name in example for example in caught.value.got) for name in named)


def test_a_few_dates_among_words_are_words():
    values = ["2020-01-31", "31.01.2020", "Jan 5, 2020", *[f"w{i}" for i in range(9)]]
    assert typed(values)[0].type == "category"


def test_moments_survive_any_way_to_write_them():
    day = dt.datetime(2021, 3, 4)  # what a typed column holds
    forms = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%b %d, %Y", "%d %B %Y", "%d-%b-%Y", "%d-%m-%Y")
    cells = pl.Series("d", [day.strftime(form) for form in forms])
    assert parse_dates(cells, day_first=True).to_list() == [day] * len(forms)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("row", list(range(1, 101)), "id"),
        ("row", [i * 2 for i in range(100)], "id"),
        ("customer_id", [i * 977 % 100_003 for i in range(100)], "id"),
        ("price", [i * 977 % 100_003 for i in range(100)], "number"),
        ("measure", [i * 1.5 for i in range(100)], "number"),
        ("year", list(range(1900, 2000)), "number"),
        ("rank", list(range(1, 11)), "number"),
        ("key", [str(uuid.UUID(int=i * 7**30)) for i in range(50)], "id"),
        ("code", [f"C{i}" for i in range(50)], "id"),
        ("code", [f"C{i % 20}" for i in range(50)], "category"),
        ("code", [f"KD-{i % 46}" for i in range(50)], "id"),
        (
            "surname",
            ["".join(chr(97 + int(d)) for d in str(i % 46)) for i in range(50)],
            "category",
        ),
        ("row", [str(i) for i in range(1, 101)], "id"),
        ("note", [" ".join(WORDS[i % 5 :]) + str(i) for i in range(50)], "text"),
        ("plan", ["a plan of more than four words", "another plan of many words"] * 30, "category"),
        ("name", [f"Ann Lee{i}" for i in range(50)], "text"),
        ("essay", ["x" * 300, "y" * 300] * 10, "text"),
        ("flag", [True, False, None], "boolean"),
        ("when", [dt.date(2020, 1, 1), None], "datetime"),
    ],
)
def test_kinds(name, values, kind):
    assert typed(values, name)[0].type == kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["yes", "no"] * 20, "category"),
        (list(range(40)), "number"),
        ([str(i) for i in range(40)], "number"),
        ([f"C{i}" for i in range(40)], "category"),
        ([True, False] * 20, "boolean"),
        (["True", "False"] * 20, "category"),
        (["1,5", "2,5"], "number"),
    ],
)
def test_a_target_is_never_text_or_id(values, kind):
    found, series = typed(values, target=True)
    assert found.type == kind
    assert series.null_count() == 0


@pytest.mark.parametrize("values", [[1, 2], [1.0, 2.0], ["1", "2"], ["1.0", "2.0"]])
def test_numbers_as_words_are_the_same_words(values):
    assert to_text(pl.Series(values)).to_list() == ["1", "2"]


def test_odd_numbers_as_words():
    cells = to_text(pl.Series([0.5, float("inf"), None, 1e300, -0.0]))
    assert cells.to_list() == ["0.5", "inf", None, "1e+300", "0"]
    assert to_text(pl.Series([True, False])).to_list() == ["true", "false"]


@pytest.mark.parametrize(
    "series",
    [
        pl.Series(["a", "b"], dtype=pl.Categorical),
        pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])),
    ],
)
def test_dictionary_types_are_text(series):
    assert plain(series).to_list() == ["a", "b"]


def test_plain_types():
    assert plain(pl.Series([dt.timedelta(seconds=90)])).to_list() == [90.0]
    zoned = pl.Series(["2020-01-01T00:00:00+02:00"]).str.to_datetime(time_zone="Europe/Berlin")
    assert str(plain(zoned)[0]) == "2019-12-31 22:00:00"
    assert plain(pl.Series([None, None])).dtype == pl.String
    assert plain(pl.Series(["1.50"]).cast(pl.Decimal(10, 2))).to_list() == [1.5]


def test_missing_words_and_numbers():
    words = ["NA", "n/a", "?", "", " ", "null", "None", "nan", "-", "unknown", "a"]
    assert without_missing(pl.Series(words), ["unknown"]).drop_nulls().to_list() == ["a"]
    assert without_missing(pl.Series([1.0, float("nan"), -999.0]), ["-999"]).to_list() == [
        1.0,
        None,
        None,
    ]
    assert without_missing(pl.Series([1, -999]), ["-999"]).to_list() == [1, None]
