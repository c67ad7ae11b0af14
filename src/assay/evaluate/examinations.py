"""Every examination of a champion, in one visible list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from assay.evaluate.case import Case
from assay.kernel.loader import load
from assay.records.report import Examination

EXAMINATIONS: tuple[tuple[str, str], ...] = (
    ("label noise", "assay.evaluate.labels.suspects:examine"),
    ("candidates", "assay.evaluate.candidates:examine"),
    ("calibration", "assay.evaluate.answers.calibration:examine"),
    ("decision threshold", "assay.evaluate.answers.thresholds:examine"),
    ("prediction sets", "assay.evaluate.answers.conformal:examine"),
    ("worst slices", "assay.evaluate.worst:examine"),
    ("worst errors", "assay.evaluate.errors:examine"),
    ("fairness", "assay.evaluate.fairness.groups:examine"),
    ("robustness", "assay.evaluate.strain.robustness:examine"),
    ("smallest changes", "assay.evaluate.strain.adversarial:examine"),
    ("learning curve", "assay.evaluate.diagnosis:examine"),
)
"""What is looked at, and where: each is loaded on first use; None means that it does not apply."""


OPTIONAL = {
    "worst errors": (),
    "robustness": ("robustness_",),
    "smallest changes": ("flip_rate", "switch_rate"),
}
"""What a run that is late goes without, unless a gate asks for a number of that name."""
LATE = -2.0
"""Seconds left of the budget below which a run is late."""


def examine(
    case: Case, notify: Callable[[str], None], left: Callable[[], float]
) -> Iterator[Examination]:
    """Yield every examination that applies to this case.

    `notify` hears what is under way, `left` gives the seconds that are left of the budget.
    """
    omitted = []
    for name, path in EXAMINATIONS:
        if left() < LATE and name in OPTIONAL and not _asked_for(case, OPTIONAL[name]):
            omitted.append(name)
            continue
        notify(name)
        found: Examination | None = load(path)(case)
        if found is not None:
            yield found
    if omitted:
        yield Examination(
            name="left_out",
            title="What was not looked at",
            reading=f"The budget of time was used up before these examinations, which no gate asks "
            f"for: {', '.join(omitted)}. A larger budget.time brings them back.",
        )


def _asked_for(case: Case, numbers: tuple[str, ...]) -> bool:
    return any(gate.metric.startswith(numbers) for gate in case.seal.gates if numbers)
