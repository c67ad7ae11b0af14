"""Many rows through many small trees: a bit for each leaf, a table for each column.

Walking a tree costs a processor a wrong guess at about every other node. Here each way out of a
node is a mask that takes away the leaves on the other side. The thresholds of all nodes on a column
cut its values into cells, and a table has, for each cell and tree, what the masks of these nodes
leave. The tables of all columns, combined by AND, leave one bit: the leaf. The masks are those of
Lucchese et al. 2015, "QuickScorer", SIGIR; tables make a column one look-up, whatever the number of
its nodes.

Leaves are added in the order of the trees, as ONNX Runtime adds them: the sums are the same to the
last bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.tasks.tabular.engine.ensemble import Ensemble, Grown, grow

Vector = NDArray[Any]

MOST = 64
"""Leaves of a tree, at most: the bits of a word."""
ROWS = 512
"""Rows at a time: more save little of the cost of a call, and leave the processor's cache."""
BLOCK = 500_000
"""Bytes of tables, at most, that are read for these rows before the next are: half of a usual
cache."""
FEWEST = 32
"""Trees that share tables, at least: a look-up copies that many words."""
WIDE = 5
"""Trees for each column, at least: finding a value's cell costs as much as some trees."""
_MANTISSA, _BIAS = 52, 1023  # of a double


@dataclass(frozen=True)
class _Column:
    """A column in some trees: the table's row for each cell, and the table, (rows, trees)."""

    place: int
    """Among the columns of all trees."""
    row: Vector
    table: Vector


@dataclass(frozen=True)
class _Block:
    """Some trees, one after the other."""

    columns: tuple[_Column, ...]
    leaves: Vector
    """What all leaves add, the same number for each tree."""
    first: Vector
    """(trees, 1): the place in `leaves` of each tree's first, less the bias of a double."""
    sums: tuple[tuple[int, int, int], ...]
    """An output, and from which tree to which the trees add to it."""

    @property
    def bytes(self) -> int:
        """Return how much memory it takes."""
        tables = sum(column.table.nbytes + column.row.nbytes for column in self.columns)
        return tables + self.leaves.nbytes


