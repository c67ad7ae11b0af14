"""Fresh labelled rows from the log, and the tables that a retraining learns from and is judged on.

The newest rows are kept for judging. The others, and a share of the old training rows, are learned
from; an older row is kept with the chance that `half_life` leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.data.content import read_table
from assay.errors import Refused
from assay.kernel.family import class_labels
from assay.kernel.store import Store
from assay.records.fitted import Field, Signature
from assay.records.snapshot import DataSnapshot
from assay.records.spec import DataSection, RetrainSection, SplitSection
from assay.serve.log.columns import FEATURE
from assay.serve.log.reader import joined, read_feedback, read_log
from assay.serve.log.shelf import LOG

AT, OBSERVED, TRUTH = "at", "observed", "truth"
_DIGEST = r"^[0-9a-f]{32}$"
TRAIN, TEST = "train.parquet", "test.parquet"
REACHES = (timedelta(days=1), timedelta(days=8), timedelta(days=64), None)
"""How far before the newest label a row with a label is looked for, None for the whole log."""
SLACK = timedelta(minutes=10)
"""So far the clocks of two servers may be apart: a label may seem older than its row."""


@dataclass(frozen=True)
class Fresh:
    """Labelled rows, oldest first.

    `table` has the model's raw inputs and the target under their own names and types, `about` the
    `request`, `row`, `at`, `observed` and `version` of each.
    """

    table: pl.DataFrame
    about: pl.DataFrame

    @property
    def newest(self) -> str:
        """Return when the newest of them was answered (UTC, ISO 8601), "" without rows."""
        last = self.about[AT].max()
        return last.isoformat(timespec="microseconds") if isinstance(last, datetime) else ""

    def __len__(self) -> int:
        return self.table.height

    def parted(self, judge: float) -> tuple[Fresh, Fresh]:
        """Return the rows to learn from, and the newest share of them to judge on."""
        first = len(self) - round(judge * len(self))
        return self._part(0, first), self._part(first, len(self) - first)

    def _part(self, start: int, count: int) -> Fresh:
        return Fresh(self.table.slice(start, count), self.about.slice(start, count))


def newest_label(root: Path, model: str) -> str:
    """Return when the newest row was answered that has a label by now, "" without one."""
    last = _newest(root, model)
    return last.isoformat(timespec="microseconds") if last is not None else ""


def count_labelled(root: Path, model: str, section: RetrainSection) -> int:
    """Return how many labelled rows a retraining would find now."""
    newest, last = _newest(root, model), _last_label(root, model)
    if newest is None or last is None:
        return 0
    window = timedelta(seconds=section.window)
    since = newest - window
    # where a clock was ahead, rows are younger than their labels
    rows = _answered(root, model, since, min(newest, last) - window).filter(pl.col(AT) > since)
    found: int = rows.select(pl.len()).collect().item()
    return min(found, section.rows or found)


def gather(
    root: Path,
    model: str,
    signature: Signature,
    snapshot: DataSnapshot,
    store: Store,
    section: RetrainSection,
    newest: str,
    hidden: frozenset[str] = frozenset(),
) -> Fresh:
    """Return the labelled rows of the last `retrain.window` before `newest`, that row included.

    Values have the types of the table that the live model learned from. `hidden` are columns that
    the log does not have as they were.

    Raises:
        Refused: RETRAIN-COLUMNS where the log lacks an input, RETRAIN-FEW below `retrain.minimum`.
    """
    last = datetime.fromisoformat(newest)
    since = last - timedelta(seconds=section.window)
    rows = _labelled(root, model, since)
    found = rows.filter((pl.col(AT) > since) & (pl.col(AT) <= last)).sort(AT, "request", "row")
    frame = found.collect()
    frame = frame.tail(section.rows) if section.rows else frame
    old = read_table(snapshot, store)
    lacking = [f.name for f in signature.inputs if f.name in hidden or _is_lacking(frame, f, old)]
    if lacking:
        raise Refused(
            "RETRAIN-COLUMNS",
            "the log lacks inputs of the model, so nothing can be learned from it",
            got=lacking,
            hint="take them out of serve.mask and serve.pseudonym, or train on a table of your "
            "own: assay run",
        )
    columns = [_typed(frame[FEATURE + f.name], f.name, f.type, old) for f in signature.inputs]
    target = _target(frame[TRUTH], signature, old)
    whole = target.is_not_null()  # a class that the model never knew is none to learn alone
    if whole.sum() < section.minimum:
        raise Refused(
            "RETRAIN-FEW",
            f"there are {whole.sum():,} labelled rows, and a new model needs more",
            got=int(whole.sum()),
            allowed=[f"{section.minimum} or more"],
            hint="send more labels to /feedback, or lower retrain.minimum",
        )
    return Fresh(
        pl.DataFrame([*columns, target]).filter(whole),
        frame.select("request", "row", AT, OBSERVED, "version").filter(whole),
    )


def replayed(
    old: pl.DataFrame, train: NDArray[np.int64], fresh: Fresh, policy: SplitSection, count: int
) -> pl.DataFrame:
    """Return so many of the old training rows in the columns of the fresh ones.

    `train` are their places in the old table; the column that the split goes by comes along.
    """
    chosen = np.sort(np.random.default_rng(policy.seed).choice(train, count, replace=False))
    names = [*fresh.table.columns, *([policy.time_on] if policy.time_on else [])]
    return old[chosen].select(list(dict.fromkeys(names)))


def thinned(fresh: Fresh, half_life: float | None, seed: int) -> pl.DataFrame:
    """Return the rows, an older one with the chance one half for each `half_life` of its age."""
    if half_life is None or not len(fresh):
        return fresh.table
    at = fresh.about[AT].dt.epoch("us").to_numpy() / 1e6
    chance = 0.5 ** ((at.max() - at) / half_life)
    kept = np.random.default_rng(seed).random(len(at)) < chance
    return fresh.table.filter(pl.Series(kept))


def write(
    folder: Path,
    learn: Fresh,
    judge: Fresh,
    replay: pl.DataFrame,
    policy: SplitSection,
    half_life: float | None,
) -> None:
    """Write the tables of a retraining; each appears whole or not at all.

    Under a split that a column decides, by time or by what it says, one table has all rows, and the
    sealed policy finds the newest as test rows. Otherwise they are a table of their own.

    Raises Refused RETRAIN-SPLIT for a policy that the log cannot serve.
    """
    if policy.group_on or policy.group_time_on:
        raise Refused(
            "RETRAIN-SPLIT",
            "the sealed split goes by groups, which the log does not have",
            where="split",
            got=policy.group_on or policy.group_time_on,
            hint="train on a table of your own: assay run",
        )
    folder.mkdir(parents=True, exist_ok=True)
    learned = thinned(learn, half_life, policy.seed)
    if not is_apart(policy):
        _put(pl.concat([replay, learned], how="diagonal_relaxed"), folder / TRAIN)
        _put(judge.table, folder / TEST)
        return
    if policy.predefined_on:
        marks = [pl.lit("train"), pl.lit("train"), pl.lit(policy.test_values[0])]
        parts = [replay, learned, judge.table]
        marked = [
            part.with_columns(mark.alias(policy.predefined_on))
            for part, mark in zip(parts, marks, strict=True)
        ]
        _put(pl.concat(marked, how="diagonal_relaxed"), folder / TRAIN)
        return
    at = pl.concat([learn.about, judge.about])[AT]
    rows = pl.concat([learn.table, judge.table])
    timed = _timed(rows, at, policy.time_on or "", replay)
    _put(pl.concat([replay, timed], how="diagonal_relaxed"), folder / TRAIN)


def is_apart(policy: SplitSection) -> bool:
    """Return True where a column says which rows are test rows, so that one table has all."""
    return bool(policy.predefined_on or policy.time_on)


def room_for_replay(policy: SplitSection, section: RetrainSection, fresh: int, share: int) -> int:
    """Return how many old rows may be mixed in, so that the test rows stay among the newest.

    Under a split by time the sealed share of all rows is tested on, and no more than
    `retrain.judge` of the fresh rows should be.
    """
    if not policy.time_on:
        return share
    return max(0, min(share, int(section.judge * fresh / policy.test) - fresh))


def section_of(data: DataSection, snapshot: DataSnapshot, folder: Path) -> DataSection:
    """Return what `[data]` says of the tables in a folder: types as they were, nothing to drop."""
    written = pl.read_parquet_schema(folder / TRAIN)
    known = {c.name: c.type for c in (*snapshot.columns, *snapshot.raw)}
    types: dict[str, str] = {name: known[name] for name in written if name in known}
    apart = (folder / TEST).exists()
    return DataSection(
        target=data.target,
        source=str((folder / TRAIN).absolute()),
        test=str((folder / TEST).absolute()) if apart else None,
        positive=data.positive,
        types=types,
        missing=data.missing,
        missing_target="drop",
        duplicates=data.duplicates,
        description=data.description,
    )


def _timed(rows: pl.DataFrame, at: pl.Series, name: str, replay: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the column that the split goes by: as logged, else when they were asked."""
    if name in rows.columns:
        return rows
    if name not in replay.columns or replay[name].dtype.is_temporal():
        moment = at.dt.replace_time_zone(None).alias(name)
        kind = replay[name].dtype if name in replay.columns else moment.dtype
        return rows.with_columns(moment.cast(kind))
    # a number that only orders: it goes on from the last one
    last = replay[name].cast(pl.Float64).max()
    seconds = (at - at.min()).dt.total_microseconds() / 1e6 + 1.0
    start = last if isinstance(last, float) else 0.0
    return rows.with_columns((seconds + start).alias(name))


