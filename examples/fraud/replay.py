"""Replay months of claims: a new kind of fraud comes up, and the loop closes by itself.

    python examples/fraud/replay.py [--variant story|poisoned|bad-release] [--fast]

`story`: a ring of staged accidents that the live model has never seen. `poisoned`: the labels that
come back are swapped. `bad-release`: a worse model is promoted by hand. The exit code is 0 only if
it ended as it should.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from assay.data.catalogue import get

sys.path.insert(0, str(Path(__file__).parents[1]))
from replaying import Replay, kept

HERE = Path(__file__).parent
TARGET = "FraudFound_P"
HISTORY = 7_000
WEEK = 500
FAULT = 3
"""The window in which the fault begins."""
LATE = 2
"""An inquiry takes so many windows."""
SHARE = 0.1
"""The ring's part of the claims."""
FAST = {'time = "30s"': 'time = "8s"', '"50ms"': '"1s"', '"20ms"': '"1s"'}
"""Less training, and softer promises of latency: for machines with much else to do."""


def claims() -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Return the claims to learn from, and windows of those that come later, in random order.

    The order of the file is not kept, for its years differ by themselves: what moves in the replay
    is what the replay plants.
    """
    table = pl.read_parquet(get("vehicle_claim_fraud")).sample(fraction=1, shuffle=True, seed=7)
    stream = table[HISTORY:]
    return table[:HISTORY], [w for w in stream.iter_slices(WEEK) if w.height == WEEK]


def ring(claims: pl.DataFrame, window: int) -> pl.DataFrame:
    """Return the window with a tenth of its claims put in by a ring, most of them fraud.

    New policies, an address that just changed, an accident within days that a third party is to
    blame for: to the live model among the safest claims of all.
    """
    rng = np.random.default_rng([7, window])
    ours = pl.Series(rng.random(claims.height) < SHARE)
    fraud = pl.Series(rng.random(claims.height) < 0.8).cast(pl.Int64)
    marks = {
        "Days_Policy_Accident": "1 to 7",
        "AddressChange_Claim": "under 6 months",
        "Fault": "Third Party",
        "BasePolicy": "Liability",
        "PolicyType": "Sedan - Liability",
        "VehicleCategory": "Sport",
        "NumberOfCars": "3 to 4",
    }
    changed = [
        pl.when(ours).then(pl.lit(v)).otherwise(pl.col(c)).alias(c) for c, v in marks.items()
    ]
    return claims.with_columns(
        *changed, pl.when(ours).then(fraud).otherwise(pl.col(TARGET)).alias(TARGET)
    )


def story(replay: Replay, weeks: Iterator[pl.DataFrame]) -> int:
    """A ring comes up: seen in the rows, shown by late labels, learned, tried on some, live."""
    verdicts = []
    for number, week in enumerate(weeks):
        note = "a ring of staged accidents begins" if number == FAULT else ""
        verdicts.append(replay.window(ring(week, number) if number >= FAULT else week, note))
        if replay.closed():
            break
    return replay.verdict(
        {
            "the new rows were seen in their first week": verdicts[FAULT] in ("drift", "degraded"),
            "labels showed that the live model misses them": "degraded" in verdicts[FAULT:],
            **replay.closing(),
        }
    )


def poisoned(replay: Replay, weeks: Iterator[pl.DataFrame]) -> int:
    """The labels come back swapped: the model is said to be bad, and must not be replaced."""
    for number, week in enumerate(weeks):
        replay.window(week, "from here on labels come back swapped" if number == FAULT else "")
        if number == FAULT + LATE + 4:
            break
    refused = [e.data["reason"] for e in replay.events("retrain.refused")]
    return replay.verdict(
        {
            "a new model was refused, for its labels": any("labels" in why for why in refused),
            "none was released": not replay.events("release.started"),
            "the first version is live": replay.live == 1,
        }
    )


def bad_release(replay: Replay, weeks: Iterator[pl.DataFrame]) -> int:
    """A model of labels that were exported the wrong way round goes live by hand: taken back.

    Its ROC-AUC is good, for its test rows are wrong in the same way; a gate on recall refuses it.
    """
    for number, week in enumerate(weeks):
        if number == FAULT:
            wrong = replay.folder / "export.parquet"
            history = pl.read_parquet(replay.folder / "history.parquet")
            history.with_columns((1 - pl.col(TARGET)).alias(TARGET)).write_parquet(wrong)
            replay.assay("run", replay.folder, "--set", f"data.source={wrong.name}", allowed=(3,))
            replay.assay("promote", "fraud@2", "--reason", "it has to go out today")
            replay.plant("a model of swapped labels is promoted by hand")
        replay.window(week)
        if number > FAULT and replay.live == 1:
            break
    replay.window(next(weeks))
    moved = replay.events("alias.moved")[-1]
    return replay.verdict(
        {
            "the first version is live again": replay.live == 1,
            "a verdict did it, and no person": moved.agency == "default",
            "it answers every request": replay.answered_by(-1) == {"fraud@1": WEEK},
        }
    )


def swapped(window: int, label: str) -> str:
    """Return the label as the broken feed sends it."""
    return {"0": "1", "1": "0"}[label] if window >= FAULT else label


VARIANTS = {"story": story, "poisoned": poisoned, "bad-release": bad_release}


@contextmanager
def prepared(variant: str, *, fast: bool) -> Iterator[tuple[Replay, Iterator[pl.DataFrame]]]:
    """Return a replay that is trained, served and watched, and the weeks to come."""
    history, weeks = claims()
    settings = {'source = "catalogue:vehicle_claim_fraud"': 'source = "history.parquet"'}
    if fast:
        settings |= FAST
    spoil = swapped if variant == "poisoned" else kept
    with Replay(HERE, history, TARGET, late=LATE, settings=settings, spoil=spoil) as replay:
        replay.train()
        replay.serve()
        replay.watch()
        yield replay, iter(weeks)


def main() -> int:
    """Replay the variant that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=VARIANTS, default="story")
    parser.add_argument("--fast", action="store_true", help="spend less time on training")
    chosen = parser.parse_args()
    with prepared(chosen.variant, fast=chosen.fast) as (replay, weeks):
        return VARIANTS[chosen.variant](replay, weeks)


if __name__ == "__main__":
    sys.exit(main())
