"""What the champion said of the test rows, kept so that the door is opened once."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.errors import Tampered
from assay.kernel.family import Predictions
from assay.metrics.base import Truth


@dataclass(frozen=True)
class Answered:
    """The test rows' answers after calibration, and their truth: (n,) codes or numbers."""

    answers: Predictions
    truth: Truth


def write_answers(answered: Answered) -> bytes:
    """Return answers as an Arrow IPC file: `value`, or `value_0` and so on, and the truth."""
    values = answered.answers.values
    columns = {"truth": answered.truth}
    if values.ndim == 1:
        columns["value"] = values
    else:
        columns |= {f"value_{i}": values[:, i] for i in range(values.shape[1])}
        columns["threshold"] = np.broadcast_to(answered.answers.threshold, len(values)).copy()
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def read_answers(data: bytes, classes: tuple[str, ...]) -> Answered:
    """Return what `write_answers` wrote; raises Tampered for other bytes."""
    try:
        frame = pl.read_ipc(io.BytesIO(data))
        truth = frame["truth"].to_numpy()
        if not classes:
            return Answered(Predictions(frame["value"].to_numpy()), truth)
        values = frame.select(f"value_{i}" for i in range(len(classes))).to_numpy()
        thresholds = frame["threshold"].to_numpy()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Tampered(
            "ANSWERS-UNREADABLE",
            "the stored answers of the test rows cannot be read",
            hint="run the project again",
        ) from error
    one = len(np.unique(thresholds)) == 1
    return Answered(
        Predictions(values, classes, float(thresholds[0]) if one else thresholds), truth
    )