def _newest(root: Path, model: str) -> datetime | None:
    """Return when the newest row with a label was answered.

    Only as much of a long log is read as goes back from the newest label to such a row.
    """
    last = _last_label(root, model)
    found: datetime | None = None
    for reach in REACHES if last is not None else ():
        since = last - reach if last and reach else None
        found = _answered(root, model, since, since).select(pl.col(AT).max()).collect().item()
        if found is not None:
            break
    return found


def _last_label(root: Path, model: str) -> datetime | None:
    """Return when the newest label came."""
    fed = read_feedback(root / LOG, model).filter(pl.col("metric") == "")
    last: datetime | None = fed.select(pl.col("at").max()).collect().item()
    return last


def _answered(
    root: Path, model: str, since: datetime | None, came: datetime | None
) -> pl.LazyFrame:
    """Return `request`, `row` and `at` of rows since then that have a label that `came` since."""
    rows = read_log(root / LOG, model, since)
    truth = "label" if "label" in rows.collect_schema().names() else "value"
    fed = read_feedback(root / LOG, model, came and came - SLACK)
    told = fed.filter((pl.col("metric") == "") & pl.col(truth).is_not_null())
    asked = rows.filter(~pl.col("shadow")).select("request", "row", AT)
    return asked.join(told.select("request", "row"), on=["request", "row"], how="semi")


