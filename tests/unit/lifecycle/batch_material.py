"""A model by plain arithmetic, and a file for it, for tests of answering whole files."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from assay.data import stream, survey
from assay.kernel.family import Predictions
from assay.lifecycle.batch import predict_file
from assay.lifecycle.predict import Model
from assay.package.load import LoadedPackage, Operated
from assay.records.fitted import Field, Operating, Signature
from assay.records.package import Manifest
from assay.records.report import Parity

FIELDS = (
    Field(name="x", type="number", missing=True),
    Field(name="who", type="category", missing=True),
    Field(name="when", type="datetime", missing=True),
)


class Scores:
    """Scores of typed rows, the same for a row in any part; each call takes `seconds`."""

    def __init__(self, signature: Signature, seconds: float) -> None:
        self.signature, self.seconds = signature, seconds

    def predict(self, frame: pl.DataFrame) -> Predictions:
        time.sleep(self.seconds)
        score = frame.select(
            pl.col("x").fill_null(0.0)
            + pl.col("who").str.len_chars().fill_null(0)
            + pl.col("when").cast(pl.Int64).fill_null(0) / 1e17
        ).to_series().to_numpy()  # fmt: skip
        if not self.signature.classes:
            return Predictions(score)
        chance = 1 / (1 + np.exp(-score))
        return Predictions(np.column_stack([1 - chance, chance]), self.signature.classes)


def model(digest: str = "d1", seconds: float = 0.0, **signature: object) -> Model:
    """Return a model of two classes, or of a number for classes=()."""
    more = {"classes": ("no", "yes"), "positive": "yes", "operating": Operating(margin=0.6)}
    sign = Signature(family="made", task="made", target="y", inputs=FIELDS, **(more | signature))
    manifest = Manifest(
        name="made", engine="", family="made", files={}, signature=sign, seal="", data="",
        parity=Parity(rows=0, nasty_rows=0, max_abs_diff=0.0, label_flips=0, tolerance=0.0),
    )  # fmt: skip
    loaded = LoadedPackage(digest, manifest, Operated(Scores(sign, seconds), sign), sign, Path())
    return Model("made", loaded)


def table(rows: int = 3000) -> pl.DataFrame:
    """Return rows with text, quotes, missing cells, dates and a column that is not asked for."""
    rng = np.random.default_rng(3)
    return pl.DataFrame(
        {
            "prediction": rng.integers(0, 9, rows),
            "x": [None if x > 1.2 else x for x in rng.normal(size=rows).round(3).tolist()],
            "who": rng.choice(["Ann", 'B "Bo", Jr', "Zoë 東", "two\nlines", ""], rows),
            "when": rng.choice(["2020-01-31", "2021-12-01 10:00:00"], rows),
        }
    )  # fmt: skip


def small_parts() -> None:
    """Cut small files, too."""
    stream.PART_BYTES, stream.PART_CELLS, survey.BLOCK = 4000, 1, 1000


if __name__ == "__main__":  # FILE OUT SECONDS: answer slowly, so that it can be killed
    small_parts()
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    predict_file(model(seconds=float(sys.argv[3])), Path(sys.argv[1]), Path(sys.argv[2]))
