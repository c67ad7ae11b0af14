"""The planted leaks of `benchmarks/judgement`, at small size, in tables that need no download."""

from __future__ import annotations

import numpy as np
import planted
import pytest
from moves import moved
from planting import KINDS, Case, Kind
from tables import BUNDLED, base

ROWS = 600
SCALED = "scaled on all rows"


def home(kind: Kind) -> str:
    """Return the table to plant into; the numbers of diabetes come scaled on all rows already."""
    numeric = "regression" in kind.tasks and kind.name != SCALED
    return "diabetes" if numeric else "breast_cancer"


def one(kind: str, table: str, strength: str = "strong") -> Case:
    (case,) = planted.cases(kinds=[kind], tables=[table], strengths=[strength], rows=ROWS)
    return case


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_strong_leak_is_found(kind: Kind) -> None:
    case = one(kind.name, home(kind))
    found = planted.findings(case)
    assert planted.hits(case, found), [(f.code, f.severity, f.where) for f in found]


@pytest.mark.parametrize("table", BUNDLED)
def test_a_clean_table_has_no_error(table: str) -> None:
    asked = base(table, ROWS)
    found = planted.checked(asked, asked.table, asked.split).findings
    assert [(f.code, f.where) for f in found if f.severity == "error"] == []


def test_what_a_table_says_by_itself_is_no_hit() -> None:
    """The numbers of diabetes were scaled on all rows by those who published it."""
    case = one(SCALED, "diabetes")
    found = planted.findings(case)
    assert "PREPARED-ON-ALL" in {finding.code for finding in found}
    assert planted.hits(case, found) == []


def test_the_same_names_give_the_same_case() -> None:
    first, second = (one("noisy copy", "diabetes").planted.table for _ in range(2))
    assert first.equals(second)
    assert not first.equals(one("noisy copy", "diabetes", "weak").planted.table)


def test_a_copy_moves_the_score_and_scaling_does_not() -> None:
    verdicts = {}
    for kind in ("copy", SCALED):
        case = one(kind, "diabetes")
        found = planted.checked(case.base, case.planted.table, case.planted.split)
        verdicts[kind] = moved(case, found)
    assert verdicts["copy"]["moves"]
    assert verdicts["copy"]["leaky"] > verdicts["copy"]["clean_high"]
    assert not verdicts[SCALED]["moves"]


def test_strength_is_strength() -> None:
    """A noisy copy agrees with the target the more, the stronger it is."""
    asked = base("diabetes", ROWS)
    answers = asked.table[asked.target].to_numpy()
    agreement = [
        abs(np.corrcoef(one("noisy copy", "diabetes", s).planted.table["estimate"], answers)[0, 1])
        for s in ("weak", "middle", "strong")
    ]
    assert agreement == sorted(agreement)
    assert agreement[0] < 0.98 < agreement[2]
