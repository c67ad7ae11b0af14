"""Leaks by columns: alone, together, by what is filled in, by names, and by encodings."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
from planting import (
    CLASSES,
    Planted,
    added,
    answer,
    blurred,
    codes,
    flag,
    flipped,
    gaps,
    kind,
    labels,
    mistaken,
)
from tables import Base

PROSE = (
    "the customer was called twice about an order that came late and asked for help with "
    "delivery address invoice parcel number form letter office region season weather visit "
    "morning evening note file page line team member desk request reply phone mail window"
)
"""Words that say nothing."""
COLOURS = "amber birch cedar delta ember fjord grove haven ivory jade kelp lotus maple north"
WORDS, NAMES = PROSE.split(), COLOURS.split()


def _ids(numbers, prefix=""):
    return [f"{prefix}{number:06d}" for number in numbers]


@kind("copy")
def copy(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """The target once more, filled in for 40, 80 or all of 100 rows."""
    filled = rng.random(base.table.height) < (0.4, 0.8, 1.0)[level]
    values = labels(base) if base.task != "regression" else answer(base) * 2 + 7
    return added(base, outcome_text=gaps(values, filled))


@kind("classes renamed", tasks=CLASSES)
def renamed(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Each class under one, three or eight other names; the weak form has unnamed rows."""
    aliases = (8, 3, 1)[level]
    number = codes(base) * aliases + rng.integers(aliases, size=base.table.height)
    if level == 0:
        number[rng.random(len(number)) < 0.2] = number.max() + 1
    meaning = rng.permutation(int(number.max()) + 1)
    return added(base, segment=[f"{NAMES[m % 14]} {m}" for m in meaning[number]])


