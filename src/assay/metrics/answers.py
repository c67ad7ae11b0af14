"""What is answered for predictions: labels, in the form of the target, and columns of a table."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from assay.kernel.family import Predictions
from assay.metrics.operate import answer_sets
from assay.records.fitted import Signature

Label = str | int | bool


def labels(signature: Signature) -> list[Label]:
    """Return the classes as they are answered: text, whole numbers or booleans."""
    if signature.labels == "integer":
        return [int(name) for name in signature.classes]
    if signature.labels == "boolean":
        return [name == "true" for name in signature.classes]
    return list(signature.classes)


def positive_code(signature: Signature) -> int | None:
    """Return the code of the positive class, None without one."""
    return None if signature.positive is None else signature.classes.index(signature.positive)


def code_of(values: Sequence[float], positive: int | None, threshold: float) -> int:
    """Do `Predictions.codes` for the probabilities of one row, by the same operations."""
    rounded = [round(value * 1e9) / 1e9 for value in values]
    if positive is not None and len(rounded) == 2:
        return positive if rounded[positive] >= threshold else 1 - positive
    return rounded.index(max(rounded))


def interval(signature: Signature) -> tuple[float, float]:
    """Return what is added to a number for the ends of its interval."""
    return signature.interval or (0.0, 0.0)


def answers(predictions: Predictions, signature: Signature, *, sets: bool = False) -> pl.DataFrame:
    """Return predictions as columns: `prediction` and what belongs to it."""
    if not signature.classes:
        low, high = interval(signature)
        number = pl.Series("prediction", predictions.values)
        return pl.DataFrame([number, (number + low).alias("low"), (number + high).alias("high")])
    names = pl.Series("prediction", labels(signature))
    chosen = names.gather(predictions.codes(positive_code(signature)))
    chances = [
        pl.Series(f"probability_{name}", predictions.values[:, place])
        for place, name in enumerate(signature.classes)
    ]
    if sets:
        inside = answer_sets(signature.operating, predictions)
        names_inside = [[c for c, there in zip(signature.classes, row, strict=True) if there]
                        for row in inside.tolist()]  # fmt: skip
        chances.append(pl.Series("prediction_set", names_inside, dtype=pl.List(pl.String)))
    return pl.DataFrame([chosen, *chances])