def _labelled(root: Path, model: str, since: datetime | None = None) -> pl.LazyFrame:
    rows = joined(root / LOG, model, since)
    if TRUTH not in rows.collect_schema().names():
        return rows.clear().with_columns(pl.lit(None).alias(TRUTH), pl.lit(None).alias(OBSERVED))
    return rows.filter(pl.col(TRUTH).is_not_null() & ~pl.col("shadow"))


def _is_lacking(frame: pl.DataFrame, field: Field, old: pl.DataFrame) -> bool:
    """Say whether an input was masked in the log (all is missing), or stands there as digests.

    The settings may have been others when the rows were logged, so the rows themselves are asked.
    """
    if FEATURE + field.name not in frame.columns:
        return True
    cells = frame[FEATURE + field.name]
    before = old[field.name] if field.name in old.columns else None
    if cells.null_count() == len(cells):
        return len(cells) > 0 and (before is None or before.null_count() < len(before))
    if cells.dtype != pl.String or (before is not None and _digests(before)):
        return False
    return _digests(cells)


def _digests(cells: pl.Series) -> bool:
    return bool(cells.cast(pl.String, strict=False).str.contains(_DIGEST).any())


def _typed(cells: pl.Series, name: str, kind: str, old: pl.DataFrame) -> pl.Series:
    """Return logged cells under their own name, in the type of the old table where it has them."""
    cells = cells.alias(name)
    if name in old.columns:
        return cells.cast(old[name].dtype, strict=False)
    return cells.cast(pl.Float64, strict=False) if kind == "number" else cells


def _target(truth: pl.Series, signature: Signature, old: pl.DataFrame) -> pl.Series:
    """Return what was true as values of the old target: a class by its own value, not its name."""
    target = old[signature.target]
    if not signature.classes:
        return truth.cast(pl.Float64).alias(target.name)
    values = target.drop_nulls().unique(maintain_order=True)
    known = dict(zip(class_labels(values).to_list(), values.to_list(), strict=True))
    return truth.replace_strict(known, default=None, return_dtype=target.dtype).alias(target.name)


def _put(table: pl.DataFrame, path: Path) -> None:
    draft = path.with_name(f".{path.name}")
    table.write_parquet(draft)
    draft.replace(path)
