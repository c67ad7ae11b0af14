"""Project files and snapshots for the tests of `assay.spec`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.errors import AssayError, all_errors
from assay.records.snapshot import Column, DataSnapshot
from assay.records.spec import ProjectSpec
from assay.spec.load import load

MINIMAL = '[project]\nname = "p"\n[data]\nsource = "d.csv"\ntarget = "y"\n'


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., ProjectSpec]:
    """Load a text as assay.toml."""

    def read_text(text: str | bytes, *overrides: str, **proposals: Any) -> ProjectSpec:
        path = tmp_path / "assay.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load(tmp_path, overrides, proposals.get("proposals"))

    return read_text


@pytest.fixture
def errors(read: Callable[..., ProjectSpec]) -> Callable[..., list[AssayError]]:
    """Load a text that has mistakes, and return them."""

    def mistakes(text: str | bytes, *overrides: str) -> list[AssayError]:
        with pytest.raises(AssayError) as caught:
            read(text, *overrides)
        assert caught.value.exit_code == 2
        return list(all_errors(caught.value))

    return mistakes


@pytest.fixture
def snapshot_of() -> Callable[..., DataSnapshot]:
    """Make a snapshot of 1,000 rows from columns."""

    def build(*columns: Column) -> DataSnapshot:
        rows = columns[0].rows if columns else 0
        return DataSnapshot(source="d.csv", content="c", table="t", rows=rows, columns=columns)

    return build
