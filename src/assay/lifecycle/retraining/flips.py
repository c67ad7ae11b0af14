"""How far labels lie from what is expected of them, and whether flips make them so, or chance.

An event is a yes or no of each row, with a score. How often it happened to rows with such a score
is known of training rows, out of fold.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.watch.quality import tail

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHANCE = 1e-3
"""Of refusing sound labels for one kind of question; shared among the places it is asked of."""
WRONG = 0.04
"""Share of all labels that must seem flipped before they are refused."""
WRONG_THERE = 0.2
"""Share of the labels of a segment or a burst."""
LOST = 0.35
"""Share of the rarer class that must seem flipped in a segment or a burst, or everywhere."""
BINS = 20
RAISED = 0.05
"""Share of the labels of a place that must be turned to a rarer class."""
FAR_OFF = 0.12
"""Share of the numbers of a place that must lie further off than they should."""
TRIFLE = 0.01
"""Share of labels that is not looked at, however sure it is."""
LEAST = 30
"""Rows of a segment or a burst, and of a bin of scores."""


@dataclass(frozen=True)
class Contradiction:
    """Labels that do not go with what was known: where, how many of how many, how sure that is.

    `share` estimates which part of the labels there is flipped; `p` is corrected for the places
    that were looked at beside it.
    """

    where: str
    rows: int
    share: float
    p: float
    text: str

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Events:
    """A yes or no of each row, and the score that goes with it.

    Two classes: whether it is the positive one. More: whether it is the likeliest. A number:
    whether the answer was further off than nine of ten were out of fold.
    """

    happened: NDArray[np.bool_]
    score: Floats


def _edges(before: Events) -> Floats:
    """Return edges of bins of the score, with as many rows or as many events in each."""
    order = np.sort(before.score)
    hits = np.sort(before.score[before.happened])
    cuts = np.linspace(0, 1, BINS + 1)[1:-1]
    parts = [np.quantile(part, cuts) for part in (order, hits) if part.size >= LEAST * 2]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0)


@dataclass(frozen=True)
class Bins:
    """Rows and events of known and fresh rows by score."""

    known: Floats
    known_hits: Floats
    fresh: Floats
    fresh_hits: Floats

    @property
    def rate(self) -> Floats:
        """Return how often it happened before, drawn a little to the rate of all rows."""
        overall = self.known_hits.sum() / max(self.known.sum(), 1.0)
        rate: Floats = (self.known_hits + overall) / (self.known + 1.0)
        return rate


def binned(before: Events, now: Events) -> tuple[Bins, Ints, Ints]:
    """Return both counted by score, and the bin of each known and of each fresh row."""
    edges = _edges(before)
    old = np.searchsorted(edges, before.score, side="right")
    new = np.searchsorted(edges, now.score, side="right")

    def count(place: Ints, weight: NDArray[np.bool_] | None = None) -> Floats:
        return np.bincount(place, weight, minlength=len(edges) + 1).astype(np.float64)

    return (
        Bins(count(old), count(old, before.happened), count(new), count(new, now.happened)),
        old,
        new,
    )


@dataclass(frozen=True)
class Against:
    """Events of n rows beside what was expected: (n, 2) gaps and their variances, (n,) chances.

    The first gap is of the event itself, which labels of one kind move. The second is of how far
    the event lies from its chance: flips both ways move it most where the model is sure.
    """

    expected: Floats
    gap: Floats
    variance: Floats
    classes: bool


def against(events: Events, expected: Floats, *, classes: bool) -> Against:
    """Return how far (n,) events lie from their chances."""
    happened, spread = events.happened.astype(np.float64), expected * (1 - expected)
    surprise = np.abs(happened - expected) - 2 * spread
    return Against(
        expected,
        np.column_stack([happened - expected, surprise]),
        np.column_stack([spread, spread * (1 - 2 * expected) ** 2]),
        classes,
    )


def flipped(bins: Bins, *, classes: bool) -> Iterator[Contradiction]:
    """Yield the flips that the scores show: two shares, by weighted least squares over the bins."""
    use = (bins.fresh >= 5) & (bins.known >= 5)
    if not use.any():
        return
    rate, fresh, known = bins.rate[use], bins.fresh[use], bins.known[use]
    gap = bins.fresh_hits[use] / fresh - rate
    # at least as doubtful as the share of flips that would not be refused makes it
    spread = np.maximum(rate * (1 - rate), 0.25 / (fresh + 4)) * (1 / fresh + 1 / known)
    design = np.column_stack([1 - rate, -rate])
    if not classes:
        design = design[:, :1]
    scaled = design / np.sqrt(spread)[:, None]
    cover = np.linalg.pinv(scaled.T @ scaled)
    best = cover @ (scaled.T @ (gap / np.sqrt(spread)))
    happened = float((rate * fresh).sum() / fresh.sum())
    of = np.array([1 - happened, happened])[: len(best)]
    share, rarer = np.maximum(best, 0.0) * of, min(of.min(), 1 - happened)
    sure = best / np.sqrt(np.diag(cover))
    for place, kind in enumerate(_KINDS[:2] if classes else _KINDS[2:]):
        p = min(1.0, 2 * normal_tail(float(sure[place])))
        much = share.sum() >= WRONG or share[place] >= LOST * rarer
        if p <= CHANCE and much and share[place] >= TRIFLE * min(1.0, rarer / WRONG):
            text = (
                f"{best[place]:.1%} of the {kind} where the live model was right before, "
                f"{share[place]:.1%} of all labels"
            )
            yield Contradiction("scores", int(fresh.sum()), float(share[place]), p, text)


_KINDS = (
    "negatives look positive",
    "positives look negative",
    "numbers lie far off",
)


@dataclass(frozen=True)
class Look:
    """A place that was looked at: how far its labels are from what is expected of them.

    `likely` is how often the event was expected, `share` how many labels seem flipped, and `least`
    the share from which on they are refused. `one_kind` says that flips both ways cancel out.
    """

    where: str
    rows: int
    gap: float
    spread: float
    likely: float
    share: float
    least: float
    one_kind: bool

    def chance(self) -> float:
        """Return the chance of so large a gap, or a larger one, where labels are sound.

        By the normal law, and for few events by Hoeffding's bound, whichever is more cautious.
        """
        p = min(1.0, 2 * normal_tail(abs(self.gap) / math.sqrt(self.spread)))
        if not self.one_kind:
            return p
        likely, seen = self.likely, self.likely + self.gap
        if self.gap < 0:
            likely, seen = 1 - likely, 1 - seen
        return max(p, tail(round(seen * self.rows), self.rows, likely))

    @property
    def text(self) -> str:
        """Return it in words."""
        if not self.one_kind:
            return f"{self.where}: {self.share:.1%} of {self.rows:,} labels seem flipped"
        return (
            f"{self.where}: {self.likely + self.gap:.1%} of {self.rows:,} labels are what "
            f"{self.likely:.1%} were expected to be"
        )


def looks(
    where: str,
    now: Against,
    here: NDArray[Any],
    usual: Floats,
    doubt: Floats,
    wrong: float = WRONG_THERE,
) -> Iterator[Look]:
    """Yield both gaps of some of the rows, `usual` being what they are by themselves."""
    expected, count = now.expected[here], len(now.expected[here])
    gap = now.gap[here].mean(axis=0) - usual
    spread = np.maximum(now.variance[here].sum(axis=0), 0.25) / count**2 + doubt
    likely = float(np.clip(expected.mean() + usual[0], 1 / count, 1 - 1 / count))
    reach = max(float(((1 - 2 * expected) ** 2).mean()), 0.05)
    one, both = float(gap[0]), float(gap[1])
    least = _least(one, likely) if now.classes else FAR_OFF
    yield Look(where, count, one, float(spread[0]), likely, abs(one), least, one_kind=True)
    yield Look(where, count, both, float(spread[1]), likely, both / reach, wrong, one_kind=False)


def _least(gap: float, likely: float) -> float:
    """Return the share of labels turned to one class that is refused: much of the rarer class.

    Where a class is rare, an honest shift may double it within a segment; so much turned labels
    are no trifle.
    """
    if gap > 0:
        return min(WRONG_THERE, max(LOST * min(likely, 1 - likely), RAISED))
    return min(WRONG_THERE, max(LOST * min(likely, 1 - likely), TRIFLE))


def far(looked: Sequence[Look]) -> Iterator[Contradiction]:
    """Yield the places whose labels are too far from what is expected: by chance, and in size."""
    for look in looked:
        p = min(1.0, look.chance() * len(looked))
        if p <= CHANCE and look.share >= look.least:
            yield Contradiction(look.where, look.rows, look.share, p, look.text)


def normal_tail(sure: float) -> float:
    """Return the chance that a standard normal number exceeds `sure`."""
    return 0.5 * math.erfc(sure / math.sqrt(2))
