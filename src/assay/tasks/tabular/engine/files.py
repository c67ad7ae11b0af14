"""Names and form of the files that export writes and the predictor reads."""

from __future__ import annotations

from assay.records.base import Record
from assay.tasks.tabular.encode.encoder import Encoder

MODEL_FILE = "model.onnx"
ENCODER_FILE = "encoder.json"
MARK = "assay:"
"""What the names of all tensors start with but columns, whose own mark is doubled, and answers."""
MODEL_SECTION = "model"
"""What the predictor cuts out of the model file."""
SCORES = f"{MARK}scores"
"""What that section ends with."""


class Encoders(Record, frozen=True, kw_only=True, tag="tabular.encoders@1"):
    """The encoders that the inputs of the graph are numbered by."""

    encoders: tuple[Encoder, ...]
