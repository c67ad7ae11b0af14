"""Which requests get a second opinion, and when two answers differ."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from assay.records.deployment import Arm, Deployment
from assay.serve.answering.aside import SAMPLE, Pair, Pairs
from assay.serve.models import Live


def lane(version, classes=(), interval=None):
    """Return as much of a lane as a pair looks at."""
    answers = SimpleNamespace(classes=classes, labels=classes)
    signature = SimpleNamespace(interval=interval)
    servable = SimpleNamespace(signature=signature)
    return SimpleNamespace(version=version, slot=version, answers=answers, servable=servable)


def live_with(share, *, shadow=False, release="r"):
    live, new = lane(1), lane(2)
    arms = (
        Arm(version=1, package="a", share=1 - share),
        Arm(version=2, package="b", share=share, shadow=shadow),
    )
    return Live(
        deployment=Deployment(model="m", arms=arms, release=release),
        arms=(live,) if shadow else (live, new),
        edges=(1.0,) if shadow else (1 - share, 1.0),
        shadows=(new,) if shadow else (),
        versions={1: live, 2: new},
        fallback=None,
        new=new if release else None,
    )


@pytest.mark.parametrize(("share", "asked"), [(0.05, 1000), (0.5, 100), (1.0, 50)])
def test_about_a_twentieth_of_all_requests_is_asked_twice(share, asked):
    live, pairs = live_with(share), Pairs()
    found = [pairs.of(live, live.arms[1]) for _ in range(1000)]
    assert sum(pair is not None for pair in found) == pytest.approx(asked, abs=1)
    assert pairs.of(live, live.arms[0]) is None
    assert SAMPLE == 0.05


def test_a_shadow_is_compared_with_what_live_said():
    live, pairs = live_with(0.0, shadow=True), Pairs()
    found = [pairs.of(live, live.arms[0]) for _ in range(100)]
    assert sum(pair is not None for pair in found) == pytest.approx(5, abs=1)


def test_without_a_release_nothing_is_asked_twice():
    live = live_with(0.5, release="")
    assert Pairs().of(live, live.arms[1]) is None


def test_classes_differ_by_their_names():
    live, new = lane(1, ("no", "yes")), lane(2, ("yes", "no"))
    for first, second in (((new, 1, 0), (live, 0, 0)), ((live, 0, 0), (new, 1, 0))):
        pair = Pair(live, new)
        assert pair.take(*first) is None
        assert pair.take(*second) is False
    pair = Pair(live, new)
    pair.take(new, 0, 0)
    assert pair.take(live, 0, 0) is True


def test_numbers_differ_beyond_the_interval_of_live():
    live, new = lane(1, interval=(-2.0, 3.0)), lane(2, interval=(-100.0, 100.0))
    for value, differs in ((12.9, False), (13.1, True), (8.1, False), (7.9, True)):
        pair = Pair(live, new)
        pair.take(new, 0, value)
        assert pair.take(live, 0, 10.0) is differs


def test_numbers_without_an_interval_differ_by_more_than_a_bin():
    pair = Pair(lane(1), lane(2))
    live, new = pair.live, pair.new
    pair.take(live, 4, 1.0)
    assert pair.take(new, 5, 9.0) is False
    pair.take(live, 4, 1.0)
    assert Pair(live, new).take(new, 6, 9.0) is None
