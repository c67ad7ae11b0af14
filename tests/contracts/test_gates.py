"""The judge keeps the contract, and the contract catches judges that do not."""

from __future__ import annotations

import msgspec
import pytest

from assay.gates.judge import judge
from assay.testing import GateContract


class TestJudge(GateContract):
    @pytest.fixture
    def judge(self):
        return judge


def lenient(gates, report, seal):
    """Call a straddling interval accepted, as a judge by point estimates would."""
    decision = judge(gates, report, seal)
    results = tuple(
        msgspec.structs.replace(r, verdict="accepted") if r.verdict == "inconclusive" else r
        for r in decision.gates
    )
    return msgspec.structs.replace(decision, gates=results)


def best_wins(gates, report, seal):
    decision = judge(gates, report, seal)
    verdicts = {result.verdict for result in decision.gates}
    best = "accepted" if "accepted" in verdicts else decision.verdict
    return msgspec.structs.replace(decision, verdict=best)


def forgets_the_seal(gates, report, seal):
    return msgspec.structs.replace(judge(gates, report, seal), seal="")


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (
            lenient,
            lambda j: GateContract().test_interval_against_threshold(j, "brier", (0, 1), 0.5),
        ),
        (lenient, GateContract().test_inconclusive_says_how_many_rows),
        (best_wins, GateContract().test_worst_verdict_wins),
        (forgets_the_seal, GateContract().test_results_follow_the_gates),
    ],
)
def test_the_contract_catches(broken, check):
    with pytest.raises(AssertionError):
        check(broken)
