"""`assay ui`: one process that follows a store and answers on one port."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import sys
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from assay.errors import AssayError, UsageError
from assay.lifecycle.alerting.evidence import PAGE
from assay.serve.access import FILE, Tokens
from assay.serve.http.limits import Limits
from assay.serve.http.listen import listen
from assay.serve.http.tls import context as tls_context
from assay.serve.processes.sockets import bind, is_loopback, url_of
from assay.serve.say import say
from assay.stores.workspace import Workspace, find_workspace
from assay.ui.site import Site
from assay.ui.web.app import App
from assay.ui.web.door import SCOPES, Door
from assay.ui.web.look import assets, environment
from assay.ui.web.news import News

PERIOD = 1.0
"""Seconds between two looks at the ledger."""

LIMITS = Limits(body=16_384, connections=256)
PATIENCE = 2.0


@dataclass(frozen=True)
class Options:
    """Where the page is served; `tls` are the files of certificate and key."""

    host: str = "127.0.0.1"
    port: int = 8090
    tls: tuple[Path, Path] | None = None
    open: bool = False


def serve_ui(options: Options, *, store: str | Path | None = None) -> None:
    """Serve the page of a store until a signal says to end; `ready URL` goes to standard error.

    Raises:
        UsageError: no such store, the port is taken, or others can reach it and there is no token.
        Tampered: the ledger is damaged.
    """
    workspace = find_workspace(store)
    door = _door(workspace, options)
    secure = None if options.tls is None else tls_context(*options.tls)
    (listening,) = bind(options.host, options.port, 1)
    site = Site(workspace)
    site.start()
    environment(), assets()
    url = url_of(options.host, listening, tls=secure is not None)
    server = Server(site, door, options, url)
    sign = workspace.root / PAGE
    try:
        with suppress(OSError):  # alerts link to it; a store may be read-only
            sign.write_text(url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.run(listening, secure))
    finally:
        with suppress(OSError):
            sign.unlink()
        site.stop()


class Server:
    """One event loop for requests, a thread that alone touches the index, one for long work."""

    def __init__(self, site: Site, door: Door, options: Options, url: str) -> None:
        self._site, self._door, self._options, self._url = site, door, options, url
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="aside")
        self._news = News(site.index.next)
        self._end = asyncio.Event()

    async def run(self, listening: socket.socket, secure: ssl.SSLContext | None) -> None:
        """Answer until told to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end.set)
        app = App(self._site, self._door, self._news, self._clerk, self._aside)
        listener = await listen(app, listening, LIMITS, ssl=secure)
        print(f"ready {self._url}", file=sys.stderr, flush=True)  # noqa: T201
        if self._options.open:
            webbrowser.open(self._url)
        await self._follow()
        self._news.close()
        await listener.drain(PATIENCE)
        self._clerk.shutdown()
        self._aside.shutdown(cancel_futures=True)

    async def _follow(self) -> None:
        """Read what is new in the ledger every second, and tell those who wait."""
        loop, fault = asyncio.get_running_loop(), ""
        while not self._end.is_set():
            try:
                await loop.run_in_executor(self._clerk, self._site.index.follow)
                self._news.set(self._site.index.next)
                fault = ""
            except AssayError as error:  # busy or away for a moment, or damaged: the page stays
                if str(error) != fault:
                    fault = str(error)
                    say(fault)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), PERIOD)


def _door(workspace: Workspace, options: Options) -> Door:
    """Return who may look: anyone on this machine; others need a token, so there has to be one."""
    local, tokens = is_loopback(options.host), Tokens(workspace.root / FILE, loopback=False)
    if not local and not any(SCOPES.intersection(t.scopes) for t in tokens.access().tokens):
        raise UsageError(
            "UI-NO-TOKENS",
            "a page that other machines can reach asks for a token, and there is none for reading",
            where=str(tokens.path),
            got=f"--host {options.host}",
            hint="make one with `assay token NAME --scope read`",
        )
    return Door(tokens, anyone=local, tls=options.tls is not None)
