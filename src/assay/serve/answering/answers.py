"""Answers as a client reads them: JSON objects, or a table as CSV or Arrow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from io import BytesIO
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.metrics.answers import answers, code_of, interval, labels, positive_code
from assay.records.deployment import ANSWERS
from assay.records.fitted import Signature
from assay.serve.answering.body import ARROW_FILE, ARROW_STREAM, CSV, JSON

_encode = msgspec.json.Encoder().encode


class Answers:
    """Writes the answers of one model.

    What is the same in each answer is made once: an answer is its numbers between fixed bytes.
    `edges` are the ends of bins in which answered numbers are counted; classes are counted by code.
    """

    def __init__(self, signature: Signature, edges: Sequence[float] = ()) -> None:
        self.signature, self.edges = signature, edges
        self.classes = signature.classes
        self.labels = labels(signature)
        self._positive = positive_code(signature)
        self._low, self._high = interval(signature)
        if self.classes:
            names = [_encode(name) + b":" for name in self.classes]
            self._heads = [
                b'{"label":' + _encode(label) + b',"probabilities":{' + names[0]
                for label in self.labels
            ]
            self._between, self._end = [b"," + name for name in names[1:]], b"}}"
        else:
            self._heads = [b'{"value":']
            self._between, self._end = [b',"low":', b',"high":'], b"}"

    def code(self, values: Any, cut: float) -> int:
        """Return the class code of one row, or the bin of its number; `values` are plain floats."""
        if self.classes:
            return code_of(values, self._positive, cut)
        return bisect_right(self.edges, values)

    def written(self, values: Sequence[Any], codes: Sequence[int]) -> bytes:
        """Return the answers of n rows as JSON, with commas between them.

        `values` are n lists of probabilities, or n numbers, as plain floats.
        """
        if not codes:
            return b""
        if self.classes:
            flat = list(chain.from_iterable(values))
            heads = [self._heads[code] for code in codes]
        else:
            low, high = self._low, self._high
            flat = [end for value in values for end in (value, value + low, value + high)]
            heads = self._heads * len(values)
        numbers = _encode(flat)[1:-1].split(b",")
        width, count = 1 + len(self._between), len(heads)
        parts = [b""] * (count * (2 * width + 1))
        parts[:: 2 * width + 1] = heads
        for place, between in enumerate([*self._between, self._end + b","]):
            parts[2 * place + 1 :: 2 * width + 1] = numbers[place::width]
            parts[2 * place + 2 :: 2 * width + 1] = [between] * count
        return b"".join(parts)[:-1]

    def codes(self, found: Predictions) -> NDArray[np.int64]:
        """Return the class codes of n rows, or the bins of their numbers."""
        if self.classes:
            return found.codes(self._positive)
        return np.searchsorted(self.edges, found.values, side="right").astype(np.int64)

    def table(self, found: Predictions, kind: bytes) -> bytes:
        """Return the answers as CSV or Arrow, with the columns of `assay predict`."""
        frame, out = answers(found, self.signature), BytesIO()
        if kind == CSV:
            frame.write_csv(out)
        elif kind == ARROW_STREAM:
            frame.write_ipc_stream(out)
        else:
            frame.write_ipc(out)
        return out.getvalue()


def edges_of(typical: float, spread: float) -> list[float]:
    """Return the ends of the bins for numbers: equal widths around a typical answer."""
    middle = ANSWERS // 2
    return [typical + spread * (place - middle) for place in range(1, ANSWERS)]


def document(reference: str, request: str, said: bytes, warnings: Sequence[Any]) -> bytes:
    """Return the JSON answer to a request; `said` is what `Answers.written` returned."""
    told = _encode(warnings) if warnings else b"[]"
    head = b'{"model":%b,"request":%b,"predictions":[' % (_encode(reference), _encode(request))
    return b'%b%b],"warnings":%b}' % (head, said, told)


def wanted(accept: bytes | None) -> bytes:
    """Return the media type to answer in: JSON unless a table is asked for by name."""
    if accept is None or accept in (b"*/*", JSON):
        return JSON
    asked = [part.partition(b";")[0].strip().lower() for part in accept.split(b",")]
    return next((kind for kind in asked if kind in (CSV, ARROW_STREAM, ARROW_FILE)), JSON)
