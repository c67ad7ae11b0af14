"""The plug-in table: built-in families come through the same door as a stranger's."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, cast

from assay.errors import UsageError
from assay.kernel.family import Family, PredictorLoader
from assay.kernel.loader import load

BUILTIN_FAMILIES: Mapping[str, str] = {"tabular": "assay.tasks.tabular.family:FAMILY"}
BUILTIN_PREDICTORS: Mapping[str, str] = {"tabular": "assay.tasks.tabular.engine.predictor:load"}
FAMILY_GROUP = "assay.families"
PREDICTOR_GROUP = "assay.predictors"

_ID = re.compile(r"[a-z][a-z0-9_]*@[1-9][0-9]*")


def table(group: str, builtin: Mapping[str, str]) -> dict[str, str]:
    """Return name → dotted path: the built-in parts, then those of installed packages.

    Raises UsageError when an installed package takes a name that is taken.
    """
    found = dict(builtin)
    for entry in entry_points(group=group):
        if found.get(entry.name, entry.value) != entry.value:
            raise UsageError(
                "PLUGIN-NAME-TAKEN",
                f"two packages provide {entry.name} in {group}",
                got=entry.value,
                allowed=[found[entry.name]],
                hint="uninstall one of them",
            )
        found[entry.name] = entry.value
    return found


def load_family(name: str) -> Family:
    """Return the family called `name`, its id, methods and argument names checked.

    Raises UsageError for an unknown name, or for a family that does not keep the contract.
    """
    families = table(FAMILY_GROUP, BUILTIN_FAMILIES)
    if name not in families:
        raise UsageError(
            "FAMILY-UNKNOWN",
            f"no family called {name}",
            got=name,
            allowed=sorted(families),
            hint="set project.family to one of these, or install the package that brings it",
        )
    return check_family(load(families[name]), families[name])


def load_predictor(name: str) -> PredictorLoader:
    """Return the function that loads a package of the family `name`, without its training code."""
    loaders = table(PREDICTOR_GROUP, BUILTIN_PREDICTORS)
    if name not in loaders:
        raise UsageError(
            "FAMILY-UNKNOWN", f"no family called {name}", got=name, allowed=sorted(loaders)
        )
    return cast(PredictorLoader, load(loaders[name]))


def check_family(family: Any, path: str) -> Family:
    """Return `family` when it keeps the contract of `kernel.family.Family`.

    Raises UsageError with every mistake: a malformed id, a missing method, a wrong argument name.
    """
    mistakes = []
    if not _ID.fullmatch(str(getattr(family, "id", ""))):
        mistakes.append("id must look like name@1")
    for name, wanted in inspect.getmembers(Family, inspect.isfunction):
        if name.startswith("_"):
            continue
        method = getattr(family, name, None)
        if not callable(method):
            mistakes.append(f"method {name} is missing")
            continue
        expected = [p for p in inspect.signature(wanted).parameters if p != "self"]
        actual = list(inspect.signature(method).parameters)
        if actual != expected:
            mistakes.append(f"{name} takes ({', '.join(actual)}), not ({', '.join(expected)})")
    if mistakes:
        raise UsageError(
            "PLUGIN-REJECTED",
            f"{path} is not a family: {'; '.join(mistakes)}",
            hint="run assay.testing.FamilyContract on it",
        )
    return cast(Family, family)
