"""Load a package in a fresh process and ask it, before anyone relies on it.

Run as `python -m assay.package.smoke FOLDER`: prints the answer to the example row as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

from assay.errors import AssayError
from assay.kernel.family import Predictions
from assay.package.load import load
from assay.records.fitted import Field

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


def smoke(path: Path, expected: Predictions) -> None:
    """Load the package at `path` in a fresh process and compare its answers with `expected`.

    Raises AssayError when the process fails or answers otherwise.
    """
    # -P: what lies in the current folder must not stand in for a library
    done = subprocess.run(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-P", "-m", "assay.package.smoke", str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    answered = done.returncode == 0 and np.allclose(
        np.asarray(json.loads(done.stdout)), expected.values, rtol=1e-9, atol=1e-12
    )
    if not answered:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise AssayError(
            "PACKAGE-SMOKE",
            "the package does not answer rightly in a fresh process",
            where=str(path),
            got=last[0] if last else "no output",
            hint="this is a fault in Assay: report it with the project file",
        )


def _typical(field: Field) -> object:
    if field.type in ("number", "datetime"):
        middle = ((field.low or 0.0) + (field.high or 0.0)) / 2
        if field.type == "number":
            return middle
        return pl.Series([int(middle)]).cast(pl.Datetime("us")).item()
    if field.type == "boolean":
        return True
    return field.categories[0] if field.categories else "example"


if __name__ == "__main__":
    # code of the project's own, if any, sits before the predictor and is not needed to ask it
    package = load(Path(sys.argv[1]), allow_code=True)
    answer = package.predictor.predict(example_frame(package.predictor.signature.inputs))
    sys.stdout.write(json.dumps(answer.values.tolist()))
