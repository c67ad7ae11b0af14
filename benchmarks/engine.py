"""The engine of a package: one row, many rows, loading and bytes, beside LightGBM and plain ONNX.

Run: python benchmarks/engine.py
Writes benchmarks/results/engine.json and prints the same. The table is made: 14 columns (eight
numbers, four categories, a boolean, a date). Rows come as dicts and are another one each time.
Peers get a row that is encoded already: LightGBM's `predict`, its C function for single rows, and
ONNX Runtime on the package's plain file with raw columns.
"""

from __future__ import annotations

import ctypes
import json
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import polars as pl
from lightgbm.basic import _LIB, _safe_call
from spine import machine

from assay.kernel.family import Predictions, Rows
from assay.lifecycle.single import OneRow
from assay.metrics.pool import pool
from assay.package.load import Operated
from assay.package.parity import measure
from assay.records.fitted import Candidate, Field, Operating, Pool
from assay.records.snapshot import Problem
from assay.tasks.tabular.engine.predictor import load, open_session
from assay.tasks.tabular.family import FAMILY

RESULTS = Path(__file__).parent / "results" / "engine.json"
ROWS, ASKED, MANY = 10_000, 2_000, 10_000
TREES, LEAVES = 200, 31
KINDS = {pl.Float64: "number", pl.String: "category", pl.Boolean: "boolean"}


def table(rows: int) -> pl.DataFrame:
    draw = np.random.default_rng(0)
    numbers = {f"number {i}": draw.normal(size=rows) * 10**i for i in range(8)}
    words = {f"word {size}": draw.integers(0, size, rows).astype(str) for size in (3, 8, 30, 300)}
    start = datetime(2020, 1, 1)
    dates = [start + timedelta(hours=int(h)) for h in draw.integers(0, 30_000, rows)]
    flag = {"flag": draw.random(rows) < 0.4, "when": dates}
    frame = pl.DataFrame(numbers | {n: [f"v{x}" for x in w] for n, w in words.items()} | flag)
    holes = [pl.when(pl.Series(draw.random(rows) > 0.05)).then(pl.col(n)).alias(n) for n in numbers]
    return frame.with_columns(holes)


def target(frame: pl.DataFrame) -> np.ndarray:
    filled = frame.fill_null(0.0)
    score = filled["number 0"] + filled["number 1"] / 10 * (filled["word 3"] == "v1")
    noise = np.random.default_rng(1).normal(size=frame.height)
    return (score.to_numpy() + filled["flag"].to_numpy() + noise > 0.5).astype(np.int64)


def fitted(problem: Problem, rows: Rows) -> dict[str, list[tuple[Any, float]]]:
    """One booster; and five of different sizes in three bags each, a linear model, a network."""

    def fit(kind: str, seed: int, **params: Any) -> Any:
        candidate = Candidate(name=kind, kind=kind, params=params)
        return FAMILY.fit(candidate, problem, rows, None, params.get("rounds"), seed, 2)

    def boosted(seed: int, leaves: int = LEAVES) -> Any:
        return fit("boosting", seed, rounds=TREES, num_leaves=leaves, learning_rate=0.05,
                   feature_fraction=0.7)  # fmt: skip

    bags = [boosted(10 * i + bag, LEAVES - 4 * i) for i in range(5) for bag in range(3)]
    network = next(
        candidate
        for candidate in FAMILY.candidates(problem, (), ROWS)
        if candidate.kind == "network"
    )
    others = [
        fit("linear", 0, strength=1.0),
        FAMILY.fit(network, problem, rows, None, 2, 0, 2),
    ]
    return {
        "one booster": [(bags[0], 1.0)],
        "ensemble": [(model, 1 / 17) for model in (*bags, *others)],
    }


def packaged(
    problem: Problem, frame: pl.DataFrame, members: list[tuple[Any, float]]
) -> tuple[Operated, dict[str, bytes]]:
    fields = [
        Field(name=name, type=KINDS.get(type(kind), "datetime"), missing=True)
        for name, kind in frame.schema.items()
    ]
    files, signature = FAMILY.export(members, Pool(), Operating(), problem, fields)
    return Operated(load(files, signature), signature), files


