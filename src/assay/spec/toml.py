"""Values as TOML text, safe for any content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def quote(text: str) -> str:
    """Return a TOML basic string; what cannot be printed is escaped, so nothing hides in it."""
    return '"' + "".join(_SHORT.get(char) or _visible(char) for char in text) + '"'


def bare_or_quoted(name: str) -> str:
    """Return a TOML key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else quote(name)


def comment(text: str) -> str:
    """Return text for one line of comment, with control characters escaped."""
    return "".join(_visible(char) for char in text)


def render(value: Any) -> str:
    """Return a boolean, number, text, list or table as TOML, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Mapping):
        pairs = (f"{bare_or_quoted(name)} = {render(item)}" for name, item in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(render(item) for item in value) + "]"
    return repr(value)


def _visible(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
