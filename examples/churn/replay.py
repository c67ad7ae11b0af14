"""Replay weeks of customers: a new contract is sold, or a system counts in another unit.

    python examples/churn/replay.py [--variant contract|units] [--fast]

`contract`: a contract is sold that the model has never seen. Drift, a new model, a canary. `units`:
for two weeks charges come in cents where they had been dollars. An incident that names the column,
and no new model: the feed is to be mended. The exit code is 0 only if it ended as it should.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from assay.data.catalogue import get

sys.path.insert(0, str(Path(__file__).parents[1]))
from replaying import Replay

HERE = Path(__file__).parent
HISTORY = 4_000
WEEK = 300
FAULT = 2
"""The week in which the fault begins."""
MENDED = 4
LATE = 1
"""Labels come in a batch, a week later."""
SHARE = 0.6
"""The new contract's part of those that are paid by the month."""
GATES = {"at_least = 0.80": "at_least = 0.75", "at_most = 0.16": "at_most = 0.18"}
"""A few weeks of customers judge a new model: they show less than the whole table does."""
FAST = {
    "[release]": '[budget]\ntime = "8s"\n\n[serve]\nslo = "1s"\n\n[release]',
    '"50ms"': '"1s"',
}
"""Less training, and softer promises of latency: for machines with much else to do."""


def customers() -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Return the customers to learn from, and those of the weeks that come later."""
    table = pl.read_csv(get("telco_churn")).sample(fraction=1, shuffle=True, seed=3)
    weeks = [week for week in table[HISTORY:].iter_slices(WEEK) if week.height == WEEK]
    return table[:HISTORY], weeks


def flexible(week: pl.DataFrame, number: int) -> pl.DataFrame:
    """Return the customers with most of those who pay by the month on a new contract."""
    takes = pl.Series(np.random.default_rng([3, number]).random(week.height) < SHARE)
    monthly = pl.col("Contract") == "Month-to-month"
    new = pl.when(monthly & takes).then(pl.lit("Flexible")).otherwise(pl.col("Contract"))
    return week.with_columns(new.alias("Contract"))


def in_cents(week: pl.DataFrame) -> pl.DataFrame:
    """Return the customers as a system that counts cents sends them."""
    return week.with_columns(pl.col("MonthlyCharges") * 100)


def contract(replay: Replay, weeks: list[pl.DataFrame]) -> int:
    """A new contract for good: found in its first week, learned from labels, released."""
    for number, week in enumerate(weeks):
        note = "a new contract is sold" if number == FAULT else ""
        verdict = replay.window(flexible(week, number) if number >= FAULT else week, note)
        if number == FAULT:
            found = verdict
        if replay.took_over():
            break
    named = any(key.endswith(":Contract") for key in replay.incidents()[0].symptoms)
    checks = {"found in its first week": found == "drift", "by its name": named, **replay.closing()}
    del checks["the incident is over"]  # not before a model learned from such weeks alone
    return replay.verdict(checks)


def units(replay: Replay, weeks: list[pl.DataFrame]) -> int:
    """A column is broken for two weeks: named, not learned from, mended."""
    for number, week in enumerate(weeks):
        wrong = FAULT <= number < MENDED
        notes = {FAULT: "charges come in cents, not dollars", MENDED: "the feed is mended"}
        replay.window(in_cents(week) if wrong else week, notes.get(number, ""))
    first = replay.incidents()[0]
    return replay.verdict(
        {
            "found in its first week, by its name": first.window == FAULT
            and any(key.endswith(":MonthlyCharges") for key in first.symptoms),
            "nothing was learned from it": not replay.events("retrain.started"),
            "the first version is live": replay.live == 1,
            "the incident is over": not first.open,
        }
    )


VARIANTS: dict[str, Callable[[Replay, list[pl.DataFrame]], int]] = {
    "contract": contract,
    "units": units,
}


def main() -> int:
    """Replay the weeks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=VARIANTS, default="contract")
    parser.add_argument("--fast", action="store_true", help="spend less time on training")
    chosen = parser.parse_args()
    history, weeks = customers()
    settings = {'source = "catalogue:telco_churn"': 'source = "history.parquet"', **GATES}
    if chosen.fast:
        settings |= FAST
    with Replay(HERE, history, "Churn", late=LATE, settings=settings) as replay:
        replay.train()
        replay.serve()
        replay.watch()
        return VARIANTS[chosen.variant](replay, weeks)


if __name__ == "__main__":
    sys.exit(main())
