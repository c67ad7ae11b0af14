"""The whole model file, asked as a program without Assay would ask it.

Numbers and booleans go in as doubles, NaN where missing; text as strings, "" where missing; dates
as whole microseconds since 1970, the least 64-bit integer where missing. Hashed words go in as the
matrix that the encoder makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.kernel.family import Predictions
from assay.records.fitted import Signature
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.engine.files import MARK

_NO_DATE = -(2**63)
_STRING = "tensor(string)"
_INTEGER = "tensor(int64)"
CHUNK = 4096


@dataclass(frozen=True)
class Portable:
    """A session of the whole file, and what fills its inputs from typed rows."""

    signature: Signature
    encoders: tuple[Encoder, ...]
    session: Any

    def predict(self, frame: pl.DataFrame) -> tuple[Predictions, NDArray[np.int64] | None]:
        """Return the answers, and the codes of the classes that the file names, if it does."""
        chunks = [frame.slice(start, CHUNK) for start in range(0, max(1, frame.height), CHUNK)]
        found = [self._ask(chunk) for chunk in chunks]
        joined = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        classes = self.signature.classes
        if not classes:
            return Predictions(joined["prediction"]), None
        codes = None
        if "prediction" in joined:
            place = {name: code for code, name in enumerate(classes)}
            codes = np.array([place[name] for name in joined["prediction"]], dtype=np.int64)
        return Predictions(joined["probability"], classes), codes

    def _ask(self, frame: pl.DataFrame) -> dict[str, NDArray[Any]]:
        feeds = {wanted.name: self._filled(wanted, frame) for wanted in self.session.get_inputs()}
        return dict(zip(self._answers, self.session.run(None, feeds), strict=True))

    @cached_property
    def _answers(self) -> Sequence[str]:
        """The names of the answers without what keeps them apart from columns."""
        return [answer.name.rstrip("_") for answer in self.session.get_outputs()]

    def _filled(self, wanted: Any, frame: pl.DataFrame) -> NDArray[Any]:
        name = wanted.name.removeprefix(MARK)
        if name != wanted.name and not name.startswith(MARK):
            return self._matrix(name, frame)
        column = frame[name]
        if wanted.type == _STRING:
            # a text that is empty all the same is one that training did not see
            text = column.cast(pl.String).replace("", "\0").fill_null("")
            return np.array(text.to_list(), dtype=object).reshape(-1, 1)
        if wanted.type == _INTEGER:
            moments = column.cast(pl.Datetime("us")).cast(pl.Int64)
            return _column(moments.fill_null(_NO_DATE))
        return _column(column.cast(pl.Float64))

    def _matrix(self, name: str, frame: pl.DataFrame) -> NDArray[np.float64]:
        place, _, column = name.partition(":")
        view, _, number = place.rpartition("_")
        plan: Any = next(p for p in self.encoders[int(number)].plans if p.name == column)
        out = np.zeros((frame.height, getattr(plan, f"{view}_width")))
        getattr(plan, view)(frame[column], out)
        return out


def _column(values: pl.Series) -> NDArray[Any]:
    found: NDArray[Any] = values.to_numpy().reshape(-1, 1)
    return found
