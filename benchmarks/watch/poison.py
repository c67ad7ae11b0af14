"""Which fresh labels the guard of a retraining refuses: poisoned ones, and sound ones by mistake.

    .venv/bin/python benchmarks/watch/poison.py [--trials 20] [--rows 1000 3000] [--out FILE]

On each real table a model is trained by `assay run` on a random 40 % of the rows. The others are
the pool of fresh rows: a trial draws some of them, spoils their labels or not, and asks the guard.
`clean` draws at random; the shifts are honest, labels stay true: `shift` draws rows by how high one
column is, `shift by score` by the model's own answers. All else is poison, and a trial is drawn
again where it changed less than a tenth of the rarer class. Shares are of trials refused: the aim
is all of the poison, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from spine import machine

import assay
from assay.data.catalogue import get
from assay.data.conform import conform
from assay.kernel.family import Predictions
from assay.lifecycle.material import target_codes
from assay.lifecycle.models import promote
from assay.lifecycle.retraining.guard import contradictions
from assay.lifecycle.retraining.live import Known, Live
from assay.stores.workspace import open_workspace
from assay.tasks.tabular.portfolio.choose import candidates
from assay.tasks.tabular.portfolio.facts import Facts

TABLES = {
    "adult_census": ("income", ">50K"),
    "bank_marketing": ("y", "yes"),
    "vehicle_claim_fraud": ("FraudFound_P", "1"),
    "mammography": ("label", None),
    "telco_churn": ("Churn", "Yes"),
    "california_housing": ("median_house_value", None),
}
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """A live model, what is known of it, and rows that it never saw."""

    known: Known
    table: pl.DataFrame
    truth: NDArray[np.generic]
    answers: Predictions
    positive: int
    old: pl.DataFrame
    old_truth: NDArray[np.generic]
    old_answers: Predictions

    @property
    def classes(self) -> int:
        return len(self.known.answers.classes)


@dataclass
class Draw:
    """Fresh rows of a trial: their places in the pool, labels, and rows copied from training."""

    place: Ints
    truth: NDArray[np.generic]
    copied: Ints


def pool_of(name: str, folder: Path) -> Pool:
    """Train on a part of a table and return the rest."""
    target, positive = TABLES[name]
    source = get(name)
    table = (
        pl.read_csv(source, infer_schema_length=None)
        if source.suffix == ".csv"
        else pl.read_parquet(source)
    )
    table = table.filter(pl.col(target).is_not_null()).sample(fraction=1.0, shuffle=True, seed=3)
    cut = int(0.4 * table.height)
    table[:cut].write_parquet(folder / "history.parquet")
    boosting = next(
        c.name
        for c in candidates(Facts(classes=2 if name != "california_housing" else 0, rows=cut))
        if c.kind == "boosting"
    )
    said = f'positive = "{positive}"' if positive else ""
    (folder / "assay.toml").write_text(
        f'[project]\nname = "p"\n[data]\nsource = "history.parquet"\ntarget = "{target}"\n{said}\n'
        f'duplicates = "drop"\n[budget]\niterations = 1\nonly = ["{boosting}"]\n'
    )
    assay.run(folder)
    workspace = open_workspace(folder / ".assay", create=False)
    events = list(workspace.ledger.read())
    if not any(e.kind == "alias.moved" for e in events):
        promote("p@1", "benchmark", store=folder / ".assay")
    live = Live.open(workspace, list(workspace.ledger.read()), "p")
    problem, fields = live.view.problem, live.signature.inputs
    rest = table[cut:]
    readings = {field.name: field.reading for field in fields}
    inputs = conform(rest, fields, missing=live.signature.missing, readings=readings)
    known = live.known()
    old = live.old[live.train]
    return Pool(
        known, inputs.select(problem.features), target_codes(rest[target], problem),
        live.model.ask(inputs), problem.positive_code,
        old.select(problem.features), target_codes(old[target], problem),
        live.model.ask(old.select(problem.features)),
    )  # fmt: skip


def flipped(share: float) -> Callable[[Pool, Draw, np.random.Generator], None]:
    """Return what flips a share of all labels; numbers are exchanged with each other's."""

    def spoil(pool: Pool, draw: Draw, rng: np.random.Generator) -> None:
        hit = rng.random(len(draw.truth)) < share
        draw.truth[hit] = other(pool, draw.truth[hit], rng)

    return spoil


def other(pool: Pool, truth: NDArray[np.generic], rng: np.random.Generator) -> NDArray[np.generic]:
    if not pool.classes:
        return rng.choice(pool.truth, len(truth))
    return (truth + rng.integers(1, pool.classes, len(truth))) % pool.classes


