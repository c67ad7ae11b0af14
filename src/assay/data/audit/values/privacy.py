"""Columns that look like personal data: found by their cells and names, shown only masked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import polars as pl

from assay.data.audit.subject import Subject, percent, show
from assay.data.audit.values.personal import BIRTH, INSIDE, KINDS, PLACE, spaced
from assay.records.audit import Finding

CODE = "PERSONAL-DATA"
LOOKED_AT = 1_000
"""Distinct cells of a column that are looked at."""
FEWEST = 5
PROSE = 60
"""Mean length, in characters, from which cells are texts that may hold personal data inside."""
TELLING = 0.005
"""Share of texts with something personal inside that is worth a note."""
PRECISE = 1e-3
"""Degrees; a place given more precisely than about 100 m can be a home."""
EXAMPLES = 3


def personal_data(subject: Subject) -> Iterator[Finding]:
    """Find columns, features or not, that look like personal data, and those left out by name."""
    for name in subject.table.columns:
        if name == subject.problem.target:
            continue
        cells = _cells(subject.sampled[name])
        found = _kind_of(name, subject.sampled[name], cells) if len(cells) >= FEWEST else None
        if found is not None:
            yield _finding(subject, name, cells, *found)
    for name in subject.snapshot.dropped:
        words = _named(name)
        if words:
            yield Finding(
                code=CODE,
                severity="note",
                where=name,
                message=f"By its name, {name} holds {words}. It was left out of the data.",
                evidence={"kind": words, "used": "left out by data.drop"},
                hint="nothing needs to be done: no model sees it",
            )


def _cells(values: pl.Series) -> pl.Series:
    """Return distinct filled cells as text; whole numbers without a point."""
    values = values.drop_nulls()
    values = values.gather_every(max(len(values) // (5 * LOOKED_AT), 1))
    if values.dtype.is_float():
        whole = values.filter(values.is_finite())
        if len(whole) and bool((whole == whole.round()).all()) and bool((whole.abs() < 1e18).all()):
            values = whole.cast(pl.Int64)
    return values.unique(maintain_order=True).head(LOOKED_AT).cast(pl.String)


def _kind_of(name: str, values: pl.Series, cells: pl.Series) -> tuple[str, float] | None:
    """Return what a column holds, in words, and the share of its cells that are such."""
    if values.dtype.is_temporal():
        return ("dates of birth", 1.0) if re.search(BIRTH, spaced(name)) else None
    if values.dtype.is_float() and re.search(PLACE, spaced(name)):
        precise = _precise(cells.cast(pl.Float64))
        return ("positions on the map", precise) if precise >= 0.5 else None
    if values.dtype == pl.Boolean or (
        values.dtype.is_float() and cells.str.contains(".", literal=True).any()
    ):
        return None
    for kind in KINDS:
        share = kind.share_of(cells)
        needed = kind.named if kind.named_so(name) else kind.share
        if share >= needed and share * len(cells) >= FEWEST:
            return kind.words, share
    lengths = cells.str.len_chars().mean()
    if isinstance(lengths, float) and lengths >= PROSE:
        return _inside(cells)
    return None


def _precise(values: pl.Series) -> float:
    """Return which share of degrees (n,) is given more precisely than `PRECISE`."""
    rest = (values / PRECISE - (values / PRECISE).round()).abs() > 1e-6
    return float((rest & (values.abs() <= 180)).mean() or 0.0)  # type: ignore[arg-type]  # a mean


def _inside(texts: pl.Series) -> tuple[str, float] | None:
    for words, pattern in INSIDE.items():
        hits = int(texts.str.contains(pattern).sum())
        if hits >= max(FEWEST, TELLING * len(texts)):
            return f"{words} inside its texts", hits / len(texts)
    return None


def _named(name: str) -> str:
    """Return what a column holds by its name alone, or nothing."""
    for kind in KINDS:
        if kind.named_so(name):
            return kind.words
    if re.search(BIRTH, spaced(name)):
        return "dates of birth"
    return "positions on the map" if re.search(PLACE, spaced(name)) else ""


def _finding(subject: Subject, name: str, cells: pl.Series, words: str, share: float) -> Finding:
    used = name in subject.features
    return Finding(
        code=CODE,
        severity="warning" if used else "note",
        where=name,
        message=f"The column {name} seems to hold {words}: {percent(share)} of the "
        f"{len(cells):,} values looked at do. "
        + ("Models use it." if used else "No model uses it, but it is kept with the data."),
        evidence={
            "kind": words,
            "share": show(share),
            "values_looked_at": len(cells),
            "used": "a feature" if used else "kept, not a feature",
            "examples_masked": [show(mask(cell)) for cell in _examples(cells, words)],
        },
        hint=f"add {name} to data.drop unless the question needs it and you may use it for that; "
        "something coarser (a region, an age group, a mail provider) often serves as well",
    )


def _examples(cells: pl.Series, words: str) -> pl.Series:
    patterns = [f"^(?:{kind.cell})$" for kind in KINDS if kind.words == words]
    patterns += [pattern for inside, pattern in INSIDE.items() if words.startswith(inside)]
    alike = cells.str.contains("|".join(f"(?:{pattern})" for pattern in patterns) or ".")
    return (cells.filter(alike) if alike.any() else cells).head(EXAMPLES)


def mask(cell: str) -> str:
    """Return a cell with the first character of each word only: `j***@e***.com`."""
    text = re.sub(r"(\w)\w*", r"\1***", cell[:200])
    end = re.search(r"@.*\.(\w+)$", cell)
    return text[: text.rfind(".") + 1] + end[1] if end else text


def veiled(findings: Sequence[Finding], table: pl.DataFrame) -> list[Finding]:
    """Return the findings with the cells of personal columns masked in their evidence.

    Personal columns are those of a PERSONAL-DATA finding among them. Only texts
    and dates that stand in such a column are changed; names of columns and counts are not.
    """
    names = {finding.where for finding in findings if finding.code == CODE}
    columns = [table[name] for name in names if name in table.columns]
    if not columns:
        return list(findings)
    shown = {
        text for finding in findings if finding.code != CODE for text in _texts(finding.evidence)
    }
    secret = {text for column in columns for text in _among(column, shown)}
    return [
        finding
        if finding.code == CODE
        else msgspec.structs.replace(finding, evidence=_hide(finding.evidence, secret))
        for finding in findings
    ]


def _texts(evidence: Any) -> Iterator[str]:
    if isinstance(evidence, dict):
        evidence = evidence.values()
    if isinstance(evidence, str):
        yield evidence
    elif isinstance(evidence, Iterable):
        for part in evidence:
            yield from _texts(part)


def _among(column: pl.Series, shown: set[str]) -> set[str]:
    """Return which of the shown texts are cells of a column of texts or dates."""
    if column.dtype.is_temporal():
        column = column.dt.to_string("%Y-%m-%d %H:%M:%S")
    if column.dtype != pl.String or not shown:
        return set()
    return set(column.filter(column.is_in(sorted(shown))).unique())


def _hide(evidence: Any, secret: set[str]) -> Any:
    if isinstance(evidence, str):
        return mask(evidence) if evidence in secret else evidence
    if isinstance(evidence, dict):
        return {key: _hide(value, secret) for key, value in evidence.items()}
    return [_hide(part, secret) for part in evidence] if isinstance(evidence, list) else evidence
