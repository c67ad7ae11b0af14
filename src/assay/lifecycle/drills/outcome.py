"""What came of a drill."""

from __future__ import annotations

from dataclasses import dataclass

from assay.lifecycle.drills.scene import Scene
from assay.loadgen.fired import Fired

Check = tuple[str, bool]
"""A rule with its numbers, and whether it held."""


@dataclass(frozen=True)
class Outcome:
    """Detection and recovery in seconds, answers that failed or were wrong, and each rule."""

    detect_s: float | None
    recover_s: float | None
    failed: int
    wrong: int
    requests: int
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Return whether every rule held."""
        return all(held for _, held in self.checks)

    @classmethod
    def of(
        cls, scene: Scene, fired: Fired, seconds: tuple[float | None, float | None], *checks: Check
    ) -> Outcome:
        """Count the answers of a drill in which none may fail or be wrong."""
        wrong = wrong_answers(scene)
        rules = (none_failed(fired), ("no answer was wrong", wrong == 0))
        return cls(*seconds, fired.errors, wrong, fired.requests, (*rules, *checks))


def wrong_answers(scene: Scene) -> int:
    """Return how many answers were not those of the version they name."""
    return scene.checker.wrong + len(scene.checker.unknown)


def none_failed(fired: Fired) -> Check:
    """Return the rule that every request is answered, with what became of those that were not."""
    return f"no request failed{kinds_of(fired)}", fired.errors == 0


def kinds_of(fired: Fired) -> str:
    """Say what became of the requests that failed; "" where none did."""
    statuses = {f"HTTP {status}": n for status, n in fired.statuses.items() if status >= 300}
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in {**statuses, **fired.kinds}.items())
    return kinds and f" ({kinds})"
