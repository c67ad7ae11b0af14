"""The training rows, laid out once in files that every process reads once."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Rows
from assay.lifecycle.search.plan import Slot

Pair = tuple[Rows, Rows]

CELLS_KEPT = 20_000_000
"""A process keeps the rows of its last slots while they hold fewer cells than this."""


@dataclass
class Desk:
    """All rows of a search, and the slots by label: the rows to fit on and those to predict."""

    rows: Rows
    slots: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    taken: OrderedDict[str, Pair] = field(default_factory=OrderedDict)

    def take(self, label: str) -> Pair:
        """Return a slot's rows to fit on and to predict, the same objects while they are kept."""
        if label not in self.taken:
            train, valid = self.slots[label]
            self.taken[label] = part(self.rows, train), part(self.rows, valid)
            while len(self.taken) > 1 and self._cells() > CELLS_KEPT:
                self.taken.popitem(last=False)
        self.taken.move_to_end(label)
        return self.taken[label]

    def _cells(self) -> int:
        pairs = self.taken.values()
        return sum(rows.frame.height * rows.frame.width for pair in pairs for rows in pair)


_open: dict[str, Desk] = {}


def lay_out(folder: Path, rows: Rows, slots: list[Slot], *, shared: bool) -> str:
    """Open a desk under the name of a folder, and write it there when it is for other processes."""
    name = str(folder)
    _open[name] = Desk(rows, {slot.label: (slot.train, slot.valid) for slot in slots})
    if shared:
        folder.mkdir(parents=True, exist_ok=True)
        rows.frame.write_ipc(folder / "rows.arrow", compression="uncompressed")
        np.save(folder / "truth.npy", rows.truth)
        if rows.weight is not None:
            np.save(folder / "weight.npy", rows.weight)
        for slot in slots:
            np.save(folder / f"{slot.label}.train.npy", slot.train)
            np.save(folder / f"{slot.label}.valid.npy", slot.valid)
    return name


def clear(name: str) -> None:
    """Close a desk, and remove its files."""
    _open.pop(name, None)
    shutil.rmtree(name, ignore_errors=True)


def take(name: str, label: str) -> Pair:
    """Return the rows of a slot of the desk called `name`, reading its files on first use."""
    if name not in _open:
        _open.clear()  # one search at a time
        _open[name] = _mapped(Path(name))
    return _open[name].take(label)


def _mapped(folder: Path) -> Desk:
    weight = folder / "weight.npy"
    slots = {
        file.name.removesuffix(".train.npy"): (
            np.load(file, mmap_mode="r"),
            np.load(file.with_name(file.name.replace(".train.", ".valid.")), mmap_mode="r"),
        )
        for file in folder.glob("*.train.npy")
    }
    rows = Rows(
        pl.read_ipc(folder / "rows.arrow"),
        np.load(folder / "truth.npy", mmap_mode="r"),
        np.load(weight, mmap_mode="r") if weight.exists() else None,
    )
    return Desk(rows, slots)


def part(rows: Rows, index: NDArray[np.int64]) -> Rows:
    """Return some of the rows, in the order of `index`."""
    weight = None if rows.weight is None else np.asarray(rows.weight[index])
    truth: NDArray[np.int64] | NDArray[np.float64] = rows.truth[index]
    return Rows(rows.frame[np.asarray(index)], truth.view(np.ndarray), weight)
