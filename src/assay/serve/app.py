"""The routing table: from a request to the handler of its path, and from errors to responses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import unquote

from assay.errors import AssayError
from assay.serve import pages
from assay.serve.answering import answer
from assay.serve.http.message import Reply, Request, Response
from assay.serve.identity import HEADER, Identities
from assay.serve.problems import Rejected, told
from assay.serve.route import Endpoint, Target
from assay.serve.routes import explain, exposition, feedback, openapi, repository, v2
from assay.serve.state import State

Methods = dict[str, Endpoint]

PARTS: tuple[Callable[[State], Iterable[Endpoint]], ...] = (
    explain.endpoints,
    feedback.endpoints,
    repository.endpoints,
    exposition.endpoints,
    openapi.endpoints,
    pages.endpoints,
)
"""What makes the endpoints beside those that answer rows, a function for each part."""


def endpoints(state: State) -> Iterable[Endpoint]:
    """Return every endpoint of a worker."""
    predict = answer.Predict(state)
    yield from answer.endpoints(predict)
    yield from v2.endpoints(state, predict)
    for part in PARTS:
        yield from part(state)


class App:
    """Answers every request; itself a `Route`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._identities = Identities(state.worker)
        self._exact: dict[str, Methods] = {}
        self._shaped: dict[int, list[tuple[list[str], Methods]]] = {}
        for endpoint in endpoints(state):
            self._add(endpoint)

    def __call__(self, request: Request, reply: Reply) -> None:
        """Route a request; a fault of ours is told to standard error, never to the client."""
        request.id = identity = self._identities.of(request.headers)
        header = (HEADER, identity.encode())

        def named(response: Response) -> None:
            if response.status >= 400:
                if response.status < 500:
                    self.state.tally.add("invalid", 1)
                if request.path.startswith(v2.PREFIX):
                    response = v2.spoken(response)
            response.headers = (*response.headers, header)
            reply(response)

        try:
            methods, target = self._find(request.path)
            endpoint = methods.get(request.method) or _not_allowed(request, methods)
            if not self.state.access.allows(request, endpoint.scope):
                raise _not_granted(request, endpoint.scope)
            if b"origin" in request.headers and request.method != "GET":
                _check_origin(request, anyone=self.state.access.open)
            endpoint.handler(request, named, target)
        except AssayError as error:
            named(told(error, identity))
        except Exception as error:  # noqa: BLE001  a client must get an answer whatever happens
            named(told(error, identity))

    def _add(self, endpoint: Endpoint) -> None:
        if "{" not in endpoint.path:
            self._exact.setdefault(endpoint.path, {})[endpoint.method] = endpoint
            return
        shape = endpoint.path.split("/")
        shaped = self._shaped.setdefault(len(shape), [])
        for known, methods in shaped:
            if known == shape:
                methods[endpoint.method] = endpoint
                return
        shaped.append((shape, {endpoint.method: endpoint}))

    def _find(self, path: str) -> tuple[Methods, Target]:
        methods = self._exact.get(path)
        if methods is not None:
            return methods, _FIRST
        parts = path.split("/")
        for shape, found in self._shaped.get(len(parts), ()):
            target = _match(shape, parts)
            if target is not None:
                return found, target
        raise Rejected(
            "SERVE-NOT-FOUND",
            "there is nothing at this path",
            got=path[:200],
            allowed=sorted(self._exact),
            hint="GET /openapi.json lists every path",
        ).at(404)


_FIRST = Target()
_LOCAL = re.compile(rb"(?i:localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")


def _match(shape: Sequence[str], parts: Sequence[str]) -> Target | None:
    """Return the model that a path of this shape names; None where it has another shape."""
    model, version = "", ""
    for wanted, part in zip(shape, parts, strict=True):
        if wanted == "{model}":
            model, _, version = unquote(part).partition("@")
        elif wanted == "{version}":
            version = part
        elif wanted != part:
            return None
    if version and not (version.isascii() and version.isdecimal() and len(version) < 10):
        return None
    return Target(model, int(version) if version else None)


def _not_allowed(request: Request, methods: Methods) -> Endpoint:
    allowed = ", ".join(sorted(methods))
    raise Rejected(
        "SERVE-METHOD",
        f"this path does not take {request.method[:20]}",
        where=request.path[:200],
        got=request.method[:20],
        allowed=sorted(methods),
    ).at(405, (b"allow", allowed.encode()))


def _check_origin(request: Request, *, anyone: bool) -> None:
    """Refuse what a page of another site has a browser send: that browser may reach loopback.

    Where nobody is asked for a token, a site could also give its own name the address of loopback.
    """
    origin, host = request.headers[b"origin"], request.headers.get(b"host", b"")
    if origin.partition(b"://")[2] != host or (anyone and not _LOCAL.fullmatch(host)):
        raise Rejected(
            "SERVE-ORIGIN",
            "pages of other sites may not send requests to this server",
            where="origin",
            got=origin[:100].decode("latin-1"),
            hint="send the request from a program, or through a proxy that serves the page too",
        ).at(403)


def _not_granted(request: Request, scope: str) -> Rejected:
    if b"authorization" in request.headers:
        return Rejected(
            "SERVE-FORBIDDEN",
            "this token is not for that",
            allowed=[scope],
            hint=f"`assay token NAME --scope {scope}` makes one that is",
        ).at(403)
    return Rejected(
        "SERVE-UNAUTHORIZED",
        "this server asks for a token",
        where="authorization",
        allowed=["Bearer TOKEN"],
        hint=f"`assay token NAME --scope {scope}` makes one",
    ).at(401, (b"www-authenticate", b"Bearer"))
