"""Load a package in a fresh process and ask it, before anyone relies on it.

Run as `python -m assay.package.smoke FAMILY`: reads the folder of a package from standard input
and prints the answer to the example rows as JSON.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from assay.errors import AssayError
from assay.kernel.family import Predictions
from assay.kernel.plugins import load_predictor
from assay.package.load import load
from assay.records.fitted import Field

SECONDS = 120
"""A package that has not answered by then does not answer."""

_DTYPES: dict[str, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "datetime": pl.Datetime("us"),
}


def example_frame(inputs: tuple[Field, ...]) -> pl.DataFrame:
    """Return two rows made from the signature alone: a typical one, and one with nothing known."""
    values = {field.name: [_typical(field), None] for field in inputs}
    schema = {field.name: _DTYPES.get(field.type, pl.String()) for field in inputs}
    return pl.DataFrame(values, schema=schema)


def start_ahead(family: str) -> None:
    """Start the fresh process of the next `smoke` now, so that its imports run beside other work.

    It holds nothing of the package, which need not exist yet, and ends with this process.
    """
    if not _ahead:
        _ahead[family] = _start(family)


def smoke(path: Path, family: str, expected: Predictions) -> None:
    """Load the package at `path` in a fresh process and compare its answers with `expected`.

    Raises AssayError when the process fails, does not answer, or answers otherwise.
    """
    process = _ahead.pop(family, None)
    if process is not None and process.poll() is not None:
        _drop(process)
        process = None
    process = process or _start(family)
    with process:
        try:
            out, said = process.communicate(str(path), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            out, said = "", f"no answer within {SECONDS} seconds"
    if process.returncode != 0 or not _same(out, expected):
        # an error's own lines about place and value are indented
        last = [line for line in (said or out).splitlines() if line.strip() and line[0] != " "][-1:]
        raise AssayError(
            "PACKAGE-SMOKE",
            "the package does not answer rightly in a fresh process",
            where=str(path),
            got=last[0] if last else "no output",
            hint="this is a fault in Assay: report it with the project file",
        )


_ahead: dict[str, subprocess.Popen[str]] = {}
"""At most one process that waits for its package, by family."""


def _start(family: str) -> subprocess.Popen[str]:
    # -P: what lies in the current folder must not stand in for a library
    words = [sys.executable, "-P", "-m", "assay.package.smoke", family]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)  # noqa: S603


def _same(out: str, expected: Predictions) -> bool:
    """Return whether what a process wrote are these answers; anything else it writes is not."""
    try:
        found = np.array(json.loads(out), dtype=np.float64)
    except (ValueError, TypeError):
        return False
    wanted = expected.values
    return found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-9, atol=1e-12)


def _drop(process: subprocess.Popen[str]) -> None:
    """End a process at once and close its pipes."""
    process.kill()
    process.communicate()


@atexit.register
def _end() -> None:
    """End a process that waits in vain."""
    for process in _ahead.values():
        _drop(process)


def _typical(field: Field) -> object:
    if field.type in ("number", "datetime"):
        middle = ((field.low or 0.0) + (field.high or 0.0)) / 2
        if field.type == "number":
            return middle
        return pl.Series([int(middle)]).cast(pl.Datetime("us")).item()
    if field.type == "boolean":
        return True
    return field.categories[0] if field.categories else "example"


def _answer() -> None:
    load_predictor(sys.argv[1])
    folder = sys.stdin.read()
    if not folder:  # who would have asked is gone
        return
    # code of the project's own, if any, sits before the predictor and is not needed to ask it
    predictor = load(Path(folder), allow_code=True).predictor
    answer = predictor.predict(example_frame(predictor.signature.inputs))
    sys.stdout.write(json.dumps(answer.values.tolist()))


if __name__ == "__main__":
    _answer()
