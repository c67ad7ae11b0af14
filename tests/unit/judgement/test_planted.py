"""The planted leaks of `benchmarks/judgement`, at small size, in tables that need no download."""

from __future__ import annotations

import numpy as np
import planted
import pytest
from moves import moved
from planting import KINDS, Case
from tables import BUNDLED, Base, base

ROWS = 600
TABLES = {"binary": "breast_cancer", "regression": "diabetes"}
HIDDEN = {"scaled on all rows": "breast_cancer"}
"""The numbers of diabetes come scaled: nothing new is planted there."""
ASKED = [
    pytest.param(kind.name, HIDDEN.get(kind.name, TABLES[kind.tasks[-1]]), id=kind.name)
    if kind.tasks[-1] in TABLES
    else pytest.param(kind.name, TABLES["binary"], id=kind.name)
    for kind in KINDS.values()
]


def one(kind: str, table: str, strength: str = "strong") -> Case:
    (case,) = planted.cases(kinds=[kind], tables=[table], strengths=[strength], rows=ROWS)
    return case


@pytest.mark.parametrize(("kind", "table"), ASKED)
def test_a_strong_leak_is_found(kind: str, table: str) -> None:
    case = one(kind, table)
    found = planted.findings(case)
    assert planted.hits(case, found), [(f.code, f.severity, f.where) for f in found]


@pytest.mark.parametrize("table", BUNDLED)
def test_a_clean_table_has_no_error(table: str) -> None:
    asked = base(table, ROWS)
    found = planted.checked(asked, asked.table, asked.split).findings
    assert [(f.code, f.where) for f in found if f.severity == "error"] == []


def test_what_a_table_says_by_itself_is_no_hit() -> None:
    """The numbers of diabetes were scaled on all rows by those who published it."""
    case = one("scaled on all rows", "diabetes")
    found = planted.findings(case)
    assert "PREPARED-ON-ALL" in {finding.code for finding in found}
    assert planted.hits(case, found) == []


def test_the_same_names_give_the_same_case() -> None:
    first, second = (one("noisy copy", "diabetes").planted.table for _ in range(2))
    assert first.equals(second)
    assert not first.equals(one("noisy copy", "diabetes", "weak").planted.table)


def test_a_copy_moves_the_score_and_scaling_does_not() -> None:
    verdicts = {}
    for kind in ("copy", "scaled on all rows"):
        case = one(kind, "diabetes")
        found = planted.checked(case.base, case.planted.table, case.planted.split)
        verdicts[kind] = moved(case, found)
    assert verdicts["copy"]["moves"]
    assert verdicts["copy"]["leaky"] > verdicts["copy"]["clean_high"]
    assert not verdicts["scaled on all rows"]["moves"]


def test_strength_is_strength() -> None:
    """A noisy copy agrees with the target the more, the stronger it is."""
    asked: Base = base("diabetes", ROWS)
    answers = asked.table[asked.target].to_numpy()
    agreement = [
        abs(np.corrcoef(one("noisy copy", "diabetes", s).planted.table["estimate"], answers)[0, 1])
        for s in ("weak", "middle", "strong")
    ]
    assert agreement == sorted(agreement)
    assert agreement[0] < 0.98 < agreement[2]
