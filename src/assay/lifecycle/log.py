"""What a store's servers were asked and answered, and what of it turned out to be true."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import polars as pl

from assay.errors import StoreError, UsageError
from assay.registry.fold import fold
from assay.serve.log.reader import joined, read_feedback, read_log
from assay.serve.log.shelf import LOG
from assay.spec.values import quantity
from assay.stores.workspace import find_workspace

Kind = Literal["predictions", "joined", "feedback"]

_READERS: dict[str, Callable[..., pl.LazyFrame]] = {
    "predictions": read_log,
    "joined": joined,
    "feedback": read_feedback,
}
_SINKS: dict[str, Callable[[pl.LazyFrame, Path], object]] = {
    ".csv": lambda rows, path: rows.sink_csv(path),
    ".parquet": lambda rows, path: rows.sink_parquet(path),
    ".jsonl": lambda rows, path: rows.sink_ndjson(path),
    ".ndjson": lambda rows, path: rows.sink_ndjson(path),
}


def log(
    name: str,
    *,
    kind: Kind = "predictions",
    since: str = "",
    last: int | None = None,
    store: str | Path | None = None,
) -> pl.LazyFrame:
    """Return the rows that a model's servers logged; `last` only the newest so many, in order.

    `joined` adds to each prediction its `truth` and when that was `observed`; `feedback` is all
    that came, numbers too. `since` is a time in ISO 8601 (UTC) or a span, such as 2h.

    Raises UsageError where there is no such model, a version is named (the log has those of a model
    together), or `since` is no time.
    """
    workspace = find_workspace(store)
    if "@" in name:
        raise UsageError(
            "LOG-VERSION",
            "the log of a model has all its versions; name the model alone",
            got=name,
            allowed=[name.partition("@")[0]],
            hint="the column version says which one answered",
        )
    model = fold(workspace.ledger.read()).resolve(f"{name}@1").name
    rows = _READERS[kind](workspace.root / LOG, model, since=_moment(since))
    return rows if last is None else rows.top_k(last, by="at").sort("at")


def export(rows: pl.LazyFrame, out: Path) -> None:
    """Write rows to a .csv, .parquet or .jsonl file, which appears whole or not at all.

    Raises UsageError for another ending, StoreError where there is no room or no right to write.
    """
    sink = _SINKS.get(out.suffix.lower())
    if sink is None:
        raise UsageError(
            "LOG-FORMAT",
            "the ending of the output file names no format that can be written",
            got=out.name,
            allowed=list(_SINKS),
        )
    draft = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    try:
        sink(rows, draft)
        draft.replace(out)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(
            "LOG-NOT-WRITTEN",
            f"the log could not be written: {error}",
            where=str(out),
            hint="free some room, check the rights, or write to another place with -o",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _moment(since: str) -> datetime | None:
    if not since:
        return None
    seconds = quantity(since, "s")
    if seconds is not None:
        return datetime.now(UTC) - timedelta(seconds=seconds)
    try:
        return datetime.fromisoformat(since)
    except ValueError as error:
        raise UsageError(
            "LOG-TIME",
            "this is no time and no span",
            where="--since",
            got=since,
            allowed=["2026-11-22T08:00", "2h", "48h"],
        ) from error
