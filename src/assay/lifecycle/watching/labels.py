"""Labels that come later: joined with what was answered, each once, and kept until measured.

Feedback names a request and a row, not a time, so its predictions are looked for in the log of the
last `watch.labels` before it came, or before the client says that it was observed. That costs a
look at the requests of so much log; where a look takes long a watcher spends `SHARE` of its time on
it at most, and labels wait meanwhile.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.lifecycle.watching.kept import Labels
from assay.serve.log.columns import CHANCE
from assay.serve.log.reader import feedback_from, joined, read_log
from assay.serve.log.shelf import LOG
from assay.stores.workspace import Workspace

BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
"""No answer is older."""
AT_ONCE = 200_000
"""Feedback that is looked up together."""
FRESH = 50_000
"""Labelled rows that wait to be measured at most; the newest stay."""
PEERS = 20_000
"""Answers that labelled rows are compared with: who gets a label is seldom left to chance."""
KNOWN = 500_000
"""Rows of which it is remembered that they were measured."""
PATIENCE = timedelta(minutes=10)
"""For how long feedback waits for a prediction that is not in the log yet."""
SHARE, CHEAP = 0.05, 0.2
"""The share of its time that a watcher looks for labels, unless a look takes so few seconds."""

TRUTH, HASH = "truth", "::hash"
_ROW = ["request", "row"]


def labelled(
    workspace: Workspace,
    model: str,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Return the answered rows of a span of which somebody said what was true.

    Columns are those of the log (`in.NAME` for a feature), `truth` and `observed`; the last label
    of a row counts, and rows that only a shadow answered are left out.
    """
    rows = joined(workspace.root / LOG, model, since, until)
    return rows.filter(pl.col(TRUTH).is_not_null() & ~pl.col("shadow")).collect()


class Joining:
    """Takes what feedback has come, and joins it with the answers it is about."""

    def __init__(self, workspace: Workspace, model: str, labels: Labels) -> None:
        self._folder: Path = workspace.root / LOG
        self._model, self.labels = model, labels
        self._free, self._took = 0.0, 0.0

    def take(self, within: float, *, now: bool = False) -> bool:
        """Read on, and return True where something came; with `now` also where it is not due.

        `within` is for how many seconds before a label its prediction is looked for.
        """
        began = time.monotonic()
        if began < self._free and not (now and self._took < CHEAP):
            return False
        came = False
        while True:
            fed, cursor = feedback_from(self._folder, self._model, self.labels.cursor, AT_ONCE)
            came = came or cursor != self.labels.cursor
            self._add(fed, within)
            self.labels.cursor = cursor
            if fed.height < AT_ONCE:
                break
        if came:
            self._took = time.monotonic() - began
            self._free = began + self._took / SHARE
        return came

    def peers(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return some of all that was answered while these rows of one version were."""
        first, last = (rows.select(end).item() for end in (pl.col("at").min(), pl.col("at").max()))
        version = rows["version"][0]
        answers = ("label", "value", CHANCE)
        found = (
            read_log(self._folder, self._model, first, last + timedelta(microseconds=1))
            .filter(~pl.col("shadow") & (pl.col("version") == version))
            .select(name for name in rows.columns if name.startswith(answers))
            .collect()
        )
        return found.sample(PEERS, seed=0) if found.height > PEERS else found

    def _add(self, fed: pl.DataFrame, within: float) -> None:
        labels = self.labels
        told = fed.filter(pl.col("metric") == "")
        if told.is_empty() and labels.waiting.is_empty():
            return
        wanted = _last(pl.concat([labels.waiting, told], how="diagonal_relaxed"))
        wanted = wanted.filter(~pl.Series(np.isin(_keys(wanted), labels.known)))
        if wanted.is_empty():
            labels.waiting = wanted
            return
        found = self._found(wanted, within)
        labels.fresh = _joined(labels.fresh, found).tail(FRESH)
        late = wanted.join(found, on=_ROW, how="anti")
        newest: datetime = wanted.select(pl.col("at").max()).item()
        labels.waiting = late.filter(pl.col("at") > newest - PATIENCE)

    def _found(self, wanted: pl.DataFrame, within: float) -> pl.DataFrame:
        """Return the predictions that labels are about, with the labels beside them."""
        first = wanted.select(pl.min_horizontal("at", "observed").min()).item()
        back = timedelta(seconds=within)
        since = max(first, BEGIN + back) - back  # a client may say that it was so in the year 1
        requests = wanted["request"].unique()
        rows = (
            read_log(self._folder, self._model, since)
            .filter(pl.col("request").is_in(requests.implode()) & ~pl.col("shadow"))
            .collect()
        )
        answer = "label" if "label" in rows.columns else "value"
        told = wanted.select(
            *_ROW, pl.col(answer).alias(TRUTH), "observed", pl.col("at").alias("told")
        )
        return rows.join(told, on=_ROW, how="inner").filter(pl.col(TRUTH).is_not_null())


def measured(labels: Labels, version: int) -> pl.DataFrame:
    """Take out the rows that this version answered, and remember that they were measured.

    Rows of other versions are let go: their labels say nothing of this one.
    """
    fresh, labels.fresh = labels.fresh, pl.DataFrame()
    labels.known = np.concatenate([labels.known, _keys(fresh)])[-KNOWN:]
    return fresh.filter(pl.col("version") == version) if fresh.height else fresh


def count_fresh(labels: Labels, version: int) -> int:
    """Return how many labelled rows of a version wait to be measured."""
    return int((labels.fresh["version"] == version).sum()) if labels.fresh.height else 0


def _joined(fresh: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return both, a row that got two labels once, in the order in which labels came."""
    both = pl.concat([fresh, found], how="diagonal_relaxed") if fresh.height else found
    return both.sort("told", maintain_order=True).unique(_ROW, keep="last", maintain_order=True)


def _last(fed: pl.DataFrame) -> pl.DataFrame:
    ordered = fed.sort("at", maintain_order=True)
    return ordered.unique(_ROW, keep="last", maintain_order=True)


def _keys(rows: pl.DataFrame) -> NDArray[np.uint64]:
    if rows.is_empty():
        return np.zeros(0, np.uint64)
    return rows.select(pl.struct(_ROW).hash(seed=11)).to_series().to_numpy()
