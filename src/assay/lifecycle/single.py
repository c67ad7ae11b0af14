"""One row: a dict in, a dict out, without a frame in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data.row import RowReader, Unread
from assay.metrics.answers import code_of, interval, labels, positive_code
from assay.metrics.operate import answer_sets
from assay.package.load import Operated
from assay.records.fitted import Signature


class OneRow:
    """Answers for rows given as mappings, each to the last bit as a frame of it is answered."""

    def __init__(self, predictor: Operated, signature: Signature) -> None:
        self._predictor, self._signature = predictor, signature
        self._reader = RowReader(signature.inputs, signature.missing)
        self._names = [f"probability_{name}" for name in signature.classes]
        self._labels = labels(signature)
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
            low, high = interval(self._signature)
            return {"prediction": number, "low": number + low, "high": number + high}
        values = found.values[0].tolist()
        # one row has one threshold
        code = code_of(values, self._positive, found.threshold)  # type: ignore[arg-type]
        answer: dict[str, Any] = {"prediction": self._labels[code]}
        answer.update(zip(self._names, values, strict=True))
        if sets:
            inside = answer_sets(self._signature.operating, found)[0].tolist()
            classes = zip(self._signature.classes, inside, strict=True)
            answer["prediction_set"] = [name for name, there in classes if there]
        return answer
