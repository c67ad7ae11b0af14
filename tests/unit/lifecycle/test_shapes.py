"""Which form of an ensemble is served: the best that keeps what serving may cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assay.lifecycle.fit import name_of
from assay.lifecycle.shapes import Cost, Form, Scales, choose, cost_gates
from assay.lifecycle.workshop import Part, rounds_for_all
from assay.metrics import get
from assay.records.fitted import Candidate, Member, Pool, Trial
from assay.records.report import Estimate
from assay.records.spec import GateSpec


def member(name: str, number: int = 0) -> Member:
    return Member(
        candidate=Candidate(name=name, kind="k"), weight=1.0, rounds=None, state=f"{name}{number}"
    )


MODELS = {"a": tuple(member("a", n) for n in range(5)), "b": (member("b"),)}
FULL = Form({"a": 0.6, "b": 0.9}, Pool(scale="log"), 0.90, MODELS)
PAIR = FULL.thinned()
ONE = Form({"b": 1.0}, Pool(), 0.88, MODELS)
FAST = GateSpec(metric="latency_p99", at_most=1.0)
SMALL = GateSpec(metric="package_bytes", at_most=1_000.0)


class Stub(Scales):
    """Scales on which every form has the cost that it is given here."""

    def __init__(self, costs: dict[str, tuple[float, int]]) -> None:
        super().__init__(None, None, None)
        self.costs = costs

    def weigh(self, form):
        high, size = self.costs[form.name]
        estimate = Estimate(value=high * 0.8, low=high * 0.7, high=high, n=400, method="order")
        cost = Cost({"p50": estimate, "p99": estimate}, size)
        self.found.append((form, cost))
        return cost


COSTS = {FULL.name: (2.0, 5_000), PAIR.name: (0.8, 1_500), ONE.name: (0.3, 400)}


def test_forms_say_what_they_are_made_of():
    assert FULL.name == "2 members, 6 models"
    assert PAIR.name == "2 members"
    assert (ONE.name, Form({"a": 1.0}, Pool(), 0.8, MODELS).name) == ("b", "a, 5 models")


def test_the_models_of_a_name_share_its_weight():
    weights = [m.weight for m in FULL.members]
    assert weights == pytest.approx([0.12] * 5 + [0.9])
    assert {m.weight for m in PAIR.members} == {0.6, 0.9}
    assert name_of(FULL.members) == "60% b + 40% a (5 bags)"
    assert name_of((MODELS["a"][0],)) == "a"


def test_without_a_gate_on_cost_the_best_score_is_served_and_nothing_is_measured():
    scales = Stub({})
    form, why = choose(scales, get("roc_auc"), FULL, lambda: [PAIR, ONE], ())
    assert form is FULL
    assert "no gate" in why
    assert scales.shapes(form, ()) == ()


def test_others_are_made_only_when_the_whole_misses_a_gate():
    def never():
        raise AssertionError("not asked for")

    loose = GateSpec(metric="latency_p99", at_most=10.0)
    assert choose(Stub(COSTS), get("roc_auc"), FULL, never, (loose,))[0] is FULL


@pytest.mark.parametrize(
    ("gates", "form"), [((FAST,), PAIR), ((SMALL,), ONE), ((FAST, SMALL), ONE)]
)
def test_the_best_score_that_keeps_the_gates_is_served(gates, form):
    scales = Stub(COSTS)
    found, why = choose(scales, get("roc_auc"), FULL, lambda: [ONE, PAIR], gates)
    assert found is form
    assert f"{form.score:.3f} for 0.900" in why
    shapes = scales.shapes(found, gates)
    assert [shape.chosen for shape in shapes].count(True) == 1
    assert next(shape for shape in shapes if shape.chosen).name == form.name
    assert shapes[0].missed == tuple(gate.metric for gate in gates)
    assert all(not shape.missed for shape in shapes if shape.chosen)


def test_less_is_better_for_a_loss():
    best, worse = replace(PAIR, score=0.3), replace(ONE, score=0.4)
    full = replace(FULL, score=0.2)
    assert choose(Stub(COSTS), get("log_loss"), full, lambda: [worse, best], (FAST,))[0] is best


def test_a_latency_just_below_its_limit_is_not_trusted():
    tight = GateSpec(metric="latency_p99", at_most=0.82)  # the pair's upper limit is 0.8
    scales = Stub(COSTS)
    assert choose(scales, get("roc_auc"), FULL, lambda: [PAIR, ONE], (tight,))[0] is ONE
    found = {shape.name: shape.missed for shape in scales.shapes(ONE, (tight,))}
    assert found == {FULL.name: ("latency_p99",), PAIR.name: ("latency_p99",), ONE.name: ()}


def test_a_gate_on_the_median_is_missed_as_one_on_the_slowest():
    gates = (GateSpec(metric="latency_p50", at_most=1.0), FAST, SMALL)
    scales = Stub(COSTS)
    choose(scales, get("roc_auc"), FULL, lambda: [PAIR, ONE], gates)
    missed = scales.shapes(ONE, gates)[0].missed
    assert missed == ("latency_p50", "latency_p99", "package_bytes")


def test_where_none_keeps_the_gates_the_nearest_is_served_and_says_so():
    gate = GateSpec(metric="package_bytes", at_most=10.0)
    form, why = choose(Stub(COSTS), get("roc_auc"), FULL, lambda: [PAIR, ONE], (gate,))
    assert form is ONE
    assert "no form keeps package_bytes ≤ 10 bytes" in why


def test_only_limits_on_cost_choose_among_forms():
    gates = (FAST, SMALL, GateSpec(metric="roc_auc", at_least=0.8),
             GateSpec(metric="latency_p99", beats="baseline"))  # fmt: skip
    assert cost_gates(gates) == (FAST, SMALL)


def trial(name: str, seconds: float, **more) -> Trial:
    candidate = Candidate(name=name, kind="k", varies=True)
    return Trial(candidate=candidate, status="done", score=0.9, seconds=seconds, folds=5, **more)


def test_a_model_that_the_search_kept_is_taken_as_it_is():
    kept = trial("a", 1.0, rounds=(70,), state="sha")
    assert Part.of(kept) == Part(kept.candidate, 70, 0, "sha")
    assert Part.of(kept, 1) == Part(kept.candidate, 84, 1, "")
    assert rounds_for_all(trial("a", 1.0)) is None
