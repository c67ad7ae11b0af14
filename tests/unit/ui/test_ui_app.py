"""The routes without a browser: every page, hostile names, access, and what waits for news."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from ui_planted import HOSTILE, plant_run

from assay.errors import UsageError
from assay.lifecycle.serving import tokens
from assay.serve.access import FILE, Tokens
from assay.serve.http.message import Request, Response
from assay.stores.workspace import open_workspace
from assay.ui import server
from assay.ui.site import Site
from assay.ui.web import news
from assay.ui.web.app import App
from assay.ui.web.door import Door
from assay.ui.web.look import assets
from assay.ui.web.news import News
from assay.ui.web.page import link, query_of

Get = Callable[..., Response]
HOST = {b"host": b"127.0.0.1:8090"}


def ask(app: App, method: str, path: str, headers: dict[bytes, bytes], body: bytes) -> Response:
    """Ask the app as the server would, on an event loop."""

    async def asked() -> Response:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Response] = loop.create_future()
        place, _, query = path.partition("?")
        app(Request(method, place, query, headers, body, 0.0), answer.set_result)
        return await asyncio.wait_for(answer, 30)

    return asyncio.run(asked())


def getter(site: Site, door: Door) -> Iterator[Get]:
    with ThreadPoolExecutor(1) as clerk, ThreadPoolExecutor(1) as aside:
        app = App(site, door, News(site.index.next), clerk, aside)

        def get(path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Response:
            sent = {k.replace("_", "-").encode(): v.encode() for k, v in headers.items()}
            return ask(app, method, path, {**HOST, **sent}, body)

        yield get


@pytest.fixture
def get(site: Site) -> Iterator[Get]:
    """Ask the page of the store, which is open to this machine."""
    yield from getter(site, Door(Tokens(site.workspace.root / FILE, loopback=False), anyone=True))


class Reader(HTMLParser):
    """Collects what matters of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


