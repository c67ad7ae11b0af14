"""The model section for many rows: trees by bit masks, and the rest by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from assay.tasks.tabular.engine.bits import BitTrees, bit_trees
from assay.tasks.tabular.engine.ensemble import ensembles
from assay.tasks.tabular.engine.files import MODEL_SECTION, SCORES
from assay.tasks.tabular.engine.wire import cut

BUDGET = 32_000_000
"""Bytes of tables, about and at most: every process that serves has its own."""

Matrix = NDArray[Any]


@dataclass(frozen=True)
class ManyRows:
    """A model section without its trees, and these as tables."""

    trees: tuple[tuple[str, str, BitTrees], ...]
    """The matrix that each reads and the value that it makes."""
    session: Any

    def run(self, feeds: Mapping[str, Matrix]) -> Matrix:
        """Return what the whole section makes of the same matrices, to the last bit."""
        made = {output: trees.sums(feeds[source]) for source, output, trees in self.trees}
        answer: Matrix = self.session.run(None, {**feeds, **made})[0]
        return answer


def many_rows(
    model: bytes, matrices: Collection[str], open_session: Callable[[bytes], Any]
) -> ManyRows | None:
    """Return the model section of a file for many rows; None where that would not be faster.

    `matrices` are the inputs of the section. Trees that read something else,
    have too many leaves or need tables too large stay with ONNX Runtime.
    """
    left, found = BUDGET, []
    for ensemble in ensembles(model, MODEL_SECTION):
        trees = bit_trees(ensemble, left) if ensemble.source in matrices else None
        if trees is not None:
            left -= trees.bytes
            found.append((ensemble.source, ensemble.output, trees))
    if not found:
        return None
    rest = cut(model, MODEL_SECTION, SCORES, [output for _, output, _ in found])
    return ManyRows(tuple(found), open_session(rest))
