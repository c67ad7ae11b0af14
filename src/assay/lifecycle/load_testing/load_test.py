"""A load test: a served model is asked on a schedule, and what came of it is a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from assay.kernel.store import put_record
from assay.lifecycle.load_testing.gate import under_load
from assay.lifecycle.load_testing.measure import Load, Measured, Say, measure
from assay.lifecycle.load_testing.questions import Checker, questions, right_answers
from assay.lifecycle.predict import load
from assay.lifecycle.releasing.kept import CHECKED
from assay.lifecycle.serving.settings import settings_of
from assay.loadgen.cost import Prices, read_prices
from assay.loadgen.fired import Quantile
from assay.records.decision import Decision
from assay.records.deployment import LoadTest
from assay.records.package import ModelVersion
from assay.records.report import Estimate
from assay.registry.fold import fold
from assay.stores.workspace import Workspace, find_workspace

TESTED = "load.tested"

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True)
class LoadResult:
    """The record of a load test, and what does not stand in it.

    `wrong` is None where the answers were not compared; `decision` None without a sealed gate.
    """

    record: LoadTest
    digest: str
    version: ModelVersion
    measured: Measured
    quantiles: Mapping[str, Quantile]
    source: str
    currency: str | None = None
    decision: Decision | None = None
    wrong: int | None = None
    answered_by: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """Return 0, 3 for a rejected gate or a wrong answer, 4 for a gate that stays open."""
        verdict = self.decision.verdict if self.decision is not None else "accepted"
        if self.wrong or verdict == "rejected":
            return 3
        return 4 if verdict == "inconclusive" else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the `data` of the JSON envelope."""
        fired, capacity, decision = self.measured.fired, self.measured.capacity, self.decision
        record = msgspec.to_builtins(self.record)
        return {
            **{name: value for name, value in record.items() if name not in ("record", "latency")},
            "currency": self.currency,
            "latency_ms": {
                name: {"value": e.value, "low": e.low, "high": e.high}
                for name, e in self.latency_ms().items()
            },
            "statuses": {str(status): count for status, count in fired.statuses.items()},
            "unanswered": fired.kinds,
            "generator_late_ms": 1e3 * fired.late,
            "generator_bound": self.measured.doubtful,
            "wrong": self.wrong,
            "answered_by": self.answered_by,
            "rows_from": self.source,
            "tries": [vars(each) for each in capacity.tries] if capacity else [],
            "gates": [msgspec.to_builtins(gate) for gate in decision.gates] if decision else [],
            "verdict": decision.verdict if decision else None,
            "record": self.digest,
        }

    def latency_ms(self) -> dict[str, Estimate]:
        """Return the quantiles in milliseconds, as the estimates that gates judge."""
        n = self.measured.fired.requests
        return {name: estimate(quantile, n) for name, quantile in self.quantiles.items()}


def estimate(quantile: Quantile, n: int) -> Estimate:
    """Return a quantile in seconds as an estimate in milliseconds."""
    low, value, high = (1e3 * each for each in (quantile.low, quantile.value, quantile.high))
    return Estimate(value=value, low=low, high=high, n=n, method="order, by stretches of time")


def load_test(
    reference: str,
    ask: Load,
    *,
    prices: Path | None = None,
    check: bool = False,
    store: str | Path | None = None,
    say: Say = lambda _: None,
) -> LoadResult:
    """Ask a served model open-loop, store the record, and judge the sealed gates on latency.

    With `check` each answer is compared with the batch prediction of the same row. `say` is told
    how far it is.

    Raises:
        UsageError: LOAD-REFUSED when the server does not answer the first request; LOAD-NO-SERVER;
            SERVER-NOT-READY; PRICES-FILE; no such model.
    """
    price = read_prices(prices) if prices is not None else None
    workspace = find_workspace(store)
    registry = fold(workspace.ledger.read())
    version = registry.resolve(reference)
    model = load(f"{version.name}@{version.version}", store=workspace.root)
    asked = questions(workspace, {model.reference: (version, model)}, ask.rows)
    checker = Checker({model.reference: right_answers(model, asked)}) if check else None
    section, _ = settings_of(workspace.ledger.read(), version)
    measured = measure(reference, workspace, version, ask, asked, section.slo, checker, say)
    if checker is not None:
        known = {f"{v.name}@{v.version}" for v in registry.listing()}
        checker.settle(
            lambda name: (
                right_answers(load(name, store=workspace.root), asked) if name in known else None
            )
        )
    quantiles = {name: measured.fired.quantile(share) for name, share in SHARES.items()}
    record = _record(version, ask, measured, quantiles, section.slo, price)
    result = LoadResult(
        record=record,
        digest=put_record(workspace.store, record),
        version=version,
        measured=measured,
        quantiles=quantiles,
        source=asked.source,
        currency=price.currency if price is not None else None,
        wrong=checker.wrong if checker is not None else None,
        answered_by=dict(checker.versions) if checker is not None else {},
    )
    return _judged(workspace, result)


def _record(
    version: ModelVersion,
    ask: Load,
    measured: Measured,
    quantiles: Mapping[str, Quantile],
    slo: float,
    price: Prices | None,
) -> LoadTest:
    fired, capacity = measured.fired, measured.capacity
    cost = None
    if price is not None:
        # without a capacity, the rate that was asked for counts as what is used of the machine
        used = price.utilisation if capacity is not None else 1.0
        rate = (capacity.rps if capacity is not None else fired.rps) * used
        cost = price.per_million(rate * ask.rows, ask.workers)
    return LoadTest(
        model=f"{version.name}@{version.version}",
        rps=fired.rps,
        seconds=float(ask.seconds),
        requests=fired.requests,
        errors=fired.errors,
        p50_ms=1e3 * quantiles["p50"].value,
        p99_ms=1e3 * quantiles["p99"].value,
        latency=fired.counts(),
        slo_ms=1e3 * slo,
        capacity_rps=capacity.rps if capacity is not None else None,
        cost_per_million=cost,
        peak_mb=measured.peak_mb,
    )


def _judged(workspace: Workspace, result: LoadResult) -> LoadResult:
    """Write the ledger's events, with the verdict of the sealed gates where there are some."""
    context = workspace.context()
    version, record = result.version, result.record
    said: dict[str, Any] = {"version": version.version, "package": version.package}
    parents = (version.package, result.digest)
    context.append(
        TESTED, version.name, parents=parents, **said, record=result.digest,
        rps=record.rps, p99_ms=record.p99_ms, errors=record.errors,
    )  # fmt: skip
    doubtful = result.measured.doubtful
    decision = under_load(workspace, version, result.latency_ms(), doubtful=doubtful)
    if decision is None:
        return result
    context.append(
        CHECKED, version.name, parents=parents, **said, rps=record.rps, verdict=decision.verdict,
        gates=[msgspec.to_builtins(gate) for gate in decision.gates],
    )  # fmt: skip
    return replace(result, decision=decision)
