"""Bytes of a catalogue entry: download, check, and rebuild a table from its upstream files."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from assay.errors import DataError
from assay.kernel.stage import Note

Notify = Callable[[Note], None]

TIMEOUT = 30.0
"""Seconds without a byte after which a download is given up."""

_CHUNK = 1 << 16
_PACKAGE = "package:"


class Upstream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file at its source: an https address, or `package:module/path` of an installed package.

    `member` names a file inside a zip archive; `constants` are columns added to its rows.
    """

    url: str
    sha256: str = ""
    member: str = ""
    constants: dict[str, str] = {}


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How upstream text files become one table: declared steps, in the order of the fields.

    `content` is the `content_digest` of the result. `strip` lists characters taken off both ends
    of every cell; `labels` maps a column's values to names; `text` names the columns that stay
    text though they look like numbers.
    """

    content: str
    separator: str = ","
    skip: int = 0
    columns: tuple[str, ...] = ()
    strip: str = " "
    missing: tuple[str, ...] = ()
    join: Literal["rows", "columns"] = "rows"
    drop: tuple[str, ...] = ()
    rename: dict[str, str] = {}
    labels: dict[str, dict[str, str]] = {}
    text: tuple[str, ...] = ()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_digest(table: pl.DataFrame) -> str:
    """Return a SHA-256 over names and values, numbers as float64: the same for every file format.

    Only for tables of numbers and text.
    """
    digest = hashlib.sha256()
    for column in table:
        number = column.dtype.is_numeric()
        digest.update(f"{column.name}\0{'number' if number else 'text'}\0".encode())
        digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
        if number:
            values = column.cast(pl.Float64).fill_null(0).to_numpy()
            digest.update((values + 0.0).astype("<f8").tobytes())  # -0.0 becomes 0.0
        else:
            text = column.cast(pl.String).fill_null("")
            digest.update(text.str.len_bytes().to_numpy().astype("<u4").tobytes())
            digest.update("".join(text.to_list()).encode())
    return digest.hexdigest()


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Give a temporary path that becomes `target` in one step when the block ends well.

    Raises:
        DataError: the folder cannot be written.
    """
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise DataError(
            "DATASET-WRITE",
            f"the data set cannot be kept: {error.strerror or error}",
            where=str(target),
            hint="free some room, or set XDG_CACHE_HOME to a folder that can be written",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def fetch(upstream: Upstream, notify: Notify, *, timeout: float = TIMEOUT) -> bytes:
    """Return the bytes of an upstream file, its digest checked when it has one.

    Raises:
        DataError: no answer, a wrong answer, a download that broke off, or other bytes.
    """
    if upstream.url.startswith(_PACKAGE):
        return _packaged(upstream.url.removeprefix(_PACKAGE)).read_bytes()
    data = _download(upstream.url, notify, timeout)
    found = hashlib.sha256(data).hexdigest()
    if found != upstream.sha256:
        raise DataError(
            "DATASET-DIGEST",
            "the download is not the file that the catalogue describes",
            where=upstream.url,
            got=found,
            allowed=[upstream.sha256],
            hint="try again later; if it stays so, the source has changed: tell the project",
        )
    return data


def _packaged(path: str) -> Path:
    """Find a file of an installed package without importing the package."""
    name, _, rest = path.partition("/")
    spec = find_spec(name)
    file = Path(spec.origin).parent / rest if spec and spec.origin else None
    if file is None or not file.is_file():
        raise DataError(
            "DATASET-PACKAGE",
            f"the installed {name} does not bring this data set",
            where=path,
            hint=f"reinstall {name} from the lock file",
        )
    return file


def _download(url: str, notify: Notify, timeout: float) -> bytes:
    """Return the whole body of `url`; a body shorter than announced is an error."""
    name = url.rsplit("/", 1)[-1]
    body = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - catalogue only
            total = int(answer.headers.get("Content-Length") or 0)
            while chunk := answer.read(_CHUNK):
                body += chunk
                notify(Note("data", f"downloading {name}", len(body), total))
    except urllib.error.HTTPError as error:
        error.close()
        raise _unreachable(url, f"the source answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, str(getattr(error, "reason", error))) from error
    if total and len(body) != total:
        raise _unreachable(url, f"the connection closed after {len(body)} of {total} bytes")
    return bytes(body)


def _unreachable(url: str, reason: str) -> DataError:
    return DataError(
        "DATASET-DOWNLOAD",
        f"the data set cannot be downloaded: {reason}",
        where=url,
        hint="check the connection and try again, or put the file into the folder $ASSAY_DATA",
    )


def build(parts: tuple[Upstream, ...], recipe: Recipe, notify: Notify) -> pl.DataFrame:
    """Fetch the upstream files and carry out the recipe.

    Raises:
        DataError: a file cannot be had, or the result is not the table that was described.
    """
    frames = [_read(part, recipe, fetch(part, notify)) for part in parts]
    if recipe.join == "rows":
        table = pl.concat(frames)
    else:
        cells = [column for frame in frames for column in frame]
        table = pl.DataFrame([column.alias(str(place)) for place, column in enumerate(cells)])
    if recipe.columns:
        constants = [name for part in parts[:1] for name in part.constants]
        table.columns = [*recipe.columns, *constants]
    table = table.drop(recipe.drop).rename(recipe.rename)
    table = table.with_columns(
        pl.col(name).replace_strict(labels) for name, labels in recipe.labels.items()
    )
    named = {*recipe.text, *recipe.labels}
    table = table.with_columns(_typed(column) for column in table if column.name not in named)
    found = content_digest(table)
    if found != recipe.content:
        raise DataError(
            "DATASET-DIGEST",
            "the table built from the upstream files is not the one that the catalogue describes",
            where=parts[0].url,
            got=found,
            allowed=[recipe.content],
            hint="put the prepared file into the folder $ASSAY_DATA, and tell the project",
        )
    return table


def _read(part: Upstream, recipe: Recipe, data: bytes) -> pl.DataFrame:
    """Read one upstream file as text cells, stripped, missing values null, blank lines left out."""
    if part.member:
        data = zipfile.ZipFile(io.BytesIO(data)).read(part.member)
    table = pl.read_csv(
        io.BytesIO(data),
        has_header=not recipe.columns,
        skip_rows=recipe.skip,
        separator=recipe.separator,
        infer_schema=False,
    )
    cells = pl.all().str.strip_chars(recipe.strip)
    table = table.with_columns(cells)
    table = table.with_columns(
        pl.when(pl.all().is_in([*recipe.missing, ""])).then(None).otherwise(pl.all()).name.keep()
    )
    table = table.filter(~pl.all_horizontal(pl.all().is_null()))  # blank lines
    return table.with_columns(pl.lit(value).alias(name) for name, value in part.constants.items())


def _typed(column: pl.Series) -> pl.Series:
    """Return a text column as whole numbers or numbers when every cell is one."""
    for kind in (pl.Int64, pl.Float64):
        typed = column.cast(kind, strict=False)
        if typed.null_count() == column.null_count():
            return typed
    return column
