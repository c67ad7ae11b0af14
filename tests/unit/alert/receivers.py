"""Real receivers of alerts, on threads of their own, and what they are sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from assay.alert.notice import Notice


def notice(**changes: Any) -> Notice:
    told = {"cause": "fee", "text": "fee moved by 0.4", "severity": "warning", "column": "fee"}
    facts: dict[str, Any] = {
        "id": "0123456789abcdef",
        "thread": "0123456789abcdef",
        "state": "firing",
        "again": False,
        "kind": "drift",
        "model": "churn",
        "alerts": (told,),
        "at": "2026-11-22T10:00:00.000000+00:00",
        "evidence": {"event": 7, "version": 2, "command": "assay alerts list churn"},
    }
    return Notice(**{**facts, **changes})


class Inbox(ThreadingHTTPServer):
    """A receiver of webhooks; `status` is what it answers, `silence` how long it takes to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status, self.location = 200, ""
        self.open = threading.Event()
        self.open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks/s3cret?token=hush"

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(told["kind"], told["state"]) for told in self.told]


class _Post(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.open.wait(20)
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status, "as asked")
        if self.server.location:
            self.send_header("location", self.server.location)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.got.append((dict(self.headers), b"{}"))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def inbox() -> Iterator[Inbox]:
    server = Inbox()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.open.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Mailbox:
    """A handler of aiosmtpd that keeps what is handed in; `refuse` is what it answers instead."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.envelopes: list[Any] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.refuse = ""
        self.port = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=assay@example.org"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse
        self.envelopes.append(envelope)
        self.got.append(message_from_bytes(envelope.content, EmailMessage, policy=SMTP))
        return "250 taken"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        self.logins.append((data.login, data.password))
        good = data.password == b"hu:sh@"
        return AuthResult(success=good, handled=good)


class _Anywhere(Controller):
    """A server on the port that the system gives it."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mailbox(**options: Any) -> Iterator[Mailbox]:
    """Run a mail server; the options are those of aiosmtpd's server."""
    box = Mailbox()
    if options.pop("logins", False):
        options |= {"authenticator": box.login, "auth_require_tls": False}
    controller = _Anywhere(box, hostname="127.0.0.1", port=0, **options)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
