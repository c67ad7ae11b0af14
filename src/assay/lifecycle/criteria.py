"""The sealed metrics: which are reported, and whether the test rows can carry them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.errors import DataError, Mistakes
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
