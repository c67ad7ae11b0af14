"""The sealed metrics: which are reported, and whether the test rows can carry them."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.errors import DataError, Mistakes, SpecError
from assay.evaluate.slices import MISSING, bins
from assay.metrics import Metric, get
from assay.records.seal import Seal
from assay.records.snapshot import Problem


def reported(seal: Seal) -> list[Metric]:
    """Return the metrics that test rows are scored with: primary, also, and those of the gates."""
    named = (seal.primary, *seal.also, *(gate.metric for gate in seal.gates))
    found = [get(name) for name in dict.fromkeys(named)]
    return [metric for metric in found if not metric.operational]


def require_defined(
    seal: Seal, problem: Problem, truth: NDArray[np.int64] | NDArray[np.float64]
) -> None:
    """Raise when the test rows leave a metric without a value, before any time goes into training.

    `truth` is the (n,) target of the test rows. Raises DataError, or Mistakes for several.
    """
    errors = []
    for metric in reported(seal):
        reason = metric.unfit(truth, len(problem.classes), problem.positive_code)
        if reason:
            errors.append(
                DataError(
                    "METRIC-UNDEFINED",
                    f"{metric.name} has no value on the {truth.size:,} test rows: {reason}",
                    where=f"metric {metric.name}",
                    hint="choose another metric, or set split.test so that every case occurs",
                )
            )
    if errors:
        raise errors[0] if len(errors) == 1 else Mistakes(errors)


def sliced_on(seal: Seal) -> list[str]:
    """Return the columns whose slices are measured: those declared, and those of the gates."""
    columns = [each.column for each in seal.slices]
    columns += [column for column, _ in asked_slices(seal)]
    return list(dict.fromkeys(columns))


def asked_slices(seal: Seal) -> list[tuple[str, str]]:
    """Return column and value of each slice that a gate names."""
    named = (gate.on.partition("=") for gate in seal.gates if gate.on)
    return [(column, value) for column, given, value in named if given]


def require_slices(seal: Seal, test: pl.DataFrame) -> None:
    """Raise SpecError for a gate on a slice that the test rows do not have."""
    for place, gate in enumerate(seal.gates):
        column, given, value = (gate.on or "").partition("=")
        if not given:
            continue
        there = {MISSING if name is None else name for name in bins(test[column])}
        if value not in there:
            raise SpecError(
                "GATE-SLICE",
                f"no test row has this value of {column}",
                where=f"gates.{place}.on",
                got=value,
                allowed=sorted(there)[:20],
                hint="write the value as the report's slices show it",
            )
