"""What the server asks of a model: the one thing it knows of models at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from assay.kernel.family import Explanation, Predictions
from assay.records.fitted import Signature

if TYPE_CHECKING:
    import polars as pl

Cells = list[object]
"""One row, typed, in the order of the signature's inputs: the form of `Predictor.row`."""


class Servable(Protocol):
    """One version of a model, loaded and verified; safe to ask from several threads."""

    name: str
    version: int
    digest: str
    signature: Signature

    @property
    def example(self) -> Mapping[str, Any]:
        """Return one row in the middle of what training saw, as a caller may send it."""
        ...

    def read(self, row: Mapping[str, Any]) -> Cells | None:
        """Type one row; None where it does not fit and `table` is to say why."""
        ...

    def table(self, raw: object) -> pl.DataFrame:
        """Type many rows by the same rules; raises DataError that names row and column.

        They come as a frame, a list of rows (mappings), or a mapping from columns to their cells.
        """
        ...

    def rows(self, cells: Sequence[Cells]) -> Predictions:
        """Answer for typed rows that arrived one by one, in one call."""
        ...

    def ask(self, frame: pl.DataFrame) -> Predictions:
        """Answer for a typed table."""
        ...

    def explain(self, frame: pl.DataFrame) -> Explanation:
        """Explain the answers for a typed table."""
        ...

    def warm(self) -> None:
        """Answer once, so that the first caller does not wait; raises what a request would."""
        ...


class Loader(Protocol):
    """Loads and verifies a version; the server is given one and never reads a package itself."""

    def __call__(self, model: str, version: int) -> Servable:
        """Return the version, warm; raises UsageError, Tampered or Refused."""
        ...
