"""All workers prepare, then all swap; one that cannot, or that is new, is dealt with."""

from __future__ import annotations

import pytest

from assay.errors import Tampered, UsageError
from assay.records.deployment import Arm, Deployment
from assay.records.spec import ServeSection
from assay.serve.processes.board import Board
from assay.serve.processes.control import Problem, Service, Swap
from assay.serve.processes.rollout import Rollout, Standing
from assay.serve.processes.slots import Slots


def service(model: str, version: int, fallback: str = "") -> Service:
    arm = Arm(version=version, package="p" * 64)
    return Service(Deployment(model=model, arms=(arm,), fallback=fallback), ServeSection())


class Workers:
    """Workers that do what they are told, as far as the test lets them."""

    def __init__(self, count: int) -> None:
        self.rollout, self.slots = Rollout(), Slots(Board.create(count))
        self.all = {place: Standing() for place in range(count)}

    def begin(self, *services: Service) -> None:
        self.rollout.begin(services, self.slots.of(services))

    def orders(self) -> list[tuple[int, str, int]]:
        return [
            (place, "swap", order.number)
            if isinstance(order, Swap)
            else (place, "prepare", order.lineup.number)
            for place, order in self.rollout.orders(self.all)
        ]

    def obey(self) -> None:
        """Carry out orders until there are none."""
        while orders := self.orders():
            for place, what, number in orders:
                if what == "prepare":
                    self.all[place].ready = number
                else:
                    self.all[place].has = number


def test_nobody_swaps_before_all_are_ready() -> None:
    workers = Workers(2)
    workers.begin(service("churn", 1))
    assert workers.orders() == [(0, "prepare", 0), (1, "prepare", 0)]
    assert workers.orders() == []
    workers.all[0].ready = 0
    assert workers.orders() == []
    assert workers.rollout.current is None
    workers.all[1].ready = 0
    assert workers.orders() == [(0, "swap", 0), (1, "swap", 0)]
    assert workers.orders() == []


def test_it_is_done_when_all_have_swapped() -> None:
    workers = Workers(2)
    workers.begin(service("churn", 1))
    workers.obey()
    assert workers.rollout.done(workers.all, 2)
    workers.all[1].has = -1
    assert not workers.rollout.done(workers.all, 2)
    del workers.all[1]
    assert not workers.rollout.done(workers.all, 2)


def test_what_is_called_off_is_undone_where_it_was_prepared() -> None:
    workers = Workers(2)
    workers.begin(service("churn", 1))
    workers.obey()
    workers.begin(service("churn", 2))
    workers.orders()
    workers.all[0].ready = 1
    workers.rollout.drop()
    assert workers.orders() == [(0, "prepare", 0), (1, "prepare", 0)]
    workers.all[0].ready = workers.all[1].ready = 0
    assert workers.orders() == []  # they have it: nothing to swap
    assert workers.rollout.done(workers.all, 2)


def test_a_worker_that_comes_back_catches_up() -> None:
    workers = Workers(2)
    workers.begin(service("churn", 1))
    workers.obey()
    workers.all[1] = Standing()
    assert workers.orders() == [(1, "prepare", 0)]
    workers.all[1].ready = 0
    assert workers.orders() == [(1, "swap", 0)]


def test_one_that_dies_in_the_middle_stops_no_change_and_is_not_left_behind() -> None:
    workers = Workers(2)
    workers.begin(service("churn", 1))
    workers.obey()
    workers.begin(service("churn", 2))
    workers.orders()
    workers.all[0].ready = 1
    del workers.all[1]
    assert workers.orders() == [(0, "swap", 1)]
    workers.all[0].has = 1
    workers.all[1] = Standing()
    workers.obey()
    assert workers.rollout.done(workers.all, 2)
    assert workers.all[1].has == 1


def test_a_version_keeps_its_slot_and_comes_back_to_it() -> None:
    slots = Slots(Board.create(1))
    [one] = slots.of([service("churn", 1)])
    [two] = slots.of([service("churn", 2)])
    assert one.slot != two.slot
    assert slots.of([service("churn", 1)]) == (one,)


def test_a_fallback_has_a_slot_of_its_own_and_is_loaded_once() -> None:
    slots = Slots(Board.create(1))
    found = slots.of([service("churn", 2, "churn@1"), service("fraud", 1, "churn@1")])
    assert [(v.model, v.version) for v in found] == [("churn", 2), ("churn", 1), ("fraud", 1)]
    assert len({v.slot for v in found}) == 3


def test_the_slot_of_what_is_longest_unused_is_given_away_empty() -> None:
    board = Board.create(1, slots=2)
    slots = Slots(board)
    [one] = slots.of([service("churn", 1)])
    board.tally(0).answered(one.slot, 1, 0.1, 0)
    slots.of([service("churn", 2)])
    three, fraud = slots.of([service("churn", 3), service("fraud", 1)])
    assert three.slot == one.slot
    assert {three.slot, fraud.slot} == {0, 1}
    assert board.traffic({three.slot: ("churn", 3)})[0].requests == 0


def test_more_versions_than_slots_are_refused() -> None:
    slots = Slots(Board.create(1, slots=2))
    with pytest.raises(UsageError) as caught:
        slots.of([service(name, 1) for name in "abc"])
    assert caught.value.code == "SERVE-TOO-MANY"


def test_an_error_says_the_same_on_the_other_side() -> None:
    error = Tampered("PACKAGE-CHANGED", "changed", where="file", got=1, allowed=["a"], hint="go")
    again = Problem.of(error).raised()
    assert again.to_dict() == error.to_dict()
    assert again.exit_code == 5
    fault = Problem.of(ZeroDivisionError("division by zero")).raised()
    assert (fault.code, fault.exit_code) == ("INTERNAL", 1)
    assert "division by zero" in fault.message
