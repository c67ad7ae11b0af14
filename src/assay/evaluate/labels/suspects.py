"""Labels that look wrong: how many there are among the training rows, and which."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from assay.evaluate.case import Case
from assay.evaluate.labels.noise import (
    HALF,
    Ints,
    Noise,
    confident_joint,
    label_noise,
    margins,
    number_noise,
)
from assay.metrics.weighted import Floats
from assay.records.report import Examination, tabled

SHOWN = 20
PAIRS = 5
FEWEST = 100
"""Training rows from which something can be said."""
FEW, MANY = 0.02, 0.10
"""Shares of wrong labels, by the lower end, that deserve a look and are serious."""
TITLE = "Labels that look wrong"
SUSPECTS = "Most suspicious rows"


def examine(case: Case) -> Examination | None:
    """Return how many training labels look wrong, and the most suspicious rows.

    It rests on the out-of-fold predictions of the training rows; None for fewer than 100 of them.
    """
    answered = np.isfinite(case.oof.values)
    known = np.flatnonzero(answered.all(axis=1) if answered.ndim == 2 else answered)
    if len(known) < FEWEST:
        return None
    values, rows = case.oof.values[known], case.train.places[known] + 1
    classes = case.problem.classes
    tables: dict[str, tuple[dict[str, Any], ...]] = {}
    if classes:
        given = case.train.truth[known].astype(np.int64)
        noise = label_noise(given, values, case.seed)
        tables[SUSPECTS] = _suspect_labels(noise, given, values, rows, classes)
        if noise.settled >= HALF:
            tables["Wrong labels by class"] = _by_class(noise, classes)
            tables["Labels taken for others"] = _taken(confident_joint(given, values), classes)
    else:
        numbers = case.train.truth[known].astype(np.float64)
        noise = number_noise(numbers, values)
        tables[SUSPECTS] = _suspect_numbers(noise, numbers, values, rows)
    concern = _concern(noise)
    return Examination(
        name="labels",
        title=TITLE,
        reading=_reading(noise, len(tables[SUSPECTS])),
        concern=concern,
        advice=ADVICE if concern != "none" else "",
        numbers={"label_noise": noise.rate},
        tables=tabled(tables),
    )


ADVICE = (
    "Look up the listed rows, from the top, and correct those whose answer is wrong in the source; "
    "then run again. Ask how the answers were recorded. The test rows come from the same source: "
    "their wrong labels cost every model points that no better model can win back."
)


def _concern(noise: Noise) -> Literal["none", "look", "serious"]:
    if noise.rate.low < FEW:
        return "none"
    return "look" if noise.rate.low < MANY else "serious"


def _reading(noise: Noise, shown: int) -> str:
    value, low, high = noise.rate.value, noise.rate.low, noise.rate.high
    if noise.settled < HALF:
        return (
            f"How many training labels are wrong cannot be told: at most about {_percent(high)}, "
            "perhaps none. The model is sure of too few rows, so that a wrong label and a row that "
            "is hard to answer look the same."
        )
    if high < FEW:
        return (
            f"Hardly any training label looks wrong: about {_percent(value)}, at most "
            f"{_percent(high)}."
            + (" The rows that come nearest to it are listed." if shown else "")
        )
    if low < 0.1 * value:
        return (
            f"At most about {_percent(high)} of the training labels are wrong, perhaps none "
            f"(the best guess is {_percent(value)}); the {shown} most suspicious rows are listed."
        )
    return (
        f"About {_percent(value)} of the training labels look wrong (between {_percent(low)} and "
        f"{_percent(high)}); the {shown} most suspicious rows are listed. Answers that depend on "
        "chance, such as who buys, look the same as wrong ones."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if share < 0.1 or share > 0.99 else 0}f}".removesuffix(".0") + " %"


def _suspect_labels(
    noise: Noise, given: Ints, values: Floats, rows: Ints, classes: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    """Return the most suspicious rows where the model says something else; `row` is from 1."""
    answered = values.argmax(axis=1)
    unlike = np.flatnonzero(margins(given, values) > 0)
    order = unlike[np.argsort(-noise.suspicion[unlike], kind="stable")][:SHOWN]
    return tuple(
        {
            "row": int(rows[i]),
            "label": classes[given[i]],
            "model says": classes[answered[i]],
            "chance of the label": _percent(values[i, given[i]]),
            "chance of the model's answer": _percent(values[i, answered[i]]),
        }
        for i in order
    )


def _suspect_numbers(
    noise: Noise, truth: Floats, values: Floats, rows: Ints
) -> tuple[dict[str, Any], ...]:
    """Return the rows whose answer is farthest off, measured by what is usual there."""
    order = np.argsort(-noise.suspicion, kind="stable")[:SHOWN]
    return tuple(
        {
            "row": int(rows[i]),
            "answer": _short(truth[i]),
            "model says": _short(values[i]),
            "times the usual error": _short(noise.suspicion[i]),
        }
        for i in order
    )


def _by_class(noise: Noise, classes: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """Return for the classes with most noise what share of their rows has another label."""
    found = [
        (name, part) for name, part in zip(classes, noise.classes, strict=True) if part is not None
    ]
    found.sort(key=lambda item: -item[1].rate)
    return tuple(
        {
            "class": name,
            "rows the model gives to it": part.rows,
            "wrong labels": _percent(part.rate),
            "at least": _percent(part.low if part.settled else 0.0),
            "at most": _percent(part.high),
            "could be overlap of classes": "no" if part.settled else "yes",
        }
        for name, part in found[:SHOWN]
    )


def _taken(joint: Floats, classes: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """Return which labels most often seem to be another one; rows of overlap are among them."""
    off = joint * (1 - np.eye(len(joint)))
    largest = np.argsort(-off, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(place), len(joint)) for place in largest]
    return tuple(
        {
            "label": classes[label],
            "seems to be": classes[true],
            "rows, overlap included": round(float(off[label, true])),
        }
        for label, true in pairs
        if off[label, true] >= 1
    )


def _short(value: float) -> float:
    return float(f"{value:.3g}")
