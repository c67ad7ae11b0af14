"""The benchmark against AutoML is scripts; other benchmarks have files of the same names."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks" / "automl"


def _module(name: str) -> ModuleType:
    spec = spec_from_file_location(f"automl_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tables() -> ModuleType:
    return _module("tables")


@pytest.fixture(scope="session")
def measure() -> ModuleType:
    return _module("measure")
