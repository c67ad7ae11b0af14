"""The rows of a file or a frame, read in parts and counted: memory does not grow with it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.data.conform import conform
from assay.data.raw import to_polars
from assay.data.source import read_any
from assay.data.stream import Indivisible, parts_of
from assay.errors import DataError
from assay.lifecycle.watching.judging import Evidence, Labelled, contradiction, truth_of
from assay.lifecycle.watching.subject import Subject
from assay.lifecycle.watching.tally import KEY, Tally, tally_of
from assay.metrics.answers import answers as answer_table
from assay.watch.columns.count import count

ROWS, CELLS = 1 << 17, 20_000_000
"""Rows that are counted at once, of a wide table as many as have so many cells."""
AT_ONCE = 2
"""Parts that are read and counted side by side."""
TARGET = "::target"

Read = Callable[[int], pl.DataFrame]


def evidence_of(subject: Subject, data: str | Path | Any) -> Evidence:
    """Return rows as a window that is over; `data` is a file, a frame, or rows as a list of dicts.

    A sample of the rows is asked of the model: what it would answer, and, where the rows have the
    target, how good that is.

    Raises DataError: the file cannot be read, none of the model's columns is there, or a cell is
    not of its column's type.
    """
    tally, absent = _tallied(subject, data)
    sample = tally.sample.drop(KEY, strict=False)
    features = sample.drop(TARGET, strict=False)
    answers, labelled, denied = None, None, None
    if not absent and subject.ask is not None and features.height:
        answers = subject.ask(features)
        tally.answers = count(subject.profile.answers, answer_table(answers, subject.signature))
        if TARGET in sample.columns:
            labelled = Labelled(features, answers, truth_of(subject, sample[TARGET]))
            denied = contradiction(subject, labelled)
    return Evidence(
        tally,
        features,
        answers,
        tally.rows,
        labelled=labelled,
        absent=absent,
        denied=denied,
        doubt=denied.reading if denied else "",
    )


def _tallied(subject: Subject, data: str | Path | Any) -> tuple[Tally, tuple[str, ...]]:
    if isinstance(data, str | Path):
        path, parts = Path(data), None
        with suppress(OSError, pl.exceptions.PolarsError):  # `read_any` tells what is wrong
            parts = parts_of(path, min(CELLS, ROWS * len(subject.signature.inputs)))
        if parts is not None:
            with suppress(Indivisible):
                return _together(subject, parts.read, range(parts.count))
        frame = read_any(path)
    else:
        frame = to_polars(data)
    each = max(1000, min(ROWS, CELLS // max(1, frame.width)))
    starts = range(0, max(1, frame.height), each)
    return _together(subject, lambda start: frame[start : start + each], starts)


def _together(subject: Subject, read: Read, places: range) -> tuple[Tally, tuple[str, ...]]:
    """Return the tally of all parts, in their order, and the columns that are not there."""
    total, absent = Tally(), tuple[str, ...]()

    def part(place: int) -> tuple[Tally, tuple[str, ...]]:
        return _part(subject, read(place), place, len(places))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for tally, lacking in pool.map(part, places):
            total, absent = total + tally, lacking
    return total, absent


def _part(
    subject: Subject, rows: pl.DataFrame, place: int, parts: int
) -> tuple[Tally, tuple[str, ...]]:
    signature = subject.signature
    fields = [field for field in signature.inputs if field.name in rows.columns]
    absent = tuple(f.name for f in signature.inputs if f.name not in rows.columns)
    if not fields:
        raise _foreign(subject, rows)
    readings = {field.name: field.reading for field in fields}
    features = conform(rows, fields, missing=signature.missing, readings=readings)
    kept = features
    if signature.target in rows.columns:
        kept = features.with_columns(_target(subject, rows[signature.target]))
    keys = np.random.default_rng(place).integers(0, 2**63, rows.height, dtype=np.uint64)
    return tally_of(subject.columns, features, kept=kept, keys=keys, parts=parts), absent


def _target(subject: Subject, series: pl.Series) -> pl.Series:
    """Return the truth as the model answers it; words that say that it is missing are null."""
    signature = subject.signature
    if series.dtype == pl.String:
        series = series.str.strip_chars()
        series = series.set(series.is_in(list(signature.missing)), None)
    return series.alias(TARGET)


def _foreign(subject: Subject, rows: pl.DataFrame) -> DataError:
    wanted = [field.name for field in subject.signature.inputs]
    near = {n for name in wanted for n in difflib.get_close_matches(name, rows.columns, n=1)}
    return DataError(
        "DATA-COLUMNS-MISSING",
        "the rows have none of the columns that the model needs",
        got=sorted(near) or rows.columns[:20],
        allowed=wanted,
        hint="name the file that has the rows that the model is asked about",
    )
