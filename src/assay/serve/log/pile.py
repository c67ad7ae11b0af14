"""What waits to be written to one stream of small files."""

from __future__ import annotations

import polars as pl

from assay.serve.log.shelf import Stream


class Pile:
    """Tables for one stream: any thread adds, one writes."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._tables: list[pl.DataFrame] = []
        self._sizes: list[int] = []

    @property
    def rows(self) -> int:
        """Return how many rows wait."""
        return sum(table.height for table in self._tables[:])

    @property
    def bytes(self) -> int:
        """Return how much memory the rows take that wait."""
        return sum(self._sizes)

    def add(self, table: pl.DataFrame) -> None:
        """Let a table wait."""
        self._sizes.append(int(table.estimated_size()))
        self._tables.append(table)

    def write(self) -> int:
        """Write what waits as one file and return its bytes, 0 for none.

        Raises OSError or PolarsError, and everything waits as before.
        """
        count = len(self._tables)
        if not count:
            return 0
        size = self.stream.write(pl.concat(self._tables[:count]))
        del self._tables[:count], self._sizes[:count]
        return size
