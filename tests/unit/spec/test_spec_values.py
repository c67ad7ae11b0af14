from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.spec.values import (
    Duration,
    Label,
    Threshold,
    connects_with_secret,
    holds_secret,
    label,
    quantity,
    redact,
)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("60s", "s", 60.0),
        ("2m", "s", 120.0),
        ("1h", "s", 3600.0),
        ("500ms", "s", 0.5),
        (" 1.5 h ", "s", 5400.0),
        ("10ms", "ms", 10.0),
        ("0.3s", "ms", 300.0),
        ("5MB", "bytes", 5e6),
        ("1.1MB", "bytes", 1.1e6),
        ("5mb", "bytes", 5e6),
        ("2 KiB", "bytes", 2048.0),
        (7, "", 7.0),
        (-0.5, "target", -0.5),
    ],
)
def test_quantities(value: object, unit: str, expected: float) -> None:
    assert quantity(value, unit) == expected


@pytest.mark.parametrize(
    "value",
    ["", "s", "-5s", "1e3s", "10 parsecs", "10ms", True, None, [1], math.nan, math.inf, 10**400],
)
def test_what_is_no_quantity_of_bytes(value: object) -> None:
    assert quantity(value, "bytes") is None


def test_a_unit_means_nothing_to_a_metric_without_one() -> None:
    assert quantity("10ms", "") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Yes", "Yes"), (1, "1"), (1.0, "1"), (0.5, "0.5"), (True, "true"), (-999, "-999")],
)
def test_labels_are_text(value: str | float, expected: str) -> None:
    assert label(value) == expected


@pytest.mark.parametrize("rule", [Duration(), Threshold(), Label(), Label(empty=True)])
def test_rules_refuse_their_bad_values(rule: Duration | Threshold | Label) -> None:
    assert [bad for bad in rule.bad_values() if rule.accepts(bad)] == []
    assert rule.allowed


def test_a_label_fits_64_bits() -> None:
    assert Label().accepts(2**63 - 1)
    assert not Label().accepts(2**63)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:hunter2@db/x",
        "postgresql://ann:hun@ter2@db/x",
        "postgresql://:hunter2@db",
        "postgresql://db/x?user=ann&password=hunter2",
        "postgresql://db/x?sslpassword=hunter2",
        "host=db PASSWORD = 'hunter2'",
    ],
)
def test_passwords_are_seen_and_blacked_out(text: str) -> None:
    assert connects_with_secret(text)
    assert "hunter2" not in redact(text)
    assert "ter2" not in redact(text)


@pytest.mark.parametrize("text", ["$DATABASE", "postgresql://ann@db/x", "http://a.b/c:d", "a@b.c"])
def test_no_password_is_seen_where_none_is(text: str) -> None:
    assert not holds_secret(text)
    assert redact(text) == text


@given(st.text())
def test_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)
