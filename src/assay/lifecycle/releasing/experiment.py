"""The report of an A/B test: from the counts in the ledger, and the log of predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.errors import UsageError
from assay.lifecycle.releasing.deciding import read_kept
from assay.lifecycle.releasing.release import Where, last_release
from assay.lifecycle.releasing.releases import DECIDED, STEP, Release
from assay.records.event import Event
from assay.release.ab import (
    Effect,
    Mismatch,
    cuped,
    effect,
    end_alpha,
    mismatch,
    smallest,
    sums,
)
from assay.release.decide import stages
from assay.serve.log.columns import FEATURE
from assay.serve.log.reader import read_feedback, read_log
from assay.serve.log.shelf import LOG
from assay.stores.workspace import find_workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Spent:
    """One stage of a test: the planned share, exposures of live and new, and sums of the metric."""

    share: float
    exposure: tuple[int, int]
    outcome: Array


@dataclass(frozen=True)
class Experiment:
    """What an A/B test has shown.

    `by_unit` is from the log of the last stage: the mean of each unit, where it has the metric;
    `adjusted` the same after CUPED. `detectable` is the effect that a test of this size finds in 4
    of 5 cases.
    """

    release: Release
    stages: tuple[Spent, ...]
    mismatch: Mismatch
    effect: Effect | None
    by_unit: Effect | None
    adjusted: Effect | None
    unit_mismatch: Mismatch | None
    covariate: str
    detectable: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        release = self.release
        return {
            "release": release.id,
            "model": release.model,
            "candidate": release.candidate.version,
            "control": release.control.version,
            "metric": release.section.metric,
            "state": release.state,
            "reason": release.decided.get("reason", ""),
            "stages": [
                {"share": s.share, "exposure": s.exposure, "outcome": s.outcome.tolist()}
                for s in self.stages
            ],
            "mismatch": {**vars(self.mismatch), "found": self.mismatch.found},
            "unit_mismatch": self.unit_mismatch
            and {**vars(self.unit_mismatch), "found": self.unit_mismatch.found},
            "effect": self.effect and self.effect.to_dict(),
            "by_unit": self.by_unit and self.by_unit.to_dict(),
            "adjusted": self.adjusted and self.adjusted.to_dict(),
            "covariate": self.covariate,
            "detectable": self.detectable,
        }


def experiment(name: str, covariate: str = "", *, store: Where = None) -> Experiment:
    """Report the last release of a model as an experiment.

    `covariate` is a numeric column of the requests, known before a version answers. Raises
    UsageError where there was no release, or it had no metric, or the log lacks that column.
    """
    workspace = find_workspace(store)
    events = list(workspace.ledger.read())
    release = last_release(events, name)
    if release.section.metric is None:
        raise UsageError(
            "RELEASE-METRIC",
            f"the release of {name} had no metric, so there is nothing to report",
            where="release.metric",
            hint="--set release.metric=conversion, when the next one starts",
        )
    spent = (*_spent(events, release), *_unwritten(workspace.root, release))
    units = _units(workspace.root / LOG, release, covariate)
    alpha, best = end_alpha(release.section), float(release.section.minimum)
    shown = _effect([s.outcome for s in spent], alpha, best)
    return Experiment(
        release=release,
        stages=spent,
        mismatch=mismatch([(*s.exposure, s.share) for s in spent]),
        effect=shown,
        by_unit=_by_unit(units, "outcome", alpha, best),
        adjusted=_by_unit(units, "covariate", alpha, best) if covariate else None,
        unit_mismatch=_unit_mismatch(units, spent[-1].share) if spent else None,
        covariate=covariate,
        detectable=smallest(shown, alpha) if shown else None,
    )


def _spent(events: Sequence[Event], release: Release) -> Iterator[Spent]:
    """Yield the stages of a release that were left, as the ledger has them."""
    stage = 0
    for event in events:
        data = event.data
        if event.kind not in (STEP, DECIDED) or data.get("release") != release.id:
            continue
        if "exposure" in data:
            live, new = data["exposure"]
            share = stages(release.section)[stage].share
            yield Spent(share, (live, new), np.array(data["outcome"], dtype=float))
        stage += 1


def _unwritten(root: Path, release: Release) -> Iterator[Spent]:
    """Yield the stage that a release is at, or was ended in by hand, as it was last looked at."""
    kept = None if "exposure" in release.decided else read_kept(root, release)
    if kept is not None:
        live, new = (now - then for now, then in zip(kept["requests"], kept["start"], strict=True))
        outcome = np.array(kept["evidence"]["metric"][-1], dtype=float)
        yield Spent(kept["share"], (live, new), outcome)


def _units(log: Path, release: Release, covariate: str) -> pl.DataFrame:
    """Return each unit of the last stage: `unit`, `new`, and its mean `outcome` and `covariate`.

    A unit is a value of the sticky column, else a request; the outcome is null where none came.
    """
    since = datetime.fromisoformat(release.stage_at)
    until = datetime.fromisoformat(release.ended_at) if release.ended_at else None
    rows = read_log(log, release.model, since, until).filter(~pl.col("shadow"))
    names = rows.collect_schema().names()
    sticky = f"{FEATURE}{release.section.sticky}"
    unit = pl.col(sticky if sticky in names else "request").cast(pl.String)
    if covariate and f"{FEATURE}{covariate}" not in names:
        raise UsageError(
            "RELEASE-COVARIATE",
            f"the log of {release.model} has no column {covariate}",
            where="--covariate",
            got=covariate,
            allowed=[n.removeprefix(FEATURE) for n in names if n.startswith(FEATURE)],
        )
    before = pl.col(f"{FEATURE}{covariate}") if covariate else pl.lit(None)
    requests = rows.filter(pl.col("row") == 0, pl.col("version").is_in(_both(release))).select(
        "request",
        unit.alias("unit"),
        (pl.col("version") == release.candidate.version).alias("new"),
        before.cast(pl.Float64, strict=False).alias("covariate"),
    )
    fed = (
        read_feedback(log, release.model, since)
        .filter(pl.col("metric") == release.section.metric)
        .group_by("request")
        .agg(pl.col("value").mean().alias("outcome"))
    )
    return (
        requests.join(fed, on="request", how="left")
        .group_by("unit", "new")
        .agg(pl.col("outcome").mean(), pl.col("covariate").mean())
        .sort("unit", "new")
        .collect()
    )


def _both(release: Release) -> list[int]:
    return [release.control.version, release.candidate.version]


def _by_unit(units: pl.DataFrame, use: str, alpha: float, best: float) -> Effect | None:
    """Return the effect over units, adjusted where `use` is the covariate; None for too few."""
    told = units.drop_nulls(["outcome", use])
    new = told["new"].to_numpy()
    if min(new.sum(), (~new).sum()) < 2:
        return None
    outcome = told["outcome"].to_numpy()
    if use == "covariate":
        return cuped(outcome, told["covariate"].to_numpy(), new, alpha, best)
    return effect([sums(outcome, new)], alpha, best)


def _unit_mismatch(units: pl.DataFrame, share: float) -> Mismatch | None:
    new = int(units["new"].sum())
    return mismatch([(len(units) - new, new, share)]) if len(units) else None


def _effect(parts: Sequence[Array], alpha: float, best: float) -> Effect | None:
    if not parts or np.sum(parts, axis=0)[:, 0].min() < 2:
        return None
    return effect(parts, alpha, best)
