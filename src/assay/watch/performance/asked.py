"""What is measured on a window: the metrics of the seal, and the thresholds of its gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.metrics import METRICS, Metric
from assay.records.report import Estimate
from assay.records.spec import GateSpec
from assay.records.watch import Measured, Standing
from assay.watch.profile import Profile

EVERY = "every slice"
LEVEL = 0.95


@dataclass(frozen=True)
class Asked:
    """A metric that is asked of all rows or of a slice, and the gate's threshold if there is one.

    `slice` is `COLUMN=VALUE`, "" for all rows. `allowed` is the chance of a false alarm that this
    question was given: the window's, shared by all thresholds (Bonferroni).
    """

    metric: Metric
    slice: str = ""
    threshold: float | None = None
    higher: bool = True
    allowed: float = 0.05

    @property
    def level(self) -> float:
        """Return the level of the two-sided interval that may break the gate."""
        return 1 - 2 * min(self.allowed, (1 - LEVEL) / 2)

    def unsaid(self, n: int, reason: str, *, estimated: bool) -> Measured:
        """Return that nobody can say, and why."""
        return Measured(
            metric=self.metric.name, value=None, low=None, high=None, n=n, estimated=estimated,
            slice=self.slice, threshold=self.threshold, standing="unsaid", reason=reason,
        )  # fmt: skip

    def said(
        self, seen: Estimate, surer: Estimate, reason: str = "", *, estimated: bool
    ) -> Measured:
        """Return what was found: `seen` at 95 %, `surer` at this question's own level."""
        standing = self._standing(seen, surer)
        if standing == "broken":
            reason = "; ".join(filter(None, (f"judged at {self.level:.4%}", reason)))
        return Measured(
            metric=self.metric.name, value=seen.value, low=seen.low, high=seen.high, n=seen.n,
            estimated=estimated, slice=self.slice, threshold=self.threshold, standing=standing,
            reason=reason,
        )  # fmt: skip

    def _standing(self, seen: Estimate, surer: Estimate) -> Standing:
        if self.threshold is None:
            return "kept"
        wrong = surer.high < self.threshold if self.higher else surer.low > self.threshold
        right = seen.low >= self.threshold if self.higher else seen.high <= self.threshold
        return "broken" if wrong else "kept" if right else "unclear"


def asked(profile: Profile, slices: Sequence[str] = (), alpha: float = 0.05) -> tuple[Asked, ...]:
    """Return what is asked of a window: every metric of all rows, then what gates ask of slices.

    `slices` are the slices of the profile that the window has rows of: of each the headline metric
    and those that gates name are asked. Gates on what is measured on the package or by an
    examination, on the worst slice, or against another model are left out: no window answers them.
    """
    gates = [g for g in profile.gates if _askable(g)]
    names = dict.fromkeys((profile.primary, *(g.metric for g in gates), *profile.metrics))
    whole = [n for n in names if n in METRICS and not METRICS[n].operational]
    of_slices = dict.fromkeys((profile.primary, *(g.metric for g in gates if g.on)))
    pairs = [(name, "") for name in whole]
    pairs += [(name, where) for where in slices for name in of_slices if name in whole]
    found = {pair: _gate(gates, *pair) for pair in pairs}
    share = alpha / max(sum(gate is not None for gate in found.values()), 1)
    return tuple(_asked(name, where, gate, share) for (name, where), gate in found.items())


def _askable(gate: GateSpec) -> bool:
    metric = METRICS.get(gate.metric)
    return (
        metric is not None
        and not metric.operational
        and gate.beats is None
        and (gate.on is None or gate.on == EVERY or "=" in gate.on)
    )


def _gate(gates: Sequence[GateSpec], name: str, where: str) -> GateSpec | None:
    for gate in gates:
        on = (gate.on is None and not where) or (where and gate.on in (EVERY, where))
        if gate.metric == name and on:
            return gate
    return None


def _asked(name: str, where: str, gate: GateSpec | None, share: float) -> Asked:
    if gate is None:
        return Asked(METRICS[name], where)
    if gate.at_least is not None:
        return Asked(METRICS[name], where, gate.at_least, True, share)
    return Asked(METRICS[name], where, gate.at_most, False, share)


def within(metric: Metric, value: float, low: float, high: float, n: int) -> Estimate:
    """Return an estimate whose interval keeps to the metric's range and holds its value."""
    return Estimate(
        value=value,
        low=min(value, max(metric.low, low)),
        high=max(value, min(metric.high, high)),
        n=n,
    )
