"""Which rows train, validate and test."""

from __future__ import annotations

from assay.records.base import Record


class Split(Record, frozen=True, kw_only=True, tag="split@1"):
    """A split by policy and seed; `rows` is the digest of the stored index arrays.

    The blob is an Arrow IPC file with one int8 column `part`: -1 for a test row, -2 for a row
    that is left out, else the fold (0…) in which a training row is validated, 127 for none.
    `ordered` says that fold k is trained on the folds before it only (blocks in time). `valid`
    counts rows only when one fixed validation part is used in place of cross-validation; then
    train + valid + test is the number of rows, otherwise train + test is.
    """

    policy: str
    seed: int
    train: int
    valid: int
    test: int
    folds: int
    rows: str
    ordered: bool = False
    note: str = ""

    def blobs(self) -> tuple[str, ...]:
        """Return the parts of the rows."""
        return (self.rows,)
