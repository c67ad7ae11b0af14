"""What is known about a table before anything is fitted on it: what sizes a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.records.snapshot import Column, Problem


@dataclass(frozen=True)
class Facts:
    """A table and the question about it.

    `classes` is 0 for a number; `rows` are training rows; `text` names the columns of free text,
    `plain` counts numbers, booleans and dates, `levels` has the number of values of each category.
    `share` is that of the rarest class, 1 for a number. `skewed` says that a number has a long
    tail to the right.
    """

    classes: int
    rows: int
    text: tuple[str, ...] = ()
    plain: int = 1
    levels: tuple[int, ...] = ()
    share: float = 1.0
    skewed: bool = False
    primary: str = ""
    monotone: bool = False
    grouped: bool = False

    @property
    def columns(self) -> int:
        """Return the number of features."""
        return self.plain + len(self.levels) + len(self.text)

    @property
    def load(self) -> float:
        """Return the rows of a table of 30 columns that trees would be as long over."""
        columns = self.plain + 2 * len(self.levels) + 66 * len(self.text)
        return self.rows * max(1.0, columns / 30)

    @property
    def named(self) -> bool:
        """Return True when a category has so many levels that their order matters."""
        return max(self.levels, default=0) > 2

    @property
    def wide(self) -> int:
        """Return about how many columns the linear view has, words left out."""
        return self.plain + sum(min(level, 100) + 1 for level in self.levels)


def facts_of(problem: Problem, columns: Sequence[Column], rows: int) -> Facts:
    """Return what the columns of the table say."""
    kinds = {column.name: column for column in columns}
    features = [kinds[name] for name in problem.features if name in kinds]
    levels = tuple(column.unique for column in features if column.type == "category")
    text = tuple(column.name for column in features if column.type == "text")
    target = kinds.get(problem.target)
    return Facts(
        classes=len(problem.classes),
        rows=rows,
        text=text,
        plain=len(features) - len(levels) - len(text),
        levels=levels,
        share=_share(target) if problem.classes else 1.0,
        # groups are added up on the answer's own scale
        skewed=not (problem.classes or problem.interactions) and _skewed(target),
        primary=problem.primary,
        monotone=bool(problem.monotone),
        grouped=bool(problem.interactions),
    )


def _share(target: Column | None) -> float:
    """Return the share of the rarest class, 0.5 where the column does not say."""
    known = 0 if target is None else target.rows - target.missing
    if target is None or not known or len(target.top) < 2:
        return 0.5
    return min(count for _, count in target.top) / known


def _skewed(target: Column | None) -> bool:
    """Return True where the mean lies far above the median (Pearson's second coefficient)."""
    if target is None or target.mean is None or target.median is None or not target.std:
        return False
    return 3 * (target.mean - target.median) / target.std > SKEW


SKEW = 0.5
"""Pearson's second coefficient of skewness from which a logarithm of the target is tried."""
