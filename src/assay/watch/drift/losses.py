"""The losses of labelled rows as one long stream: did they rise?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.metrics.base import Truth
from assay.records.watch import Moved
from assay.watch.drift.stream import Adwin, PageHinkley

LOSSES = "(losses of labelled rows)"
"""The column that a rise is written under."""
FIRST = 1_000
"""Losses that set the scale before any alarm; a later one counts as their largest at most."""
AT_ONCE = 5_000
"""Losses of a window that the detectors take, evenly spaced where there are more."""
BORNE, FAR = 0.1, 70.0
"""The rise that Page-Hinkley bears, and how far its sum may go, in standard deviations. Its old
deviations are not forgotten: that would hold the sum up against what is borne."""


@dataclass
class _Stream:
    """Both detectors, in the unit of the largest of the `first` losses."""

    first: list[float] = field(default_factory=list)
    most: float = 0.0
    adwin: Adwin = field(default_factory=Adwin)
    hinkley: PageHinkley = field(default_factory=PageHinkley)

    def update(self, loss: float) -> tuple[str, ...]:
        """Take one more loss; return the detectors that say that it rose."""
        if self.most:
            return self._rose(min(loss / self.most, 1.0))
        self.first.append(loss)
        if len(self.first) < FIRST:
            return ()
        self.most = max(self.first) or 1.0
        known = np.array(self.first) / self.most
        spread = max(float(known.std()), 1e-3)
        self.hinkley = PageHinkley(BORNE * spread, FAR * spread, keep=1.0)
        for loss in known.tolist():
            self._rose(loss)
        self.first.clear()
        return ()

    def _rose(self, loss: float) -> tuple[str, ...]:
        before, mean = self.adwin.mean, self.hinkley.mean
        found = []
        if self.adwin.update(loss) and self.adwin.mean > before:
            found.append("ADWIN")
        if self.hinkley.update(loss) and self.adwin.mean > mean:
            found.append("Page-Hinkley")
        return tuple(found)


def losses_of(answers: Predictions, truth: Truth) -> NDArray[np.float64]:
    """Return (n,) losses of labelled rows: 1 - probability of the true class, or absolute errors.

    Rows without a label (a class of -1, NaN) are left out.
    """
    if not answers.classes:
        errors: NDArray[np.float64] = np.abs(answers.values - truth)
        return errors[np.isfinite(errors)]
    told = np.flatnonzero(truth >= 0)
    missed: NDArray[np.float64] = 1.0 - answers.values[told, truth[told].astype(np.int64)]
    return missed[np.isfinite(missed)]


def follow(kept: dict[str, Any], losses: NDArray[np.float64]) -> Moved | None:
    """Take the losses of rows that were labelled since, in order; return their rise, if any.

    `kept` is plain data, {} at first, and is changed: what the detectors know of all rows before
    (less than 10 kB for any number of them).
    """
    stream = msgspec.convert(kept, _Stream)
    before = stream.adwin.mean
    told: list[str] = []
    for loss in losses[:: max(1, -(-len(losses) // AT_ONCE))].tolist():
        told += stream.update(loss)
    kept.clear()
    kept.update(msgspec.to_builtins(stream))
    after = float(losses.mean()) / stream.most if told else before
    if after <= before:
        return None
    who = " and ".join(dict.fromkeys(told))
    return Moved(
        column=LOSSES,
        kind="label",
        effect=min(1.0, after - before),
        p=stream.adwin.delta,
        flagged=True,
        reading=f"mean {after * stream.most:.3g} instead of {before * stream.most:.3g}, says {who}",
    )
