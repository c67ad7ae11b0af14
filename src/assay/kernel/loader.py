"""Import what a dotted path names: the one place where a module is loaded on first use."""

from __future__ import annotations

import importlib
from typing import Any

from assay.errors import MissingExtra, UsageError


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
