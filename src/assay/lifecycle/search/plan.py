"""How candidates are validated on a table of this size: folds, repeats, samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.data.split import is_ordered, refold, train_valid
from assay.errors import SpecError
from assay.lifecycle.material import Material
from assay.records.base import digest_of
from assay.records.spec import BudgetSection, SplitSection

Index = NDArray[np.int64]

REPEATS, REPEATED_BELOW = 3, 2_000
"""Tables with fewer training rows are cross-validated so many times, each with other folds."""
FEWER_FOLDS, FEWER_FROM, ONE_FROM = 3, 30_000, 200_000
"""Training rows from which so many folds are validated, and from which only one is."""
MOST_VALID, LEAST_VALID = 50_000, 20_000
NEARLY = 0.85
"""The share of the training rows from which a fit need not be made again on all of them."""
PROBE_FROM, PROBE, PROBE_VALID = 60_000, 20_000, 10_000
"""Training rows from which candidates are first ranked on a sample, and the sample's rows."""
CELLS_PER_SECOND = 200_000
"""Cells that a second of the budget pays for: a larger table is fitted on a sample."""
BYTES_PER_CELL = 8
COPIES = 5
"""A worker holds the rows so many times over: as read, encoded, binned, and in between."""
BASE_MB, WORKER_MB = 700.0, 450.0
"""What the main process and a worker take before they hold any row."""


@dataclass(frozen=True)
class Slot:
    """Places among the training rows to fit on and to predict. `number` is the fold's, -1 none."""

    number: int
    train: Index
    valid: Index

    @cached_property
    def label(self) -> str:
        """Return a name made of the rows."""
        parts = (self.train, np.array([-1]), self.valid)
        return digest_of(np.concatenate(parts).tobytes())[:24]


@dataclass(frozen=True)
class Plan:
    """The slots of a search.

    `slots` has `folds` of them for each of `repeats`, the first repeat first; `simple` are those of
    the baselines; `probe` is the sample on which candidates are ranked first, None on small tables.
    """

    slots: tuple[Slot, ...]
    folds: int
    repeats: int
    simple: tuple[Slot, ...]
    probe: Slot | None
    rows: int
    seed: int
    keep: bool = False
    """Whether the model of the only slot saw nearly all rows that it could, and is kept."""

    def every(self) -> list[Slot]:
        """Return each slot once."""
        found = [*self.slots, *self.simple, *([self.probe] if self.probe else [])]
        return list({slot.label: slot for slot in found}.values())


def build(material: Material, policy: SplitSection, budget: BudgetSection) -> Plan:
    """Return the plan; the same for any number of workers.

    Raises SpecError BUDGET-MEMORY when the budget's memory cannot hold a fit.
    """
    rows = material.train_index.size
    most = most_rows(rows, len(material.problem.features), budget)
    repeats = REPEATS if rows < REPEATED_BELOW and not is_ordered(policy) else 1
    slots = [slot for repeat in range(repeats) for slot in _folds(material, policy, repeat)]
    if rows > ONE_FROM or (len(slots) > 1 and most < rows // 2):
        slots = slots[-1:]  # with an order in time the last fold has the most rows to learn from
    elif rows > FEWER_FROM:
        slots = slots[-FEWER_FOLDS:]
    rng = np.random.default_rng([policy.seed, 1])
    whole = is_ordered(policy) or policy.group_on is not None
    slots = [_capped(slot, len(slots), rows, whole, most, rng) for slot in slots]
    folds = len(slots) // repeats
    simple = [_sampled(slot, PROBE, None, rng) for slot in slots[:folds]]
    return Plan(
        slots=tuple(slots),
        folds=folds,
        repeats=repeats,
        simple=tuple(simple if rows > FEWER_FROM else slots[:folds]),
        probe=_sampled(slots[0], PROBE, PROBE_VALID, rng) if rows > PROBE_FROM else None,
        rows=rows,
        seed=policy.seed,
        # without the latest block in time, or some of the groups, it is fitted again
        keep=len(slots) == 1 and slots[0].train.size >= min(most, NEARLY * rows),
    )


def most_rows(rows: int, columns: int, budget: BudgetSection) -> int:
    """Return on how many rows a fit can be made in the budget's time and memory."""
    most = rows
    seconds = msgspec.structs.replace(budget, repeat="").seconds  # a repeat sees the same rows
    if seconds is not None:
        most = min(most, max(PROBE, int(seconds * CELLS_PER_SECOND / max(1, columns))))
    if budget.memory is not None:
        room = budget.memory - BASE_MB - WORKER_MB - 2 * megabytes(rows, columns)
        fits = int(room / (COPIES * megabytes(1, columns)))
        if fits < min(rows, PROBE):
            needs = BASE_MB + WORKER_MB + 2 * megabytes(rows, columns)
            needs += COPIES * megabytes(min(rows, PROBE), columns)
            raise SpecError(
                "BUDGET-MEMORY",
                "so little memory holds no fit on this table",
                where="budget.memory",
                got=f"{budget.memory:,.0f} MB",
                allowed=(f"{needs:,.0f} MB or more",),
                hint="raise budget.memory, or drop columns that cannot matter",
            )
        most = min(most, fits)
    return most


def workers_for(rows: int, columns: int, memory: float | None, most: int) -> int:
    """Return how many of `most` workers fit into `memory` (MB), one at least."""
    if memory is None:
        return most
    room = memory - BASE_MB - 2 * megabytes(rows, columns)
    each = WORKER_MB + COPIES * megabytes(rows, columns)
    return max(1, min(most, int(room / each)))


def megabytes(rows: int, columns: int) -> float:
    """Return the size of a table of numbers."""
    return rows * columns * BYTES_PER_CELL / 1e6


def _folds(material: Material, policy: SplitSection, repeat: int) -> list[Slot]:
    """Return the folds of the split, or for a later repeat other folds by the same policy."""
    place = np.zeros(len(material.parts), dtype=np.int64)
    place[material.train_index] = np.arange(material.train_index.size)
    found = []
    parts = material.parts
    if repeat:
        parts = refold(policy, material.problem, material.table, parts, repeat)
    for fold in material.folds:
        train, valid = train_valid(parts, fold, False) if repeat else material.fold(fold)
        found.append(Slot(fold + repeat * len(material.folds), place[train], place[valid]))
    return [slot for slot in found if slot.train.size and slot.valid.size]


def _capped(
    slot: Slot, slots: int, rows: int, whole: bool, most: int, rng: np.random.Generator
) -> Slot:
    """Return the slot with no more rows to predict, and to fit on, than pay for themselves.

    What is not predicted is fitted on, unless the rows of a fold have to stay together (`whole`).
    """
    limit = MOST_VALID if slots > 1 else min(MOST_VALID, max(LEAST_VALID, rows // 10))
    train, valid = slot.train, slot.valid
    if valid.size > limit and rows > FEWER_FROM:
        chosen = np.zeros(valid.size, dtype=bool)
        chosen[rng.permutation(valid.size)[:limit]] = True
        if not whole:
            train = np.sort(np.concatenate([train, valid[~chosen]]))
        valid = valid[chosen]
    return _sampled(Slot(slot.number, train, valid), most, None, rng)


def _sampled(slot: Slot, train: int, valid: int | None, rng: np.random.Generator) -> Slot:
    """Return the slot with at most so many rows, each part in the order that it had."""

    def some(index: Index, most: int | None) -> Index:
        if most is None or index.size <= most:
            return index
        return index[np.sort(rng.permutation(index.size)[:most])]

    number = slot.number if valid is None else -1
    return Slot(number, some(slot.train, train), some(slot.valid, valid))
