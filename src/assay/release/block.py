"""What one version did between two looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.records.deployment import ANSWERS, LATENCY_EDGES, Traffic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """Counts between two looks, or a part of them.

    `latency` is (edges + 1,), `answers` has a place for each class or bin, `fed` is count, sum and
    sum of squares of the metric. Of the rows `compared` with live's answers, some `differed`.
    """

    answered: float
    failed: float
    latency: Array
    answers: Array
    fed: Array
    compared: float = 0.0
    differed: float = 0.0

    @property
    def asked(self) -> float:
        """Return the requests that were answered or failed; not those refused."""
        return self.answered + self.failed

    def over(self, edge: int) -> float:
        """Return the requests that took longer than the edge of that number."""
        return float(self.latency[edge + 1 :].sum())

    def kinds(self, kinds: NDArray[np.int_]) -> Array:
        """Return the answers of each of these kinds and then of all others, as if one a request.

        The rows of a request are alike, so a request counts once however many rows it has.
        """
        told = self.answers[kinds]
        rows = self.answers.sum()
        counts = np.append(told, rows - told.sum())
        return counts * (min(1.0, self.answered / rows) if rows > 0 else 0.0)

    def part(self, share: float) -> Block:
        """Return a share of it, alike in every count."""
        return Block(
            self.answered * share,
            self.failed * share,
            self.latency * share,
            self.answers * share,
            self.fed * share,
            self.compared * share,
            self.differed * share,
        )

    def saved(self) -> list[Any]:
        """Return plain data from which `restored` makes it again."""
        return [np.asarray(getattr(self, field.name)).tolist() for field in fields(self)]

    def plus(self, other: Block) -> Block:
        """Return both together."""
        return Block(
            self.answered + other.answered,
            self.failed + other.failed,
            self.latency + other.latency,
            self.answers + other.answers,
            self.fed + other.fed,
            self.compared + other.compared,
            self.differed + other.differed,
        )


def nothing() -> Block:
    """Return a block without a request."""
    return Block(0.0, 0.0, np.zeros(len(LATENCY_EDGES) + 1), np.zeros(ANSWERS), np.zeros(3))


def restored(kept: Sequence[Any]) -> Block:
    """Return the block that `Block.saved` returned as plain data."""
    answered, failed, latency, answers, fed, compared, differed = kept
    times, kinds, sums = (np.array(each) for each in (latency, answers, fed))
    return Block(answered, failed, times, kinds, sums, compared, differed)


def block(now: Traffic, before: Traffic | None, metric: str | None) -> Block:
    """Return what was counted since `before`, where all of its counts are in those of now.

    Where one of them is not, or without `before`, everything counted now is returned.
    """
    whole = _whole(now, metric)
    if before is None:
        return whole
    rest = whole.plus(_whole(before, metric).part(-1.0))
    if min(rest.answered, rest.failed, rest.latency.min(), rest.fed[0]) < 0:
        return whole
    return rest


def _whole(traffic: Traffic, metric: str | None) -> Block:
    return Block(
        answered=float(traffic.requests),
        failed=float(traffic.failed),
        latency=_padded(traffic.latency, len(LATENCY_EDGES) + 1),
        answers=_padded(traffic.answers, ANSWERS),
        fed=np.array(traffic.fed.get(metric or "", (0.0, 0.0, 0.0))),
        compared=float(traffic.compared),
        differed=float(traffic.differed),
    )


def _padded(counts: Sequence[int], size: int) -> Array:
    """Return the counts in so many places; what is beyond them counts with the last."""
    found = np.zeros(size)
    np.add.at(found, np.minimum(np.arange(len(counts)), size - 1), counts)
    return found
