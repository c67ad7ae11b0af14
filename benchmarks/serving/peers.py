"""The servers: the environment of each, made here on first use, how it is started and asked."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

HERE = Path(__file__).parent
SERVERS = HERE / "servers"
CACHE = Path(os.environ.get("ASSAY_BENCH_CACHE", Path.home() / ".cache" / "assay-benchmarks"))
WORK = CACHE / "serving"

_SAME = ["scikit-learn==1.9.1", "lightgbm==4.7.0", "pandas==3.1.1", "numpy==2.4.6"]
ENVIRONMENTS: dict[str, list[str]] = {
    "fastapi": [
        *_SAME,
        "fastapi==0.165.0",
        "uvicorn[standard]==0.54.0",
        "orjson==3.13.0",
        "onnx==1.23.2",
        "onnxruntime==1.31.1",
        "skl2onnx==1.20.0",
        "onnxmltools==1.16.0",
    ],
    "mlflow": ["mlflow==3.17.2", *_SAME],
    "mlserver": ["mlserver==1.7.1", *_SAME],
    "bentoml": ["bentoml==1.4.39", *_SAME],
}
"""What pip is asked for."""

Rows = list[dict[str, Any]]


def interpreter(name: str) -> Path:
    """Return the Python of an environment, made with pip where it is not there yet."""
    folder = WORK / name
    python, done = folder / "bin" / "python", folder / "installed.json"
    wanted = json.dumps(ENVIRONMENTS[name])
    if not done.exists() or done.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        command = [python, "-m", "pip", "install", "-q", *ENVIRONMENTS[name]]
        subprocess.run(command, check=True)
        done.write_text(wanted)
    return python


@dataclass(frozen=True)
class Server:
    """How a server is started on a port, and asked.

    `bodies` turns rows into the body of a request: of one row or few, as `rows`; of many as
    `columns` too where it takes them. `answers` reads the chances of the positive class.
    """

    command: Callable[[int], Sequence[str | Path]]
    path: str
    bodies: dict[str, Callable[[Rows], bytes]]
    answers: Callable[[Any], list[float]] | None
    truth: str = "reference"


def _json(shape: Callable[[Rows], Any]) -> Callable[[Rows], bytes]:
    return lambda rows: json.dumps(shape(rows), separators=(",", ":")).encode()


def _columns(rows: Rows) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _split(rows: Rows) -> Any:
    return {"dataframe_split": {"columns": list(rows[0]), "data": [[*r.values()] for r in rows]}}


def _v2(rows: Rows) -> Any:
    def tensor(name: str, data: list[Any]) -> dict[str, Any]:
        words = isinstance(data[0], str)
        kind = {"datatype": "BYTES", "parameters": {"content_type": "str"}}
        return {"name": name, "shape": [len(data), 1], "data": data} | (
            kind if words else {"datatype": "INT64"}
        )

    return {
        "parameters": {"content_type": "pd"},
        "inputs": [tensor(name, data) for name, data in _columns(rows).items()],
    }


def _uvicorn(app: str) -> Callable[[int], Sequence[str | Path]]:
    options = (
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--log-level",
        "warning",
    )
    return lambda port: [
        *(interpreter("fastapi"), "-m", "uvicorn", f"{app}:app", "--port", str(port)),
        *options,
    ]


def assay_server(store: str, workers: int = 1) -> Server:
    """Return our server on the store WORK/`store`."""
    return Server(
        lambda port: [
            *(Path(sys.executable), "-m", "assay.cli.main", "serve", "adult", "--port", str(port)),
            *("--workers", str(workers), "--store", WORK / store),
        ],
        "/predict",
        {
            "rows": _json(lambda rows: {"rows": rows}),
            "columns": _json(lambda rows: {"columns": _columns(rows)}),
            "arrow": _arrow,
        },
        lambda found: [p["probabilities"][">50K"] for p in found["predictions"]],
        truth=store,
    )


def _arrow(rows: Rows) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_ipc_stream(buffer)
    return buffer.getvalue()


SERVED: dict[str, Server] = {
    "assay": assay_server("assay"),
    "assay-ensemble": assay_server("assay-ensemble"),
    "mlflow": Server(
        lambda port: [
            *(
                interpreter("mlflow"),
                "-m",
                "mlflow",
                "models",
                "serve",
                "-m",
                WORK / "model/mlflow",
            ),
            *("-p", str(port), "--env-manager", "local"),
        ],
        "/invocations",
        {"rows": _json(lambda rows: {"dataframe_records": rows}), "columns": _json(_split)},
        lambda found: [row[1] for row in found["predictions"]],
    ),
    "mlserver": Server(
        lambda port: [interpreter("mlserver"), SERVERS / "mlserver_start.py", str(port)],
        "/v2/models/adult/infer",
        {"rows": _json(_v2), "columns": _json(_v2)},
        lambda found: found["outputs"][0]["data"],
    ),
    "bentoml": Server(
        lambda port: [
            *(interpreter("bentoml"), "-m", "bentoml", "serve", "bentoml_service:Adult"),
            *("--port", str(port)),
        ],
        "/predict",
        {"rows": _json(lambda rows: {"rows": rows})},
        lambda found: found,
    ),
    "fastapi-pandas": Server(
        _uvicorn("fastapi_pandas"),
        "/predict",
        {"rows": _json(lambda rows: {"rows": rows})},
        lambda found: found["predictions"],
    ),
    "fastapi-onnx": Server(
        _uvicorn("fastapi_onnx"),
        "/predict",
        {"rows": _json(lambda rows: {"rows": rows})},
        lambda found: found["predictions"],
    ),
    "echo": Server(
        _uvicorn("echo"), "/predict", {"rows": _json(lambda rows: {"rows": rows})}, None
    ),
}
"""Ours, the peers, and the floor."""
