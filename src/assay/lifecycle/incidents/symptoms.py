"""What is wrong in a window, as names that stay the same while the same thing is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.records.watch import WatchVerdict

Area = Literal["model", "service"]
"""What it is about: rows and answers, or how requests are answered. Incidents never mix the two."""

NAMED = 3
"""Columns that the cause of an incident names."""

_ORDER = ("quality", "degraded", "drift", "answers", "labels", "joint", "objective")


@dataclass(frozen=True)
class Symptom:
    """One thing that is wrong: `kind:what`, and the columns of the input that show it."""

    key: str
    columns: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """Return quality, degraded, drift, answers, labels, joint or objective."""
        return self.key.partition(":")[0]

    @property
    def area(self) -> Area:
        """Return whether rows and answers are wrong, or how requests are answered."""
        return "service" if self.kind == "objective" else "model"


def symptoms(verdict: WatchVerdict) -> tuple[Symptom, ...]:
    """Return what is wrong in a window, the most telling first; a warning is no symptom."""
    found = [
        *_of_rows(verdict),
        *(
            Symptom(f"degraded:{m.metric}" + (f"@{m.slice}" if m.slice else ""))
            for m in verdict.performance
            if m.standing == "broken"
        ),
        *(Symptom(f"objective:{o.name}") for o in verdict.objectives if o.standing == "broken"),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda s: (_ORDER.index(s.kind), s.key)))


def of_key(key: str) -> Symptom:
    """Return the symptom that a key written to the ledger stands for."""
    kind, _, what = key.partition(":")
    if kind == "quality":
        what = what.partition(":")[2]
    columns = frozenset({what}) if kind in ("quality", "drift") and what else frozenset[str]()
    return Symptom(key, columns)


def cause_of(found: Sequence[Symptom]) -> str:
    """Return the cause that symptoms which came together are filed under.

    It is the most telling kind; columns that drift are named together, with the first few names.
    """
    first = found[0]
    same = [s.key.partition(":")[2] for s in found if s.kind == first.kind]
    if first.kind != "drift" or len(same) == 1:
        return first.key
    more = f" and {len(same) - NAMED} more" if len(same) > NAMED else ""
    return f"drift:{','.join(same[:NAMED])}{more}"


def explains(known: Iterable[Symptom], new: Symptom) -> bool:
    """Return True where a symptom is one of those known, or of a column that they are about.

    What is no column's own, such as answers that moved, follows from whatever else is wrong.
    """
    listed = list(known)
    if new in listed:
        return True
    if not any(s.area == new.area for s in listed):
        return False
    about = frozenset[str]().union(*(s.columns for s in listed))
    return not new.columns or bool(new.columns & about)


def _of_rows(verdict: WatchVerdict) -> Iterable[Symptom]:
    for broken in verdict.quality:
        if broken.severity == "error":
            yield of_key(f"quality:{broken.code}:{broken.column}".rstrip(":"))
    kinds = {"input": "drift", "prediction": "answers", "label": "labels", "joint": "joint"}
    for moved in verdict.drift:
        if moved.flagged:
            yield of_key(f"{kinds[moved.kind]}:{moved.column}")
