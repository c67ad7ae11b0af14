"""Checks of the ledger's chain, of stored records, and of how labels follow from numbers."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import AssayError, Tampered
from assay.kernel.family import Predictions, Rows, class_labels
from assay.kernel.ledger import verify_chain
from assay.kernel.store import put_record
from assay.records.event import Draft, event_digest
from assay.records.report import Estimate
from assay.stores.memory import MemoryLedger, MemoryStore


@pytest.fixture
def events():
    ledger = MemoryLedger()
    for i in range(5):
        ledger.append(Draft(kind="k", subject=str(i), actor="a", data={"i": i}))
    return list(ledger.read())


def forged(event, **changes):
    event = msgspec.structs.replace(event, **changes)
    return msgspec.structs.replace(event, digest=event_digest(event))


def broken_at(events):
    with pytest.raises(Tampered) as caught:
        verify_chain(events)
    assert caught.value.code == "LEDGER-CHAIN"
    assert caught.value.exit_code == 5
    return caught.value.where


def test_a_whole_chain(events):
    assert verify_chain(events) == 5
    assert verify_chain([]) == 0


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize(
    "change",
    [{"subject": "x"}, {"at": "2000-01-01T00:00:00.000000+00:00"}, {"actor": "b"},
     {"agency": "user"}, {"data": {"i": 99}}, {"parents": ("p",)}, {"digest": "0" * 64},
     {"previous": "0" * 63 + "1"}, {"seq": 7}],
    ids=str,
)  # fmt: skip
def test_any_changed_field_breaks_it(events, at, change):
    events[at] = msgspec.structs.replace(events[at], **change)
    assert broken_at(events) == f"event {at}"


@pytest.mark.parametrize("at", range(4))
def test_a_forged_digest_breaks_the_next_link(events, at):
    events[at] = forged(events[at], subject="x")
    assert broken_at(events) == f"event {at + 1}"


def test_removed_added_and_moved_events_break_it(events):
    assert broken_at(events[1:]) == "event 0"
    assert broken_at([*events[:2], *events[3:]]) == "event 2"
    assert broken_at([*events[:2], events[1], *events[2:]]) == "event 2"
    assert broken_at([events[0], events[2], events[1], *events[3:]]) == "event 1"


def test_a_record_that_reads_back_differently_is_not_stored():
    store = MemoryStore()
    with pytest.raises(AssayError) as caught:
        put_record(store, Estimate(value=1, low=0.0, high=2.0, n=3))  # type: an int for a float
    assert caught.value.code == "RECORD-UNSTABLE"
    assert store.digests() == []


def answers(*rows):
    return Predictions(np.array(rows, dtype=float), ("no", "yes"))


def test_labels_of_two_classes_are_cut_at_one_half():
    both = answers((0.4, 0.6), (0.6, 0.4), (0.5, 0.5), (0.5 + 1e-12, 0.5 - 1e-12))
    assert both.codes().tolist() == [1, 0, 0, 0]
    assert both.codes(positive_code=1).tolist() == [1, 0, 1, 1]
    assert both.codes(positive_code=0).tolist() == [1, 0, 0, 0]
    assert both.codes(1).dtype == np.int64


def test_labels_of_many_classes_are_the_first_of_the_highest():
    values = np.array([[0.2, 0.4, 0.4], [0.2, 0.4, 0.4 + 1e-13], [0.1, 0.2, 0.7]])
    assert Predictions(values, ("a", "b", "c")).codes(positive_code=1).tolist() == [1, 1, 2]


def test_numbers_have_no_labels():
    with pytest.raises(ValueError, match="labels"):
        Predictions(np.array([1.0])).codes()


@given(st.floats(0, 1))
def test_the_last_bit_never_flips_a_label(p):
    up = min(1.0, float(np.nextafter(p, 2)))
    if round(p, 9) == round(up, 9):
        assert answers((1 - p, p)).codes(1) == answers((1 - up, up)).codes(1)


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        (pl.Series([0, 1]), ["0", "1"]),
        (pl.Series([0.0, 1.0, None]), ["0", "1", None]),
        (pl.Series([0.5, 1.0]), ["0.5", "1"]),
        (pl.Series([1.0, float("nan"), 1e300]), ["1", "NaN", "1e+300"]),
        (pl.Series([True, False]), ["true", "false"]),
        (pl.Series(["Yes", " no"]), ["Yes", " no"]),
        (pl.Series(["b", "a"], dtype=pl.Categorical), ["b", "a"]),
    ],
)
def test_class_labels(target, labels):
    assert class_labels(target).to_list() == labels


@given(st.lists(st.none() | st.floats() | st.integers(-9, 9).map(float), max_size=8))
def test_a_part_of_a_column_has_the_labels_of_the_whole(values):
    target = pl.Series(values, dtype=pl.Float64)
    alone = [class_labels(target[i : i + 1]).item() for i in range(len(target))]
    assert class_labels(target).to_list() == alone


def test_rows_without_a_target_say_so():
    with pytest.raises(ValueError, match="target"):
        _ = Rows(pl.DataFrame()).truth
