"""Which version answers a request: a table that is replaced whole when anything changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from assay.errors import UsageError
from assay.records.deployment import Deployment
from assay.serve.assign import share_of
from assay.serve.http.message import Request
from assay.serve.lane import Lane

HEADER = "header:"
"""Before the name of a header whose values each stay with one version."""

Lanes = Mapping[tuple[str, int], Lane]
"""Every loaded version, by model and version."""


@dataclass(frozen=True)
class Live:
    """One model: the arms that share its requests, those that shadow them, and all that is loaded.

    `edges` are the cumulated shares; an arm takes the units below its edge.
    """

    deployment: Deployment
    arms: tuple[Lane, ...]
    edges: tuple[float, ...]
    shadows: tuple[Lane, ...]
    versions: Mapping[int, Lane]
    fallback: Lane | None
    new: Lane | None = None
    """The version that a release brings, while one is on."""

    def arm_of(self, unit: str) -> Lane:
        """Return the arm that a unit is assigned to."""
        if len(self.arms) == 1:
            return self.arms[0]
        place = share_of(unit, self.deployment.salt)
        return next(
            (arm for arm, edge in zip(self.arms, self.edges, strict=True) if place < edge),
            self.arms[-1],
        )


class Models:
    """The models of a worker; `current` is replaced whole, so that no request sees a mixture."""

    def __init__(self) -> None:
        self.current: dict[str, Live] = {}
        self.first: Live | None = None
        """The model that a path without a name means."""

    def install(self, deployments: Sequence[Deployment], lanes: Lanes) -> None:
        """Answer with these from now on; the first deployment is the default model.

        `lanes` has every version that an arm or a fallback names, warm.
        """
        current = {d.model: _live(d, lanes) for d in deployments}
        self.current = current
        self.first = next(iter(current.values()), None)

    def live(self, name: str = "") -> Live:
        """Return a model, the first without a name; raises UsageError where none is served."""
        found = self.current.get(name) if name else self.first
        if found is None:
            raise _unknown(name, self.current)
        return found

    def pick(self, name: str = "", version: int | None = None, unit: str = "") -> Lane:
        """Return the version that answers: the one asked for, or the arm of the unit.

        Raises UsageError where the model, or that version of it, is not served.
        """
        live = self.live(name)
        if version is None:
            return live.arm_of(unit)
        lane = live.versions.get(version)
        if lane is None:
            raise UsageError(
                "MODEL-NO-VERSION",
                f"version {version} of {live.deployment.model} is not served here",
                got=f"{live.deployment.model}@{version}",
                allowed=[lane.reference for lane in live.versions.values()],
            )
        return lane

    def lanes(self) -> list[Lane]:
        """Return every version that is served."""
        return [lane for live in self.current.values() for lane in live.versions.values()]


def unit_of(request: Request, sticky: str, given: object) -> str:
    """Return what stays with one version: a header's value, or a cell of the first row.

    Where there is none, it is the request itself. `given` is what the body says.
    """
    if sticky.startswith(HEADER):
        header = request.headers.get(sticky[len(HEADER) :].lower().encode())
        return request.id if header is None else header.decode("latin-1")
    if sticky and isinstance(given, list) and given:
        return str(given[0].get(sticky, request.id))
    return request.id


def check_fallback(deployment: Deployment, lanes: Lanes) -> None:
    """Raise UsageError where the fallback answers another question than the model."""
    other = _fallback(deployment.fallback, lanes)
    if other is None:
        return
    theirs = other.servable.signature
    for arm in deployment.arms:
        ours = lanes[deployment.model, arm.version].servable.signature
        if (ours.task, ours.classes) != (theirs.task, theirs.classes):
            raise UsageError(
                "SERVE-FALLBACK-OTHER",
                "the fallback gives other answers than the model that it stands in for",
                where="serve.fallback",
                got=f"{theirs.task} {list(theirs.classes[:10])}",
                allowed=[f"{ours.task} {list(ours.classes[:10])}"],
                hint="name a version that was trained for the same question",
            )


def _live(deployment: Deployment, lanes: Lanes) -> Live:
    arms = [arm for arm in deployment.arms if not arm.shadow]
    edges, total = [], 0.0
    for arm in arms:
        total += arm.share
        edges.append(total)
    own = {arm.version: lanes[deployment.model, arm.version] for arm in deployment.arms}
    for lane in own.values():
        lane.counts_as(own[arms[0].version])
    return Live(
        deployment=deployment,
        arms=tuple(own[arm.version] for arm in arms),
        edges=tuple(edges),
        shadows=tuple(own[arm.version] for arm in deployment.arms if arm.shadow),
        versions=own,
        fallback=_fallback(deployment.fallback, lanes),
        new=own[deployment.arms[-1].version] if deployment.release else None,
    )


def _fallback(reference: str, lanes: Lanes) -> Lane | None:
    """Return the version that NAME@VERSION names, or the latest loaded one of NAME."""
    name, _, version = reference.partition("@")
    known = [lane for (model, _), lane in sorted(lanes.items()) if model == name]
    if version:
        return lanes.get((name, int(version)))
    return known[-1] if known else None


def _unknown(name: str, current: Mapping[str, Live]) -> UsageError:
    close = get_close_matches(name, current, n=1)
    return UsageError(
        "MODEL-UNKNOWN",
        f"no model called {name} is served here" if name else "no model is served here",
        got=name or None,
        allowed=list(current),
        hint=f"did you mean {close[0]}?" if close else "",
    )
