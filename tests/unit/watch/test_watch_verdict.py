"""Which finding decides the verdict, and the sentence that says so."""

from __future__ import annotations

from assay.records.watch import Broken, Measured, Moved, Objective
from assay.watch.verdict import verdict_of


def moved(column: str, effect: float = 0.2, *, flagged: bool = True) -> Moved:
    return Moved(column=column, effect=effect, p=1e-9, flagged=flagged)


def measured(standing: str, slice_: str = "") -> Measured:
    return Measured(
        metric="roc_auc", value=0.7, low=0.68, high=0.72, n=500, estimated=False,
        slice=slice_, threshold=0.8, standing=standing, reason="because",
    )  # fmt: skip


ERROR = Broken(code="WATCH-UNIT", column="fee", severity="error", message="fee looks odd")
WARNING = Broken(code="WATCH-WARNED", column="", severity="warning", message="warned")
BURNT = Objective(
    name="latency", target=0.99, good=900, total=1000, days=30, left=-9.0, burn=(20.0, 30.0),
    standing="broken",
)  # fmt: skip


def test_a_broken_gate_comes_before_everything() -> None:
    outcome, reason = verdict_of(50, 100, [moved("fee")], [measured("broken", "region=west")])
    assert outcome == "degraded"
    assert "roc_auc where region=west is 0.7" in reason
    assert reason.endswith("fee moved")


def test_so_does_a_burnt_budget() -> None:
    outcome, reason = verdict_of(500, 100, objectives=[BURNT])
    assert outcome == "degraded"
    assert "latency goes 20 times faster" in reason


def test_what_moved_is_named_by_what_it_matters() -> None:
    columns = [
        moved(name, effect) for name, effect in zip("abcde", (0.5, 0.1, 0.4, 0.3, 0.2), strict=True)
    ]
    outcome, reason = verdict_of(500, 100, columns)
    assert (outcome, reason) == ("drift", "a, c, d and 2 more moved")


def test_an_error_of_the_rows_is_drift_and_a_warning_is_not() -> None:
    assert verdict_of(500, 100, quality=[ERROR]) == ("drift", "fee looks odd")
    assert verdict_of(500, 100, quality=[WARNING])[0] == "steady"


def test_few_rows_are_unknown_and_unflagged_ones_steady() -> None:
    assert verdict_of(1, 100) == ("unknown", "1 row is too few to judge: 100 are needed")
    assert verdict_of(0, 100) == ("unknown", "no row came: 100 are needed")
    assert verdict_of(500, 100, [moved("fee", flagged=False)])[0] == "steady"


def test_what_cannot_be_said_is_said() -> None:
    outcome, reason = verdict_of(500, 100, performance=[measured("unsaid")])
    assert outcome == "steady"
    assert "roc_auc cannot be said: because" in reason


def test_a_gate_that_nobody_can_settle_is_named() -> None:
    outcome, reason = verdict_of(500, 100, performance=[measured("unclear")])
    assert (outcome, reason) == (
        "steady",
        "nothing moved; whether roc_auc keeps its gate at 0.8 is unclear (0.68 to 0.72)",
    )
