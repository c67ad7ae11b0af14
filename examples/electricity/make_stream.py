"""Half-hours of a made-up electricity market, in which demand one day pulls prices the other way.

The truth is known. A price goes up with the odds `exp(score)`:

    before:  score =  2.0 demand - 1.2 wind + 0.8 evening
    after:   score = -2.0 demand - 1.2 wind + 0.8 evening

with demand and wind in standard deviations around what is usual for the hour and the day. Before,
demand above the usual makes prices go up. After, much of it is met by plants that only run when
demand is high, and it makes them go down. Demand and wind themselves stay as they were: nothing in
the inputs shows the change.

    python examples/electricity/make_stream.py FILE [--weeks 26]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = 7 * 48
"""Half-hours in a week: a window of the replay holds whole days and a whole week."""


def half_hours(first: int, weeks: int, *, after: bool = False, seed: int = 7) -> pl.DataFrame:
    """Return the half-hours of `weeks` weeks from week `first` on, in order."""
    rng = np.random.default_rng([seed, first, weeks])
    count = weeks * WEEK
    moment = np.arange(count)
    hour, day = (moment % 48) / 2, moment // 48 % 7
    temperature = 15 - 6 * np.cos((hour - 3) / 12 * np.pi) + rng.normal(0, 3, count)
    evening = np.exp(-(((hour - 19) / 2.5) ** 2))
    usual = 7.5 - 1.5 * np.cos((hour - 4) / 12 * np.pi) + evening - 0.8 * (day >= 5)
    surprise = rng.normal(0, 1, count)
    wind = rng.normal(0, 1, count)
    score = (-2.0 if after else 2.0) * surprise - 1.2 * wind + 0.8 * evening
    up = rng.random(count) < 1 / (1 + np.exp(-score))
    return pl.DataFrame(
        {
            "day": np.array(DAYS)[day],
            "hour": hour,
            "temperature": temperature.round(1),
            "usual_demand": usual.round(3),
            "demand": (usual + 0.5 * surprise).round(3),
            "wind": (2.0 + 0.6 * wind).round(3),
            "price": np.where(up, "up", "down"),
        }
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--weeks", type=int, default=26)
    chosen = parser.parse_args()
    half_hours(0, chosen.weeks).write_parquet(chosen.file)
