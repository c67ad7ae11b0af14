"""Labels that contradict what was known are found; sound ones, and honest shifts, pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.lifecycle.retraining.guard import _parts, contradictions
from assay.lifecycle.retraining.live import Known

Labels = NDArray[np.int64]


def world(rows: int, seed: int, shift: float = 0.0) -> tuple[pl.DataFrame, NDArray[np.float64]]:
    """Return rows and their true chances; `shift` moves the inputs alone."""
    rng = np.random.default_rng(seed)
    fee, zone = rng.normal(shift, 1, rows), rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])
    chance = 1 / (1 + np.exp(-(3 * fee + (zone == "b") - 1)))
    return pl.DataFrame({"fee": fee, "zone": zone}), chance


def drawn(chance: NDArray[np.float64], seed: int) -> Labels:
    return (np.random.default_rng(seed + 1_000).random(len(chance)) < chance).astype(np.int64)


def known() -> Known:
    table, chance = world(3_000, 1)
    return Known(table, drawn(chance, 1), both(chance))


def both(chance: NDArray[np.float64]) -> Predictions:
    return Predictions(np.column_stack([1 - chance, chance]), ("no", "yes"))


def found(
    spoil: Callable[[pl.DataFrame, Labels], Labels] = lambda _, labels: labels,
    rows: int = 1_500, seed: int = 2, shift: float = 0.0,
) -> list[str]:  # fmt: skip
    table, chance = world(rows, seed, shift)
    labels = spoil(table, drawn(chance, seed))
    came = np.arange(rows)
    return [one.where for one in contradictions(known(), table, labels, both(chance), 1, came)]


def flips(share: float) -> Callable[[pl.DataFrame, Labels], Labels]:
    def spoil(_: pl.DataFrame, labels: Labels) -> Labels:
        hit = np.random.default_rng(9).random(len(labels)) < share
        return np.where(hit, 1 - labels, labels)

    return spoil


@pytest.mark.parametrize("seed", range(2, 12))
@pytest.mark.parametrize("shift", [0.0, 0.7, -0.7])
def test_sound_labels_pass_wherever_the_inputs_are(seed: int, shift: float) -> None:
    assert found(seed=seed, shift=shift) == []


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_flips_are_seen_where_the_model_was_sure(share: float) -> None:
    assert found(flips(share))[0] in ("scores", "all")


def test_labels_of_a_segment_that_are_all_one_class_are_named() -> None:
    def spoil(table: pl.DataFrame, labels: Labels) -> Labels:
        return np.where((table["zone"] == "c").to_numpy(), 0, labels)

    assert "where zone is c" in found(spoil)


def test_a_burst_is_named_by_its_place() -> None:
    def spoil(_: pl.DataFrame, labels: Labels) -> Labels:
        return np.where(np.arange(len(labels)) // 75 == 3, 1 - labels, labels)

    assert any("stretch 4 of 20" in where for where in found(spoil))


def test_among_rows_of_a_new_kind_bursts_and_copies_are_found() -> None:
    old = known()
    table, chance = world(1_500, 2)
    labels = drawn(chance, 2)
    new = np.arange(1_500) % 3 == 0
    against = np.where(new, 1 - labels, labels)  # as of a kind that the model is wrong about
    came = np.arange(1_500)

    def where(labels: Labels) -> list[str]:
        found = contradictions(old, table, labels, both(chance), 1, came, ~new)
        return [one.where for one in found]

    assert where(against) == []
    burst = np.where(new & (np.arange(1_500) // 180 == 3), 1 - against, against)
    assert where(burst)
    assert all("of rows of a new kind" in place for place in where(burst))
    again = pl.concat([table[:1_450], old.table[:50]])
    answers = both(np.concatenate([chance[:1_450], old.answers.values[:50, 1]]))
    other = np.concatenate([labels[:1_450], 1 - np.asarray(old.truth[:50])])
    like = np.arange(1_500) < 1_450
    found = contradictions(old, again, other, answers, 1, None, like)
    assert [one.where for one in found] == ["copies"]


def test_values_that_are_as_frequent_have_a_fixed_order() -> None:
    cells = pl.Series("zone", [f"z{place:02}" for place in range(20)] * 40)
    names = [[name for name, *_ in _parts(c, c)] for c in (cells, cells.reverse())]
    assert names[0] == names[1] == [f"z{place:02}" for place in range(8)]


def test_rows_that_repeat_training_rows_with_another_label_are_counted() -> None:
    old = known()
    table, chance = world(1_500, 2)
    repeated = pl.concat([table[:1_450], old.table[:50]])
    labels = np.concatenate([drawn(chance, 2)[:1_450], 1 - np.asarray(old.truth[:50])])
    answers = both(np.concatenate([chance[:1_450], old.answers.values[:50, 1]]))
    copies = [c for c in contradictions(old, repeated, labels, answers, 1) if c.where == "copies"]
    assert copies[0].rows == 50
    assert "50 of 50 rows" in copies[0].text
    honest = np.concatenate([drawn(chance, 2)[:1_450], old.truth[:50]])
    assert contradictions(old, repeated, honest, answers, 1) == ()


@pytest.mark.parametrize(("share", "refused"), [(0.0, False), (0.2, True)])
def test_numbers_that_lie_far_off_are_seen(share: float, *, refused: bool) -> None:
    rng = np.random.default_rng(3)
    table, truth = {}, {}
    for name, rows in (("known", 3_000), ("fresh", 1_500)):
        fee = rng.normal(0, 1, rows)
        table[name], truth[name] = pl.DataFrame({"fee": fee}), 5 * fee + rng.normal(0, 1, rows)
    answers = {name: Predictions(5 * t["fee"].to_numpy(), ()) for name, t in table.items()}
    hit = rng.random(1_500) < share
    said = np.where(hit, rng.permutation(truth["fresh"]), truth["fresh"])
    old = Known(table["known"], truth["known"], answers["known"])
    assert bool(contradictions(old, table["fresh"], said, answers["fresh"], 0)) is refused


def test_more_than_two_classes() -> None:
    rng = np.random.default_rng(4)
    values = rng.dirichlet((0.3, 0.3, 0.3), 4_500)
    truth = np.array([rng.choice(3, p=row) for row in values])
    table = pl.DataFrame({"x": rng.normal(size=4_500)})
    old = Known(table[:3_000], truth[:3_000], Predictions(values[:3_000], ("a", "b", "c")))
    fresh = Predictions(values[3_000:], ("a", "b", "c"))
    assert contradictions(old, table[3_000:], truth[3_000:], fresh, 0) == ()
    spoiled = np.where(rng.random(1_500) < 0.2, (truth[3_000:] + 1) % 3, truth[3_000:])
    assert contradictions(old, table[3_000:], spoiled, fresh, 0)
