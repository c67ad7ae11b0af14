"""A loaded package: encode with numpy, compute with ONNX Runtime, no training library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
from numpy.typing import NDArray

from assay.errors import Tampered
from assay.kernel.family import Predictions
from assay.records.base import from_json
from assay.records.fitted import Signature
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.engine.files import ENCODER_FILE, MODEL_FILE, OUTPUT, Encoders

CHUNK = 4096
"""Rows that are encoded and predicted at a time: bounds the memory of wide views."""


@dataclass(frozen=True)
class TabularPredictor:
    """A package of the family, ready to answer."""

    signature: Signature
    encoders: tuple[Encoder, ...]
    session: Any

    def predict(self, frame: pl.DataFrame) -> Predictions:
        """Answer for rows with the columns of the signature, typed as `data.conform` types them.

        Returns (n, classes) probabilities or (n,) numbers; no rows give no answers.
        """
        starts = range(0, max(1, frame.height), CHUNK)
        values = np.concatenate([self._run(frame.slice(start, CHUNK)) for start in starts])
        classes = self.signature.classes
        return Predictions(values if classes else values[:, 0], classes)

    def _run(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        if not rows.height:
            return np.zeros((0, len(self.signature.classes) or 1))
        feeds = {}
        for wanted in self.session.get_inputs():
            view, _, number = wanted.name.rpartition("_")
            feeds[wanted.name] = getattr(self.encoders[int(number)], view)(rows)
        answer: NDArray[np.float64] = self.session.run([OUTPUT], feeds)[0]
        return answer


def load(files: Mapping[str, bytes], signature: Signature) -> TabularPredictor:
    """Return the predictor of these package files; one thread, so that callers decide.

    Raises:
        Tampered: a file is missing, or is not what this family writes.
    """
    missing = [name for name in (MODEL_FILE, ENCODER_FILE) if name not in files]
    if missing:
        raise Tampered("PACKAGE-INCOMPLETE", f"the package lacks {', '.join(missing)}")
    encoders = from_json(files[ENCODER_FILE], Encoders).encoders
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only
    try:
        session = onnxruntime.InferenceSession(
            files[MODEL_FILE], options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime has no base class of its own
        raise Tampered(
            "PACKAGE-MODEL", f"{MODEL_FILE} cannot be loaded: {error}", where=MODEL_FILE
        ) from error
    return TabularPredictor(signature, encoders, session)
