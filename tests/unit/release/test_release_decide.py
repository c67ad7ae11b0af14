"""Whole releases, simulated: what both versions count goes in, and a decision comes out."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from assay.records.deployment import LATENCY_EDGES, Traffic
from assay.records.spec import ReleaseSection
from assay.release.decide import Progress, Stage, decide, said, stages
from assay.release.evidence import Evidence, alphas

YES = 0.27


class Version:
    """Counts as a server does: answers yes at a rate, fails at a rate, takes about so long."""

    def __init__(self, number, rng, *, yes=YES, fails=0.0, seconds=0.001, earns=None):
        self.number, self.rng, self.yes, self.fails = number, rng, yes, fails
        self.seconds, self.earns = seconds, earns
        self.requests = self.failed = 0
        self.latency = np.zeros(len(LATENCY_EDGES) + 1, dtype=int)
        self.answers, self.fed = np.zeros(64, dtype=int), np.zeros(3)

    def answer(self, count):
        failed = self.rng.binomial(count, self.fails)
        count -= failed
        self.failed, self.requests = self.failed + failed, self.requests + count
        took = self.seconds * self.rng.lognormal(0, 0.5, count)
        np.add.at(self.latency, np.searchsorted(LATENCY_EDGES, took, side="right"), 1)
        yes = self.rng.binomial(count, self.yes)
        self.answers[:2] += (count - yes, yes)
        if self.earns:
            paid = self.rng.binomial(1, self.earns, count)
            self.fed += (count, paid.sum(), paid.sum())
        return count

    @property
    def traffic(self):
        return Traffic(
            model="m", version=self.number, requests=self.requests, rows=self.requests,
            failed=self.failed, latency=tuple(self.latency.tolist()),
            answers=tuple(self.answers.tolist()), fed={"paid": tuple(self.fed)},
        )  # fmt: skip


def release(section, live, new, *, looks=600, a_look=200, before=2000, seed=0):
    """Return the decision, the requests since the start, and those of the new version."""
    rng = np.random.default_rng(seed)
    live.answer(before)
    plan, stage, asked = stages(section), 0, 0
    evidence = Evidence(section, live.traffic, alone=plan[0].share == 1)
    evidence.see(live.traffic, new.traffic)
    progress, of_new = Progress(0, 0.0), 0
    for look in range(looks):
        at = plan[stage]
        count = a_look if at.shadow else rng.binomial(a_look, at.share)
        live.answer(a_look if at.shadow else a_look - count)
        new.answer(count)
        of_new, asked = of_new + (0 if at.shadow else count), asked + a_look
        evidence.see(live.traffic, new.traffic)
        seen = Progress(progress.stage, 0.0, progress.requests, progress.fed, live=live.requests)
        decision = decide(section, seen, evidence, look * 0.1)
        if decision.next == "step":
            stage += 1
            if plan[stage].share == 1:
                evidence = Evidence(section, live.traffic, alone=True)
                evidence.see(live.traffic, new.traffic)
            evidence.part()
            progress = Progress(stage, 0.0, evidence.requests, evidence.fed)
        elif decision.next != "wait":
            return decision, asked, of_new
    return decision, asked, of_new


def versions(seed, **of_new):
    rng = np.random.default_rng(seed)
    return Version(1, rng), Version(2, rng, **of_new)


def test_a_good_version_goes_through_all_steps_and_is_promoted():
    decision, _, of_new = release(ReleaseSection(), *versions(1))
    assert decision.next == "promoted"
    assert of_new >= 1500
    assert {d.guard for d in decision.numbers} == {"errors", "latency", "answers"}
    assert "harm is ruled out: errors: 0.00% failed" in decision.reason


def test_swapped_labels_are_stopped_before_one_percent_of_a_drill_is_wrong():
    """A drill of 20,000 requests: 5 s of live, and a bad version from then on at 5 %.

    A look every 100 ms has 200 requests; after a decision it takes 3 looks until no worker asks it.
    """
    wrong = []
    for seed in range(50):
        decision, _, of_new = release(
            ReleaseSection(), *versions(seed, yes=1 - YES), a_look=200, before=10_000, seed=seed
        )
        assert decision.next == "aborted"
        assert "answers: moved by" in decision.reason
        wrong.append(of_new + 3 * 200 * 0.05)
    assert np.mean(wrong) / 20_000 < 0.006
    assert max(wrong) / 20_000 < 0.01


@pytest.mark.parametrize(
    ("trouble", "guard", "most"),
    [
        ({"fails": 1.0}, "errors", 40),
        ({"fails": 0.1}, "errors", 300),
        ({"seconds": 0.01}, "latency", 60),
    ],
)
def test_trouble_is_stopped_at_the_first_step(trouble, guard, most):
    decision, _, of_new = release(ReleaseSection(), *versions(2, **trouble), a_look=100)
    assert decision.next == "aborted"
    assert decision.reason.startswith(f"harm is shown: {guard}")
    assert of_new <= most


def test_a_latency_under_the_limit_and_one_that_nobody_feels_are_let_pass():
    assert release(ReleaseSection(), *versions(3, seconds=0.00105))[0].next == "promoted"
    live, new = versions(4, seconds=0.0001)
    live.seconds = 0.00002  # five times slower, and still a tenth of a millisecond
    assert release(ReleaseSection(), live, new)[0].next == "promoted"


def test_good_versions_are_rarely_stopped():
    """The statistics of it are in test_sequential: here the whole is put together rightly."""
    ends = [
        release(ReleaseSection(minimum=100), *versions(seed), seed=seed)[0].next
        for seed in range(30)
    ]
    assert ends.count("promoted") >= 28


def test_a_shadow_is_judged_without_giving_an_answer():
    section = ReleaseSection(strategy="shadow")
    assert stages(section) == (Stage(0.0, shadow=True),)
    good, _, of_new = release(section, *versions(5))
    assert (good.next, of_new) == ("promoted", 0)
    bad, asked, of_new = release(section, *versions(6, yes=0.6))
    assert (bad.next, of_new) == ("aborted", 0)
    assert asked <= 800


def test_blue_green_waits_for_something_to_compare_with_and_goes_back_by_itself():
    section = ReleaseSection(strategy="blue_green", minimum=1000)
    assert stages(section) == (Stage(0.0), Stage(1.0))
    good, asked, of_new = release(section, *versions(7), before=0)
    assert good.next == "promoted"
    assert asked - of_new >= 1000
    bad, _, of_new = release(section, *versions(8, yes=0.7))
    assert bad.next == "aborted"
    assert of_new <= 400


def test_blue_green_ends_when_the_past_is_used_up():
    section = ReleaseSection(strategy="blue_green", minimum=300)
    decision, _, of_new = release(section, *versions(9), before=300, a_look=100)
    assert decision.next == "promoted"
    assert "beside what live did before" in decision.reason
    assert of_new <= 500


def test_an_exchange_at_once_has_no_stages():
    assert stages(ReleaseSection(strategy="direct")) == ()


def test_what_cannot_be_decided_is_given_up_when_patience_is_over():
    decision, asked, _ = release(
        ReleaseSection(minimum=10**6, patience=5.0), *versions(10), a_look=50
    )
    assert decision.next == "inconclusive"
    assert asked == 51 * 50
    assert "more requests of the new version" in decision.reason


def test_nothing_is_promoted_while_a_guard_has_seen_nothing():
    rng = np.random.default_rng(11)
    live, new = Version(1, rng), Version(2, rng)
    section = ReleaseSection(minimum=20, steps=(0.5,))
    decision, _, _ = release(section, live, new, before=0, a_look=20, looks=8)
    assert decision.next == "wait"
    assert decision.reason == "enough requests of live to judge answers and latency"


AB = ReleaseSection(strategy="ab", steps=(0.5,), metric="paid", minimum=4000)


def test_an_ab_test_promotes_what_earns_more_and_drops_what_earns_less():
    def tested(rate, seed):
        live, new = versions(seed, earns=rate)
        live.earns = 0.1
        return release(AB, live, new, before=500)

    better, _, of_new = tested(0.14, 12)
    assert better.next == "promoted"
    assert of_new <= 6000
    worse, _, _ = tested(0.06, 13)
    assert worse.next == "aborted"
    assert "paid: 0.0" in worse.reason
    same, _, of_new = tested(0.1, 14)
    assert same.next == "inconclusive"
    assert 4000 <= of_new < 4200


def test_a_metric_that_must_not_fall_guards_a_canary():
    section = ReleaseSection(metric="paid", margin=0.02, minimum=1000)
    live, new = versions(15, earns=0.02)
    live.earns = 0.2
    decision, _, _ = release(section, live, new)
    assert decision.next == "aborted"
    assert decision.reason.startswith("harm is shown: paid")


def test_alpha_is_shared_out_whole():
    each, metric = alphas(ReleaseSection(alpha=0.04))
    assert 4 * each == pytest.approx(0.04)
    each, metric = alphas(ReleaseSection(alpha=0.04, metric="paid"))
    assert 4 * each + metric == pytest.approx(0.04)
    each, metric = alphas(ReleaseSection(alpha=0.04, metric="paid", strategy="ab"))
    assert 4 * each + 2 * metric == pytest.approx(0.04 * 0.4)  # the end has the other 0.6


def test_a_server_that_is_killed_goes_on_where_it_had_written_down():
    section = ReleaseSection(minimum=100)
    live, new = versions(16, yes=0.5)
    live.answer(1000)
    first = Evidence(section, live.traffic)
    first.see(live.traffic, new.traffic)
    live.answer(900), new.answer(50)
    first.see(live.traffic, new.traffic)
    kept = msgspec.json.decode(msgspec.json.encode(first.saved()))
    live, new = versions(17, yes=0.5)  # another server: its counters start from zero
    second = Evidence(section, live.traffic)
    second.restore(kept)
    assert second.requests == 50
    assert second.slow == first.slow
    assert [said(d) for d in second.differences()] == [said(d) for d in first.differences()]
    second.see(live.traffic, new.traffic)
    live.answer(900), new.answer(50)
    second.see(live.traffic, new.traffic)
    assert second.requests == 100
    assert second.differences()[2].low > first.differences()[2].low


def test_counters_that_start_anew_are_not_counted_backwards():
    live, new = versions(18)
    live.answer(5000), new.answer(300)
    evidence = Evidence(ReleaseSection(), live.traffic)
    evidence.see(live.traffic, new.traffic)
    live, new = versions(19)
    live.answer(400), new.answer(30)
    evidence.see(live.traffic, new.traffic)
    assert evidence.requests == 30


def test_rows_of_one_request_count_as_one():
    live, new = versions(20)
    live.answer(1000)
    evidence = Evidence(ReleaseSection(), live.traffic)
    evidence.see(live.traffic, new.traffic)
    live.answer(10)
    bulk = msgspec.structs.replace(
        new.traffic, requests=1, rows=5000, answers=(0, 5000), latency=(1,)
    )
    evidence.see(live.traffic, bulk)
    moved = next(d for d in evidence.differences() if d.guard == "answers")
    assert moved.value > 0.3
    assert not moved.harmful


def test_requests_of_one_version_alone_wait_for_the_other():
    live, new = versions(21)
    live.answer(1000)
    evidence = Evidence(ReleaseSection(), live.traffic)
    evidence.see(live.traffic, new.traffic)
    new.answer(7)
    evidence.see(live.traffic, new.traffic)
    assert evidence.requests == 0
    live.answer(20)
    evidence.see(live.traffic, new.traffic)
    assert evidence.requests == 7


def test_what_stands_in_for_live_is_there_after_a_restart():
    rng, section = np.random.default_rng(0), ReleaseSection(strategy="blue_green")
    live, new = Version(1, rng), Version(2, rng)
    live.answer(2000)
    first = Evidence(section, live.traffic, alone=True)
    first.see(live.traffic, new.traffic)
    new.answer(50)
    first.see(live.traffic, new.traffic)
    kept = msgspec.json.decode(msgspec.json.encode(first.saved()))
    live, new = Version(1, rng), Version(2, rng, fails=1.0)  # another server counts from 0
    again = Evidence(section, live.traffic, alone=True)
    again.restore(kept)
    again.see(live.traffic, new.traffic)
    new.answer(600)
    again.see(live.traffic, new.traffic)
    assert not again.used_up
    decision = decide(section, Progress(1, 0.0, requests=50), again, 1.0)
    assert (decision.next, again.requests) == ("aborted", 650)
