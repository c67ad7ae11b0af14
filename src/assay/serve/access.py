"""Who may ask: bearer tokens with scopes, of which only the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import re
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Any

from assay.errors import UsageError
from assay.serve.http.message import Request
from assay.serve.problems import Rejected

SCOPES = ("predict", "feedback", "read", "admin")
"""What a token may be for; `read` is for the page of a store, `admin` includes the others."""

FILE = "tokens.toml"

_BEARER = b"bearer "
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Token:
    """A token as it is kept; `digest` is the SHA-256 of what was shown once.

    `expires` is seconds since 1970, None for a token that does not end.
    """

    name: str
    digest: str
    scopes: tuple[str, ...]
    expires: float | None = None

    def valid(self, now: float) -> bool:
        """Return True before it ends."""
        return self.expires is None or now < self.expires


class Access:
    """The tokens of a server. One that is `open` asks for none: for this machine alone."""

    def __init__(self, tokens: Iterable[Token] = (), *, anyone: bool = False) -> None:
        self.tokens, self.open = tuple(tokens), anyone

    def allows(self, request: Request, scope: str) -> bool:
        """Return True when the request has a token for the scope; anyone may use the scope "".

        Raises Rejected (401) for a token that is not known, or whose time is over.
        """
        if self.open or not scope:
            return True
        header = request.headers.get(b"authorization")
        if header is None:
            return False
        scopes = self._scopes(header)
        if not scopes:
            raise Rejected(
                "ACCESS-TOKEN",
                "this token is not known here, or its time is over",
                where="authorization",
                allowed=["Bearer TOKEN"],
                hint=f"`assay token NAME --scope {scope}` makes one",
            ).at(401, (b"www-authenticate", b'Bearer error="invalid_token"'))
        return scope in scopes or "admin" in scopes

    def _scopes(self, header: bytes) -> tuple[str, ...]:
        """Return what the token in the header is for, nothing without a valid one."""
        if header[: len(_BEARER)].lower() != _BEARER:
            return ()
        digest = hashlib.sha256(header[len(_BEARER) :].strip()).hexdigest()
        # each is compared whole, so that the time taken tells nothing of any digest
        found = [token for token in self.tokens if compare_digest(token.digest, digest)]
        if not found or not found[0].valid(time.time()):
            return ()
        return found[0].scopes


class Tokens:
    """The file of tokens of a store, read again when it has changed."""

    def __init__(self, path: Path, *, loopback: bool) -> None:
        self.path, self._loopback = path, loopback
        self._stamp: tuple[int, ...] | None = None
        self._access = Access()

    def access(self) -> Access:
        """Return who may ask now: on a loopback address anyone, until there is a token.

        Whoever takes the last token away from a running server does not mean to open it.
        Raises UsageError once for a file that cannot be read; what was read before then stays.
        """
        stamp = self._look()
        if stamp != self._stamp:
            opened = self._access.open or self._stamp is None
            self._stamp = stamp
            tokens = read_tokens(self.path)
            self._access = Access(tokens, anyone=opened and not tokens and self._loopback)
        return self._access

    def _look(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Return the tokens of a file, none where there is no file.

    Raises UsageError when the file is not one that `assay token` wrote.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("tokens", {})
        return tuple(_token(name, table) for name, table in tables.items())
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            "TOKENS-UNREADABLE",
            f"the file of tokens cannot be read: {type(error).__name__}: {error}",
            where=str(path),
            hint="restore it from a copy, or delete it and make the tokens again",
        ) from error


def _token(name: str, table: dict[str, Any]) -> Token:
    digest, expires = table["digest"], table.get("expires")
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{name} has no SHA-256")
    scopes = tuple(scope for scope in table["scopes"] if scope in SCOPES)
    return Token(name, digest, scopes, None if expires is None else expires.timestamp())
