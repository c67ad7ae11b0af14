"""From the candidates' out-of-fold predictions to one weighted answer."""

from __future__ import annotations

from assay.lifecycle.combine.choose import Combination, combine, reweighed

__all__ = ["Combination", "combine", "reweighed"]
