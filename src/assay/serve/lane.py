"""One version of a model as a worker serves it, with what is made ready for it once."""

from __future__ import annotations

from time import perf_counter
from typing import Any, NamedTuple

from assay.records.spec import ServeSection
from assay.serve.answering.admission import PART, Estimate
from assay.serve.answering.answers import Answers, edges_of
from assay.serve.answering.body import WholeRows
from assay.serve.answering.cache import Cache
from assay.serve.answering.check import Checker
from assay.serve.servable import Cells, Servable

TOGETHER, REPEATS = 16, 3
"""Rows that are asked at once and one by one, and how often, to see what a model gains."""
GAIN = 0.9
"""A model gains from batches when a row of a batch takes at most this part of a row alone."""

BYTE = 5e-8
"""Seconds that a byte of a table takes, until it is known."""


class Kept(NamedTuple):
    """The answer for rows: their values as plain floats, class codes or bins, and JSON."""

    values: list[Any]
    codes: list[int]
    said: bytes


class Lane:
    """A servable with its settings and its place among the counters.

    Making one asks the servable a few times; do it off the event loop, then `Models.install` it.
    """

    def __init__(self, servable: Servable, slot: int, section: ServeSection) -> None:
        self.servable, self.slot, self.section = servable, slot, section
        self.model, self.version = servable.name, servable.version
        self.reference = f"{servable.name}@{servable.version}"
        self.check = Checker(servable.signature, section)
        self.whole = WholeRows([field.name for field in servable.signature.inputs])
        self.cache: Cache[Kept] | None = Cache(section.cache) if section.cache else None
        self.limit = section.slo * PART
        """Seconds of work that one turn of the loop may have when this version is asked."""
        cells = servable.read(servable.example)
        alone, together = _measure(servable, cells) if cells is not None else (1e-3, 1e-3)
        self.together = section.batch == "always" or (
            section.batch == "auto" and together <= GAIN * alone
        )
        """Whether rows of several requests are answered in one call."""
        self.cost = Estimate(together if self.together else alone)
        """Seconds for a row."""
        self.byte_cost = Estimate(BYTE)
        """Seconds for a byte of a table."""
        self.answers = Answers(servable.signature, self._edges(cells))

    def _edges(self, cells: Cells | None) -> list[float]:
        if self.servable.signature.classes:
            return []
        low, high = self.servable.signature.interval or (0.0, 0.0)
        typical = 0.0 if cells is None else float(self.servable.rows([cells]).values[0])
        return edges_of(typical, (high - low) / 4 or abs(typical) / 8 or 1.0)

    def counts_as(self, other: Lane) -> None:
        """Count answers as another version's are, so that the two can be compared."""
        self.answers.edges = other.answers.edges


def _measure(servable: Servable, cells: Cells) -> tuple[float, float]:
    """Return the seconds for a row alone, and for a row of a batch; the best of a few."""

    def best(rows: list[Cells], calls: int) -> float:
        taken = []
        for _ in range(REPEATS):
            start = perf_counter()
            for _ in range(calls):
                servable.rows(rows)
            taken.append(perf_counter() - start)
        return min(taken) / TOGETHER

    return best([cells], TOGETHER), best([cells] * TOGETHER, 1)
