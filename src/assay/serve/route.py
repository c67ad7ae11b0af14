"""Endpoints: what is answered at which path, and who may ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from assay.serve.http.message import Reply, Request


class Target(NamedTuple):
    """The model that a path names: "" is the first one, None the version that is live."""

    model: str = ""
    version: int | None = None


Handler = Callable[[Request, Reply, Target], None]
"""Answers a request about a model by calling its reply; an AssayError becomes a response."""


@dataclass(frozen=True)
class Endpoint:
    """One path: segments in braces, `{model}` (also NAME@VERSION) and `{version}`, go to Target.

    `scope` is what a caller's token must allow: predict, feedback, admin, or "" for health and
    metrics, which `state.access` decides on, too.
    """

    method: str
    path: str
    scope: str
    handler: Handler
