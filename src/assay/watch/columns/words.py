"""Words and category names as fingerprints: told apart, and kept without being written down."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


def hashes(words: pl.Series) -> Hashes:
    """Return (n,) 64-bit hashes of texts, the same on every machine.

    CRC-32 of the UTF-8 bytes, its bits then mixed (Steele, Lea and Flood 2014, OOPSLA, the finisher
    of SplitMix64). They tell values apart and hide nothing: who guesses a word can check it.
    """
    found = np.fromiter(map(crc32, words.cast(pl.Binary)), dtype=np.uint64, count=len(words))
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = found ^ (found >> np.uint64(31))
    return mixed


def pack(known: Hashes) -> bytes:
    """Return hashes as sorted 32-bit fingerprints, four bytes each."""
    return np.unique(known.astype("<u4")).tobytes()


def among(found: Hashes, packed: bytes) -> NDArray[np.bool_]:
    """Say of each hash whether its fingerprint is one of these.

    One that is not gets in by chance once in 2**32 / n, n fingerprints being kept.
    """
    known = np.frombuffer(packed, dtype="<u4")
    if not known.size:
        return np.zeros(len(found), dtype=bool)
    short = found.astype(np.uint32)
    place = np.minimum(np.searchsorted(known, short), known.size - 1)
    inside: NDArray[np.bool_] = known[place] == short
    return inside
