"""Detectors over a stream against river's, and going on from plain data."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from river import drift

from assay.kernel.family import Predictions
from assay.watch.drift.losses import LOSSES, follow, losses_of
from assay.watch.drift.stream import Adwin, PageHinkley


def stream(seed: int, n: int = 1_500) -> list[float]:
    """Return numbers between 0 and 1 whose mean changes three times."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(0.1, 0.6, 4)
    if seed % 2:
        parts = [(rng.random(n) < mean).astype(float) for mean in means]
    else:
        parts = [np.clip(rng.normal(mean, 0.1, n), 0, 1) for mean in means]
    return np.concatenate(parts).tolist()


@pytest.mark.parametrize("seed", range(6))
def test_adwin_alarms_where_rivers_does(seed):
    """River forgets everything after an alarm, so each stretch is compared from a fresh start."""
    ours, theirs, alarms = Adwin(), drift.ADWIN(), 0
    for value in stream(seed):
        alarm = ours.update(value)
        theirs.update(value)
        assert alarm == theirs.drift_detected
        if alarm:
            ours, theirs, alarms = Adwin(), drift.ADWIN(), alarms + 1
        else:
            assert ours.width == theirs.width
            assert ours.mean == pytest.approx(theirs.estimation)
    assert alarms >= 2


@pytest.mark.parametrize("seed", range(6))
def test_page_hinkley_alarms_where_rivers_does(seed):
    ours, theirs, alarms = PageHinkley(threshold=10), drift.PageHinkley(threshold=10), 0
    for value in stream(seed):
        alarm = ours.update(value)
        theirs.update(value)
        assert alarm == theirs.drift_detected
        alarms += alarm
    assert alarms >= 2


def test_adwin_keeps_what_is_new_after_an_alarm_and_little_of_it():
    ours = Adwin()
    for value in [0.2, 0.4] * 20_000 + [0.7, 0.9] * 4_000:
        ours.update(value)
    assert ours.mean == pytest.approx(0.8, abs=0.01)
    assert sum(map(len, ours.buckets)) < 6 * 16


@pytest.mark.parametrize("detector", [Adwin, PageHinkley])
def test_a_detector_goes_on_from_plain_data(detector):
    whole, resumed = detector(), detector()
    for value in stream(3):
        resumed = msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(resumed))), detector)
        assert whole.update(value) == resumed.update(value)
    assert whole == resumed


def test_losses_that_rise_are_told_and_losses_that_fall_are_not():
    rng, kept = np.random.default_rng(1), {}
    steady = [follow(kept, (rng.random(500) < 0.15).astype(float)) for _ in range(20)]
    assert steady == [None] * 20
    better = [follow(kept, (rng.random(500) < 0.05).astype(float)) for _ in range(6)]
    assert better == [None] * 6
    found = [follow(kept, (rng.random(500) < 0.3).astype(float)) for _ in range(4)]
    (first, *_) = [row for row in found if row is not None]
    assert first.flagged
    assert first.column == LOSSES
    assert first.kind == "label"
    assert "instead of 0." in first.reading


def test_losses_go_on_from_plain_data_however_they_are_cut():
    rng = np.random.default_rng(2)
    losses = np.concatenate([rng.exponential(3.0, 3_000), rng.exponential(5.0, 2_000)])
    whole: dict = {}
    follow(whole, losses)
    cut: dict = {}
    for part in np.split(losses, [10, 900, 1_700, 1_701, 4_000]):
        follow(cut, part)
        cut = json.loads(json.dumps(cut))
    assert cut == json.loads(json.dumps(whole))
    assert follow(whole, np.zeros(0)) is None
    assert len(json.dumps(whole)) < 10_000


def test_a_million_losses_are_taken_as_means_of_neighbours():
    kept: dict = {}
    rng = np.random.default_rng(3)
    assert follow(kept, rng.random(1_000_000)) is None
    assert kept["adwin"]["seen"] <= 5_000


def test_a_loss_is_the_probability_that_was_missing_or_the_error():
    answers = Predictions(np.array([[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]]), ("no", "yes"))
    assert losses_of(answers, np.array([0, 0, -1])) == pytest.approx([0.1, 0.7])
    numbers = Predictions(np.array([1.0, 5.0, 2.0]))
    assert losses_of(numbers, np.array([3.0, 4.0, np.nan])) == pytest.approx([2.0, 1.0])
