"""Who may look: anyone on this machine, elsewhere whoever has a token, kept by a cookie."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie

from assay.serve.access import Token, Tokens
from assay.serve.http.message import Request

COOKIE = "assay_page"
SCOPES = frozenset({"read", "admin"})
"""A token for either may look; `predict` and `feedback` are for programs."""

_BEARER = b"bearer "
_SESSION = 12 * 3600.0
_MOST = 1000
_LOCAL = re.compile(rb"(?i:localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")


@dataclass(frozen=True)
class _Session:
    digest: str
    ends: float


class Door:
    """The tokens of a store and the sessions begun with them; all on the loop's thread.

    One that is `open` asks nobody for a token: for this machine alone.
    """

    def __init__(self, tokens: Tokens, *, anyone: bool = False, tls: bool = False) -> None:
        self.open = anyone
        self._tokens, self._tls = tokens, tls
        self._sessions: dict[str, _Session] = {}

    def astray(self, request: Request) -> bool:
        """Return True where a page of another site reached us by giving its name our address."""
        host = request.headers.get(b"host", b"")
        return self.open and not _LOCAL.fullmatch(host)

    def foreign(self, request: Request) -> bool:
        """Return True for a form that a page of another site sent."""
        origin, host = request.headers.get(b"origin"), request.headers.get(b"host", b"")
        return origin is None or origin.partition(b"://")[2] != host

    def allows(self, request: Request) -> bool:
        """Return True for a request that may see the page."""
        return self.open or self._holder(request) is not None

    def enter(self, secret: str) -> bytes | None:
        """Begin a session with a token and return the cookie for it; None for a wrong one."""
        token = self._known(hashlib.sha256(secret.strip().encode()).hexdigest())
        if token is None:
            return None
        now = time.time()
        self._sessions = {k: s for k, s in self._sessions.items() if s.ends > now}
        while len(self._sessions) >= _MOST:
            self._sessions.pop(next(iter(self._sessions)))
        name = secrets.token_urlsafe(32)
        self._sessions[name] = _Session(token.digest, now + _SESSION)
        return self._cookie(name, int(_SESSION))

    def leave(self, request: Request) -> bytes:
        """End the session of a request and return the cookie that forgets it."""
        self._sessions.pop(_cookie_of(request), None)
        return self._cookie("", 0)

    def _holder(self, request: Request) -> Token | None:
        header = request.headers.get(b"authorization", b"")
        if header[: len(_BEARER)].lower() == _BEARER:
            return self._known(hashlib.sha256(header[len(_BEARER) :].strip()).hexdigest())
        session = self._sessions.get(_cookie_of(request))
        if session is None or session.ends < time.time():
            return None
        return self._known(session.digest)

    def _known(self, digest: str) -> Token | None:
        """Return the token of this digest while it is valid and for looking."""
        tokens = self._tokens.access().tokens
        found = [token for token in tokens if compare_digest(token.digest, digest)]
        valid = found and found[0].valid(time.time()) and SCOPES.intersection(found[0].scopes)
        return found[0] if valid else None

    def _cookie(self, value: str, age: int) -> bytes:
        secure = "; Secure" if self._tls else ""
        text = f"{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
        return text.encode()


def _cookie_of(request: Request) -> str:
    try:
        found = SimpleCookie(request.headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    return found[COOKIE].value if COOKIE in found else ""
