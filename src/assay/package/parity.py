"""Does the exported model answer as the trained one did?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError
from assay.kernel.family import Predictions
from assay.records.report import Parity

Codes = NDArray[np.int64] | None

TOLERANCE = 1e-7
"""Largest difference allowed: of a probability, or of a number relative to its size."""


def measure(
    trained: Predictions,
    exported: Predictions,
    nasty_trained: Predictions,
    nasty_exported: Predictions,
    positive_code: int | None = None,
    codes: tuple[Codes, Codes] = (None, None),
) -> Parity:
    """Compare two pairs of predictions, on real rows and on rows made to be nasty.

    `codes` are the classes that the exported model names by itself for both kinds of rows.
    """
    real, real_flips = _compare(trained, exported, positive_code, codes[0])
    nasty, nasty_flips = _compare(nasty_trained, nasty_exported, positive_code, codes[1])
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
    """Raise AssayError when the parity does not hold: such a package must not exist.

    That of the plain model file, where there is one, must hold too.
    """
    if parity.portable is not None:
        require(parity.portable)
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
    trained: Predictions, exported: Predictions, positive_code: int | None, codes: Codes
) -> tuple[np.ndarray, int]:
    """Return each row's largest difference, and how many labels flipped."""
    a, b = trained.values, exported.values
    if a.ndim == 2:
        named = exported.codes(positive_code) if codes is None else codes
        flips = int((trained.codes(positive_code) != named).sum())
        difference = np.abs(a - b).max(axis=1)
    else:
        flips = 0
        difference = np.abs(a - b) / np.maximum(1.0, np.abs(a))
    # a NaN is as wrong as can be
    return np.where(np.isnan(difference), np.inf, difference), flips
