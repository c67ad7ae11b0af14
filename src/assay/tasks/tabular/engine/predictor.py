"""A loaded package: encode with numpy, compute with ONNX Runtime, no training library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
from numpy.typing import NDArray

from assay.errors import Tampered
from assay.kernel.executor import cores
from assay.kernel.family import Answering, Explanation, Predictions
from assay.records.base import from_json
from assay.records.fitted import Signature
from assay.tasks.tabular.encode.encoder import Encoder
from assay.tasks.tabular.engine import reasons
from assay.tasks.tabular.engine.files import (
    ENCODER_FILE,
    MARK,
    MODEL_FILE,
    MODEL_SECTION,
    SCORES,
    Encoders,
)
from assay.tasks.tabular.engine.many import ManyRows, many_rows
from assay.tasks.tabular.engine.portable import Portable
from assay.tasks.tabular.engine.single import RowEncoder
from assay.tasks.tabular.engine.wire import cut

CHUNK = 2_500
"""Rows that are encoded and predicted at a time: bounds the memory of wide views, and so that
several processors share 10,000 rows evenly."""
MANY = 128
"""Rows from which on trees are asked by their tables: for fewer, ONNX Runtime is quicker."""
MEMORY, COPIES = 512_000_000, 6
"""Bytes that all threads together take for their matrices, about and at most; and how many copies
of its widest matrix a thread holds at a time."""


@dataclass(frozen=True)
class TabularPredictor:
    """A package of the family, ready to answer; safe to ask from several threads at once."""

    signature: Signature
    encoders: tuple[Encoder, ...]
    matrices: tuple[tuple[str, Encoder, str], ...]
    """The name, the encoder and the view of each input of the model section."""
    session: Any
    model: bytes
    """The whole model file, of which the session has the model section."""

    def predict(self, frame: pl.DataFrame) -> Predictions:
        """Answer for rows with the columns of the signature, typed as `data.conform` types them.

        Many rows are answered a chunk at a time, on as many processors as memory allows; which
        thread takes a chunk changes no bit. Returns (n, classes) probabilities or (n,) numbers; no
        rows give no answers.
        """
        chunks = [frame.slice(start, CHUNK) for start in range(0, max(1, frame.height), CHUNK)]
        if len(chunks) == 1:
            values = self._run(frame)
        else:
            _ = self._many  # once, not in each thread
            with ThreadPoolExecutor(min(len(chunks), self._threads)) as pool:
                values = np.concatenate(list(pool.map(self._run, chunks)))
        classes = self.signature.classes
        return Predictions(values if classes else values[:, 0], classes)

    def row(self, cells: Sequence[object]) -> NDArray[np.float64]:
        """Answer for one row, its cells in the order of the signature's inputs.

        A number is a float, NaN where missing; a date is whole microseconds since 1970; anything
        else is as `data.conform` types it. Returns (1, classes) probabilities or a (1,) number.
        """
        return self._shaped(self._answer({name: encode(cells) for name, encode in self._rows}, 1))

    def rows(self, cells: Sequence[Sequence[object]]) -> NDArray[np.float64]:
        """Answer for n rows at once, each as in `row`: (n, classes) or (n,)."""
        feeds = {name: encode.many(cells) for name, encode in self._rows}
        return self._shaped(self._answer(feeds, len(cells)))

    @cached_property
    def reference(self) -> pl.DataFrame:
        """Return the typical row: medians, most frequent categories, False, no text."""
        return reasons.reference(self.signature, self.encoders)

    def explain(self, frame: pl.DataFrame, answering: Answering) -> Explanation:
        """Explain what `answering` says of rows; see `reasons.explain`."""
        return reasons.explain(self.signature, self.reference, frame, answering)

    def portable(self, frame: pl.DataFrame) -> tuple[Predictions, NDArray[np.int64] | None]:
        """Answer by the whole model file; see `portable.Portable`."""
        session = open_session(self.model)
        return Portable(self.signature, self.encoders, session).predict(frame)

    def _answer(self, feeds: dict[str, NDArray[np.float64]], rows: int) -> NDArray[np.float64]:
        """Return the scores of so many rows, the same to the last bit either way: (n, width)."""
        if rows >= MANY and self._many is not None:
            return self._many.run(feeds)
        values: NDArray[np.float64] = self.session.run(None, feeds)[0]
        return values

    def _shaped(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values if self.signature.classes else values[:, 0]

    @cached_property
    def _many(self) -> ManyRows | None:
        return many_rows(self.model, [name for name, _, _ in self.matrices], open_session)

    @cached_property
    def _threads(self) -> int:
        widths: list[int] = [getattr(e, f"{view}_width") for _, e, view in self.matrices]
        return min(cores(), max(1, MEMORY // (COPIES * CHUNK * 8 * max(1, *widths))))

    @cached_property
    def _rows(self) -> list[tuple[str, RowEncoder]]:
        names = [field.name for field in self.signature.inputs]
        return [(name, RowEncoder(encoder, view, names)) for name, encoder, view in self.matrices]

    def _run(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        if not rows.height:
            return np.zeros((0, len(self.signature.classes) or 1))
        feeds = {name: getattr(encoder, view)(rows) for name, encoder, view in self.matrices}
        return self._answer(feeds, rows.height)


def load(files: Mapping[str, bytes], signature: Signature) -> TabularPredictor:
    """Return the predictor of these package files.

    Raises:
        Tampered: a file is missing, or is not what this family writes.
    """
    missing = [name for name in (MODEL_FILE, ENCODER_FILE) if name not in files]
    if missing:
        raise Tampered("PACKAGE-INCOMPLETE", f"the package lacks {', '.join(missing)}")
    encoders = from_json(files[ENCODER_FILE], Encoders).encoders
    model = files[MODEL_FILE]
    try:
        session = open_session(cut(model, MODEL_SECTION, SCORES))
        matrices = tuple(_matrix(wanted, encoders) for wanted in session.get_inputs())
    except Exception as error:  # ONNX Runtime has no base class of its own
        raise Tampered(
            "PACKAGE-MODEL", f"{MODEL_FILE} cannot be loaded: {error}", where=MODEL_FILE
        ) from error
    return TabularPredictor(signature, encoders, matrices, session, model)


def _matrix(wanted: Any, encoders: Sequence[Encoder]) -> tuple[str, Encoder, str]:
    """Return what fills an input of the model section; raises where nothing does."""
    view, _, number = wanted.name.removeprefix(MARK).rpartition("_")
    encoder = encoders[int(number)]
    width = getattr(encoder, f"{view}_width")
    if wanted.shape[1] != width:
        raise ValueError(f"{wanted.name} has {wanted.shape[1]} columns, its encoder {width}")
    return wanted.name, encoder, view


def open_session(model: bytes) -> Any:
    """Return an ONNX Runtime session of one thread, so that callers decide."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
