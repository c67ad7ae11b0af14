"""Whether fresh labels may be believed: they must not contradict what is known of like rows.

Where rows are like those of training, the same inputs have the same chances as before: that is what
a shift of the inputs alone leaves as it is. So fresh labels are compared with what training rows
with the same score turned out to be, out of fold. Flipped labels show where the model was sure and
known to be right: a share `raised` of the negatives turned positive lifts the lowest scores by as
much, a share `lowered` of the positives turned negative holds the highest down (class-conditional
noise: Natarajan et al. 2013). The same is asked of single segments, of bursts of labels that came
together, and of rows that repeat a training row with another label.

What speaks against labels may also be a true change of what they depend on. Rows alone cannot tell
the two apart: a person can (`retrain.labels = "trust"`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.errors import Refused
from assay.kernel.family import Predictions
from assay.lifecycle.material import target_codes
from assay.lifecycle.retraining.alike import alike
from assay.lifecycle.retraining.flips import (
    CHANCE,
    LEAST,
    WRONG,
    WRONG_THERE,
    Against,
    Contradiction,
    Events,
    Ints,
    Look,
    against,
    binned,
    far,
    flipped,
    looks,
    normal_tail,
)
from assay.lifecycle.retraining.fresh import OBSERVED, Fresh
from assay.lifecycle.retraining.live import Known, Live
from assay.metrics.base import Truth

STRETCHES = 20
EVERYWHERE = ("scores", "all")
"""Where a contradiction is that concerns all rows, and is told first."""
CATEGORIES = 8
"""Values of a column that are segments of their own."""


def require_sound(live: Live, fresh: Fresh) -> float:
    """Return the share of fresh rows of a new kind, whose labels have little to be compared with.

    Raises Refused RETRAIN-LABELS where fresh labels contradict what the live model knew.
    """
    problem, known, like = live.view.problem, live.known(), alike(live, fresh.table)
    answers = live.model.ask(fresh.table.select(f.name for f in live.signature.inputs))
    truth = target_codes(fresh.table[problem.target], problem)
    asked = fresh.table.select(name for name in problem.features if name in fresh.table.columns)
    found = contradictions(
        known, asked, truth, answers, problem.positive_code,
        fresh.about[OBSERVED].dt.epoch("us").to_numpy(), like,
    )  # fmt: skip
    if found:
        first = found[0]
        raise Refused(
            "RETRAIN-LABELS",
            f"fresh labels contradict what was known of rows like these: {first.text}",
            got=[one.to_dict() for one in found],
            hint="look at where these labels come from; where the world has changed, say so with "
            'retrain.labels = "trust"',
        )
    return float(1 - like.mean()) if len(like) else 0.0


def contradictions(
    known: Known,
    table: pl.DataFrame,
    truth: Truth,
    answers: Predictions,
    positive: int,
    observed: Ints | None = None,
    like: NDArray[np.bool_] | None = None,
) -> tuple[Contradiction, ...]:
    """Return what speaks against n labels, the strongest first.

    `table` has the inputs, `truth` and `answers` what is said to be true and what the live model
    says of them, `observed` when each label came, `like` which rows are of a kind that was known,
    None for all. Of the others bursts alone are looked for, each kind of rows by itself: one that
    comes up later would look like a burst among the rest. Copies are looked for among all.
    """
    parts = [np.ones(len(truth), dtype=bool)] if like is None else [like, ~like]
    found = [*_copies(known, table, truth, answers)]
    for part in parts[: 1 + bool(parts[-1].any())]:
        told = Predictions(answers.values[part], answers.classes)
        came = None if observed is None else observed[part]
        usual = part is parts[0]
        found += _of_kind(known, table.filter(part), truth[part], told, positive, came, usual=usual)
    return tuple(sorted(found, key=lambda one: (one.where not in EVERYWHERE, one.p)))


def _of_kind(
    known: Known,
    table: pl.DataFrame,
    truth: Truth,
    answers: Predictions,
    positive: int,
    observed: Ints | None,
    *,
    usual: bool,
) -> Iterator[Contradiction]:
    """Yield what speaks against labels of rows of one kind: `usual`, or one that is new."""
    before = _events(known, known.truth, known.answers, positive)
    now = _events(known, truth, answers, positive)
    bins, old, new = binned(before, now)
    rate = bins.rate
    classes = bool(known.answers.classes)
    then = against(before, rate[old], classes=classes)
    here = against(now, rate[new], classes=classes)
    if usual:
        yield from flipped(bins, classes=classes)
        yield from _overall(then, here)
        yield from _segments(known.table, table, then, here)
    yield from _bursts(observed, here, "" if usual else " of rows of a new kind")


def _events(known: Known, truth: Truth, answers: Predictions, positive: int) -> Events:
    classes, values = known.answers.classes, answers.values
    if len(classes) == 2:
        return Events(truth == positive, values[:, positive])
    if classes:
        likely = values.argmax(axis=1)
        return Events(truth == likely, values.max(axis=1))
    off = np.abs(known.truth - known.answers.values)
    return Events(np.abs(truth - values) > np.quantile(off, 0.9), values)


def _segments(
    old: pl.DataFrame, table: pl.DataFrame, then: Against, now: Against
) -> Iterator[Contradiction]:
    """Yield segments, a value or a quarter of a column each, whose labels are others than known."""
    looked: list[Look] = []
    for name in table.columns:
        if name not in old.columns:
            continue
        for value, before, here in _parts(old[name], table[name]):
            knew = int(before.sum())
            if int(here.sum()) >= LEAST and knew >= LEAST:
                usual, doubt = then.gap[before].mean(axis=0), then.gap[before].var(axis=0) / knew
                looked += looks(f"where {name} is {value}", now, here, usual, doubt)
    yield from far(looked)


def _overall(then: Against, now: Against) -> Iterator[Contradiction]:
    """Yield flips both ways, which surprise where the model is sure, over all rows together."""
    every = np.ones(len(now.expected), dtype=bool)
    usual, doubt = then.gap.mean(axis=0), then.gap.var(axis=0) / len(then.gap)
    looked = looks("all", now, every, usual, doubt, WRONG)
    yield from far([look for look in looked if not look.one_kind])


def _parts(
    old: pl.Series, new: pl.Series
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield name, known rows and fresh rows of each segment of a column."""
    if old.dtype.is_numeric() or old.dtype.is_temporal():
        before, now = (
            s.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy() for s in (old, new)
        )
        finite = before[np.isfinite(before)]
        if finite.size < LEAST:
            return
        cuts = np.unique(np.quantile(finite, [0.25, 0.5, 0.75]))
        ends = [-np.inf, *cuts, np.inf]
        for low, high in pairwise(ends):
            name = f"{low:.4g} to below {high:.4g}".removeprefix("-inf to ")
            name = name.replace(" to below inf", " or more")
            yield name, (before >= low) & (before < high), (now >= low) & (now < high)
        return
    text, fresh = old.cast(pl.String), new.cast(pl.String)
    counts = text.drop_nulls().alias("value").value_counts(name="rows")
    ranked = counts.sort("rows", "value", descending=[True, False])
    for value in ranked["value"].head(CATEGORIES):
        yield value, _is(text, value), _is(fresh, value)