def microseconds(call: Callable[[], object]) -> dict[str, float]:
    for _ in range(200):
        call()
    taken = []
    for _ in range(ASKED):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    p99 = float(np.quantile(taken, 0.99))
    return {"p50": round(statistics.median(taken) * 1e6, 1), "p99": round(p99 * 1e6, 1)}


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return round(min(taken), 4)


def single_row_fast(booster: lightgbm.Booster, width: int) -> Callable[[np.ndarray], float]:
    """Return LightGBM's own fastest way to ask for one row, by its C interface."""
    config = ctypes.c_void_p()
    _safe_call(
        _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster._handle, ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(-1), ctypes.c_int(1),
            ctypes.c_int32(width), ctypes.c_char_p(b"num_threads=1"), ctypes.byref(config),
        )
    )  # fmt: skip
    out, size = (ctypes.c_double * 1)(), ctypes.c_int64()

    def ask(row: np.ndarray) -> float:
        data = ctypes.c_void_p(row.ctypes.data)
        _LIB.LGBM_BoosterPredictForMatSingleRowFast(config, data, ctypes.byref(size), out)
        return out[0]

    return ask


def peers(model: Any, frame: pl.DataFrame, content: bytes) -> dict[str, object]:
    """Ask LightGBM for the same booster, and ONNX Runtime for the plain file."""
    booster, x = model.core._native, model.encoder.tree(frame)
    rows, fast = cycle(x[:256].reshape(-1, 1, x.shape[1])), single_row_fast(booster, x.shape[1])
    session = open_session(content)
    feeds = [
        {wanted.name: plain(frame[wanted.name][i : i + 1]) for wanted in session.get_inputs()}
        for i in range(256)
    ]
    raw = cycle(feeds)
    return {
        "lightgbm_predict_us": microseconds(lambda: booster.predict(next(rows), num_threads=1)),
        "lightgbm_single_row_fast_us": microseconds(lambda: fast(next(rows))),
        "plain_file_us": microseconds(lambda: session.run(None, next(raw))),
        "lightgbm_many_s": seconds(lambda: booster.predict(x[:MANY], num_threads=2)),
    }


def plain(column: pl.Series) -> np.ndarray:
    if column.dtype == pl.String:
        return np.array([[column.item() or ""]], dtype=object)
    if column.dtype.is_temporal():
        return column.cast(pl.Int64).to_numpy().reshape(-1, 1)
    return column.cast(pl.Float64).to_numpy().reshape(-1, 1)


def ours(
    problem: Problem, frame: pl.DataFrame, members: list[tuple[Any, float]]
) -> tuple[dict[str, object], bytes]:
    predictor, files = packaged(problem, frame, members)
    ask, rows = OneRow(predictor, predictor.signature), cycle(frame.head(256).to_dicts())
    many, nasty = frame.head(MANY), FAMILY.nasty_rows(problem, Rows(frame.head(2000)), 0)
    both = [
        Predictions(pool(Pool(), [(m.predict(f).values, w) for m, w in members]), problem.classes)
        for f in (many, nasty)
    ]
    same = measure(both[0], predictor.predict(many), both[1], predictor.predict(nasty), 1)
    trees = [
        len(node.SerializeToString())
        for node in onnx.load_from_string(files["model.onnx"]).graph.node
        if node.op_type == "TreeEnsemble"
    ]
    return {
        "one_row_us": microseconds(lambda: ask(next(rows))),
        "many_s": seconds(lambda: predictor.predict(many)),
        "load_s": seconds(lambda: load(files, predictor.signature)),
        "bytes": {name: len(content) for name, content in files.items()},
        "tree_bytes_unpacked": sum(trees),
        "parity": {
            "rows": same.rows,
            "nasty_rows": same.nasty_rows,
            "label_flips": same.label_flips,
            "max_abs_diff": same.max_abs_diff,
        },
    }, files["model.onnx"]


def main() -> None:
    frame = table(ROWS)
    problem = Problem(
        family="tabular",
        task="binary",
        target="y",
        classes=("no", "yes"),
        positive="yes",
        features=tuple(frame.columns),
        primary="roc_auc",
    )
    found: dict[str, object] = {"machine": machine(), "rows": MANY, "columns": frame.width}
    for name, members in fitted(problem, Rows(frame, target(frame))).items():
        numbers, content = ours(problem, frame, members)
        if len(members) == 1:
            numbers |= peers(members[0][0], frame, content)
        found[name] = numbers
        print(name, json.dumps(numbers, indent=2))
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
