"""The line of each key in TOML text, for error messages."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

KeyPath = tuple[str | int, ...]
"""A key path as in the parsed tree: `("gates", 0, "metric")`."""

_BLANK = re.compile(r"(?:[ \t\n]+|#[^\n]*)*+")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']++|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


def locate(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) on which each key, table and list item of valid TOML starts.

    `text` ends its lines with line feeds and was accepted by `tomllib`; otherwise the answer
    means nothing.
    """
    return _Scanner(text).scan()


def parse_key(text: str) -> tuple[str, ...] | None:
    """Return the parts of a dotted TOML key, or None when `text` is no such key."""
    try:
        node = tomllib.loads(f"{text} = 0")
    except ValueError:
        return None
    parts = []
    value: Any = node
    while isinstance(value, dict) and len(value) == 1:
        name, value = next(iter(value.items()))
        parts.append(name)
    return tuple(parts) if value == 0 else None


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of `path`, else that of the nearest table above it."""
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)


class _Scanner:
    """Walks valid TOML once; it looks for where things start, never for what they mean."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.breaks = [i for i, char in enumerate(text) if char == "\n"]
        self.lines: dict[KeyPath, int] = {}
        self.count: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._skip(_BLANK) and self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Move past a match of `pattern`; true even when that is empty."""
        found = pattern.match(self.text, self.at)
        if found is None:  # cannot happen in text that tomllib accepted
            raise ValueError(f"not TOML at character {self.at}")
        self.at = found.end()
        return found[0] or " "

    def _line(self) -> int:
        return bisect_right(self.breaks, self.at - 1) + 1

    def _header(self) -> KeyPath:
        line, brackets = self._line(), 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        path: KeyPath = ()
        parts = self._key()
        for depth, part in enumerate(parts, start=1):
            path = (*path, part)
            self.lines.setdefault(path, line)
            if brackets == 2 and depth == len(parts):
                self.count[path] = self.count.get(path, -1) + 1
            if path in self.count:
                path = (*path, self.count[path])
                self.lines.setdefault(path, line)
        self.at += brackets
        return path

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            quoted = self.text[self.at] in "\"'"
            raw = self._skip(_STRING if quoted else _BARE)
            parts.append(str(tomllib.loads(f"k = {raw}")["k"]) if quoted else raw)
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        parts = self._key()
        for depth in range(1, len(parts) + 1):
            self.lines.setdefault((*table, *parts[:depth]), line)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value((*table, *parts))

    def _value(self, path: KeyPath) -> None:
        first = self.text[self.at]
        if first in "\"'":
            self._skip(_STRING)
        elif first in "[{":
            self._items(path, closing="]" if first == "[" else "}")
        else:
            self._skip(_SCALAR)

    def _items(self, path: KeyPath, closing: str) -> None:
        self.at += 1
        index = 0
        while self._skip(_BLANK) and self.text[self.at] != closing:
            if self.text[self.at] == ",":
                self.at += 1
            elif closing == "}":
                self._pair(path)
            else:
                self.lines[*path, index] = self._line()
                self._value((*path, index))
                index += 1
        self.at += 1
