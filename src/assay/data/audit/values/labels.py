"""Rows with the same features and another answer: labels that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from assay.data.audit.subject import Subject, percent, records, show
from assay.data.audit.values.columns import id_like
from assay.records.audit import Finding

COSTLY = 0.01
"""Share of answers that no model can get right from which conflicts deserve a warning."""
COARSE = 0.5
"""Share of rows with a twin from which the columns are few or coarse, and conflicts expected."""
EXAMPLES = 5
ANSWERS = 4


def conflicts(subject: Subject) -> Iterator[Finding]:
    """Find training rows with the same features but another answer, and what that costs at least.

    Columns that say which row it is are left out of the comparison.
    """
    ignored = set(id_like(subject))
    columns = [name for name in subject.features if name not in ignored]
    if not columns or not len(subject.train):
        return
    table = subject.table[columns][subject.train]
    rows = pl.DataFrame(
        {
            "twins": table.hash_rows(),
            "row": subject.train + 1,
            "answer": subject.target[subject.train],
        }
    ).filter(pl.col("twins").is_duplicated())
    unlike = rows.filter(pl.col("answer").n_unique().over("twins") > 1)
    if unlike.is_empty():
        return
    lost, ceiling = _cost(subject, unlike)
    coarse = len(rows) >= COARSE * len(subject.train)
    share = len(unlike) / len(subject.train)
    yield Finding(
        code="LABEL-CONFLICT",
        severity="warning" if lost >= COSTLY and not coarse else "note",
        where=subject.problem.target,
        message=f"{len(unlike):,} training rows ({percent(share)}) have the same features as "
        f"another one, but not the same answer. {ceiling}",
        evidence={
            "rows": len(unlike),
            "groups": unlike["twins"].n_unique(),
            "share": show(share),
            "rows_with_a_twin": len(rows),
            "lost_at_least": show(lost),
            "examples": _examples(subject, unlike),
        },
        hint="the columns are too few or too coarse to tell these rows apart: add one that does"
        if coarse
        else "look the rows up in the source: correct the answers that are wrong; if all are "
        "right, add a column that tells such rows apart",
    )


def _cost(subject: Subject, unlike: pl.DataFrame) -> tuple[float, str]:
    """Return the share of right answers, or of R², that no model can have, and a sentence."""
    rows = len(subject.train)
    if subject.problem.classes:
        counts = unlike.group_by("twins", "answer").len()
        best = counts.group_by("twins").agg(pl.col("len").max())["len"].sum()
        lost = (len(unlike) - int(best)) / rows
        return lost, (
            f"No model that sees these columns can answer more than {percent(1 - lost)} of the "
            "training rows right."
        )
    scale = float(np.abs(subject.target).max(initial=0.0, where=subject.known)) or 1.0
    answer = pl.col("answer") / scale
    apart = unlike.select(((answer - answer.mean().over("twins")) ** 2).sum()).item()
    known = subject.target[subject.train] / scale
    lost = float(apart) / max(float(((known - known.mean()) ** 2).sum()), 1e-300)
    return lost, (
        f"No model that sees these columns can explain more than {percent(1 - lost)} of the "
        "differences between training rows (R²)."
    )


def _examples(subject: Subject, unlike: pl.DataFrame) -> list[dict[str, Any]]:
    """Return for the first groups a row (from 1) of each of their answers, and how many have it."""
    answers = unlike.group_by("twins", "answer", maintain_order=True).agg(
        pl.col("row").first(), pl.len().alias("rows")
    )
    groups = answers.group_by("twins", maintain_order=True).agg("row", "answer", "rows")
    classes = subject.problem.classes
    lines = []
    for _, first, answer, counts in groups.head(EXAMPLES).iter_rows():
        named = [classes[int(code)] if classes else f"{code:g}" for code in answer[:ANSWERS]]
        told = [f"{name} ({count})" for name, count in zip(named, counts, strict=False)]
        lines.append((", ".join(map(str, first[:ANSWERS])), ", ".join(told), sum(counts)))
    return records(["for example rows", "answers (how often)", "rows"], lines)