def _is(cells: pl.Series, value: str) -> NDArray[np.bool_]:
    return (cells == value).fill_null(value=False).to_numpy()


def _bursts(observed: Ints | None, now: Against, what: str) -> Iterator[Contradiction]:
    """Yield stretches of labels, in the order they came, that are others than was expected.

    Each is compared with all the others, so that what is wrong everywhere is no burst.
    """
    if observed is None or len(observed) < 4 * LEAST:
        return
    order = np.argsort(observed, kind="stable")
    parts = np.array_split(order, min(STRETCHES, len(order) // (2 * LEAST)))
    usual, looked = now.gap.mean(axis=0), list[Look]()
    for place, part in enumerate(parts):
        where = f"in stretch {place + 1} of {len(parts)} of the labels{what} as they came"
        looked += looks(where, now, part, usual, now.variance.mean(axis=0) / len(order))
    yield from far(looked)


def _copies(
    known: Known, table: pl.DataFrame, truth: Truth, answers: Predictions
) -> Iterator[Contradiction]:
    """Yield fresh rows that repeat a training row with another label, where too many do."""
    if not known.answers.classes:
        return
    names = known.table.columns
    if any(table.schema.get(name) != kind for name, kind in known.table.schema.items()):
        return
    old = known.table.select(names).with_columns(_was=pl.Series(known.truth))
    old = old.unique(names, keep="none")  # rows that training itself has twice say nothing
    new = table.select(names).with_columns(_is=pl.Series(truth), _place=pl.int_range(pl.len()))
    same = new.join(old, on=names, how="inner", nulls_equal=True)
    if same.height < 5:
        return
    place = same["_place"].to_numpy()
    other = (same["_was"] != same["_is"]).to_numpy()
    was = same["_was"].to_numpy()
    chance = 1 - answers.values[place, was]
    gap = float((other - chance).mean())
    spread = float(np.maximum(chance * (1 - chance), 0.01).sum()) / len(place) ** 2
    p = normal_tail(gap / np.sqrt(spread))
    if p <= CHANCE and gap >= WRONG_THERE and other.sum() >= 5:
        text = (
            f"{other.sum():,} of {len(place):,} rows that repeat a training row have another label"
        )
        yield Contradiction("copies", len(place), gap, p, text)
