"""Import what a dotted path names: the one place where a module is loaded on first use."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from assay.errors import MissingExtra, UsageError

SPARED = ("pandas",)
"""What scikit-learn and LightGBM import where it is there, for a second, and arrays never need."""


def load_spared(path: str) -> Any:
    """Import as `load` does, but nothing of `SPARED`: for a process that belongs to Assay alone."""
    importlib.import_module("polars")  # it remembers what is there, so it comes before
    hidden = [name for name in SPARED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails
    try:
        return load(path)
    finally:
        for name in hidden:
            del sys.modules[name]


def load(path: str) -> Any:
    """Import `module:name` and return the object.

    Raises:
        MissingExtra: the module needs a package that is not installed.
        UsageError: there is no such module or name.
    """
    module_name, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if missing.split(".")[0] == module_name.split(".")[0]:
            raise UsageError("PLUGIN-NOT-FOUND", f"no module called {missing}", got=path) from error
        raise MissingExtra(
            "EXTRA-MISSING",
            f"{path} needs the package {missing}, which is not installed",
            hint=f"pip install {missing}",
        ) from error
    except AttributeError as error:
        raise UsageError(
            "PLUGIN-NOT-FOUND", f"{module_name} has nothing called {name}", got=path
        ) from error
