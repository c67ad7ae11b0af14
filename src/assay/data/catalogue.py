"""The catalogue of data sets: what each one is, where it comes from, and how to get it.

A data set is looked for in `$ASSAY_DATA`, then in the user's cache, then at its source. No file
is used whose digest differs from the catalogue's.
"""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from assay.data.catalogue_files import (
    Notify,
    Recipe,
    Upstream,
    build,
    content_digest,
    fetch,
    file_digest,
    new_file,
)
from assay.errors import DataError, UsageError


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One data set: its file, what it holds, its terms, and its source.

    `sha256` and `bytes` are those of the prepared file; they are empty for a table that is always
    built from an installed package. `task` is binary, multiclass, regression, or a word of a
    later family. `split` has the keys of the project file's `[split]` that its users agree on.
    `redistributable` is False when the terms forbid to pass the data on.
    """

    name: str
    title: str
    file: str
    task: str
    rows: int
    columns: int
    target: str | None = None
    positive: str | None = None
    split: dict[str, Any] = {}
    licence: str
    redistributable: bool = True
    citation: str
    source: str
    quirks: str = ""
    sha256: str = ""
    bytes: int = 0
    parts: tuple[Upstream, ...] = ()
    recipe: Recipe | None = None


@cache
def entries() -> tuple[Entry, ...]:
    """Return every data set of the catalogue, tables first."""
    text = files("assay.data").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["dataset"], tuple[Entry, ...])


def entry(name: str) -> Entry:
    """Return the data set called `name`.

    Raises:
        UsageError: there is none; the nearest names are given.
    """
    known = {found.name: found for found in entries()}
    if name not in known:
        raise UsageError(
            "DATASET-UNKNOWN",
            f"the catalogue has no data set called {name}",
            got=name,
            allowed=get_close_matches(name, known, n=3) or sorted(known),
            hint="assay data list",
        )
    return known[name]


def cache_folder() -> Path:
    """Return the folder where downloaded and built data sets are kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "assay" / "data"


def locate(name: str) -> Path | None:
    """Return where the data set lies on this machine, or None; its content is not checked.

    Raises:
        UsageError: there is no such data set.
    """
    return _locate(entry(name))


def get(name: str, notify: Notify = lambda _: None) -> Path:
    """Return the data set's file, checked; fetch or build it when it is not on this machine.

    `notify` hears how far a download is.

    Raises:
        UsageError: there is no such data set.
        DataError: it cannot be had, or its bytes are not those that the catalogue describes.
    """
    return obtain(entry(name), notify)


def obtain(wanted: Entry, notify: Notify = lambda _: None) -> Path:
    """Do the work of `get` for an entry, which need not be in the catalogue."""
    found = _locate(wanted)
    if found is not None:
        _check(wanted, found)
        return found
    if not wanted.parts:
        raise DataError(
            "DATASET-MANUAL",
            f"{wanted.name} has no address to download it from",
            where=wanted.source,
            got=wanted.file,
            hint=f"put {wanted.file} into the folder $ASSAY_DATA (licence: {wanted.licence})",
        )
    target = cache_folder() / wanted.file
    if wanted.recipe is None:
        data = fetch(wanted.parts[0], notify)
        with new_file(target) as temporary:
            temporary.write_bytes(data)
    else:
        table = build(wanted.parts, wanted.recipe, notify)
        with new_file(target) as temporary:
            table.write_parquet(temporary)
    return target


def _locate(wanted: Entry) -> Path | None:
    given = os.environ.get("ASSAY_DATA")
    folders = [Path(given), cache_folder()] if given else [cache_folder()]
    found = (folder / wanted.file for folder in folders)
    return next((path for path in found if path.is_file()), None)


def _check(wanted: Entry, path: Path) -> None:
    """Raise DataError unless the file's bytes, or the table in it, are as described."""
    digest = file_digest(path)
    if digest == wanted.sha256 or (wanted.recipe and _content(path) == wanted.recipe.content):
        return
    raise DataError(
        "DATASET-DIGEST",
        f"the file is not the {wanted.name} that the catalogue describes",
        where=str(path),
        got=digest,
        allowed=[wanted.sha256] if wanted.sha256 else (),
        hint="remove the file to fetch it again, or name it as an ordinary source by its path",
    )


def _content(path: Path) -> str:
    """Return the digest of a Parquet table's values, or "" when it is no such table."""
    try:
        return content_digest(pl.read_parquet(path))
    except (OSError, pl.exceptions.PolarsError):
        return ""
