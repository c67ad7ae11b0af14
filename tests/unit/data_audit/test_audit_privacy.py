"""Personal data is found by its cells, and shown only masked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from assay.data.audit.subject import Subject
from assay.data.audit.values import personal
from assay.data.audit.values.privacy import mask, personal_data, veiled
from assay.records.audit import Finding
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.spec import SplitSection

ROWS = 600
RNG = np.random.default_rng(0)
NAMES = ["Anna", "Peter", "Maria", "Thomas", "Laura", "Paul", "Julia", "Mark", "Sara", "David"]
FOREIGN = [
    f"{a}{b}" for a in ("Zwe", "Ngo", "Bja", "To", "Ki", "Mbe") for b in ("lina", "zi", "rte", "ve")
]
LAST = ["Smith", "Müller", "Rossi", "Garcia", "Dubois", "Novak", "O'Neil", "Keller", "Wong", "Berg"]


def pick(words):
    return [words[i] for i in RNG.integers(0, len(words), ROWS)]


def digits(count):
    return ["".join(map(str, RNG.integers(0, 10, count))) for _ in range(ROWS)]


def proven(check, make):
    """Return numbers whose last digits are those that pass the check."""
    return [next(text for text in make(number) if check(text)) for number in digits(16)]


def german_ids():
    """Return numbers of ten digits, one of them twice, and the last that passes the check."""
    orders = (RNG.permutation(np.arange(1, 10)) for _ in range(ROWS))
    starts = ["".join(map(str, (*order, order[4]))) for order in orders]
    return [next(f"{s}{d}" for d in range(10) if personal.german(f"{s}{d}")) for s in starts]


def ended(start, count, width=1, end=""):
    """Return a maker of numbers with a start, so many free digits and every possible end."""
    return lambda free: (f"{start}{free[:count]}{last:0{width}d}{end}" for last in range(10**width))


COLUMNS = {
    "e-mail addresses": [f"{a.lower()}.{i}@example.com" for i, a in enumerate(pick(NAMES))],
    "bank account numbers": proven(
        personal.iban, lambda free: (f"CH{check:02d}0076{free[:13]}" for check in range(100))
    ),
    "card numbers": proven(personal.luhn, ended("4", 14)),
    "US social security numbers": [f"{a}-{b}-{c}" for a, b, c in zip(
        RNG.integers(100, 600, ROWS), RNG.integers(10, 99, ROWS), RNG.integers(1000, 9999, ROWS),
        strict=True)],
    "UK national insurance numbers": [f"AB{d[:6]}C" for d in digits(6)],
    "Swiss AHV numbers": proven(personal.ean13, ended("756", 9)),
    "French social security numbers": proven(personal.french, ended("18505", 8, 2)),
    "German tax numbers": german_ids(),
    "Spanish identity numbers": [f"{d}{'TRWAGMYFPDXBNJZSQVHLCKE'[int(d) % 23]}" for d in digits(8)],
    "Italian tax codes": [f"RSSMRA{d[:2]}A{d[2:4]}H{d[4:7]}K" for d in digits(7)],
    "Brazilian taxpayer numbers": proven(personal.brazilian, ended("", 9, 2)),
    "internet addresses (IP)": [".".join(map(str, p)) for p in RNG.integers(1, 255, (ROWS, 4))],
    "telephone numbers": [f"+41 79 {d[:3]} {d[3:5]} {d[5:]}" for d in digits(7)],
    "postal addresses": [f"{n} {s}" for n, s in zip(
        RNG.integers(1, 200, ROWS), pick(["Main Street", "Oak Ave", "Park Road", "High St"]),
        strict=True)],
    "positions on the map": [f"47.{d[:5]}, 8.{d[5:]}" for d in digits(10)],
    "names of persons": [f"{a} {b}" for a, b in zip(pick(NAMES), pick(LAST), strict=True)],
    "given names": pick(NAMES),
}  # fmt: skip


def subject_of(table, features=None, dropped=()):
    problem = Problem(
        family="tabular",
        task="binary",
        target="y",
        classes=("class 0", "class 1"),
        positive="class 1",
        features=tuple(table.columns if features is None else features),
        primary="roc_auc",
    )
    snapshot = DataSnapshot(
        source="", content="c", table="t", rows=table.height, columns=(), dropped=dropped
    )
    parts = np.zeros(table.height, np.int8)
    return Subject(problem, snapshot, table, parts, SplitSection(), ())


def found(table, **more):
    return list(personal_data(subject_of(table, **more)))


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_kind_is_told_by_its_cells_alone_and_masked(honest, kind):
    cells = COLUMNS[kind]
    table = honest(0, ROWS).with_columns(pl.Series("field", cells))
    (finding,) = found(table, features=["field"])
    assert (finding.where, finding.severity) == ("field", "warning")
    assert finding.evidence["kind"] == kind
    shown = json.dumps(finding.evidence) + finding.message
    assert not any(cell in shown for cell in cells)


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("homePhone", [f"0{d}" for d in digits(9)], "telephone numbers"),
        ("last_name", pick(LAST), "names of persons"),
        ("Patient Name", pick([f"{b}, X." for b in LAST]), "names of persons"),
        ("first_name", pick([*FOREIGN, *NAMES[:6]]), "given names"),
    ],
)  # fmt: skip
def test_a_telling_name_of_the_column_adds(honest, name, cells, kind):
    table = honest(0, ROWS)
    (finding,) = found(table.with_columns(pl.Series(name, cells)))
    assert finding.evidence["kind"] == kind
    assert found(table.with_columns(pl.Series("field", cells))) == []


def test_numbers_read_as_numbers_are_checked_too(honest):
    cards = [float(cell) for cell in COLUMNS["card numbers"]]
    (finding,) = found(honest(0, ROWS).with_columns(pl.Series("field", cards)))
    assert finding.evidence["kind"] == "card numbers"


def test_dates_of_birth_and_exact_places_need_a_name(honest):
    born = [
        datetime(1950, 1, 1, tzinfo=UTC) + timedelta(days=int(d))
        for d in RNG.integers(0, 2**14, ROWS)
    ]
    place = RNG.uniform(45, 48, ROWS)
    table = honest(0, ROWS).with_columns(
        pl.Series("date_of_birth", born), pl.Series("Latitude", place)
    )
    kinds = {finding.where: finding.evidence["kind"] for finding in found(table)}
    assert kinds == {"date_of_birth": "dates of birth", "Latitude": "positions on the map"}
    coarse = table.with_columns(pl.col("Latitude").round(2))
    renamed = coarse.rename({"date_of_birth": "sold_on"})
    assert found(renamed) == []


def test_addresses_inside_texts(honest):
    text = "The customer wrote about a late delivery and asked us to reply soon"
    cells = [
        f"{text} to {mail}." if i % 20 == 0 else f"{text} {i}"
        for i, mail in enumerate(COLUMNS["e-mail addresses"])
    ]
    (finding,) = found(honest(0, ROWS).with_columns(pl.Series("letter", cells)))
    assert finding.evidence["kind"] == "e-mail addresses inside its texts"
    assert "example.com" not in json.dumps(finding.evidence)


def test_what_no_model_uses_is_a_note_and_what_was_left_out_is_told(honest):
    table = honest(0, ROWS).with_columns(pl.Series("mail", COLUMNS["e-mail addresses"]))
    kept, gone = found(table, features=["weight"], dropped=("customerPhone", "weight_2"))
    assert (kept.where, kept.severity, kept.evidence["used"]) == (
        "mail",
        "note",
        "kept, not a feature",
    )
    assert (gone.where, gone.severity) == ("customerPhone", "note")
    assert "left out" in gone.message


NOT_PERSONAL = {
    "version": [f"{a}.{b}.{c}" for a, b, c in RNG.integers(0, 30, (ROWS, 3))],
    "account_no": [f"C-{d}" for d in digits(8)],
    "number": [float(d) for d in digits(11)],
    "sixteen": digits(16),
    "city": pick(["Paris", "Charlotte", "Berlin", "Rome", "Oslo", "Florence", "Bern", "Wien"]),
    "drug": pick(["Aspirin Plus", "Ibuprofen", "Martin's Balm", "Vitamin C", "Zinc", "Iron"]),
    "when": [f"2021-{m:02d}-{d:02d}" for m, d in RNG.integers(1, 13, (ROWS, 2))],
    "size": [f"{a} x {b} mm" for a, b in RNG.integers(1, 99, (ROWS, 2))],
    "name": pick(["Golden Delicious", "Cox Orange", "Gala", "Fuji", "Braeburn", "Elstar"]),
    "long_term": RNG.normal(size=ROWS),
    "mobile_share": RNG.random(ROWS),
    "model_name": pick(["Model S", "Golf GTI", "Clio", "Mini", "Polo", "Fiesta", "Corsa"]),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_PERSONAL)
def test_what_only_resembles_it(honest, name):
    assert found(honest(0, ROWS).with_columns(pl.Series(name, NOT_PERSONAL[name]))) == []


@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes])
def test_measurements_are_not_personal(load):
    data = load()
    table = pl.DataFrame(dict(zip(map(str, data.feature_names), data.data.T, strict=True)))
    assert found(table.with_columns(pl.lit("class 0").alias("y"))) == []


@pytest.mark.parametrize(
    ("cell", "masked"),
    [
        ("john.smith@example.com", "j***.s***@e***.com"),
        ("Anna Müller", "A*** M***"),
        ("+41 79 123 45 67", "+4*** 7*** 1*** 4*** 6***"),
        ("192.168.10.1", "1***.1***.1***.1***"),
    ],
)
def test_a_masked_cell(cell, masked):
    assert mask(cell) == masked


def test_other_findings_do_not_show_such_cells():
    table = pl.DataFrame({"mail": ["ann@example.com", "bob@example.com"], "town": ["Bern", "Rome"]})
    evidence = {"pairs": [{"row": 1, "mail": "ann@example.com", "town": "Bern"}], "n": 2}
    other = Finding(code="X", severity="note", where="rows", message="", evidence=evidence)
    mine = Finding(code="PERSONAL-DATA", severity="note", where="mail", message="")
    assert veiled([other], table) == [other]
    first, second = veiled([other, mine], table)
    assert first.evidence == {
        "pairs": [{"row": 1, "mail": "a***@e***.com", "town": "Bern"}],
        "n": 2,
    }
    assert second == mine
