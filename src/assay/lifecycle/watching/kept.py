"""What a watcher keeps between two looks: one file, written whole or not at all.

The place up to which the log was read stands in it beside what was counted of it, so that after any
crash each row counts once. A verdict stands in it as `pending` before the ledger has it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, get_origin
from urllib.parse import quote

import msgspec
import numpy as np
import polars as pl

from assay.lifecycle.watching.windows import Window
from assay.serve.log.shelf import published
from assay.stores.faults import explained
from assay.stores.workspace import Workspace
from assay.watch.columns.form import Counts

FOLDER = "watch"
"""Folder of a store with a folder for each model that is watched."""
FILE = "state"
FORM = 1
"""The form of the file; one of another form is set aside like one that is damaged."""


@dataclass
class Past:
    """A window that was judged, as far as later ones are judged together with it."""

    number: int
    version: int
    begin: float
    end: float
    inputs: Counts
    answers: Counts


@dataclass
class Labels:
    """Feedback on its way: `waiting` found no prediction yet, `fresh` was not measured yet.

    `known` are keys of rows whose label was measured: a second one does not count. `doubt` says why
    nothing can be estimated without labels, since those that came contradict it. `streams` is what
    detectors over the losses have seen.
    """

    cursor: dict[str, int] = field(default_factory=dict)
    waiting: pl.DataFrame = field(default_factory=pl.DataFrame)
    fresh: pl.DataFrame = field(default_factory=pl.DataFrame)
    known: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    doubt: str = ""
    streams: dict[str, Any] = field(default_factory=dict)


@dataclass
class State:
    """All that a watcher of one model knows, and how far it has read.

    `number` is that of the next window, `closed` the end of the last one by time, `service` what
    `service.Service` knows. `pending` is a
    verdict, as JSON, that may not be in the ledger yet. `gap` is the longest time between two rows,
    of late, and `silent` says that it was told that none come. Rows up to `after` were judged by a
    watcher whose file is gone.
    """

    cursor: dict[str, int] = field(default_factory=dict)
    number: int = 0
    windows: list[Window] = field(default_factory=list)
    closed: float = -np.inf
    history: list[Past] = field(default_factory=list)
    labels: Labels = field(default_factory=Labels)
    service: dict[str, Any] = field(default_factory=dict)
    pending: bytes = b""
    gap: float = 0.0
    silent: bool = False
    after: float = -np.inf
    form: int = FORM


class Shelved:
    """The file of one model."""

    def __init__(self, workspace: Workspace, model: str) -> None:
        self.path = workspace.folder(FOLDER) / quote(model, safe="") / FILE

    def read(self) -> State | None:
        """Return what was kept, None where nothing was.

        A file that cannot be read is set aside under another name; raises StoreError.
        """
        with explained(self.path):
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                return None
            try:
                state = _decoder.decode(zlib.decompress(data))
                if state.form == FORM:
                    return state
            except (msgspec.DecodeError, ValueError, TypeError, KeyError, zlib.error,
                    pl.exceptions.PolarsError):  # fmt: skip
                pass
            self.path.replace(self.path.with_suffix(".damaged"))
        return None

    @property
    def damaged(self) -> bool:
        """Return True where a file had to be set aside once."""
        return self.path.with_suffix(".damaged").exists()

    def write(self, state: State) -> None:
        """Write the file anew; raises StoreError, and the old one stays."""
        data = zlib.compress(_encoder.encode(state), 1)
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with published(self.path) as draft:
                draft.write_bytes(data)


def _plain(value: object) -> Any:
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str, "shape": value.shape, "data": value.tobytes()}
    if isinstance(value, pl.DataFrame):
        buffer = BytesIO()
        value.write_ipc(buffer, compression="lz4")
        return buffer.getvalue()
    if isinstance(value, np.floating | np.integer):
        return value.item()
    raise TypeError(f"the state of a watch holds no {type(value).__name__}")


def _made(kind: Any, value: Any) -> Any:
    if kind is pl.DataFrame:
        return pl.read_ipc(BytesIO(value)) if value else pl.DataFrame()
    if np.ndarray in (kind, get_origin(kind)) and isinstance(value, Mapping):
        found = np.frombuffer(value["data"], dtype=np.dtype(value["dtype"]))
        return found.reshape(value["shape"]).copy()
    raise TypeError(f"this is no {kind}")  # a damaged file, which is set aside


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder = msgspec.msgpack.Decoder(State, dec_hook=_made)
