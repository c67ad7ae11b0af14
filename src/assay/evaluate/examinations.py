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


def examine(case: Case, notify: Callable[[str], None]) -> Iterator[Examination]:
    """Yield every examination that applies to this case; `notify` hears what is under way."""
    for name, path in EXAMINATIONS:
        notify(name)
        found: Examination | None = load(path)(case)
        if found is not None:
            yield found
