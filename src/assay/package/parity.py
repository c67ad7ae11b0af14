"""Does the exported model answer as the trained one did?"""

from __future__ import annotations

import numpy as np

from assay.errors import AssayError
from assay.kernel.family import Predictions
from assay.records.report import Parity

TOLERANCE = 1e-6
"""Largest difference allowed: of a probability, or of a number relative to its size."""


def measure(
    trained: Predictions,
    exported: Predictions,
    nasty_trained: Predictions,
    nasty_exported: Predictions,
    positive_code: int | None = None,
) -> Parity:
    """Compare two pairs of predictions, on real rows and on rows made to be nasty."""
    real, real_flips = _compare(trained, exported, positive_code)
    nasty, nasty_flips = _compare(nasty_trained, nasty_exported, positive_code)
    worst = f"row {int(real.argmax())}" if real.size else ""
    if nasty.size and (not real.size or nasty.max() > real.max()):
        worst = f"nasty row {int(nasty.argmax())}"
    return Parity(
        rows=real.size,
        nasty_rows=nasty.size,
        max_abs_diff=float(max(real.max(initial=0.0), nasty.max(initial=0.0))),
        label_flips=real_flips + nasty_flips,
        tolerance=TOLERANCE,
        worst=worst,
    )


def require(parity: Parity) -> None:
    """Raise AssayError when the parity does not hold: such a package must not exist."""
    if not parity.holds:
        raise AssayError(
            "PACKAGE-PARITY",
            "the exported model does not answer as the trained model did",
            where=parity.worst,
            got=f"{parity.label_flips} label flips, largest difference {parity.max_abs_diff:.3g}",
            allowed=["0 label flips", f"a difference of at most {parity.tolerance:g}"],
            hint="this is a fault in Assay's export: report it with the project file",
        )


def _compare(
    trained: Predictions, exported: Predictions, positive_code: int | None
) -> tuple[np.ndarray, int]:
    """Return each row's largest difference, and how many labels flipped."""
    a, b = trained.values, exported.values
    if a.ndim == 2:
        flips = int((trained.codes(positive_code) != exported.codes(positive_code)).sum())
        difference = np.abs(a - b).max(axis=1)
    else:
        flips = 0
        difference = np.abs(a - b) / np.maximum(1.0, np.abs(a))
    # a NaN is as wrong as can be
    return np.where(np.isnan(difference), np.inf, difference), flips
