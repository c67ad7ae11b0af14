"""What the tests of ingestion share: a store in memory, and files written in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assay.data.ingest import ingest
from assay.records.snapshot import DataSnapshot
from assay.records.spec import DataSection, FeaturesSection
from assay.stores.memory import MemoryStore


class Project:
    """A folder with a data file, and `ingest` over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(
        self,
        source: str | None = "t.csv",
        target: str = "y",
        transform: str | None = None,
        allow_code: bool = True,
        **section: Any,
    ) -> DataSnapshot:
        return ingest(
            DataSection(source=source, target=target, **section),
            FeaturesSection(transform=transform),
            self.folder,
            self.store,
            allow_code=allow_code,
            resolve=lambda name: self.folder / f"{name}.csv",
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def table() -> Callable[..., pl.DataFrame]:
    """Return a clean table of 60 rows, every type in it, as plain polars columns."""

    def made(rows: int = 60) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "key": [f"k{i:04d}x" for i in range(rows)],
                "size": [i * 1.5 - 7 for i in range(rows)],
                "count": [i % 7 for i in range(rows)],
                "colour": [("red", "green", "blue")[i % 3] for i in range(rows)],
                "member": [("yes", "no")[i % 2] for i in range(rows)],
                "day": [f"2020-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(rows)],
                "note": [f"this is the free text of row {i}" for i in range(rows)],
                "y": [i % 2 for i in range(rows)],
            }
        )

    return made


@pytest.fixture
def data_folder() -> Path:
    """Return the folder of real data sets, or skip."""
    folder = os.environ.get("ASSAY_DATA")
    if not folder:
        pytest.skip("ASSAY_DATA does not name a folder of data sets")
    return Path(folder)
