"""Small real models behind the server's routes, asked in this process without a socket."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from assay.kernel.family import Rows
from assay.lifecycle.predict import Model
from assay.lifecycle.serving.servable import PackageServable
from assay.package.build import build
from assay.package.load import LoadedPackage, load
from assay.records.base import digest_of, to_json
from assay.records.deployment import Arm, Deployment
from assay.records.fitted import Candidate, Field, Operating, Pool
from assay.records.package import Manifest
from assay.records.report import Parity
from assay.records.snapshot import Problem
from assay.records.spec import ServeSection
from assay.serve.access import Access
from assay.serve.app import App
from assay.serve.http.message import Request, Response
from assay.serve.lane import Lane
from assay.serve.models import Models
from assay.serve.processes.board import Board
from assay.serve.state import State
from assay.tasks.tabular.family import FAMILY

JSON = "application/json"
STREAM = "application/vnd.apache.arrow.stream"
CLASSES = {"binary": ("no", "yes"), "multiclass": ("basic", "plus", "premium"), "regression": ()}
KINDS = {pl.Float64: "number", pl.String: "category", pl.Boolean: "boolean"}


def orders(rows: int = 400, seed: int = 0) -> pl.DataFrame:
    """Return typed rows: numbers, categories with a few missing, a boolean and a date."""
    rng = np.random.default_rng(seed)
    day = np.datetime64("2024-01-01") + rng.integers(0, 365, rows).astype("timedelta64[D]")
    frame = pl.DataFrame(
        {
            "age": rng.integers(18, 80, rows).astype(float),
            "fee": rng.normal(50, 10, rows).round(2),
            "region": rng.choice(["north", "south", "west", "Île"], rows),
            "member": rng.random(rows) < 0.4,
            "since": pl.Series(day).cast(pl.Datetime("us")),
        }
    )
    gone = pl.Series(rng.random(rows) < 0.1)
    return frame.with_columns(
        pl.when(~gone).then(pl.col(name)).alias(name) for name in ("fee", "region")
    )


@lru_cache
def package(task: str = "binary", kind: str = "boosting", seed: int = 0) -> LoadedPackage:
    """Return a package that was fitted, exported, written, verified and loaded."""
    frame, classes = orders(), CLASSES[task]
    score = (frame["age"].to_numpy() - 49) / 18 + (frame["region"] == "west").fill_null(
        False
    ).to_numpy()
    score = score + np.random.default_rng(seed).normal(0, 0.7, frame.height)
    target = (100 + 20 * score) if not classes else np.digitize(score, [0, 0.8][: len(classes) - 1])
    problem = Problem(
        family="tabular",
        task=task,
        target="y",
        classes=classes,
        positive="yes" if task == "binary" else None,
        features=tuple(frame.columns),
        primary="roc_auc",
    )
    params = {"rounds": 12} if kind == "boosting" else {"strength": 1.0}
    candidate = Candidate(name=kind, kind=kind, params=params)
    model = FAMILY.fit(candidate, problem, Rows(frame, np.asarray(target)), None, 12, seed, 1)
    fields = [
        Field(
            name=name,
            type=KINDS.get(type(dtype), "datetime"),
            missing=frame[name].null_count() > 0,
            low=_ends(frame[name])[0],
            high=_ends(frame[name])[1],
            categories=tuple(frame[name].drop_nulls().unique().sort())
            if dtype == pl.String
            else (),
        )
        for name, dtype in frame.schema.items()
    ]
    files, signature = FAMILY.export([(model, 1.0)], Pool(), Operating(), problem, fields)
    if not classes:
        signature = msgspec.structs.replace(signature, interval=(-20.0, 20.0))
    return _written(files, signature)


def _ends(column: pl.Series) -> tuple[Any, Any]:
    if column.dtype == pl.Float64:
        return column.min(), column.max()
    if column.dtype.is_temporal():
        seconds = column.dt.epoch("us") / 1e6
        return seconds.min(), seconds.max()
    return None, None


def _written(files: dict[str, bytes], signature: Any) -> LoadedPackage:
    files = {**files, "signature.json": to_json(signature)}
    manifest = Manifest(
        name="orders",
        engine="test",
        family="tabular",
        files={name: digest_of(content) for name, content in files.items()},
        signature=signature,
        parity=Parity(rows=1, nasty_rows=1, max_abs_diff=0.0, label_flips=0, tolerance=1e-9),
        seal="",
        data="",
    )
    folder = Path(tempfile.mkdtemp(prefix="assay-test-"))
    return load(build(folder, manifest, files, check=lambda path: None))


def servable(task: str = "binary", version: int = 1, **how: Any) -> PackageServable:
    """Return a servable called orders; of another version is another model."""
    return PackageServable("orders", version, package(task, seed=version, **how))


class Log:
    """Keeps what would be logged."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.tables: list[tuple[Any, ...]] = []

    def add(self, *row: Any) -> None:
        self.rows.append(row)

    def add_table(self, *table: Any) -> None:
        self.tables.append(table)


