"""Names and form of the files that export writes and the predictor reads."""

from __future__ import annotations

from assay.records.base import Record
from assay.tasks.tabular.encode.encoder import Encoder

MODEL_FILE = "model.onnx"
ENCODER_FILE = "encoder.json"
OUTPUT = "prediction"


class Encoders(Record, frozen=True, kw_only=True, tag="tabular.encoders@1"):
    """The encoders that the inputs of the graph are numbered by."""

    encoders: tuple[Encoder, ...]
