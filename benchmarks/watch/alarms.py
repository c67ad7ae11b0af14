"""False alarms when nothing changes, and what is found when something does, and how soon.

    ASSAY_DATA=… python benchmarks/watch/alarms.py [--loud] [--part ours|evidently]

`null`: windows of 1,000 to 100,000 rows drawn from the population that the profile's 20,000 rows
came from: fresh rows of 30 mixed columns, and real tables drawn with replacement. Each window is
judged alone and with up to 15 before it, inputs, answers, labels and all columns together, with the
chance of a false alarm that a daily window has. `planted`: three such windows, then a fault; it is
counted after how many windows the very column is flagged. Evidently's DataDriftPreset, with its
defaults, is asked about windows made likewise in its own environment
(`~/.cache/assay-benchmarks/watch/evidently`). Writes `benchmarks/results/watch-alarms.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
import polars as pl
import populations as made
from scipy.stats import beta
from spine import machine

from assay.records.spec import WatchSection
from assay.records.watch import Moved
from assay.watch.columns.build import profile_columns
from assay.watch.columns.count import codes, count
from assay.watch.columns.form import Counts
from assay.watch.drift.budget import alpha_of
from assay.watch.drift.joint import build_joint, compare_joint
from assay.watch.drift.losses import follow
from assay.watch.drift.moved import moved
from assay.watch.profile import Profile

OUT = Path(__file__).parents[1] / "results" / "watch-alarms.json"
PEER = Path.home() / ".cache/assay-benchmarks/watch/evidently/bin/python"
SECTION = WatchSection()
ALPHA = alpha_of(SECTION, SECTION.window)
REFERENCE, TEST, SAMPLE = 20_000, 5_000, 20_000
SERIES, WINDOWS = 20, 25
"""Profiles of a null replay, and windows after each."""
RUNS, BEFORE, SHARED = 60, 3, 5
"""Faults of a kind, windows without one before each, and how many share a profile."""


def profile_from(draw: made.Draw, rng: np.random.Generator) -> Profile:
    """Return the profile of fresh rows of a population."""
    rows, test = draw(rng, REFERENCE), draw(rng, TEST)
    columns = profile_columns(rows, made.fields_of(rows))
    answers, target = (), ()
    if made.TARGET in rows.columns:
        answers = profile_columns(test, [made.Field(made.ANSWER, "number")])
        target = profile_columns(test, [made.Field(made.TARGET, "category")])
    return Profile(
        rows=REFERENCE,
        test_rows=TEST,
        columns=columns,
        answers=answers,
        target=next(iter(target), None),
        joint=build_joint(columns, codes(columns, rows)),
    )


class Watcher:
    """A profile, and the windows that were compared with it."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.target = () if profile.target is None else (profile.target,)
        self.past: list[tuple[Counts, Counts, Counts]] = []
        self.losses: dict[str, Any] = {}

    def count(self, rows: pl.DataFrame) -> tuple[Moved, ...]:
        """Count a window and follow its losses; return whether these rose."""
        looked = (self.profile.columns, self.profile.answers, self.target)
        self.past.append(tuple(count(columns, rows) for columns in looked))
        self.past = self.past[-max(SECTION.scales) :]
        if not self.target:
            return ()
        happened = (rows[made.TARGET] == "yes").to_numpy()
        rise = follow(self.losses, np.abs(happened - rows[made.ANSWER].to_numpy()))
        return () if rise is None else (rise,)

    def judge(self, rows: pl.DataFrame) -> tuple[Moved, ...]:
        """Return what is said of the next window."""
        rise, profile = self.count(rows), self.profile
        scales = [scale for scale in SECTION.scales if scale <= len(self.past)]
        inputs, answers, labels = (
            {scale: sum((past[part] for past in self.past[-scale:]), Counts()) for scale in scales}
            for part in range(3)
        )
        joint = compare_joint(profile.joint, profile.columns, codes(profile.columns, rows[:SAMPLE]))
        return (*moved(profile, inputs, joint, SECTION, ALPHA, labels, answers), *rise)


def null_series(job: tuple[str, int]) -> list[dict[str, Any]]:
    """Return what was said of each window of one profile's replay in which nothing changes."""
    name, seed = job
    rng = np.random.default_rng([seed, 1])
    draw = made.mixed if name == "mixed" else made.real()[name]
    watcher, said = Watcher(profile_from(draw, rng)), []
    for _ in range(WINDOWS):
        rows = int(10 ** rng.uniform(3, 5))
        found = watcher.judge(draw(rng, rows))
        said.append({
            "rows": rows,
            "flagged": [row.column for row in found if row.flagged],
            "beyond_chance": [row.kind for row in found if row.p <= ALPHA],
        })  # fmt: skip
    return said


@dataclass(frozen=True)
class Fault:
    """A change, the column it is made to, and within how many windows it has to be seen."""

    plant: Callable[[pl.DataFrame, np.random.Generator, str], pl.DataFrame]
    columns: tuple[str, ...]
    within: int = 1
    flags: tuple[str, ...] = ()
    step: float = 0.0
    """What a gradual change grows by in each window, in standard deviations."""


FAULTS = {
    "mean 0.25 sd": Fault(made.mean_moved, tuple(made.NORMAL)),
    "a category's share x2": Fault(made.share_doubled, tuple(made.RARER)),
    "5 % in another unit": Fault(made.unit_mixed, (*made.NORMAL, "amount_0", "wait_0")),
    "a fifth of the labels flipped": Fault(
        made.labels_flipped, (made.TARGET,), flags=(made.TARGET, "(losses of labelled rows)")
    ),
    "gradual, 0 to 0.5 sd in 20 windows": Fault(
        made.mean_moved, tuple(made.NORMAL), within=20, step=0.025
    ),
}
SIZES = (1_000, 10_000)
MOST = 20


