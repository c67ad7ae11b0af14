"""How long the engine that serves takes for one row."""

from __future__ import annotations

from itertools import cycle

import polars as pl

from assay.evaluate.latency import measure
from assay.lifecycle.single import OneRow
from assay.metrics.answers import answers
from assay.package.load import Operated
from assay.records.report import Estimate

ROWS = 256
"""Rows that the latency is measured on, in turn: one row alone would find everything cached."""


def latency(
    predictor: Operated, frame: pl.DataFrame, *, seconds: float = 0.5, at_least: int = 400
) -> dict[str, Estimate]:
    """Measure one row in the engine that serves, from the dict to the answer, in milliseconds.

    `frame` has typed rows, of which the first few are asked in turn, for `seconds` and until there
    are `at_least` answers. A row that cannot be answered without a frame is asked as the frame of
    one row that it is here, so that it counts as what it costs. Returns `p50` and `p99`.
    """
    ask, some = OneRow(predictor, predictor.signature), frame.head(ROWS)
    rows = cycle(enumerate(some.to_dicts()))

    def once() -> object:
        place, row = next(rows)
        found = ask(row)
        if found is not None:
            return found
        return answers(predictor.predict(some.slice(place, 1)), predictor.signature)

    return measure(once, seconds=seconds, at_least=at_least)
