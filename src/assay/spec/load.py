"""Reads `assay.toml` into a ProjectSpec, all its mistakes reported at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from assay.errors import AssayError, Mistakes, SpecError, UsageError
from assay.records.base import digest
from assay.records.spec import Agency, Choice, ProjectSpec
from assay.spec.check import Mistaken, Values, dotted, pattern_of, read_values
from assay.spec.cross import cross_check
from assay.spec.keys import KEYS, TABLE, TABLES
from assay.spec.locate import KeyPath, line_of, locate, parse_key
from assay.spec.values import redact

FILE_NAME = "assay.toml"
LARGEST = 1_000_000
"""Bytes of a project file; anything larger is some other file."""

_TEMPLATE = "project.template"
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(
    project: Path, overrides: Sequence[str] = (), proposals: Mapping[str, Any] | None = None
) -> ProjectSpec:
    """Read the project file in the folder `project`, or that file itself.

    `overrides` are `KEY=VALUE` texts that replace values of the file. `proposals` maps key paths
    to the values that `assay init` proposed: a key that still has its proposed value was accepted
    by the user, any other written one was chosen by them.

    Raises:
        SpecError: the file is not there, not readable, not TOML, or makes one mistake.
        UsageError: an override is not of the form KEY=VALUE.
        Mistakes: it makes several; each names file, line and key.
    """
    return load_text(*_read(project), overrides, proposals)


def load_text(
    name: str,
    text: str,
    overrides: Sequence[str] = (),
    proposals: Mapping[str, Any] | None = None,
) -> ProjectSpec:
    """Read the text of a project file called `name`, as `load` does."""
    file = _parse(name, text)
    errors = [error for text in overrides for error in file.override(text)]
    mistakes = Mistaken(file.where)
    values = read_values(file.tree, mistakes)
    cross_check(values, file.tree, mistakes)
    errors += sorted(mistakes.errors, key=_line)
    if errors:
        raise errors[0] if len(errors) == 1 else Mistakes(errors)
    tree = _nest(values)
    tree["choices"] = _choices(values, file, proposals or {})
    return msgspec.convert(tree, ProjectSpec)


def template_digest(choices: Iterable[Choice]) -> str:
    """Return the digest of everything a project file writes, its `template` key excepted.

    A file whose `project.template` is `NAME@` and the first 12 or more characters of this digest
    is the template as it came; after any edit it is the user's.
    """
    written = {c.path: c.value for c in choices if c.agency != "default" and c.path != _TEMPLATE}
    return digest(written)


@dataclass
class _File:
    """A parsed file, the lines of its keys, and the keys that `--set` gave."""

    name: str
    tree: dict[str, Any]
    lines: dict[KeyPath, int]
    set_paths: list[KeyPath] = field(default_factory=list)

    def is_set(self, path: KeyPath) -> bool:
        """Return True when `--set` gave this key, a part of it, or what it stands in."""
        if any(path[: len(given)] == given for given in self.set_paths):
            return True
        whole = pattern_of(path) in KEYS or path not in self.lines
        return whole and any(given[: len(path)] == path for given in self.set_paths)

    def where(self, path: KeyPath) -> str:
        """Return `assay.toml:12 metric.primary`, or the flag that the value came from."""
        if self.is_set(path):
            return f"--set {dotted(path)}"
        line = line_of(self.lines, path)
        return f"{self.name}:{line} {dotted(path)}" if line else f"{self.name} {dotted(path)}"

    def override(self, text: str) -> list[AssayError]:
        """Put KEY=VALUE into the tree; return what is wrong with its form."""
        found = _split_override(text)
        if found is None:
            return [
                UsageError(
                    "SPEC-BAD-OVERRIDE",
                    "an override is written KEY=VALUE",
                    where="--set",
                    got=redact(text)[:120],
                    hint="for example --set split.seed=7 or --set gates.0.at_least=0.9",
                )
            ]
        parts, value = found
        path = _indexed(parts)
        if not _insert(self.tree, path, value):
            return [
                SpecError(
                    "SPEC-BAD-OVERRIDE",
                    "the place of this key does not exist in the file",
                    where=f"--set {dotted(path)}",
                    got=dotted(path),
                    hint="lists of tables count from 0; the next free number adds a table",
                )
            ]
        self.set_paths.append(path)
        return []


def _split_override(text: str) -> tuple[tuple[str, ...], Any] | None:
    """Split at the first equals sign with a whole key before it: a quoted key may hold one."""
    for found in re.finditer("=", text):
        parts = parse_key(text[: found.start()])
        if parts is not None:
            return parts, _toml_value(text[found.end() :])
    return None


def _toml_value(text: str) -> Any:
    """Return the value of `text` as TOML, else the text itself."""
    text = text.strip()
    try:
        node = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return node["value"] if len(node) == 1 else text


def _indexed(parts: Sequence[str]) -> KeyPath:
    """Turn digits into places where a list of tables stands above."""
    path: KeyPath = ()
    for part in parts:
        in_list = TABLES.get(pattern_of(path)) is list and part.isdecimal()
        path = (*path, int(part) if in_list else part)
    return path


def _insert(tree: dict[str, Any], path: KeyPath, value: Any) -> bool:
    """Set a value, making the tables above it; False where something else is in the way."""
    node: Any = tree
    for part, after in zip(path, (*path[1:], None), strict=True):
        new: Any = value if after is None else [] if isinstance(after, int) else {}
        if isinstance(part, int):
            if not isinstance(node, list) or part > len(node):
                return False
            if part == len(node):
                node.append(new)
        elif not isinstance(node, dict):
            return False
        elif after is not None:
            node.setdefault(part, new)
        if after is None:
            node[part] = value
        node = node[part]
    return True


def _read(project: Path) -> tuple[str, str]:
    """Return the name and the text of the project file."""
    try:
        path = project / FILE_NAME if project.is_dir() else project
        with path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise SpecError(
            "SPEC-NOT-FOUND",
            f"there is no {FILE_NAME} here",
            where=str(project),
            hint="make one with `assay init DIR --data FILE --target COLUMN`",
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SpecError(
            "SPEC-UNREADABLE",
            f"the project file cannot be read: {reason}",
            where=str(project),
            hint="check that it is a file and that you may read it",
        ) from error
    if len(data) > LARGEST:
        raise SpecError(
            "SPEC-TOO-LARGE",
            f"a project file has at most {LARGEST:,} bytes",
            where=str(project),
            hint=f"give the folder of the project, or its {FILE_NAME}",
        )
    return path.name, _decode(path.name, data)


def _decode(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SpecError(
            "SPEC-NOT-UTF8",
            "the project file is not UTF-8 text",
            where=f"{name}:{line}",
            got=f"byte 0x{data[error.start]:02x}",
            hint="save it as UTF-8 in your editor",
        ) from error


def _parse(name: str, text: str) -> _File:
    try:
        return _File(name, tomllib.loads(text), locate(text))
    except RecursionError as error:
        raise SpecError(
            "SPEC-NOT-TOML",
            "the project file nests too deep",
            where=name,
            hint="no key of a project file needs more than four levels",
        ) from error
    except ValueError as error:  # a TOMLDecodeError, or a number with too many digits
        lines = text.split("\n")
        found = _PLACE.search(str(error))
        line, column = (int(part or 0) for part in found.groups()) if found else (0, 0)
        line = line or len(lines)
        raise SpecError(
            "SPEC-NOT-TOML",
            f"this is not TOML: {_PLACE.sub('', str(error))}",
            where=f"{name}:{line}:{column or len(lines[line - 1]) + 1}" if found else name,
            got=redact(lines[line - 1].strip())[:120] if found else None,
            hint="text needs quotes, lists need [ ]; see https://toml.io",
        ) from error


def _line(error: AssayError) -> int:
    found = re.match(r"[^:]*:(\d+)", error.where)
    return int(found[1]) if found else 0


def _nest(values: Values) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        _insert(tree, path, value)
    return tree


def _choices(values: Values, file: _File, proposals: Mapping[str, Any]) -> tuple[Choice, ...]:
    written = [_choice(path, value, file, proposals) for path, value in values.items()]
    if _from_template(values, written):
        written = [msgspec.structs.replace(choice, agency="template") for choice in written]
    known = {choice.path for choice in written}
    absent = [
        Choice(path=key.path, value=key.default, agency="default")
        for key in TABLE
        if "*" not in key.pattern and key.path not in known
    ]
    return (*written, *absent)


def _choice(path: KeyPath, value: Any, file: _File, proposals: Mapping[str, Any]) -> Choice:
    name = dotted(path)
    agency: Agency = "user"
    if not file.is_set(path) and name in proposals and proposals[name] == value:
        agency = "accepted"
    return Choice(path=name, value=value, agency=agency)


def _from_template(values: Values, written: Sequence[Choice]) -> bool:
    _, _, given = str(values.get(("project", "template"), "")).partition("@")
    return given != "" and template_digest(written).startswith(given)