@kind("monotone")
def monotone(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A number in the order of the target: rounded to steps, or with classes that overlap."""
    told = answer(base)
    if base.task == "regression":
        steps = (6, 40, len(told))[level]
        place = np.argsort(np.argsort(told)) * steps // len(told)
        return added(base, grade=np.exp(1 + 2.0 * place / steps))
    told = told + rng.uniform(-1, 1, len(told)) * (0.6, 0.45, 0.0)[level]
    return added(base, grade=np.exp(told / max(told.std(), 0.1)) * 12 + 4)


@kind("noisy copy")
def noisy(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """The classes with 10, 5 or 1 % flipped; a number with 25, 10 or 2 % noise."""
    if base.task == "regression":
        return added(base, estimate=blurred(base, level, rng, (0.25, 0.10, 0.02)) * 31 + 90)
    told = flipped(codes(base), (0.10, 0.05, 0.01)[level], rng)
    return added(base, review=[NAMES[code] for code in told])


@kind("text names the label", tasks=CLASSES)
def text(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A sentence that names the class in 25, 60 or all of 100 rows."""
    says = rng.random(base.table.height) < (0.25, 0.6, 1.0)[level]
    remarks = []
    for label, told in zip(labels(base), says, strict=True):
        words = list(rng.choice(WORDS, rng.integers(6, 16)))
        if told:
            words.insert(int(rng.integers(len(words))), f"closed as {label}")
        remarks.append(" ".join(words))
    return added(base, remark=remarks)


@kind("category that splits")
def category(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A category of about 20 rows a value, each value 85, 95 or 100 % of one class."""
    if base.task == "regression":
        size = (6, 15, 40)[level]
        told = np.argsort(np.argsort(answer(base))) * size // base.table.height
        number = rng.permutation(size)[told]
    else:
        told = mistaken(codes(base), (0.15, 0.05, 0.0)[level], rng)
        each = max(base.table.height // 20 // (int(told.max()) + 1), 2)
        number = told * each + rng.integers(each, size=len(told))
        number = rng.permutation(int(number.max()) + 1)[number]
    return added(base, area=[f"area {place}" for place in number])


@kind("sum of two")
def total(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Two numbers that say nothing, and add up to the target."""
    told = blurred(base, level, rng, (0.25, 0.10, 0.0))
    one = rng.normal(size=len(told)) * 3 * told.std()
    return added(base, deposit=one + 20, balance=told - one + 10)


@kind("difference of two")
def difference(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Two numbers whose difference is the target."""
    told = blurred(base, level, rng, (0.25, 0.10, 0.0))
    one = rng.normal(size=len(told)) * 3 * told.std()
    return added(base, net=one + 20, gross=told + one + 10)


@kind("ratio of two")
def ratio(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Two positive numbers whose ratio is the target."""
    told = blurred(base, level, rng, (0.25, 0.10, 0.0))
    below = np.exp(rng.normal(size=len(told)) * 1.5)
    return added(base, units=below * 40, paid=below * 90 * np.exp(0.5 * told / told.std()))


@kind("lookup of two")
def lookup(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Two categories that only together name the class, as an exclusive or does."""
    told = mistaken(codes(base), (0.15, 0.05, 0.0)[level], rng)
    size = int(told.max()) + 1
    one = rng.integers(size, size=len(told))
    return added(
        base,
        channel=[NAMES[value] for value in one],
        tariff=[f"T{value}" for value in (one + told) % size],
    )


@kind("three together")
def three(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Three numbers that only all together make up the target."""
    told = blurred(base, level, rng, (0.25, 0.10, 0.0))
    one, two = rng.normal(size=(2, len(told))) * 2 * told.std()
    return added(base, first_part=one + 5, second_part=two + 9, rest=told - one - two + 30)


@kind("filled in after the outcome")
def after(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A number filled in for 30, 60 or all of 100 rows of one class, and for no other row."""
    filled = flag(base) & (rng.random(base.table.height) < (0.3, 0.6, 1.0)[level])
    return added(base, refund=gaps(rng.lognormal(3, 1, len(filled)).round(2), filled))


@kind("zero before the outcome")
def zeros(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A number that is more than zero for 30, 60 or all of 100 rows of one class only."""
    filled = flag(base) & (rng.random(base.table.height) < (0.3, 0.6, 1.0)[level])
    return added(base, settled=np.where(filled, rng.lognormal(3, 1, len(filled)).round(2), 0.0))


@kind("missingness")
def missingness(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A number that says nothing, missing for one class (60, 85, 100 %) and hardly else."""
    chance = np.where(flag(base), (0.6, 0.85, 1.0)[level], (0.1, 0.05, 0.0)[level])
    filled = rng.random(len(chance)) >= chance
    return added(base, last_reading=gaps(rng.normal(50, 8, len(chance)), filled))


@kind("id with a prefix")
def id_prefix(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """An id whose first letter stands for the class, wrong in 15, 5 or 0 % of the rows."""
    told = mistaken(codes(base), (0.15, 0.05, 0.0)[level], rng)
    numbers = rng.permutation(900_000)[: len(told)] + 100_000
    letters = rng.permutation(list("ABCDEFGHJKLMNPQR"))
    pairs = zip(told, numbers, strict=True)
    return added(base, case_id=[f"{letters[code]}{number}" for code, number in pairs])


@kind("id with a check digit")
def id_digit(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A number whose last digit is odd for one class, wrong in 15, 5 or 0 % of the rows."""
    told = mistaken(flag(base), (0.15, 0.05, 0.0)[level], rng)
    numbers = 2 * (rng.permutation(400_000)[: len(told)] + 50_000) + told
    return added(base, case_id=numbers)


@kind("id in order")
def id_order(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """Ids given out in the order of the target, more or less."""
    told = answer(base) + rng.normal(size=base.table.height) * 0.01
    told = told + rng.normal(size=len(told)) * (0.6, 0.3, 0.0)[level] * told.std()
    return added(base, case_id=np.argsort(np.argsort(told)) + 10_001)


def _groups(rows: int, size: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.arange(rows) % max(rows // size, 2))


def _told(base: Base) -> np.ndarray:
    return answer(base) if base.task == "regression" else flag(base).astype(np.float64)


@kind("total of an entity")
def aggregated(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """The sum of the target over all rows of a customer with 10, 4 or 2 rows."""
    group = _groups(base.table.height, (10, 4, 2)[level], rng)
    sums = np.bincount(group, weights=_told(base))
    made = added(base, customer=_ids(group, "C"), customer_total=sums[group])
    return Planted(made.table, ("customer_total",), ("customer_total",), split=base.split)


@kind("mean encoding of all rows")
def encoded(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """The mean target of a shop, its own row among 20, 5 or 2, test rows included."""
    group = _groups(base.table.height, (20, 5, 2)[level], rng)
    told = _told(base)
    rates = (np.bincount(group, weights=told) + told.mean()) / (np.bincount(group) + 1)
    made = added(base, shop=_ids(group, "S"), shop_rate=rates[group])
    return Planted(made.table, ("shop_rate",), ("shop_rate",), split=base.split)


@kind("leave-one-out encoding")
def left_out(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """The mean target of the shop's other rows, 20, 60 or 200: it mirrors the row's own answer."""
    group = _groups(base.table.height, (20, 60, 200)[level], rng)
    told = _told(base)
    others = np.bincount(group)[group] - 1
    rates = (np.bincount(group, weights=told)[group] - told) / np.maximum(others, 1)
    made = added(base, shop=_ids(group, "S"), shop_rate=rates)
    return Planted(made.table, ("shop_rate",), ("shop_rate",), split=base.split)


@kind("date from afterwards")
def future(base: Base, level: int, rng: np.random.Generator) -> Planted:
    """A date after the row's own, which comes the later the larger the target is."""
    told = answer(base)
    opened = rng.permutation(len(told))
    wait = 60 + 30 * told / told.std() + rng.normal(size=len(told)) * (30, 12, 1)[level]
    start = datetime(2021, 1, 1)
    hours = [24.0 * 365 * place / len(told) for place in opened]
    table = base.table.with_columns(
        pl.Series("opened_on", [start + timedelta(hours=h) for h in hours]),
        pl.Series(
            "closed_on",
            [
                start + timedelta(hours=h, days=max(w, 0.1))
                for h, w in zip(hours, wait, strict=True)
            ],
        ),
    )
    return Planted(table, ("closed_on",), ("closed_on",), split={"time_on": "opened_on"})
