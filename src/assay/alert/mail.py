"""A notice as a mail: text and HTML, one thread for each alert."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

from assay.alert.faults import hidden, refused, unreachable, unset
from assay.alert.notice import Notice
from assay.errors import UsageError

SMTP = "ASSAY_SMTP"
TIMEOUT = 10.0
"""Seconds that a server may be silent."""

_PORTS = {"smtp": 587, "smtps": 465}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Server:
    """Where mail is handed in: `smtp` turns to TLS where it is offered, `smtps` begins with it."""

    scheme: str
    host: str
    port: int
    user: str
    password: str
    sender: str


def server_of(url: str) -> Server:
    """Read `smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS`, or the same with `smtps`.

    Raises UsageError, which shows nothing of it, for anything else.
    """
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in _PORTS or not host:
        raise UsageError(
            "ALERT-SMTP",
            f"${SMTP} is not the address of a mail server",
            where=f"${SMTP}",
            allowed=["smtp://USER:PASSWORD@HOST:587?from=ADDRESS", "smtps://HOST"],
            hint="write special characters of a password as %XX",
        )
    user = unquote(parts.username or "")
    named = parse_qs(parts.query).get("from", [""])[0]
    sender = named or (user if "@" in user else f"assay@{socket.getfqdn()}")
    port, password = port or _PORTS[parts.scheme], unquote(parts.password or "")
    return Server(parts.scheme, host, port, user, password, sender)


def message(notice: Notice, sender: str, to: str) -> EmailMessage:
    """Return the mail; its Message-ID is made of the notice's id, so a copy is known as one."""
    mail = EmailMessage()
    mail["Subject"] = notice.title
    mail["From"] = Address("Assay", addr_spec=sender)
    mail["To"] = Address(addr_spec=to)
    mail["Date"] = format_datetime(datetime.fromisoformat(notice.at))
    domain = sender.rpartition("@")[2]
    mail["Message-ID"] = f"<{notice.id}@{domain}>"
    if notice.thread != notice.id:
        mail["In-Reply-To"] = mail["References"] = f"<{notice.thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail.set_content("\n".join(notice.lines) + "\n")
    mail.add_alternative(notice.to_html(), subtype="html")
    return mail


def post_mail(to: str, notice: Notice, environ: Mapping[str, str]) -> None:
    """Hand a notice to the mail server of `$ASSAY_SMTP`; raises as `deliver`.

    A password is sent over TLS alone, but for a server on this machine.
    """
    url = environ.get(SMTP, "")
    if not url:
        raise unset(SMTP, "the mail server, such as smtp://USER:PASSWORD@HOST:587")
    server = server_of(url)
    secrets = (url, server.password)
    mail = message(notice, server.sender, to)
    try:
        with _connected(server) as client:
            client.send_message(mail, server.sender, [to])
    except smtplib.SMTPServerDisconnected as error:
        raise unreachable(server.host, hidden(str(error), secrets)) from None
    except smtplib.SMTPException as error:
        raise refused(server.host, hidden(str(error), secrets)) from None
    except OSError as error:
        raise unreachable(server.host, hidden(str(error), secrets)) from None


def _connected(server: Server) -> smtplib.SMTP:
    """Return a client that is known to the server, over TLS where there is any."""
    trust = ssl.create_default_context()
    if server.scheme == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=TIMEOUT, context=trust
        )
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    try:
        if server.scheme == "smtp":
            client.ehlo()
            if client.has_extn("starttls"):
                client.starttls(context=trust)
                client.ehlo()
            elif server.user and server.host not in _LOOPBACK:
                raise smtplib.SMTPNotSupportedError("it offers no TLS, and a password needs it")
        if server.user:
            client.login(server.user, server.password)
    except BaseException:
        client.close()
        raise
    return client
