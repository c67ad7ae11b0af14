"""`features.transform`: a function of the project's own, from columns to columns."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import polars as pl

from assay.data.raw import to_polars
from assay.errors import AssayError, DataError, Refused, Tampered
from assay.records.base import digest_of
from assay.records.package import Code

FIRST = 50
"""Rows that a transform is run on once more, alone; and so is a random half of the rows."""
CLOSE = 1e-9
"""Relative difference up to which two numbers are one: a sum may be added up in another order."""
SHOWN = 3


def code_of(transform: str, folder: Path) -> Code:
    """Return where the code of `module:function` is, and the digest of its file.

    Raises:
        DataError: the text is not of that form, or there is no such file in `folder`.
    """
    module, _, function = transform.partition(":")
    parts = module.split(".")
    if not all(part.isidentifier() for part in (*parts, function)):
        raise DataError(
            "TRANSFORM-NAME",
            "features.transform is not of the form module:function",
            where="features.transform",
            got=transform,
            hint='for example transform = "features:add_ratios", with features.py in the project',
        )
    file = Path(*parts).with_suffix(".py")
    try:
        content = (folder / file).read_bytes()
    except OSError as error:
        raise DataError(
            "TRANSFORM-NOT-FOUND",
            f"there is no readable file {file} in the project folder",
            where="features.transform",
            got=transform,
            hint=f"write {file} next to the project file, or correct features.transform",
        ) from error
    return Code(entry=transform, file=file.as_posix(), digest=digest_of(content))


def apply_transform(
    code: Code, frame: pl.DataFrame, folder: Path, *, allow_code: bool
) -> pl.DataFrame:
    """Return what the project's function makes of the feature columns (typed, no target).

    Raises:
        Refused: `allow_code` is False.
        Tampered: the file is not the one whose digest `code` names.
        DataError: the function fails, or gives back no frame of the same height.
    """
    if not allow_code:
        raise Refused(
            "CODE-NOT-ALLOWED",
            f"this needs Python of the project's own, {code.file}, which has not been allowed",
            where=code.entry,
            hint="read that file; if you trust it, say --allow-code",
        )
    if code_of(code.entry, folder).digest != code.digest:
        raise Tampered(
            "CODE-CHANGED", f"{code.file} is not the file that was recorded", where=code.file
        )
    with _project_code(code, folder) as function:
        try:
            result = to_polars(function(frame))
        except AssayError:
            raise
        except Exception as error:  # whatever a stranger's code may raise
            raise _failed(error, code, folder) from error
    if result.height != frame.height:
        raise DataError(
            "TRANSFORM-ROWS",
            f"{code.entry} changes the number of rows",
            where="features.transform",
            got=result.height,
            allowed=[frame.height],
            hint="a transform makes columns; leave rows out with data.sql",
        )
    return result


def check_rowwise(
    code: Code, frame: pl.DataFrame, made: pl.DataFrame, folder: Path, *, allow_code: bool
) -> None:
    """Run the project's function on a part of the rows and compare with what it made of all.

    What differs looks at other rows, and so at test rows: a mean, a rank, the row before. The parts
    are the first rows and a random half, in order. `frame` and `made` are what the function was
    given and gave for all rows.

    Raises:
        DataError: the function gives other values, or other columns, for a part.
        Refused, Tampered: see `apply_transform`.
    """
    half = np.random.default_rng(0).permutation(frame.height)[: (frame.height + 1) // 2]
    for rows in (np.arange(min(FIRST, frame.height)), np.sort(half)):
        alone = apply_transform(code, frame[rows], folder, allow_code=allow_code)
        found = list(_differences(made[rows], alone, rows))
        if found:
            more = f", and {len(found) - SHOWN} more columns" if len(found) > SHOWN else ""
            raise DataError(
                "TRANSFORM-NOT-ROWWISE",
                f"{code.entry} gives other values for {len(rows)} of the rows alone than for all",
                where="features.transform",
                got="; ".join(found[:SHOWN]) + more,
                hint="compute each row from itself: a mean, a rank or a row before looks at test "
                "rows, and is not there when one row is asked",
            )


def _differences(all_rows: pl.DataFrame, alone: pl.DataFrame, rows: np.ndarray) -> Iterator[str]:
    """Say of each column that differs where it first does; rows are counted from 1."""
    if all_rows.columns != alone.columns:
        odd = set(all_rows.columns) ^ set(alone.columns)
        yield f"columns {', '.join(sorted(odd)) or 'in another order'}"
        return
    for whole, part in zip(all_rows.iter_columns(), alone.iter_columns(), strict=True):
        differ = _differ(whole, part)
        if differ.any():
            place = int(differ.arg_max() or 0)
            yield (
                f"{whole.name} of row {rows[place] + 1} is {whole[place]} with all rows and "
                f"{part[place]} without the others"
            )


def _differ(whole: pl.Series, part: pl.Series) -> pl.Series:
    differ = whole.ne_missing(part) if whole.dtype == part.dtype else whole.is_not_null()
    if differ.any() and whole.dtype.is_float() and part.dtype.is_float():
        close = (whole - part).abs() <= CLOSE * whole.abs().clip(lower_bound=whole.std() or 0.0)
        differ &= ~close.fill_null(False)
    return differ


@contextmanager
def _project_code(code: Code, folder: Path) -> Iterator[Callable[[pl.DataFrame], Any]]:
    """Give the function, with the project folder importable only while it is in use."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    name = "assay_project_" + code.digest[:16]
    try:
        yield _function(code, folder, name)
    finally:
        sys.path.remove(str(folder))
        for added in set(sys.modules) - before:
            file = getattr(sys.modules[added], "__file__", None)
            if added == name or (file and Path(file).is_relative_to(folder)):
                del sys.modules[added]


class _Source(SourceFileLoader):
    """Runs the file itself.

    Compiled files beside it are checked by nobody, and would be files that a package does not name.
    """

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self.source_to_code(self.get_data(self.path), self.path)


def _function(code: Code, folder: Path, name: str) -> Callable[[pl.DataFrame], Any]:
    file = str(folder / code.file)
    spec = importlib.util.spec_from_file_location(name, file, loader=_Source(name, file))
    if spec is None or spec.loader is None:
        raise DataError(
            "TRANSFORM-NOT-FOUND",
            f"{code.file} cannot be imported",
            where="features.transform",
            got=code.entry,
            hint="name a Python file of the project folder",
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a stranger's code may raise
        raise _failed(error, code, folder) from error
    function = getattr(module, code.entry.partition(":")[2], None)
    if not callable(function):
        raise DataError(
            "TRANSFORM-NOT-FOUND",
            f"{code.file} has no function of that name",
            where="features.transform",
            got=code.entry,
            hint=f"define it in {code.file}, or correct the name after the colon",
        )
    return function  # type: ignore[no-any-return]  # a stranger's function, checked on use


def _failed(error: Exception, code: Code, folder: Path) -> DataError:
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == folder / code.file
    ]
    line = lines[-1] if lines else getattr(error, "lineno", None)
    return DataError(
        "TRANSFORM-FAILED",
        f"{code.entry} raised {type(error).__name__}: {error}",
        where=f"{code.file}:{line}" if line else code.file,
        hint="the function is given a polars frame of the features and gives one back",
    )
