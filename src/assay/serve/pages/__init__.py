"""GET / and GET /docs: a form and a reference, drawn in the browser from /openapi.json.

The files hold nothing of any model, so they are given to everyone; what they draw is asked for with
the caller's token. They load nothing from elsewhere and run no script but their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from assay.serve.http.message import Reply, Request, Response
from assay.serve.route import Endpoint, Handler, Target
from assay.serve.state import State

_HTML, _CSS, _JS = b"text/html; charset=utf-8", b"text/css; charset=utf-8", b"text/javascript"

FILES: dict[str, tuple[str, bytes]] = {
    "/": ("form.html", _HTML),
    "/docs": ("docs.html", _HTML),
    "/pages/style.css": ("style.css", _CSS),
    "/pages/common.js": ("common.js", _JS),
    "/pages/form.js": ("form.js", _JS),
    "/pages/docs.js": ("docs.js", _JS),
}
"""The file at each path, and what it is."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)


def endpoints(_state: State) -> Iterable[Endpoint]:
    """Return the paths of the pages and of what they load; each file is read once."""
    for path, (name, kind) in FILES.items():
        content = files(__name__).joinpath(name).read_bytes()
        yield Endpoint("GET", path, "", _giver(content, kind))


def _giver(content: bytes, kind: bytes) -> Handler:
    def give(_request: Request, reply: Reply, _target: Target) -> None:
        reply(Response(200, content, kind, HEADERS))

    return give