PAGES = [
    "/", "/runs", "/runs?sort=-run&page=1", "/runs/churn-0001", link("projects", "churn"),
    link("projects", HOSTILE), "/models/churn", link("models", HOSTILE),
    link("models", "churn", "columns", "fee"), link("models", "churn", "columns", HOSTILE),
    "/models/churn/columns/fee?window=3", "/models/churn/windows/0", "/models/churn/windows/27",
    "/models/churn?until=9", "/compare", "/compare?a=churn-0001&b=churn-0002", "/incidents",
    "/incidents?status=open", "/incidents/churn-1a2b", link("incidents", HOSTILE), "/alerts",
    "/audit", "/audit?kind=watch.judged&page=2", "/audit?event=5",
    "/audit?" + urlencode({"subject": HOSTILE}), "/runs?" + urlencode({"text": HOSTILE}),
]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_foreign_text_is_only_text(get: Get, path: str) -> None:
    response = get(path)
    html = response.body.decode()
    assert response.status == 200, html[-2000:]
    page = Reader(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not page.of("img", "iframe", "object", "style", "base")
    assert [attrs.get("src") for attrs in page.of("script")] == ["/static/ui.js"]
    assert not [attrs for _, attrs in page.tags if any(n.startswith("on") for n in attrs)]
    assert not [attrs for _, attrs in page.tags if "style" in attrs]  # the policy would stop it
    assert len(page.of("h1")) == len(page.of("main")) == 1
    assert all("scope" in attrs for attrs in page.of("th"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for attrs in page.of("section"):
        assert attrs.get("aria-labelledby", ids[0]) in ids
    assert all("aria-label" in attrs for attrs in page.of("nav"))


def test_every_link_of_a_page_leads_somewhere(get: Get) -> None:
    seen: dict[str, int] = {}
    waiting = ["/"]
    while waiting and len(seen) < 150:
        path = waiting.pop(0)
        if path in seen:
            continue
        response = get(path)
        seen[path] = response.status
        if response.status != 200 or path.startswith("/static/"):
            continue
        for attrs in Reader(response.body.decode()).of("a", "link"):
            href = unescape(attrs.get("href") or "")
            if href.startswith("?"):
                href = path.partition("?")[0] + href
            if href.startswith("/"):
                waiting.append(href.partition("#")[0])
            else:
                assert href.startswith("#"), href
    # a planted run left no records, so it has no report
    assert {p: s for p, s in seen.items() if s != 200} == {}
    assert len(seen) > 100


def test_a_document_has_its_own_policy(get: Get) -> None:
    response = get("/incidents/churn-1a2b/postmortem")
    assert response.status == 200
    policy = dict(response.headers)[b"content-security-policy"]
    assert b"script-src" not in policy
    assert b"sandbox" in policy
    assert get("/incidents/zzz/postmortem").status == 404


def test_what_is_not_there_is_said_to_be_so(get: Get) -> None:
    for path in (
        "/nope", "/runs/zzz", "/projects/zzz", "/models/zzz", "/models/churn/columns/zzz",
        "/models/churn/windows/99", "/models/churn/windows/-1", "/models/churn/windows/x",
        "/incidents/zzz", "/compare?a=zzz&b=churn-0001", "/runs//report",
        "/runs/..%2f..%2fetc%2fpasswd", "/static/../ui.css", "/static/%2e%2e/app.py",
        "/models/%00", "/models/" + "x" * 4000,
    ):  # fmt: skip
        response = get(path)
        assert response.status == 404, path
        assert b"Traceback" not in response.body
    assert b"UI-NOT-FOUND" in get("/runs/zzz").body
    assert get("/runs/churn-0001/report").status == 409


def test_odd_queries_do_no_harm(get: Get) -> None:
    for query in (
        "page=-1", "page=99999999999", "page=x", "sort=__class__", "sort=--run",
        "text=" + "%f0%9f%98%80" * 500, "&".join(f"a{i}=1" for i in range(500)), "=", "%", "page",
        "verdict=%00", "project=%ff%fe",
    ):  # fmt: skip
        for path in ("/runs", "/audit", "/incidents", "/models/churn", "/alerts"):
            assert get(f"{path}?{query}").status == 200, (path, query)
    assert query_of("a=1&a=2&b=" + "x" * 900) == {"a": "1", "b": "x" * 200}


def test_pages_may_load_only_what_is_ours(get: Get) -> None:
    headers = dict(get("/").headers)
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers[b"x-content-type-options"] == b"nosniff"
    for path, (body, _) in assets().items():
        assert get(path).body == body
        assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", body), path


def test_the_page_only_reads(get: Get) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert get("/runs", method).status == 405
    assert get("/", host="evil.example").status == 403
    assert get("/", host="localhost:8090").status == 200


def test_a_page_for_others_asks_for_a_token(site: Site, tmp_path: Path) -> None:
    store = open_workspace(tmp_path / ".assay").root
    secret = tokens.make("reader", ["read"], store=store)
    other = tokens.make("client", ["predict"], store=store)
    door = Door(Tokens(store / FILE, loopback=False), tls=True)
    for get in getter(site, door):
        assert dict(get("/runs").headers)[b"location"] == b"/login?to=%2Fruns"
        assert get("/runs", host="evil.example").status == 303  # a token is asked for anyway
        assert get("/events").status == 401
        assert get("/login").status == 200
        form = urlencode({"token": secret, "to": "/runs"}).encode()
        own = {"origin": "http://127.0.0.1:8090"}
        assert get("/login", "POST", form).status == 403
        assert get("/login", "POST", form, origin="http://evil.example").status == 403
        wrong = urlencode({"token": other, "to": "/runs"}).encode()
        assert get("/login", "POST", wrong, **own).status == 401
        entered = get("/login", "POST", form, **own)
        headers = dict(entered.headers)
        assert (entered.status, headers[b"location"]) == (303, b"/runs")
        cookie = headers[b"set-cookie"].decode()
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/"))
        assert secret not in cookie
        session = cookie.partition(";")[0]
        assert get("/runs", cookie=session).status == 200
        assert get("/runs", authorization=f"Bearer {secret}").status == 200
        assert get("/runs", authorization=f"Bearer {other}").status == 401
        assert get("/runs", cookie=session + "x").status == 303
        elsewhere = urlencode({"token": secret, "to": "https://evil.example/"}).encode()
        assert dict(get("/login", "POST", elsewhere, **own).headers)[b"location"] == b"/"
        odd = urlencode({"token": secret, "to": "/runs/a\r\nset-cookie: b=c"}).encode()
        found = dict(get("/login", "POST", odd, **own).headers)[b"location"]
        assert found == b"/runs/a%0D%0Aset-cookie%3A%20b=c"
        tokens.revoke("client", store=store)
        assert get("/runs", cookie=session).status == 200
        get("/logout", "POST", cookie=session, **own)
        assert get("/runs", cookie=session).status == 303
        again = dict(get("/login", "POST", form, **own).headers)[b"set-cookie"].decode()
        tokens.revoke("reader", store=store)
        assert get("/runs", cookie=again.partition(";")[0]).status == 303


def test_others_are_let_near_only_where_there_is_a_token(tmp_path: Path) -> None:
    store = open_workspace(tmp_path / ".assay").root
    options = server.Options(host="0.0.0.0", port=0)
    with pytest.raises(UsageError) as raised:
        server.serve_ui(options, store=store)
    assert raised.value.code == "UI-NO-TOKENS"
    tokens.make("client", ["predict"], store=store)
    with pytest.raises(UsageError):  # it is not for reading
        server.serve_ui(options, store=store)


def test_whoever_waits_is_told_of_news(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> list[int]:
        board, told = News(5), list[int]()
        board.ask(4, told.append)  # has not seen the last event yet
        board.ask(5, told.append)
        assert told == [5]
        board.set(5)
        assert told == [5]
        board.set(7)
        assert told == [5, 7]
        monkeypatch.setattr(news, "WAIT", 0.01)
        board.ask(7, told.append)
        await asyncio.sleep(0.1)
        monkeypatch.setattr(news, "WAIT", 60.0)
        for _ in range(news.MOST + 1):
            board.ask(7, told.append)
        assert told == [5, 7, 7, 7]
        board.close()
        return told

    assert len(asyncio.run(story())) == 4 + news.MOST


def test_a_page_shows_what_came_to_the_ledger(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / ".assay")
    site = Site(workspace)
    site.index.follow()
    for get in getter(site, Door(Tokens(workspace.root / FILE, loopback=False), anyone=True)):
        assert b"No run yet" in get("/").body
        plant_run(workspace, "late-1", "late")
        site.index.follow()
        assert b"late-1" in get("/").body
        assert f'data-next="{site.index.next}"' in get("/").body.decode()