@dataclass
class Server:
    """An App over some versions of a model; `tally` is that of worker 0."""

    board: Board = field(default_factory=lambda: Board.create(1))
    log: Log = field(default_factory=Log)
    models: Models = field(default_factory=Models)

    def serve(
        self,
        *servables: Any,
        deployment: Deployment | None = None,
        log: bool = True,
        **section: Any,
    ) -> Server:
        """Answer with these from now on, the first alone unless a deployment says otherwise."""
        servables = servables or (servable(),)
        known = deployment or Deployment(
            model=servables[0].name, arms=(Arm(version=servables[0].version, package=""),)
        )
        lanes = {
            (s.name, s.version): Lane(s, place, ServeSection(log=log, **section))
            for place, s in enumerate(servables)
        }
        self.models.install([known], lanes)
        return self

    @cached_property
    def app(self) -> App:
        """Return the routes."""
        tally = self.board.tally(0)
        return App(State(models=self.models, tally=tally, access=Access(anyone=True), log=self.log))

    def traffic(self, version: int = 1, slot: int = 0) -> Any:
        """Return what was counted of a version."""
        return self.board.traffic({slot: ("orders", version)})[0]

    def ask(self, *requests: Request, linger: float = 0.0) -> list[Response]:
        """Return the responses to requests that arrive in one turn of the loop, `linger` later."""
        app = self.app

        async def run() -> list[Response]:
            loop = asyncio.get_running_loop()
            waiting = [loop.create_future() for _ in requests]
            for request, future in zip(requests, waiting, strict=True):
                app(request, future.set_result)
            responses = await asyncio.wait_for(asyncio.gather(*waiting), 30)
            await asyncio.sleep(linger)
            return list(responses)

        return asyncio.run(run())


def post(
    body: Any,
    path: str = "/predict",
    kind: str | None = JSON,
    accept: str | None = None,
    **headers: str,
) -> Request:
    """Return a request; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    found = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    if kind is not None:
        found[b"content-type"] = kind.encode()
    if accept is not None:
        found[b"accept"] = accept.encode()
    return Request("POST", path, "", found, content, time.perf_counter())


def said(response: Response) -> Any:
    """Return the JSON of a response."""
    return msgspec.json.decode(response.body)


def codes(response: Response) -> list[str]:
    """Return the codes of an error's envelope."""
    content = said(response)
    assert content["ok"] is False
    return [error["code"] for error in content["errors"]]


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows as a client sends them in JSON: dates as text."""
    text = frame.with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M:%S"))
    return text.to_dicts()


def answered(servable: PackageServable, frame: pl.DataFrame) -> Sequence[dict[str, Any]]:
    """Return what `assay.load(...).predict` says of a frame."""
    answer: pl.DataFrame = Model("orders", servable.package).predict(frame)
    return answer.to_dicts()


def same(found: dict[str, Any], wanted: dict[str, Any], close: float = 1e-12) -> bool:
    """Say whether a served answer is that of `predict`, its numbers up to `close`."""
    if "value" in found:
        pairs = [(found["value"], wanted["prediction"]), (found["low"], wanted["low"])]
        pairs.append((found["high"], wanted["high"]))
    else:
        if found["label"] != wanted["prediction"]:
            return False
        pairs = [(v, wanted[f"probability_{k}"]) for k, v in found["probabilities"].items()]
    return all(abs(a - b) <= close * max(1.0, abs(b)) for a, b in pairs)
