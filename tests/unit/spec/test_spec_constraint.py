from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.spec.constraint import ListOf, MapOf, Number, OneOf, Text

CONSTRAINTS = [
    Text(),
    Text(empty=True),
    Text(pattern=r"[a-z]+", describe="lower-case letters"),
    Number(),
    Number(low=0),
    Number(low=0, open=True),
    Number(high=3),
    Number(low=0, high=0.9),
    Number(low=0, high=1, open=True),
    Number(low=2, high=20, whole=True),
    Number(whole=True),
    OneOf(("error", "drop")),
    OneOf((1, True, None)),
    ListOf(Text()),
    ListOf(Text(), length=2),
    ListOf(Number(low=0, whole=True)),
    MapOf(OneOf(("number", "text"))),
    MapOf(ListOf(Number(high=1))),
]


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=str)
def test_bad_values_are_refused(constraint):
    bad = constraint.bad_values()
    assert bad
    assert [value for value in bad if constraint.accepts(value)] == []


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=str)
def test_says_what_is_allowed(constraint):
    assert constraint.allowed
    assert all(isinstance(text, str) and text for text in constraint.allowed)


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (Number(), "a number"),
        (Number(low=0), "a number of at least 0"),
        (Number(low=0, open=True), "a number above 0"),
        (Number(low=0, high=0.9), "a number from 0 to 0.9"),
        (Number(low=0, high=1, open=True), "a number between (not at) 0 and 1"),
        (Number(low=2, high=20, whole=True), "a whole number from 2 to 20"),
        (ListOf(Text(), length=2), "a list of 2 of text"),
    ],
)
def test_words(constraint, words):
    assert constraint.allowed == (words,)


numbers = st.floats(-1e6, 1e6)


@given(low=numbers, width=st.floats(0.5, 1e6), open_=st.booleans(), share=st.floats(-0.5, 1.5))
def test_number_keeps_its_range(low, width, open_, share):
    constraint = Number(low=low, high=low + width, open=open_)
    value = low + width * share
    inside = low < value < low + width if open_ else low <= value <= low + width
    assert constraint.accepts(value) == inside
    assert not any(constraint.accepts(bad) for bad in constraint.bad_values())


@given(st.one_of(st.text(), st.booleans(), st.none(), st.lists(st.integers()), st.just(math.nan)))
def test_what_is_no_number_is_refused(value):
    assert not Number().accepts(value)


@given(st.integers())
def test_whole_numbers(value):
    assert Number(whole=True).accepts(value)
    assert not Number(whole=True).accepts(value + 0.5)


@given(st.lists(st.one_of(st.integers(-5, 5), st.text(max_size=2)), max_size=4))
def test_lists_keep_their_items_rule(values):
    rule = ListOf(Number(low=0))
    assert rule.accepts(values) == all(isinstance(v, int) and v >= 0 for v in values)
    assert ListOf(Number(low=0), length=2).accepts(values) == (
        rule.accepts(values) and len(values) == 2
    )


@given(st.dictionaries(st.text(), st.integers(-5, 5)))
def test_tables_keep_their_items_rule(values):
    assert MapOf(Number(low=0)).accepts(values) == all(v >= 0 for v in values.values())


@given(st.text())
def test_text(value):
    assert Text().accepts(value) == bool(value.strip())
    assert Text(empty=True).accepts(value)
    assert Text(pattern="[a-c]*x").accepts(value) == (
        value.endswith("x") and set(value[:-1]) <= set("abc")
    )


def test_one_of_tells_types_apart():
    assert OneOf((1, "1")).accepts(1)
    assert not OneOf((1,)).accepts(True)
    assert not OneOf((1,)).accepts(1.0)
