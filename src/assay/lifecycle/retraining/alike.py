"""Which fresh rows are like those of training: only their labels can contradict what was known."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.lifecycle.retraining.live import Live
from assay.lifecycle.watching.subject import open_subject
from assay.watch.columns.count import codes
from assay.watch.drift.joint import compare_joint

NEW = 2.0
"""Log odds from which on a row comes from elsewhere than the training rows: about seven to one."""
FEWEST = 100
"""Rows that have to be left; where fewer are, all count as like those of training."""


def alike(live: Live, table: pl.DataFrame) -> NDArray[np.bool_]:
    """Return for (n,) rows of raw inputs whether they are of a kind that training had.

    The linear domain classifier of the profile tells the two apart, all columns together. With a
    new kind of rows come labels that nobody expected, and that is no fault of the labels.
    """
    subject = open_subject(live.workspace, live.version, allow_code=True)
    joint, every = subject.profile.joint, np.ones(table.height, dtype=bool)
    if joint is None:
        return every
    rows = table.select(field.name for field in subject.signature.inputs)
    cells = codes(subject.profile.columns, subject.columns.look(rows))
    places = {column.name: place for place, column in enumerate(subject.profile.columns)}
    chosen = [places[name] for name in joint.columns]
    columns = [subject.profile.columns[place] for place in chosen]
    known: NDArray[np.bool_] = compare_joint(joint, columns, cells[:, chosen]).scores < NEW
    return known if np.count_nonzero(known) >= FEWEST else every
