"""The forms that the champion could take, what each costs to serve, and which one is chosen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import msgspec

from assay.kernel.stage import Context, Note
from assay.lifecycle.fit import input_fields
from assay.lifecycle.latency import ROWS, latency
from assay.lifecycle.material import Material
from assay.lifecycle.trained import export
from assay.metrics import Metric, get
from assay.package.load import open_predictor
from assay.records.fitted import Field, Member, Operating, Pool, Shape
from assay.records.report import Estimate
from assay.records.snapshot import DataSnapshot
from assay.records.spec import GateSpec

COSTS = ("latency_p50", "latency_p99", "package_bytes")
"""Metrics whose gates choose among forms."""
SECONDS, CALLS = 0.15, 400
"""How long one form is asked, and how often at least: fewer give a percentile no upper limit."""
MARGIN = 0.9
"""A latency has to stay below this share of its limit: it is measured again, on a busier day."""
LOOK_SECONDS, LOOK_LEFT = 0.5, 1.0
"""Forms that decide nothing are measured for so long, where so much time is left."""
TINY = 1e-12


@dataclass(frozen=True)
class Form:
    """A way to serve: weights by name in a pool, the models of each name, the score out of fold."""

    weights: Mapping[str, float]
    pool: Pool
    score: float
    models: Mapping[str, tuple[Member, ...]]

    @property
    def name(self) -> str:
        """Return what it is made of, in words."""
        count = len(self.members)
        word = (
            next(iter(self.weights)) if len(self.weights) == 1 else f"{len(self.weights)} members"
        )
        return word if count == len(self.weights) else f"{word}, {count} models"

    @property
    def members(self) -> tuple[Member, ...]:
        """Return the models, each with its share of its name's weight."""
        return tuple(
            msgspec.structs.replace(member, weight=weight / len(self.models[name]))
            for name, weight in self.weights.items()
            for member in self.models[name]
        )

    def thinned(self) -> Form:
        """Return the form with one model for each name."""
        return replace(self, models={name: self.models[name][:1] for name in self.weights})


@dataclass(frozen=True)
class Cost:
    """What a form takes to serve: milliseconds for one row (`p50`, `p99`), and bytes."""

    latency: Mapping[str, Estimate]
    bytes: int

    def over(self, gates: Sequence[GateSpec]) -> float:
        """Return the largest share that it takes of a gate's limit: above 1 it misses it."""
        return max(self._high(gate.metric) / max(gate.at_most or 0.0, TINY) for gate in gates)

    def missed(self, gates: Sequence[GateSpec]) -> tuple[str, ...]:
        """Return the metrics of the gates that it misses."""
        return tuple(dict.fromkeys(gate.metric for gate in gates if self.over([gate]) > 1))

    def _high(self, metric: str) -> float:
        if metric == "package_bytes":
            return float(self.bytes)
        return self.latency[metric.removeprefix("latency_")].high / MARGIN


@dataclass
class Scales:
    """Measures forms in the engine that serves them, each once."""

    material: Material
    context: Context
    snapshot: DataSnapshot
    found: list[tuple[Form, Cost]] = field(default_factory=list)

    @cached_property
    def inputs(self) -> tuple[Field, ...]:
        """Return what every form takes."""
        return input_fields(self.snapshot, self.material)

    def weigh(self, form: Form) -> Cost:
        """Return what a form costs: exported, opened, and asked about one row again and again."""
        material = self.material
        self.context.notify(Note("members", f"measuring {form.name}"))
        files, signature = export(
            self.context,
            material.problem,
            form.members,
            form.pool,
            Operating(),
            self.inputs,
        )
        predictor = open_predictor(material.problem.family, files, signature)
        some = material.rows(material.train_index[:ROWS]).frame
        taken = latency(predictor, some, seconds=SECONDS, at_least=CALLS)
        cost = Cost(taken, sum(len(data) for data in files.values()))
        self.found.append((form, cost))
        return cost

    def look(self, forms: Iterable[Form]) -> None:
        """Measure some forms that decide nothing, as long as that takes next to no time."""
        start = time.perf_counter()
        for form in forms:
            if time.perf_counter() - start > LOOK_SECONDS:
                break
            if all(form.name != known.name for known, _ in self.found):
                self.weigh(form)

    def shapes(self, chosen: Form, gates: Sequence[GateSpec]) -> tuple[Shape, ...]:
        """Return what was measured, as it is recorded, and which gates it misses."""
        return tuple(
            Shape(
                name=form.name,
                weights=dict(form.weights),
                pool=form.pool,
                score=form.score,
                latency=cost.latency["p99"].value,
                bytes=cost.bytes,
                chosen=form is chosen,
                missed=cost.missed(gates),
            )
            for form, cost in self.found
        )


def cost_gates(gates: Sequence[GateSpec]) -> tuple[GateSpec, ...]:
    """Return the gates that set a limit on what serving may cost."""
    return tuple(gate for gate in gates if gate.metric in COSTS and gate.at_most is not None)


def choose(
    scales: Scales,
    metric: Metric,
    full: Form,
    others: Callable[[], Sequence[Form]],
    gates: Sequence[GateSpec],
) -> tuple[Form, str]:
    """Return the form with the best score out of fold that keeps the gates on cost, and why.

    The forms of `others` are measured, best score first, only when `full` misses a gate. Where
    none keeps them all, it is the one that comes nearest. Latency is measured: under a gate on it
    two runs of the same project may choose differently.
    """
    if not gates:
        return full, "no gate limits the cost of serving, so the best score decided"
    limits = " and ".join(
        f"{gate.metric} ≤ {get(gate.metric).format(gate.at_most or 0.0)}" for gate in gates
    )
    if scales.weigh(full).over(gates) <= 1:
        return full, f"{full.name}: the best score, and it keeps {limits}"
    sign = -1 if metric.higher_is_better else 1
    for form in sorted(others(), key=lambda form: sign * form.score):
        if scales.weigh(form).over(gates) <= 1:
            why = f"{form.name}: the best score that keeps {limits}"
            return form, f"{why}, {metric.format(form.score)} for {metric.format(full.score)}"
    nearest = min(scales.found, key=lambda one: one[1].over(gates))[0]
    return nearest, f"no form keeps {limits}; {nearest.name} comes nearest"
