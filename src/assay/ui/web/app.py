"""From a request to its page: headers, who may look, the thread that knows the index."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from assay.errors import AssayError, UsageError
from assay.serve.http.message import Reply, Request, Response
from assay.serve.problems import told
from assay.ui.pages import routes
from assay.ui.site import Site
from assay.ui.web.door import Door
from assay.ui.web.look import assets, environment
from assay.ui.web.news import News
from assay.ui.web.page import Asked, Document, Page, query_of

HTML = b"text/html; charset=utf-8"
_SHUT = b"; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
_POLICY = b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", _POLICY + b"img-src 'self'" + _SHUT),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
REPORT_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox "
        b"allow-top-navigation-by-user-activation; base-uri 'none'; frame-ancestors 'none'",
    ),
    *HEADERS[1:],
)
"""A report has its style inside and no script; it may do nothing else."""


class App:
    """Answers every request; itself a `Route`."""

    def __init__(
        self, site: Site, door: Door, news: News, clerk: Executor, aside: Executor
    ) -> None:
        """`clerk` is the one thread that may touch the index, `aside` another for long work."""
        self._site, self._door, self._news = site, door, news
        self._clerk, self._aside = clerk, aside

    def __call__(self, request: Request, reply: Reply) -> None:
        """Answer now, or when the thread of the index has made the page."""
        if self._door.astray(request):
            return reply(self._refused("The page answers to its own name only.", 403))
        if request.path in assets():
            body, kind = assets()[request.path]
            return reply(Response(200, body, kind, HEADERS[1:]))
        if request.path in ("/login", "/logout"):
            return reply(self._session(request))
        if request.method != "GET":
            return reply(self._refused("This page is for reading.", 405))
        if not self._door.allows(request):
            return reply(self._unknown(request))
        if request.path == "/events":
            return self._wait(request, reply)
        return self._make(request, reply)

    def _make(self, request: Request, reply: Reply) -> None:
        found = routes.find(request.path)
        if found is None:
            return reply(self._refused("There is nothing at this address.", 404))
        make, parts = found
        asked = Asked(request.path, parts, query_of(request.query))
        loop = asyncio.get_running_loop()

        def give(response: Response) -> None:
            loop.call_soon_threadsafe(reply, response)

        self._clerk.submit(self._work, partial(make, self._site, asked), give)
        return None

    def _work(self, make: Callable[[], Page | Document], give: Reply) -> None:
        """Give the response for a page; what takes long goes on aside, without the index."""

        def made() -> None:
            page = make()
            if isinstance(page, Document):
                self._aside.submit(self._guarded, partial(self._write, page, give), give)
            else:
                give(self._rendered(page))

        self._guarded(made, give)

    def _write(self, document: Document, give: Reply) -> None:
        give(Response(200, document.make().encode(), HTML, REPORT_HEADERS))

    def _guarded(self, work: Callable[[], None], give: Reply) -> None:
        """Do the work; where it goes wrong, that is the response."""
        try:
            work()
        except UsageError as error:
            status = 404 if error.code in ("UI-NOT-FOUND", "MODEL-UNKNOWN") else 409
            give(self._refused(error.message, status, error))
        except AssayError as error:
            give(self._refused(error.message, 500, error))
        except Exception as error:  # noqa: BLE001  a reader must get an answer whatever happens
            give(told(error, secrets.token_hex(8)))

    def _rendered(self, page: Page) -> Response:
        template = environment().get_template(page.template)
        text = template.render(
            page.values,
            title=page.title,
            crumbs=page.crumbs,
            path=page.values.get("path", ""),
            site=self._site,
            secured=not self._door.open,
        )
        return Response(page.status, text.encode(), HTML, HEADERS)

    def _refused(self, message: str, status: int, error: AssayError | None = None) -> Response:
        values = {"message": message, "error": error, "status": status}
        return self._rendered(Page("error.html.j2", HTTPStatus(status).phrase, values, (), status))

    def _wait(self, request: Request, reply: Reply) -> None:
        asked = Asked(request.path, {}, query_of(request.query))

        def tell(next_: int) -> None:
            reply(Response(200, json.dumps({"next": next_}).encode(), headers=HEADERS))

        self._news.ask(asked.number("after"), tell)

    def _unknown(self, request: Request) -> Response:
        if request.path == "/events" or b"authorization" in request.headers:
            return self._refused("This asks for a token for reading.", 401)
        return _go(f"/login?to={quote(request.path, safe='')}")

    def _session(self, request: Request) -> Response:
        """Show the form for a token, take it, or forget who looks."""
        if request.method == "GET":
            to = query_of(request.query).get("to", "/")
            return self._rendered(Page("login.html.j2", "Token", {"to": to, "wrong": False}))
        if self._door.foreign(request):
            return self._refused("Forms of other sites are not taken.", 403)
        if request.path == "/logout":
            return _go("/login", (b"set-cookie", self._door.leave(request)))
        sent = query_of(request.body[:4096].decode("ascii", errors="replace"))
        to = sent.get("to", "/")
        cookie = self._door.enter(sent.get("token", ""))
        if cookie is None:
            page = Page("login.html.j2", "Token", {"to": to, "wrong": True}, status=401)
            return self._rendered(page)
        return _go(to if routes.find(to) else "/", (b"set-cookie", cookie))


_SAFE = "/%?=&"
"""Stays as it is in an address that is gone to; a line break does not."""


def _go(to: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(
        303, b"", HTML, (*HEADERS, (b"location", quote(to, safe=_SAFE).encode()), *headers)
    )
