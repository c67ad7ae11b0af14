"""A notice as a POST of JSON, signed where there is a secret."""

from __future__ import annotations

import hmac
import http.client
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from assay.alert.faults import hidden, refused, unreachable
from assay.alert.notice import Notice
from assay.errors import UsageError

SECRET = "ASSAY_ALERT_SECRET"  # noqa: S105 (the name of a variable)
TIMEOUT = 10.0
"""Seconds that a receiver may be silent."""


class _NoRedirect(HTTPRedirectHandler):
    """Takes an answer that names another place for what it is: not taken here."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


def post_webhook(url: str, notice: Notice, environ: Mapping[str, str]) -> None:
    """Send a notice to a URL; only an answer of 2xx is a delivery, and no redirect is followed.

    `X-Assay-Id` is the notice's id. With `$ASSAY_ALERT_SECRET`, `X-Assay-Signature` is `sha256=`
    and the HMAC-SHA256 of `X-Assay-Timestamp`, a dot and the body (RFC 2104). A proxy is taken
    from the environment as usual. Raises as `deliver`.
    """
    host, address, login = _parts(url)
    body, secret = notice.to_json(), environ.get(SECRET, "")
    secrets = (url, address, urlsplit(address).path.rstrip("/"), secret)
    headers = _headers(notice, body, secret) | login
    request = Request(address, body, headers, method="POST")  # noqa: S310 (_parts looked at it)
    try:
        with build_opener(_NoRedirect).open(request, timeout=TIMEOUT):
            return  # the opener raises for what is not 2xx
    except HTTPError as error:
        error.close()
        raise refused(host, hidden(f"{error.code} {error.reason}", secrets)) from None
    except OSError as error:
        why = str(getattr(error, "reason", error))
        raise unreachable(host, hidden(why, secrets)) from None
    except (http.client.HTTPException, ValueError) as error:  # their words may hold the address
        raise unreachable(host, f"no answer in HTTP ({type(error).__name__})") from None


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what `X-Assay-Signature` must be; compare it with `hmac.compare_digest`."""
    made = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, "sha256")
    return f"sha256={made.hexdigest()}"


def _parts(url: str) -> tuple[str, str, dict[str, str]]:
    """Return the host, the address without a user's name and password, and these as a header."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError(
            "ALERT-URL",
            "this is no address of a webhook",
            allowed=["https://HOST/PATH"],
            hint="see `to` of [[alerts]] in the project file, and the variable that it names",
        )
    _, _, place = parts.netloc.rpartition("@")
    login = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        login = {"Authorization": f"Basic {b64encode(pair).decode()}"}
    return host, parts._replace(netloc=place, fragment="").geturl(), login


def _headers(notice: Notice, body: bytes, secret: str) -> dict[str, str]:
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "assay",
        "X-Assay-Id": notice.id,
        "X-Assay-Timestamp": timestamp,
    }
    return headers | ({"X-Assay-Signature": signature(secret, timestamp, body)} if secret else {})
