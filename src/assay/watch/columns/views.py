"""Texts and vectors, looked at through numbers and categories.

A text is looked at through its `length` in characters, its `words`, the share of `new words` that
training did not know, the `script` of its first letter, and some `direction`s: the sum of a sign
for each word, the signs being bits of its hash, over the root of the number of words. A vector (an
embedding) through its `size` (Euclidean), how many `numbers` it has, and its `direction`s: the
cosine with fixed vectors of signs. Such projections keep distances (Achlioptas 2003, J. Comput.
Syst. Sci. 66), so what moves far moves in some of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.watch.columns.words import Hashes, among, hashes

DIRECTIONS = {"text": 6, "vector": 12}
NEW_WORDS, SCRIPT, NUMBERS = "new words", "script", "numbers"
CATEGORIES = (SCRIPT, NUMBERS)
"""Views that are categories; the others are numbers."""

Numbers = NDArray[np.float64]
Looks = Mapping[str, "Numbers | pl.Series"]


def views_of_vectors(vectors: pl.Series) -> Looks:
    """Return what each view says of lists of numbers: NaN or null where one is missing.

    A vector that holds a number that is missing or not finite has no finite size or direction.
    """
    lists = vectors.cast(pl.List(pl.Float64))
    lengths = lists.list.len()
    size = np.full(len(lists), np.nan)
    directions = np.full((DIRECTIONS["vector"], len(lists)), np.nan)
    for length in lengths.drop_nulls().unique().to_list():
        rows = (lengths == length).fill_null(value=False).to_numpy()
        flat = lists.filter(pl.Series(rows)).explode(empty_as_null=False).to_numpy()
        block = flat.reshape(rows.sum(), length)
        norm = np.sqrt(np.einsum("ij,ij->i", block, block))
        finite = np.isfinite(norm)
        size[rows] = np.where(finite, norm, np.inf)
        scale = np.where(finite & (norm > 0), norm, 1.0) * max(1, length) ** 0.5
        signs = _signs_of_places(length)
        turned = np.einsum("ij,kj->ki", np.where(finite[:, None], block, 0.0), signs) / scale
        # six digits are what two orders of adding up agree on
        directions[:, rows] = np.where(finite, turned.round(6), np.inf)
    looks = {f"direction {k + 1}": values for k, values in enumerate(directions)}
    return {"size": size, NUMBERS: lengths.cast(pl.String), **looks}


def views_of_texts(texts: pl.Series, vocabulary: bytes) -> Looks:
    """Return what each view says of texts: NaN or null where one is missing."""
    spoken = Spoken(texts)
    gone = texts.is_null().to_numpy()
    new = (~among(spoken.hashes, vocabulary)).astype(np.float64)
    looks: dict[str, Numbers | pl.Series] = {
        "length": texts.str.len_chars().cast(pl.Float64).to_numpy(),
        "words": np.where(gone, np.nan, spoken.words),
        NEW_WORDS: np.where(gone, np.nan, spoken.sums(new) / np.maximum(1, spoken.words)),
        SCRIPT: scripts_of(texts),
    }
    root = np.sqrt(np.maximum(1, spoken.words))
    for k in range(DIRECTIONS["text"]):
        signs = ((spoken.hashes >> np.uint64(32 + k)) & np.uint64(1)).astype(np.float64) * 2 - 1
        looks[f"direction {k + 1}"] = np.where(gone, np.nan, spoken.sums(signs) / root)
    return looks


class Spoken:
    """The words of n texts: how many each has, and the hash of each in turn.

    `words` is (n,); `hashes` is (words in all,).
    """

    def __init__(self, texts: pl.Series) -> None:
        lists = texts.fill_null("").str.to_lowercase().str.extract_all(r"\w+")
        self.words = lists.list.len().to_numpy()
        self._ends = np.cumsum(self.words, dtype=np.int64)
        flat = lists.explode(empty_as_null=False)
        distinct = flat.unique()
        self.hashes: Hashes = flat.replace_strict(
            distinct, pl.Series(hashes(distinct)), return_dtype=pl.UInt64
        ).to_numpy()

    def sums(self, values: Numbers) -> Numbers:
        """Return the (n,) sum of the values, (words in all,), of the words of each text."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        found: Numbers = total[self._ends] - total[self._ends - self.words]
        return found

    def shared(self) -> tuple[Hashes, NDArray[np.int64]]:
        """Return the hash of each word, and how many texts have it, frequent ones first."""
        text = np.repeat(np.arange(len(self.words)), self.words)
        pairs = np.unique(np.stack([self.hashes, text.astype(np.uint64)], axis=1), axis=0)
        found, counts = np.unique(pairs[:, 0], return_counts=True)
        order = np.lexsort((found, -counts))
        return found[order], counts[order]


def scripts_of(texts: pl.Series) -> pl.Series:
    """Return the script of the first letter of each text, such as LATIN; "none" without one."""
    first = texts.str.extract(r"(\p{L})").fill_null("").rename("letter")
    distinct = first.unique()
    names = [
        unicodedata.name(letter, "none").split()[0] if letter else "none" for letter in distinct
    ]
    scripts = first.replace_strict(distinct, pl.Series(names, dtype=pl.String))
    return scripts.set(texts.is_null(), None)


def _signs_of_places(length: int) -> Numbers:
    """Return (directions, length) signs, the same on every machine."""
    bits = hashes(pl.Series(range(length), dtype=pl.Int64).cast(pl.String))
    shifts = np.arange(32, 32 + DIRECTIONS["vector"], dtype=np.uint64)
    signs: Numbers = ((bits >> shifts[:, None]) & np.uint64(1)).astype(np.float64) * 2 - 1
    return signs
