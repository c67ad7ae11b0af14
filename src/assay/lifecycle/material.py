"""The rows that training may see, and the one door to the test rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.content import read_table
from assay.data.split import ONLY_TRAIN, folds_of, train_valid
from assay.kernel.family import Family, Rows, class_labels
from assay.kernel.plugins import load_family
from assay.kernel.stage import Context, Inputs, take
from assay.kernel.store import Store
from assay.records.base import digest, digest_of
from assay.records.fitted import Weighting
from assay.records.seal import Seal
from assay.records.snapshot import DataSnapshot, Problem
from assay.records.split import Split

TEST = -1


@dataclass(frozen=True)
class Material:
    """A snapshot under a split, in the words of the problem.

    Rows are handed out by index arrays; test rows come only through `test_rows`, which writes
    the reading to the ledger.
    """

    family: Family
    problem: Problem
    table: pl.DataFrame
    parts: NDArray[np.int8]
    ordered: bool
    weight: NDArray[np.float64] | None = None

    @classmethod
    def open(cls, inputs: Inputs, store: Store) -> Material:
        """Load what the records `problem`, `snapshot` and `split` name."""
        problem = take(inputs, "problem", Problem)
        split = take(inputs, "split", Split)
        parts = read_parts(store.get(split.rows))
        return cls(
            family=load_family(problem.family),
            problem=problem,
            table=read_table(take(inputs, "snapshot", DataSnapshot), store),
            parts=parts,
            ordered=split.ordered,
            weight=_weight(inputs, parts, store),
        )

    @cached_property
    def train_index(self) -> NDArray[np.int64]:
        """Return the indices of all training rows."""
        return np.flatnonzero(self.parts >= 0)

    @cached_property
    def folds(self) -> list[int]:
        """Return the folds in which candidates are validated."""
        return folds_of(self.parts)

    def fold(self, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row indices that fold `fold` trains and validates on.

        Under an ordered split the training rows stand block by block in time, latest last.
        """
        train, valid = train_valid(self.parts, fold, self.ordered)
        if self.ordered:
            block = np.where(self.parts[train] == ONLY_TRAIN, -1, self.parts[train])
            train = train[np.argsort(block, kind="stable")]
        return train, valid

    def rows(self, index: NDArray[np.int64]) -> Rows:
        """Return training rows; raises ValueError when a test row is among `index`."""
        if (self.parts[index] == TEST).any():
            raise ValueError("test rows come through test_rows only")
        return self._rows(index)

    def test_rows(
        self, context: Context, seal: Seal, model: str
    ) -> tuple[Rows, NDArray[np.int64], str]:
        """Open the door: write the reading to the ledger, then return the test rows.

        Returns the rows, their indices, and the digest of both places and answers that names
        them, so that the readings of the same rows can be counted whatever columns go with them.
        `model` is the digest of what is about to be judged on them.
        """
        index = np.flatnonzero(self.parts == TEST)
        name = digest(seal)
        rows = self._rows(index)
        test = digest_of(index.tobytes() + rows.truth.tobytes())
        context.append(
            "test.read",
            context.run,
            parents=(name,),
            seal=name,
            model=model,
            test=test,
            rows=int(index.size),
        )
        return rows, index, test

    def _rows(self, index: NDArray[np.int64]) -> Rows:
        part = self.table[index]
        return Rows(
            part[list(self.problem.features)],
            target_codes(part[self.problem.target], self.problem),
            None if self.weight is None else self.weight[index],
        )


def _weight(inputs: Inputs, parts: NDArray[np.int8], store: Store) -> NDArray[np.float64] | None:
    """Return a weight per row of the table, where the stage `weigh` gave the training rows some."""
    found = inputs.get("weigh")
    if not isinstance(found, Weighting) or not found.rows:
        return None
    weight = np.ones(len(parts))
    weight[parts >= 0] = read_array(store.get(found.rows))
    return weight


def target_codes(target: pl.Series, problem: Problem) -> NDArray[np.int64] | NDArray[np.float64]:
    """Return codes into `problem.classes`, or float64 numbers."""
    if not problem.classes:
        return target.cast(pl.Float64).to_numpy()
    codes = {name: code for code, name in enumerate(problem.classes)}
    return class_labels(target).replace_strict(codes, return_dtype=pl.Int64).to_numpy()


def write_parts(parts: NDArray[np.int8]) -> bytes:
    """Return the parts of a split as an Arrow IPC file."""
    buffer = io.BytesIO()
    pl.DataFrame({"part": parts}).write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def read_parts(data: bytes) -> NDArray[np.int8]:
    """Read back what `write_parts` wrote."""
    return pl.read_ipc(io.BytesIO(data))["part"].to_numpy()


def write_array(array: NDArray[np.float64]) -> bytes:
    """Return an array as an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def read_array(data: bytes) -> NDArray[np.float64]:
    """Read back what `write_array` wrote."""
    array: NDArray[np.float64] = np.load(io.BytesIO(data), allow_pickle=False)
    return array
