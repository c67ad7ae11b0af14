"""The cleaning rules, each with a name, what it does, and a count of the cells it changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import polars as pl

from assay.data.coerce import (
    DAY_FIRST,
    DECIMAL_COMMA,
    matches_point,
    plain,
    without_missing,
)
from assay.data.raw import Raw
from assay.errors import DataError
from assay.records.snapshot import CleaningStep, ColumnType

RULES: dict[str, str] = {
    "blank-column": "a column without a name and without values is left out",
    "blank-header": "a column without a name is called after its position",
    "duplicate-column": "a second column of the same name and content is left out",
    "renamed-column": "a second column of the same name and other content gets a number",
    "spaces": "spaces at both ends of a cell are removed",
    "missing": "a word that means missing becomes an empty cell",
    "number-signs": "currency signs, percent signs and thousands separators are removed",
    "number-as-text": "numbers stored as text become numbers",
    DECIMAL_COMMA: "numbers are read with a decimal comma",
    "boolean-words": "words for yes and no become true and false",
    "date-as-text": "dates stored as text become date-times in UTC",
    "date-forms": "dates written in two ways are read each in its own way",
    DAY_FIRST: "dates are read with the day before the month",
    "month-first": "no cell shows whether day or month comes first, so the month is taken first",
    "missing-target": "a row without a target is left out",
    "duplicate-rows": "a row that repeats an earlier one in every column is left out",
    "transform": "features.transform made the columns from those of the source",
}
"""Every rule that may occur in `CleaningStep.rule`."""


def step(
    rule: str, where: str, cells: int, before: object = None, after: object = None
) -> CleaningStep:
    """Return the note that `rule` changed `cells` cells; the example shows one of them."""
    if rule not in RULES:
        raise ValueError(rule)
    example = "" if before is None else f"{_short(before)} → {_short(after)}"
    return CleaningStep(rule=rule, where=where, cells=cells, example=example)


def _short(value: object) -> str:
    if value is None:
        return "missing"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def unique_names(raw: Raw, protected: Collection[str]) -> tuple[pl.DataFrame, list[CleaningStep]]:
    """Return the frame under its own names, each once.

    A repeated name with the same content goes; with other content it becomes `name_2`.

    Raises:
        DataError: a name in `protected` (the target, or named in the project file) stands for
            two different columns, so it cannot be known which one is meant.
    """
    steps = list(raw.steps)
    kept: dict[str, pl.Series] = {}
    taken = set(raw.names)
    for series, name in zip(raw.frame.iter_columns(), raw.names, strict=True):
        if name not in kept:
            kept[name] = series.alias(name)
            continue
        if kept[name].equals(series, check_names=False):
            steps.append(step("duplicate-column", name, len(series)))
            continue
        if name in protected:
            raise DataError(
                "DATA-DUPLICATE-COLUMN",
                f"two different columns are called {name}",
                where=f"column {name}",
                hint="rename one of them in the file",
            )
        number = next(i for i in range(2, len(taken) + 3) if f"{name}_{i}" not in taken)
        taken.add(f"{name}_{number}")
        kept[f"{name}_{number}"] = series.alias(f"{name}_{number}")
        steps.append(step("renamed-column", name, len(series), name, f"{name}_{number}"))
    return pl.DataFrame(list(kept.values())), steps


def tidy(series: pl.Series, words: Sequence[str]) -> tuple[pl.Series, list[CleaningStep]]:
    """Return a plain column with its empty cells null, and the steps that made it so."""
    before = plain(series)
    after = without_missing(before, words)
    steps = []
    emptied = after.null_count() - before.null_count()
    if emptied:
        gone = after.is_null() & before.is_not_null()
        steps.append(step("missing", series.name, emptied, before[int(gone.arg_true()[0])], None))
    if before.dtype == pl.String:
        moved = (before != after).fill_null(False)
        if moved.any():
            row = int(moved.arg_true()[0])
            steps.append(step("spaces", series.name, int(moved.sum()), before[row], after[row]))
    return after, steps


def typing_steps(
    before: pl.Series, after: pl.Series, kind: ColumnType, *, from_text: bool
) -> list[CleaningStep]:
    """Return what turning text into `kind` changed; plain CSV numbers are not worth a note."""
    if before.dtype != pl.String or kind not in _NOTES:
        return []
    rule, changed = _NOTES[kind](before, after, from_text)
    count = int(changed.sum()) if rule else 0
    if not count:
        return []
    row = int(changed.arg_true()[0])
    return [step(rule, before.name, count, before[row], after[row])]


def _number_note(before: pl.Series, _: pl.Series, from_text: bool) -> tuple[str, pl.Series]:
    signs = before.is_not_null() & before.cast(pl.Float64, strict=False).is_null()
    if signs.any() or from_text:
        rule = "number-signs" if matches_point(before.filter(signs)).any() else ""
        return rule, signs
    return "number-as-text", before.is_not_null()


def _boolean_note(before: pl.Series, *_: object) -> tuple[str, pl.Series]:
    return "boolean-words", before.is_not_null()


def _datetime_note(before: pl.Series, *_: object) -> tuple[str, pl.Series]:
    return "date-as-text", before.is_not_null()


def _category_note(before: pl.Series, after: pl.Series, _: bool) -> tuple[str, pl.Series]:
    return "boolean-words", (before != after) & before.str.to_lowercase().is_in(["true", "false"])


_NOTES: dict[ColumnType, Callable[[pl.Series, pl.Series, bool], tuple[str, pl.Series]]] = {
    "number": _number_note,
    "boolean": _boolean_note,
    "datetime": _datetime_note,
    "category": _category_note,
}
