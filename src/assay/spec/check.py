"""Checks a parsed project file key by key and collects every mistake."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.errors import AssayError, SpecError
from assay.spec.constraint import ListOf
from assay.spec.keys import KEYS, TABLE, TABLES, Key, Pattern, children
from assay.spec.locate import KeyPath
from assay.spec.toml import bare_or_quoted, render
from assay.spec.values import connects_with_secret, holds_secret, redact

Values = dict[KeyPath, Any]
"""Each written key with its value as the record holds it, in plain data."""

_SHOWN = 120


def dotted(path: KeyPath) -> str:
    """Return a key path as `--set` takes it: `gates.0.at_least`."""
    return ".".join(bare_or_quoted(_cut(str(part))) for part in path)


def pattern_of(path: KeyPath) -> Pattern:
    """Return the path with `*` for each place in a list."""
    return tuple("*" if isinstance(part, int) else part for part in path)


@dataclass
class Mistaken:
    """The mistakes found so far; `where` says file and line (or flag) of a key path."""

    where: Callable[[KeyPath], str]
    errors: list[AssayError] = field(default_factory=list)

    def add(
        self,
        code: str,
        path: KeyPath,
        message: str,
        *,
        got: Any = None,
        allowed: Sequence[Any] = (),
        hint: str = "",
    ) -> None:
        """Note a mistake at a key path; passwords never get into it."""
        self.errors.append(
            SpecError(
                code,
                redact(message),
                where=redact(self.where(path)),
                got=_plain(got),
                allowed=allowed,
                hint=hint,
            )
        )


def read_values(tree: dict[str, Any], mistakes: Mistaken) -> Values:
    """Return every key of a parsed file that keeps its rule; note what does not.

    Noted are unknown and missing keys, values of the wrong type or outside their range
    (SPEC-UNKNOWN-KEY, SPEC-MISSING-KEY, SPEC-BAD-VALUE), and passwords (SPEC-SECRET).
    """
    return dict(_walk({"project": {}, "data": {}, **tree}, (), mistakes))


def _walk(
    node: dict[str, Any] | list[Any], path: KeyPath, mistakes: Mistaken
) -> Iterator[tuple[KeyPath, Any]]:
    items: Iterable[tuple[str | int, Any]]
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in items:
        here = (*path, name)
        pattern = pattern_of(here)
        if pattern in KEYS:
            if _keeps_rule(KEYS[pattern], here, value, mistakes):
                yield here, KEYS[pattern].read(value)
        elif pattern not in TABLES:
            _unknown(here, value, mistakes)
        elif isinstance(value, dict | list) and isinstance(value, TABLES[pattern]):
            if isinstance(value, dict):
                _missing(here, value, mistakes)
            yield from _walk(value, here, mistakes)
        else:
            _not_a_table(here, value, mistakes)


def _keeps_rule(key: Key, path: KeyPath, value: Any, mistakes: Mistaken) -> bool:
    if holds_secret(value) or (key.path == "data.connection" and connects_with_secret(value)):
        mistakes.add(
            "SPEC-SECRET",
            path,
            f"{dotted(path)} holds a password, and the project file is copied into records",
            hint='keep it in an environment variable and write connection = "$NAME"',
        )
        return False
    if key.rule.accepts(value):
        return True
    mistakes.add(
        "SPEC-BAD-VALUE",
        path,
        f"{dotted(path)} must be {' or '.join(key.rule.allowed)}",
        got=value,
        allowed=key.rule.allowed,
        hint=_better_value(key, value),
    )
    return False


def _better_value(key: Key, value: Any) -> str:
    """Guess what was meant: a list around one item, a number without quotes, a near word."""
    if isinstance(key.rule, ListOf) and key.rule.length is None and key.rule.item.accepts(value):
        return f"put it in a list: {key.pattern[-1]} = [{render(_plain(value))}]"
    if isinstance(value, str):
        number = _number(value)
        if number is not None and key.rule.accepts(number):
            return f"write the number without quotes: {key.pattern[-1]} = {number}"
        near = difflib.get_close_matches(value.lower(), key.rule.allowed, 1)
        if near:
            return f"did you mean {near[0]}?"
    rest = "give it an allowed value" if key.required else "remove it, which leaves the default"
    return f"change {key.path}, or {rest}"


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def _unknown(path: KeyPath, value: Any, mistakes: Mistaken) -> None:
    siblings = children(pattern_of(path[:-1]))
    what = "section" if len(path) == 1 else "key"
    guess = _nearest(path, siblings)
    mistakes.add(
        "SPEC-UNKNOWN-KEY",
        path,
        f"there is no {what} called {dotted(path)}",
        got=value,
        allowed=siblings,
        hint=f"did you mean {guess}?" if guess else f"remove it, or use one of the allowed {what}s",
    )


def _nearest(path: KeyPath, siblings: Sequence[str]) -> str:
    """Return the key that was probably meant: a near sibling, else that name in another section."""
    name = str(path[-1])
    ends = {key.pattern[-1]: key.path for key in reversed(TABLE)}
    near = difflib.get_close_matches(name.lower(), siblings, 1, 0.8 if name in ends else 0.6)
    if near:
        return dotted((*path[:-1], near[0]))
    far = difflib.get_close_matches(name.lower(), ends, 1, 0.8)
    return ends[far[0]] if far else ""


def _not_a_table(path: KeyPath, value: Any, mistakes: Mistaken) -> None:
    name = dotted(path)
    repeated = TABLES[pattern_of(path)] is list
    header = f"[[{name}]]" if repeated else f"[{name}]"
    mistakes.add(
        "SPEC-BAD-VALUE",
        path,
        f"{name} must be {'a list of tables' if repeated else 'a table'}",
        got=value,
        allowed=(header,),
        hint=f"write {header} on a line of its own and its keys below",
    )


def _missing(path: KeyPath, node: dict[str, Any], mistakes: Mistaken) -> None:
    pattern = pattern_of(path)
    names = children(pattern)
    misspelt = [name.lower() for name in node if name not in names]  # reported by itself
    for key in KEYS.values():
        name = key.pattern[-1]
        there = name in node or any(
            name in difflib.get_close_matches(n, names, 1) for n in misspelt
        )
        if key.required and key.pattern[:-1] == pattern and not there:
            here = (*path, name)
            mistakes.add(
                "SPEC-MISSING-KEY",
                here,
                f"{dotted(here)} is missing",
                allowed=key.rule.allowed,
                hint=f"add {name} = … ({key.doc})",
            )


def _plain(value: Any) -> Any:
    """Return a value as JSON can show it, cut short and without passwords."""
    if value is None or (isinstance(value, int | float) and abs(value) < 1e300):
        return value
    try:
        items = isinstance(value, list | tuple) and bool(value)
        text = redact(", ".join(map(str, value)) if items else str(value))
    except (ValueError, RecursionError):  # thousands of digits, or of levels
        text = "a value too large to show"
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
