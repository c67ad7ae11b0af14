"""The file of tokens of a store: what is shown once is kept only as its digest."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assay.errors import UsageError
from assay.serve.access import FILE, SCOPES, Token, read_tokens
from assay.spec.toml import render
from assay.stores.faults import explained
from assay.stores.workspace import find_workspace

Where = str | Path | None

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PREFIX = "assay_"


def tokens(store: Where = None) -> tuple[Token, ...]:
    """Return the tokens of a store."""
    return read_tokens(_path(store))


def make(name: str, scopes: Sequence[str], days: float | None = None, store: Where = None) -> str:
    """Make a token and return it, this once.

    Raises UsageError for a name that is taken or malformed, an unknown scope, or no days at all.
    """
    path = _path(store)
    known = read_tokens(path)
    _check(name, scopes, days, known)
    secret = _PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else (datetime.now(UTC) + timedelta(days=days)).timestamp()
    digest = hashlib.sha256(secret.encode()).hexdigest()
    _write(path, [*known, Token(name, digest, tuple(scopes), expires)])
    return secret


def revoke(name: str, store: Where = None) -> None:
    """Take a token away; running servers follow within a second. Raises UsageError."""
    path = _path(store)
    known = read_tokens(path)
    if name not in {token.name for token in known}:
        raise UsageError(
            "TOKEN-UNKNOWN",
            f"there is no token called {name}",
            got=name,
            allowed=[token.name for token in known],
            hint="`assay token --list` lists them",
        )
    _write(path, [token for token in known if token.name != name])


def _check(name: str, scopes: Sequence[str], days: float | None, known: Iterable[Token]) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            "TOKEN-NAME",
            "a token's name has letters, digits, dots, hyphens and underscores, at most 64",
            got=name,
        )
    if name in {token.name for token in known}:
        raise UsageError(
            "TOKEN-TAKEN",
            f"there is a token called {name}",
            got=name,
            hint=f"take another name, or `assay token {name} --revoke` first",
        )
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong or not scopes:
        raise UsageError(
            "TOKEN-SCOPE", "a token is for one or more of these", got=wrong, allowed=SCOPES
        )
    if days is not None and not 0 < days <= 36_500:
        raise UsageError(
            "TOKEN-DAYS", "a token lasts for more than 0 days, 36,500 at most", got=days
        )


def _path(store: Where) -> Path:
    return find_workspace(store).root / FILE


def _write(path: Path, listed: Sequence[Token]) -> None:
    """Replace the file whole, so that no server reads half of it; only its owner may read it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    text = "\n".join(_table(token) for token in listed)
    with explained(path):
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(text)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def _table(token: Token) -> str:
    lines = [
        f"[tokens.{render(token.name)}]",
        f"digest = {render(token.digest)}",
        f"scopes = {render(list(token.scopes))}",
    ]
    if token.expires is not None:
        lines.append(f"expires = {datetime.fromtimestamp(token.expires, UTC).isoformat()}")
    return "\n".join(lines) + "\n"