@dataclass(frozen=True)
class BitTrees:
    """An ensemble as tables; safe to ask from several threads at once."""

    width: int
    edges: tuple[tuple[int, Vector], ...]
    """A column, and the last value of each of its cells, infinity the last; missing comes after."""
    blocks: tuple[_Block, ...]

    @property
    def bytes(self) -> int:
        """Return how much memory the tables take, about."""
        return sum(block.bytes for block in self.blocks)

    def sums(self, x: Vector) -> Vector:
        """Return what the trees add up to for (n, columns) doubles: (n, width)."""
        if len(x) == 1:  # a single row's leaves numpy would add in pairs
            return self.sums(np.repeat(x, 2, axis=0))[:1]
        total = np.zeros((self.width, len(x)))
        parts = max(1, -(-len(x) // ROWS))
        bounds = [len(x) * part // parts for part in range(parts + 1)]
        size = min(ROWS, len(x)) * max(len(block.first) for block in self.blocks)
        words = np.empty((2, size), self.blocks[0].columns[0].table.dtype)
        scratch = words, np.empty((2, size))
        for part in map(slice, bounds, bounds[1:]):
            # NaN is searched after infinity
            cells = [edges.searchsorted(x[part, column]) for column, edges in self.edges]
            for block in self.blocks:
                _add(block, cells, scratch, total[:, part])
        return np.ascontiguousarray(total.T)


def _add(block: _Block, cells: list[Vector], scratch: tuple[Vector, Vector], total: Vector) -> None:
    """Add a block's leaves to (width, n) totals."""
    trees, rows = len(block.first), total.shape[1]
    left, other = (words[: rows * trees].reshape(rows, trees) for words in scratch[0])
    place, leaf = (doubles[: rows * trees].reshape(trees, rows) for doubles in scratch[1])
    for column in block.columns:
        own = left if column is block.columns[0] else other
        at = column.row.take(cells[column.place])
        column.table.take(at, 0, own, "clip")  # none is outside: that spares a copy
        if own is other:
            np.bitwise_and(left, other, out=left)
    np.copyto(place, left.T)  # the exponent of a power of two says which bit it is
    bit = place.view(np.int64)
    np.right_shift(bit, _MANTISSA, out=bit)
    np.add(bit, block.first, out=bit)
    block.leaves.take(bit, None, leaf, "clip")
    for output, start, stop in block.sums:
        leaf[start] += total[output]
        np.add.reduce(leaf[start:stop], axis=0, out=total[output])


def bit_trees(trees: Ensemble, budget: int) -> BitTrees | None:
    """Return an ensemble as tables; None where they would be slow or take more than `budget` bytes.

    So it is where a tree has more than `MOST` leaves or adds to several outputs, and where the
    trees are few for their columns.
    """
    grown = grow(trees, MOST)
    if grown is None:
        return None
    columns, place = np.unique(trees.feature[grown.node], return_inverse=True)
    if WIDE * len(columns) > len(grown.leaves):
        return None
    edges = [_edges(trees, grown.node[place == at]) for at in range(len(columns))]
    blocks = []
    for block in _Maker(trees, grown, place, edges).blocks(0, len(grown.leaves)):
        blocks.append(block)
        budget -= block.bytes
        if budget < 0:
            return None
    return BitTrees(trees.width, tuple(zip(columns.tolist(), edges, strict=True)), tuple(blocks))


@dataclass(frozen=True)
class _Maker:
    """Makes blocks of an ensemble."""

    trees: Ensemble
    grown: Grown
    place: Vector
    """(nodes,): the column of each node that was grown, among `edges`."""
    edges: list[Vector]

    def blocks(self, start: int, stop: int) -> Iterator[_Block]:
        """Return the trees from `start` up to `stop` as blocks, halved until they are small."""
        here = slice(*self.grown.tree.searchsorted([start, stop]))
        order = np.argsort(self.place[here], kind="stable") + here.start
        used, first = np.unique(self.place[order], return_index=True)
        nodes = np.split(order, first[1:])
        edges = [_edges(self.trees, self.grown.node[at]) for at in nodes]
        size = sum(len(own) + 1 for own in edges) * (stop - start) * self._kind.itemsize
        if size > BLOCK and stop - start >= 2 * FEWEST:
            middle = (start + stop) // 2
            yield from self.blocks(start, middle)
            yield from self.blocks(middle, stop)
            return
        columns = tuple(
            _Column(place, self._rows(place, own), self._table(at, own, start, stop))
            for place, at, own in zip(used.tolist(), nodes, edges, strict=True)
        )
        yield self._block(columns, start, stop)

    def _rows(self, place: int, own: Vector) -> Vector:
        """Return the cell of the `own` edges that has each cell of all trees' edges."""
        return np.append(own.searchsorted(self.edges[place]), len(own))

    def _table(self, at: Vector, edges: Vector, start: int, stop: int) -> Vector:
        """Return what the nodes `at`, tree by tree, leave of some trees: (cells, trees)."""
        grown = self.grown
        low, middle, high = (
            _ones(ends[at]).astype(self._kind) for ends in (grown.start, grown.middle, grown.stop)
        )
        goes_left = _ways(self.trees, grown.node[at], edges)
        masks = np.where(goes_left, ~(high ^ middle), ~(middle ^ low))
        used, first = np.unique(grown.tree[at] - start, return_index=True)
        leaves = _ones(grown.leaves[start:stop]).astype(self._kind)
        table = np.tile(leaves, (len(goes_left), 1))
        table[:, used] &= np.bitwise_and.reduceat(masks, first, axis=1)
        return table

    def _block(self, columns: tuple[_Column, ...], start: int, stop: int) -> _Block:
        outputs, first = np.unique(self.grown.outputs[start:stop], return_index=True)
        stops = [*first[1:].tolist(), stop - start]
        bits = 8 * self._kind.itemsize
        return _Block(
            columns,
            leaves=self.grown.values[start:stop, :bits].ravel(),
            first=np.arange(stop - start)[:, None] * bits - _BIAS,
            sums=tuple(zip(outputs.tolist(), first.tolist(), stops, strict=True)),
        )

    @property
    def _kind(self) -> np.dtype[Any]:
        return np.dtype(np.uint32 if self.grown.leaves.max() <= 32 else np.uint64)


def _edges(trees: Ensemble, nodes: Vector) -> Vector:
    """Return the last value of each cell that the nodes tell apart, infinity the last.

    A member of a set has a cell of its own: the one before it ends just below it.
    """
    sets = nodes[trees.sizes[nodes] > 0]
    members = np.concatenate([np.zeros(0), *(trees.members(node) for node in sets)])
    plain = trees.threshold[nodes[trees.sizes[nodes] == 0]]
    return np.unique(np.concatenate([plain, members, np.nextafter(members, -np.inf), [np.inf]]))


def _ways(trees: Ensemble, nodes: Vector, edges: Vector) -> Vector:
    """Return whether each cell, missing the last, goes left at each node: (cells, nodes)."""
    held = np.append(edges, np.nan)
    found = np.asarray(held[:, None] <= trees.threshold[nodes])
    for at in np.flatnonzero(trees.sizes[nodes]):
        found[:, at] = np.isin(held, trees.members(nodes[at]))
    found[-1] = trees.missing_left[nodes]
    return found


def _ones(counts: Vector) -> Vector:
    """Return words whose lowest bits, as many as counted, are 1."""
    empty = np.uint64(MOST) - np.maximum(counts, 1).astype(np.uint64)
    return np.where(counts > 0, ~np.uint64(0) >> empty, np.uint64(0))
