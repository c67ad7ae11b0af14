"""Requests made of real rows, and what the answers to them must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl

from assay.data.content import read_table
from assay.kernel.store import get_record
from assay.lifecycle.history import runs
from assay.lifecycle.material import read_parts
from assay.lifecycle.predict import Model
from assay.lifecycle.serving.example import example_of
from assay.metrics.answers import answers
from assay.records.package import ModelVersion
from assay.records.snapshot import DataSnapshot
from assay.records.split import Split
from assay.stores.workspace import Workspace

DISTINCT = 1000
"""So many different rows are sent in turn: one row alone would find everything cached."""

CLOSE = 1e-9
_TIME = "%Y-%m-%d %H:%M:%S%.f"


@dataclass(frozen=True)
class Questions:
    """Rows, the same rows as bodies of requests of `per` rows each, and where they are from."""

    frame: pl.DataFrame
    bodies: tuple[bytes, ...]
    per: int
    source: str

    def body(self, number: int) -> bytes:
        """Return the body of a request by its number."""
        return self.bodies[number % len(self.bodies)]


def questions(
    workspace: Workspace, versions: Mapping[str, tuple[ModelVersion, Model]], per: int = 1
) -> Questions:
    """Return training rows of the run that made a version, or an example where they are gone.

    They have the columns of every version, as far as one of the runs has all. The test rows stay
    behind their one door: to ask quickly, any rows of the data will do.
    """
    fields = [field for _, model in versions.values() for field in model.signature.inputs]
    names = list(dict.fromkeys(field.name for field in fields))
    example = {k: v for _, model in versions.values() for k, v in example_of(model.package).items()}
    frame, source = pl.DataFrame([example]), "an example row"
    for version, _ in versions.values():
        found = _training_rows(workspace, version, names)
        if found is not None:
            frame, source = found, f"training rows of {version.run}"
            break
    return _questions(frame, per, source)


def _questions(frame: pl.DataFrame, per: int, source: str) -> Questions:
    if per > frame.height:
        frame = pl.concat([frame] * -(-per // frame.height))
    frame = frame.head(frame.height // per * per)
    rows = [_plain(row) for row in _as_text(frame).to_dicts()]
    bodies = [
        msgspec.json.encode({"rows": rows[start : start + per]})
        for start in range(0, len(rows), per)
    ]
    return Questions(frame, tuple(bodies), per, source)


def _training_rows(
    workspace: Workspace, version: ModelVersion, names: Sequence[str]
) -> pl.DataFrame | None:
    """Return rows spread over the training part; None where the run or its columns are gone."""
    entry = runs(workspace.ledger.read()).get(version.run)
    records = {**entry.given, **entry.data.get("records", {})} if entry is not None else {}
    wanted = [records.get("snapshot", ""), records.get("split", "")]
    if not all(name and workspace.store.has(name) for name in wanted):
        return None
    snapshot = get_record(workspace.store, wanted[0], DataSnapshot)
    split = get_record(workspace.store, wanted[1], Split)
    if not {*names} <= {column.name for column in snapshot.columns}:
        return None  # Python of the project's own made the columns that training saw
    train = np.flatnonzero(read_parts(workspace.store.get(split.rows)) >= 0)
    some = train[np.linspace(0, len(train) - 1, min(len(train), DISTINCT)).astype(np.int64)]
    return read_table(snapshot, workspace.store)[some].select(names)


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Datetime).dt.to_string(_TIME))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as a client writes it: whole numbers without a decimal point."""
    return {
        name: int(cell) if isinstance(cell, float) and cell.is_integer() else cell
        for name, cell in row.items()
    }


class _Prediction(msgspec.Struct):
    label: str | int | bool | None = None
    value: float | None = None
    probabilities: dict[str, float] = {}


class _Answer(msgspec.Struct):
    model: str
    request: str
    predictions: list[_Prediction]


_decode = msgspec.json.Decoder(_Answer).decode
Right = list[list[_Prediction]]
"""The predictions of each body."""


def right_answers(model: Model, asked: Questions) -> Right:
    """Return what the batch prediction says of each body."""
    table = answers(model.ask(asked.frame), model.signature)
    kind = model.signature.classes
    columns = [table[f"probability_{name}"].to_list() for name in kind]
    if kind:
        found = [
            _Prediction(label=label, probabilities=dict(zip(kind, chances, strict=True)))
            for label, *chances in zip(table["prediction"].to_list(), *columns, strict=True)
        ]
    else:
        found = [_Prediction(value=value) for value in table["prediction"].to_list()]
    return [found[start : start + asked.per] for start in range(0, len(found), asked.per)]


class Checker:
    """Compares each answer with the batch prediction of the same rows by the version it names.

    `versions` counts the right answers by version, `wrong` the others, `unknown` has those of a
    version whose answers are not known. `told` is given the version and the id of each.
    """

    def __init__(
        self, right: Mapping[str, Right], told: Callable[[str, str], None] | None = None
    ) -> None:
        self._right, self._told = dict(right), told
        self.wrong = 0
        self.versions: dict[str, int] = {}
        self.unknown: list[tuple[int, bytes]] = []

    def __call__(self, number: int, status: int, body: bytes) -> None:
        """Take an answer; what is no 2xx makes no claim and is not compared."""
        if not 200 <= status < 300:
            return
        try:
            said = _decode(body)
        except msgspec.DecodeError:
            self.wrong += 1
            return
        if self._told is not None:
            self._told(said.model, said.request)
        right = self._right.get(said.model)
        if right is None:
            self.unknown.append((number, body))
        elif _equal(said.predictions, right[number % len(right)]):
            self.versions[said.model] = self.versions.get(said.model, 0) + 1
        else:
            self.wrong += 1

    def settle(self, right_of: Callable[[str], Right | None]) -> None:
        """Compare the answers of versions that were not known before; one nobody knows is wrong."""
        waiting, self.unknown, self._told = self.unknown, [], None
        for name in {_decode(body).model for _, body in waiting}:
            self._right[name] = right_of(name) or [[]]
        for number, body in waiting:
            self(number, 200, body)


def _equal(said: list[_Prediction], right: list[_Prediction]) -> bool:
    if said == right:
        return True
    return len(said) == len(right) and all(map(_near, said, right))


def _near(said: _Prediction, right: _Prediction) -> bool:
    """Return whether two predictions are the same but for rounding."""
    if said.label != right.label or said.probabilities.keys() != right.probabilities.keys():
        return False
    pairs = [(said.probabilities[name], chance) for name, chance in right.probabilities.items()]
    if said.value is not None and right.value is not None:
        pairs.append((said.value, right.value))
    elif said.value is not right.value:
        return False
    return all(abs(a - b) <= CLOSE * max(1.0, abs(b)) for a, b in pairs)
