"""Hashed words of one cell: what `encode.text.TextPlan` does for a column, in plain Python.

Only for ASCII: of other scripts, Python and polars may see words differently.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.encode.text import LONGEST, TextPlan

Vector = NDArray[np.float64]

_WORD = re.compile(r"\w+", re.ASCII)
_NAN = float("nan")


class TextCell:
    """Writes the words of an ASCII text; `start` is the plan's first column."""

    def __init__(self, plan: TextPlan, start: int) -> None:
        self._buckets, self._start = len(plan.idf), start
        self._idf = np.array(plan.idf)
        self._place = {bucket: start + 2 + i for i, bucket in enumerate(plan.frequent)}

    def tree(self, text: str | None, out: Vector) -> None:
        """Write length and words, NaN where missing, and which frequent buckets occur."""
        if text is None:
            out[self._start : self._start + 2] = _NAN
            return
        found = self._counts(text)
        out[self._start], out[self._start + 1] = len(text), len(found)
        for bucket in found.keys() & self._place.keys():
            out[self._place[bucket]] = 1.0

    def linear(self, text: str | None, out: Vector) -> None:
        """Write the weighted buckets, scaled to length one."""
        found = self._counts(text or "")
        if not found:
            return
        pairs: NDArray[Any] = np.array(sorted(found.items()), dtype=np.int64)
        buckets, counts = pairs[:, 0].copy(), pairs[:, 1].copy()
        weights = (1.0 + np.log(counts)) * self._idf[buckets]
        norm = np.sqrt(np.bincount(np.zeros(len(weights), np.int64), weights**2))
        out[self._start + buckets] = weights / norm[0]

    def _counts(self, text: str) -> Counter[int]:
        words = _WORD.findall(text[:LONGEST].lower())
        return Counter(zlib.crc32(word.encode()) % self._buckets for word in words)
