"""Greedy selection with replacement (Caruana et al. 2004, ICML, section 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from assay.lifecycle.combine.objective import Loss
from assay.metrics.weighted import Floats

PICKS = 16
MOST_MEMBERS = 8
SHORTLIST = 16
"""After the second pick only so many go on: those that made the best pair with the first."""
ALIKE = 0.9999
"""Of candidates whose predictions correlate more than this, the best alone is tried."""


def picked(loss: Loss, views: Mapping[str, Floats]) -> list[str]:
    """Return names in the order in which they were picked, as long as the loss falls.

    `views` are (n,) arrays that blend as predictions do (`objective.view_of`).
    """
    found: list[str] = []
    total: Floats = np.zeros_like(next(iter(views.values())))
    open_to, best = list(views), np.inf
    while len(found) < PICKS:
        losses = {name: loss((total + views[name]) / (len(found) + 1)) for name in open_to}
        name = min(losses, key=lambda n: losses[n])
        if found and losses[name] >= best:
            break
        if len(found) == 1:
            open_to = sorted(losses, key=lambda n: losses[n])[:SHORTLIST]
        found, best, total = [*found, name], losses[name], total + views[name]
        if len(set(found)) >= MOST_MEMBERS:
            open_to = sorted(set(found))
    return found


def shares(names: Sequence[str]) -> dict[str, float]:
    """Return each name's share of the picks, in the order of their first."""
    return {name: count / len(names) for name, count in Counter(names).items()}


def unlike(loss: Loss, views: Mapping[str, Floats]) -> list[str]:
    """Return the names, best first, without those that say the same as a better one."""
    losses = {name: loss(view) for name, view in views.items()}
    ranked = sorted(views, key=lambda name: losses[name])
    with np.errstate(over="ignore", invalid="ignore"):
        flat = np.stack([views[name] for name in ranked])
        flat -= flat.mean(axis=1, keepdims=True)
        product = flat @ flat.T
        size = np.sqrt(product.diagonal())
        near = product > ALIKE * np.outer(size, size)
    kept: list[int] = []
    for place in range(len(ranked)):
        if not near[place, kept].any():
            kept.append(place)
    return [ranked[place] for place in kept]
