"""What the project file demands of the model's form: monotone answers, columns kept apart."""

from __future__ import annotations

from collections.abc import Sequence

from assay.errors import AssayError, Mistakes, SpecError
from assay.records.snapshot import DataSnapshot
from assay.records.spec import FeaturesSection

WAYS = {"increasing": 1, "decreasing": -1}


def limits(
    section: FeaturesSection, snapshot: DataSnapshot, features: Sequence[str], classes: int
) -> tuple[dict[str, int], tuple[tuple[str, ...], ...]]:
    """Return `monotone` and `interactions` of the problem.

    For two classes, the probability of the positive one rises or falls.

    Raises:
        SpecError: a name is no feature, a monotone column is no number, or there are more than
            two classes. Mistakes, when there are several.
    """
    errors = [*_monotone_errors(section, snapshot, features, classes)]
    for place, group in enumerate(section.interactions):
        where = f"features.interactions.{place}"
        errors += [_unknown(where, name, features) for name in group if name not in features]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise Mistakes(errors)
    monotone = {name: WAYS[way] for name, way in sorted(section.monotone.items())}
    groups = tuple(tuple(dict.fromkeys(group)) for group in section.interactions if group)
    return monotone, groups


def _monotone_errors(
    section: FeaturesSection, snapshot: DataSnapshot, features: Sequence[str], classes: int
) -> list[AssayError]:
    if section.monotone and classes > 2:
        return [
            SpecError(
                "SPEC-MONOTONE-CLASSES",
                "an answer can rise with a column only when it is a number or one of two classes",
                where="features.monotone",
                got=f"{classes} classes",
                hint="remove features.monotone, or ask about one class against the rest",
            )
        ]
    errors: list[AssayError] = []
    for name in section.monotone:
        where = f"features.monotone.{name}"
        if name not in features:
            errors.append(_unknown(where, name, features))
        elif (kind := snapshot.column(name).type) != "number":
            errors.append(
                SpecError(
                    "SPEC-MONOTONE-TYPE",
                    "only a number has more and less of it, so that an answer can rise with it",
                    where=where,
                    got=kind,
                    allowed=["number"],
                    hint="name a column of numbers, or make one with features.transform",
                )
            )
    return errors


def _unknown(where: str, name: str, features: Sequence[str]) -> AssayError:
    return SpecError(
        "SPEC-FEATURE-UNKNOWN",
        "no model sees a column of this name",
        where=where,
        got=name,
        allowed=features,
        hint="name a column that is no target, id, dropped column or column of the split",
    )
