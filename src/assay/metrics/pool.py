"""From the answers of weighted members to one answer, in numpy: the same lines train and judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.records.fitted import Pool

Floats = NDArray[np.float64]

FLOOR = 1e-7
"""A probability below this counts as this much on the log scale."""


def pool(how: Pool, parts: Sequence[tuple[Floats, float]]) -> Floats:
    """Return the members' (n, k) probabilities or (n,) numbers as one array of that shape.

    `parts` has each member's values and weight. A row that is NaN in a part stays NaN. Source of
    the log scale: Genest and Zidek 1986, Statistical Science 1, section 3 (logarithmic pool).
    """
    if how.scale == "linear":
        total: Floats = np.sum([values * weight for values, weight in parts], axis=0)
        return total + np.array(how.bias) if how.bias else total
    score = np.sum([np.log(np.maximum(v, FLOOR)) * weight for v, weight in parts], axis=0)
    score = score + np.array(how.bias) if how.bias else score
    odds = np.exp(score - score.max(axis=1, keepdims=True))
    share: Floats = odds / odds.sum(axis=1, keepdims=True)
    return share