def targeted(to_positive: bool) -> Callable[[Pool, Draw, np.random.Generator], None]:
    """Return what gives all rows of a segment one class, or a number twice as large."""

    def spoil(pool: Pool, draw: Draw, rng: np.random.Generator) -> None:
        column = pool.table[str(rng.choice(pool.table.columns))][draw.place]
        if column.dtype.is_numeric():
            values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
            low = np.nanquantile(values, rng.uniform(0.0, 0.7))
            high = (
                np.nanquantile(values, 1.0)
                if rng.random() < 0.3
                else np.nanquantile(values, min(1.0, (values <= low).mean() + 0.3))
            )
            here = (values >= low) & (values <= high)
        else:
            text = column.cast(pl.String).fill_null("")
            here = (text == text[int(rng.integers(len(text)))]).to_numpy()
        if pool.classes:
            draw.truth[here] = pool.positive if to_positive else 1 - pool.positive
        else:
            draw.truth[here] = draw.truth[here] * (2.0 if to_positive else 0.5)

    return spoil


def copies(pool: Pool, draw: Draw, rng: np.random.Generator) -> None:
    """Replace a fifth of the rows by training rows with another label."""
    hit = rng.random(len(draw.truth)) < 0.2
    draw.copied[hit] = rng.integers(0, pool.old.height, int(hit.sum()))
    draw.truth[hit] = other(pool, pool.old_truth[draw.copied[hit]], rng)


def burst(pool: Pool, draw: Draw, rng: np.random.Generator) -> None:
    """Flip half of the labels of a tenth of the rows, which came one after the other."""
    start = int(rng.integers(0, int(0.9 * len(draw.truth))))
    part = slice(start, start + len(draw.truth) // 10)
    hit = rng.random(len(draw.truth[part])) < 0.5
    values = draw.truth[part].copy()
    values[hit] = other(pool, values[hit], rng)
    draw.truth[part] = values


HONEST = ("clean", "shift", "shift by score")
POISON: dict[str, Callable[[Pool, Draw, np.random.Generator], None]] = {
    "flip 10 %": flipped(0.1),
    "flip 20 %": flipped(0.2),
    "flip 30 %": flipped(0.3),
    "segment to positive": targeted(True),
    "segment to negative": targeted(False),
    "copies with other labels": copies,
    "burst": burst,
}


def drawn(pool: Pool, rows: int, kind: str, rng: np.random.Generator) -> Draw:
    """Return rows at random, or with a chance that rises with one column or with the answer."""
    weight = np.ones(pool.table.height)
    if kind.startswith("shift"):
        column = pool.table[str(rng.choice(pool.table.columns))]
        if kind != "shift":
            values = pool.answers.values
            column = pl.Series(values[:, pool.positive] if pool.classes else values)
        rank = column.rank("average").fill_null(1).to_numpy() / pool.table.height
        weight = np.exp(rng.choice([-3.0, 3.0]) * rank)
    rows = min(rows, pool.table.height // 2)
    place = rng.choice(pool.table.height, rows, replace=False, p=weight / weight.sum())
    return Draw(place, pool.truth[place].copy(), np.full(rows, -1))


def harmful(pool: Pool, draw: Draw) -> bool:
    """Return True where labels were changed for a tenth or more of the rarer class."""
    changed = float(((draw.truth != pool.truth[draw.place]) | (draw.copied >= 0)).mean())
    rarer = 0.1
    if pool.classes:
        rarer = float(np.bincount(pool.truth.astype(np.int64)).min()) / len(pool.truth)
    return changed >= 0.1 * rarer


def refused(pool: Pool, draw: Draw) -> str:
    """Return where the guard saw a contradiction, "" without one."""
    table, values = pool.table[draw.place], pool.answers.values[draw.place]
    is_copy = draw.copied >= 0
    if is_copy.any():
        names = pool.old.columns
        parts = [
            pl.when(pl.Series(is_copy)).then(pool.old[n][np.maximum(draw.copied, 0)])
            .otherwise(table[n]).alias(n) for n in names
        ]  # fmt: skip
        table = table.select(parts)
        values = values.copy()
        values[is_copy] = pool.old_answers.values[draw.copied[is_copy]]
    answers = Predictions(values, pool.answers.classes)
    came = np.arange(len(draw.truth))
    found = contradictions(pool.known, table, draw.truth, answers, pool.positive, came)
    return found[0].where if found else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 3_000])
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--show", action="store_true", help="where each refusal came from")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    start, found = time.time(), []
    for name in args.tables:
        with tempfile.TemporaryDirectory() as folder:
            os.environ.pop("ASSAY_STORE", None)
            pool = pool_of(name, Path(folder))
            for rows in args.rows:
                line: dict[str, object] = {"table": name, "rows": rows}
                for kind in (*HONEST, *POISON):
                    rng, said = np.random.default_rng(7), list[str]()
                    while len(said) < args.trials:
                        draw = drawn(pool, rows, kind, rng)
                        if kind in POISON:
                            POISON[kind](pool, draw, rng)
                            if not harmful(pool, draw):
                                continue
                        said.append(refused(pool, draw))
                    line[kind] = sum(map(bool, said)) / args.trials
                    if args.show:
                        print(kind, said, file=sys.stderr)
                print(json.dumps(line), flush=True)
                found.append(line)
    made = {
        "machine": machine(),
        "trials": args.trials,
        "found": found,
        "seconds": round(time.time() - start, 1),
    }
    if args.out:
        args.out.write_text(json.dumps(made, indent=2) + "\n")


if __name__ == "__main__":
    main()
