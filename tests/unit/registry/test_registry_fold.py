"""The registry as a fold: versions count up, and a rollback goes back past returns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.kernel.stage import Context
from assay.records.event import GENESIS, Draft, Event, make_event
from assay.records.package import Package
from assay.records.report import Parity
from assay.registry.change import register, rollback
from assay.registry.fold import MOVED, REGISTERED, Registry, fold
from assay.stores.workspace import open_workspace


def events(*moves: int, versions: int = 4) -> list[Event]:
    drafts = [
        Draft(
            kind=REGISTERED,
            subject="shop",
            actor="me",
            data={"package": f"p{i}", "run": f"r{i}", "verdict": "accepted"},
        )
        for i in range(1, versions + 1)
    ] + [
        Draft(
            kind=MOVED,
            subject="shop",
            actor="me",
            data={"version": v, "reason": "why", "verdict": "accepted"},
        )
        for v in moves
    ]
    return [
        make_event(draft, seq=i, at=f"2026-01-01T00:00:{i:02}.000000+00:00", previous=GENESIS)
        for i, draft in enumerate(drafts)
    ]


def registry(*moves: int, versions: int = 4) -> Registry:
    return fold(events(*moves, versions=versions))


@pytest.mark.parametrize(
    ("moves", "previous"),
    [((), None), ((1,), None), ((1, 2), 1), ((1, 2, 3, 2), 1), ((1, 2, 3, 2, 1), None),
     ((1, 2, 1, 3), 1), ((2, 1, 3, 4, 3), 1)],
)  # fmt: skip
def test_what_was_live_before(moves, previous):
    assert registry(*moves).previous("shop") == previous


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_rolling_back_comes_to_an_end_and_never_repeats(moves):
    seen = []
    while (before := registry(*moves).previous("shop")) is not None:
        assert before != moves[-1]
        assert before not in seen
        seen.append(before)
        moves = [*moves, before]
    assert moves[-1] == moves[0] or not seen or seen[-1] == moves[-1]


@pytest.mark.parametrize(
    ("reference", "version"), [("shop", 3), ("shop@champion", 3), ("shop@1", 1), ("shop@4", 4)]
)
def test_references(reference, version):
    assert registry(1, 3).resolve(reference).version == version


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("shop@5", "MODEL-NO-VERSION"),
        ("shop@0", "MODEL-NO-VERSION"),
        ("shop@²", "MODEL-NO-VERSION"),
        ("shop@" + "9" * 5000, "MODEL-NO-VERSION"),
        ("shop@one", "MODEL-NO-VERSION"),
        ("shp", "MODEL-UNKNOWN"),
        ("", "MODEL-UNKNOWN"),
    ],
)
def test_wrong_references(reference, code):
    with pytest.raises(UsageError) as error:
        registry(1, 3).resolve(reference)
    assert error.value.code == code


def test_a_name_without_a_champion_says_how_to_get_one():
    with pytest.raises(UsageError) as error:
        registry().resolve("shop")
    assert error.value.code == "MODEL-NO-CHAMPION"
    assert "assay promote shop@4" in error.value.hint


def test_what_was_live_at_a_time():
    made = registry(1, 3)
    times = [move.at for move in made.moves["shop"]]
    assert made.live_at("shop", "2025") is None
    assert made.live_at("shop", times[0]).version == 1
    assert made.live_at("shop", times[1]).version == 3


def test_a_package_registered_again_is_no_new_version():
    twice = [*events(versions=2), *events(versions=2)]
    assert [v.version for v in fold(twice).listing()] == [1, 2]


def test_only_the_champion_carries_the_alias():
    assert [v.aliases for v in registry(1, 3).listing()] == [(), (), ("champion",), ()]


@pytest.fixture
def context(tmp_path):
    space = open_workspace("memory://")
    return Context(space.store, space.ledger, tmp_path, run="one")


def package(name: str) -> Package:
    parity = Parity(rows=1, nasty_rows=1, max_abs_diff=0.0, label_flips=0, tolerance=1e-6)
    return Package(name="shop", digest=name * 64, path="", bytes=1, parity=parity)


def test_registering_again_does_not_undo_what_a_person_decided_since(context):
    for name in "ab":
        register(context, package(name), "accepted")
    assert fold(context.ledger.read()).champion("shop") == 2
    rollback(context, "shop", "worse in the north")
    assert register(context, package("b"), "accepted").aliases == ()
    assert fold(context.ledger.read()).champion("shop") == 1


def test_an_accepted_version_that_was_never_live_goes_live_when_it_is_registered_again(context):
    register(context, package("a"), "rejected")
    assert register(context, package("a"), "accepted").aliases == ("champion",)


def test_a_version_that_a_release_is_to_decide_on_waits(context):
    assert register(context, package("a"), "accepted", by_release=True).aliases == ("champion",)
    assert register(context, package("b"), "accepted", by_release=True).aliases == ()
    assert register(context, package("c"), "accepted").aliases == ("champion",)
