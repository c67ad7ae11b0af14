"""Rows of a file or a frame, judged against the profile of a version."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from assay.lifecycle.watching.files import evidence_of
from assay.lifecycle.watching.judging import judge_window
from assay.lifecycle.watching.settings import watching_of
from assay.lifecycle.watching.subject import open_subject
from assay.records.watch import WatchVerdict
from assay.registry.fold import fold
from assay.stores.workspace import find_workspace


def judge(
    data: str | Path | Any,
    reference: str,
    *,
    overrides: Sequence[str] = (),
    store: str | Path | None = None,
    allow_code: bool = False,
) -> WatchVerdict:
    """Judge rows against the profile of `NAME` or `NAME@VERSION`; nothing is done about it.

    `data` is a file, a polars or pandas frame, or a list of dicts. Performance is measured where
    the rows have the target, else estimated; both on at most 20,000 rows, drawn by chance.

    Raises:
        UsageError: no such model, or its package has no profile.
        DataError: the rows cannot be read, or do not fit the model.
    """
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    version = fold(events).resolve(reference)
    settings = watching_of(events, version, overrides)
    subject = open_subject(workspace, version, allow_code=allow_code)
    began = time.perf_counter()
    found = evidence_of(subject, data)
    verdict = judge_window(subject, found, settings.watch)
    return msgspec.structs.replace(verdict, seconds=round(time.perf_counter() - began, 6))
