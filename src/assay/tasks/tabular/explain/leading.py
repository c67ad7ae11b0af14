"""The members of an ensemble, each by the first of its models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.kernel.family import Model


@dataclass(frozen=True)
class Leading:
    """A member: the first of its `bags` models, and the weight of all of them together."""

    model: Model
    weight: float
    bags: int

    @property
    def name(self) -> str:
        """Return the candidate's name."""
        return self.model.candidate.name


def leading(models: Sequence[tuple[Model, float]]) -> list[Leading]:
    """Return the members by falling weight; models of one candidate are bags of one member."""
    bags: dict[str, list[tuple[Model, float]]] = {}
    for model, weight in models:
        bags.setdefault(model.candidate.name, []).append((model, weight))
    members = [
        Leading(pairs[0][0], sum(weight for _, weight in pairs), len(pairs))
        for pairs in bags.values()
    ]
    return sorted(members, key=lambda member: -member.weight)
