"""One row: a dict in, a dict out, without a frame in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from assay.data.row import RowReader, Unread
from assay.kernel.family import Predictions
from assay.metrics.operate import answer_sets
from assay.package.load import Operated
from assay.records.fitted import Signature


class OneRow:
    """Answers for rows given as mappings, each to the last bit as a frame of it is answered."""

    def __init__(self, predictor: Operated, signature: Signature) -> None:
        self._predictor, self._signature = predictor, signature
        self._reader = RowReader(signature.inputs, signature.missing)
        self._names = [f"probability_{name}" for name in signature.classes]
        self._labels = labels(signature).to_list()
        self._positive = positive_code(signature)

    def __call__(self, row: Mapping[Any, Any], *, sets: bool = False) -> dict[str, Any] | None:
        """Return the answer; None where the rows are more than one or are to be refused."""
        try:
            cells = self._reader.read(row)
        except Unread:
            return None
        found = self._predictor.row(cells)
        if not self._names:
            number = float(found.values[0])
            low, high = self._signature.interval or (0.0, 0.0)
            return {"prediction": number, "low": number + low, "high": number + high}
        values = found.values[0].tolist()
        answer = {"prediction": self._labels[self._code(values, found)]}
        answer.update(zip(self._names, values, strict=True))
        if sets:
            inside = answer_sets(self._signature.operating, found)[0].tolist()
            classes = zip(self._signature.classes, inside, strict=True)
            answer["prediction_set"] = [name for name, there in classes if there]
        return answer

    def _code(self, values: list[float], found: Predictions) -> int:
        """Do `Predictions.codes` for one row: numpy's rounding is these same operations."""
        rounded = [round(value * 1e9) / 1e9 for value in values]
        positive = self._positive
        if positive is not None and len(rounded) == 2:
            return positive if rounded[positive] >= found.threshold else 1 - positive
        return rounded.index(max(rounded))


def positive_code(signature: Signature) -> int | None:
    """Return the code of the positive class, None without one."""
    return None if signature.positive is None else signature.classes.index(signature.positive)


def labels(signature: Signature) -> pl.Series:
    """Return the classes as they are answered: text, whole numbers or booleans."""
    names = pl.Series("prediction", signature.classes, dtype=pl.String)
    if signature.labels == "integer":
        return names.cast(pl.Int64)
    return names == "true" if signature.labels == "boolean" else names