def plant(fault: Fault, rows: pl.DataFrame, rng: np.random.Generator, name: str, window: int):
    """Return the rows of the fault's window number `window`, from 1."""
    if fault.step:
        return made.mean_moved(rows, rng, name, by=fault.step * window)
    return fault.plant(rows, rng, name)


@lru_cache(maxsize=2)
def known(number: int) -> Profile:
    """Return the profile that a few faults are compared with."""
    return profile_from(made.mixed, np.random.default_rng([number, 3]))


def planted_run(job: tuple[str, int, int]) -> int | None:
    """Return in which window a fault was seen in its column, None where in none of `MOST`."""
    kind, size, seed = job
    fault, rng = FAULTS[kind], np.random.default_rng([seed, size, 2])
    watcher, name = Watcher(known(seed // SHARED)), fault.columns[seed % len(fault.columns)]
    for _ in range(BEFORE):
        watcher.count(made.mixed(rng, size))
    for window in range(1, MOST + 1):
        found = watcher.judge(plant(fault, made.mixed(rng, size), rng, name, window))
        if any(row.flagged and row.column in (fault.flags or (name,)) for row in found):
            return window
    return None


def interval(hits: int, n: int) -> list[float]:
    """Return the 95 % interval of a share (Clopper and Pearson 1934)."""
    low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return [round(float(low), 4), round(float(high), 4)]


def null(pool: ProcessPoolExecutor) -> dict[str, Any]:
    found = {}
    for name, series in (("mixed", SERIES), *((name, SERIES // 2) for name in made.real())):
        said = list(chain(*pool.map(null_series, [(name, seed) for seed in range(series)])))
        alarms = sum(bool(one["flagged"]) for one in said)
        chance = sum(bool(one["beyond_chance"]) for one in said)
        found[name] = {
            "profiles": series,
            "windows": len(said),
            "false_alarms": alarms,
            "share": interval(alarms, len(said)),
            "stated": ALPHA,
            "beyond_chance": chance,
            "share_beyond_chance": interval(chance, len(said)),
        }
        print(name, found[name], file=sys.stderr, flush=True)
    return found


def planted(pool: ProcessPoolExecutor) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, fault in FAULTS.items():
        for size in SIZES:
            jobs = [(kind, size, seed) for seed in range(RUNS)]
            seen = list(pool.map(planted_run, jobs, chunksize=SHARED))
            times = sorted(x for x in seen if x is not None)
            needed = int(np.ceil(0.95 * RUNS))
            found.setdefault(kind, {})[str(size)] = {
                "runs": RUNS,
                "in_first_window": sum(x == 1 for x in times) / RUNS,
                "stated_windows": fault.within,
                "within_stated": sum(x <= fault.within for x in times) / RUNS,
                "windows_for_95": times[needed - 1] if len(times) >= needed else None,
                "median_window": times[len(times) // 2] if times else None,
            }
            print(kind, size, found[kind][str(size)], file=sys.stderr, flush=True)
    return found


def beside() -> dict[str, Any]:
    """Return what Evidently says of windows without and with each fault."""
    rng = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        made.mixed(rng, REFERENCE).write_parquet(at / "reference.parquet")
        cases: list[dict[str, Any]] = []

        def add(rows: pl.DataFrame, kind: str, size: int, column: str = "") -> None:
            cases.append({"file": f"{len(cases)}.parquet", "kind": kind, "rows": size})
            cases[-1]["column"] = column
            rows.write_parquet(at / cases[-1]["file"])

        for size, clean, faulty in ((1_000, 40, 6), (10_000, 10, 4)):
            for _ in range(clean):
                add(made.mixed(rng, size), "none", size)
            for kind, fault in FAULTS.items():
                for i in range(0 if fault.step else faulty):
                    name = fault.columns[i % len(fault.columns)]
                    add(fault.plant(made.mixed(rng, size), rng, name), kind, size, name)
        (at / "cases.json").write_text(json.dumps(cases))
        script = Path(__file__).with_name("alarms_evidently.py")
        halves = [
            subprocess.Popen([PEER, script, folder, str(part)], stdout=subprocess.PIPE, text=True)
            for part in range(2)
        ]
        said = chain(*(json.loads(half.communicate()[0].splitlines()[-1]) for half in halves))
    found: dict[str, Any] = {}
    for case in said:
        entry = found.setdefault(case["kind"], {}).setdefault(
            str(case["rows"]), {"windows": 0, "any_column": 0, "the_column": 0, "data_set": 0}
        )
        entry["windows"] += 1
        entry["any_column"] += bool(case["drifted"])
        entry["the_column"] += case["column"] in case["drifted"]
        entry["data_set"] += case["data_set"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loud", action="store_true", help="write no result: the machine is busy")
    parser.add_argument("--part", choices=("ours", "evidently"), help="run this part only")
    chosen = parser.parse_args()
    began = time.perf_counter()
    result: dict[str, Any] = {"machine": machine(), "alpha": ALPHA}
    if chosen.part != "evidently":
        spawned = get_context("spawn")  # a fork would copy locks of polars' threads
        with ProcessPoolExecutor(2, spawned) as pool:
            result |= {"null": null(pool), "planted": planted(pool)}
    if chosen.part != "ours":
        result["evidently"] = beside()
    result["seconds"] = round(time.perf_counter() - began, 1)
    print(json.dumps(result, indent=1))
    if not chosen.loud and not chosen.part:
        OUT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
