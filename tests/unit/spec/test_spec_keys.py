from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from assay.errors import AssayError
from assay.records.spec import DEFAULT_SECONDS, ProjectSpec
from assay.spec.keys import KEYS, SECTIONS, TABLE, Key, reference_markdown
from assay.spec.toml import render

Errors = Callable[..., list[AssayError]]
BASE: dict[str, dict[str, Any]] = {
    "project": {"name": "p"},
    "data": {"source": "d.csv", "target": "y"},
    "slices": {"column": "x"},
    "gates": {"metric": "accuracy"},
    "audit.accept": {"code": "LEAK-TARGET", "reason": "known"},
    "alerts": {"to": "mail:me@example.org"},
}


def file_with(key: Key, value: Any) -> tuple[str, int]:
    """Return a project file that sets `key`, and the line on which it does."""
    section, _, name = key.path.replace(".*", "").rpartition(".")
    tables = {"project": BASE["project"], "data": BASE["data"], section: {}}
    tables[section] = {**BASE.get(section, {}), name: value}
    lines, found = [], 0
    for header, keys in tables.items():
        repeated = header in ("slices", "gates", "audit.accept", "alerts")
        lines.append(f"[[{header}]]" if repeated else f"[{header}]")
        for each, content in keys.items():
            shown = list(content) if isinstance(content, tuple) else content
            lines.append(f"{each} = {render(shown)}")
            if header == section and each == name:
                found = len(lines)
    return "\n".join(lines), found


def bad_values() -> list[Any]:
    return [
        pytest.param(key, bad, id=f"{key.path}={bad!r}")
        for key in TABLE
        for bad in key.rule.bad_values()
    ]


@pytest.mark.parametrize(("key", "bad"), bad_values())
def test_every_bad_value_is_refused_with_key_and_line(key: Key, bad: Any, errors: Errors) -> None:
    text, line = file_with(key, bad)
    wanted = f"assay.toml:{line} {key.path.replace('*', '0')}"
    found = [error for error in errors(text) if error.where == wanted]
    assert found, f"{wanted} not in {[error.where for error in errors(text)]}"
    assert found[0].message
    assert found[0].hint
    assert found[0].allowed or found[0].code != "SPEC-BAD-VALUE"
    msgspec.json.encode(found[0].to_dict())


@pytest.mark.parametrize("key", [k for k in TABLE if k.required], ids=lambda key: key.path)
def test_a_missing_key_is_named(key: Key, errors: Errors) -> None:
    text, line = file_with(key, "x")
    lines = text.split("\n")
    del lines[line - 1]
    missing = [e for e in errors("\n".join(lines)) if e.code == "SPEC-MISSING-KEY"]
    assert [e.where.split(" ")[1] for e in missing] == [key.path.replace("*", "0")]


def test_the_table_and_the_records_have_the_same_keys() -> None:
    declared = {key.path for key in TABLE}
    known = {
        f"{section}.{field}"
        for section, kind in SECTIONS.items()
        for field in kind.__struct_fields__
    }
    assert declared == known - {"budget.repeat"}  # what `verify --rerun` says, never a file
    assert len(KEYS) == len(TABLE)
    names = {section.split(".")[0] for section in SECTIONS}
    assert names == set(ProjectSpec.__struct_fields__) - {"choices"}


def test_defaults_come_from_the_records() -> None:
    defaults = {key.path: key.default for key in TABLE}
    assert defaults["split.test"] == 0.2
    assert defaults["split.test_values"] == ["test"]
    assert defaults["data.types"] == {}
    assert defaults["budget.time"] is None
    assert f"{DEFAULT_SECONDS:g} s" in KEYS["budget", "time"].doc
    assert [k.path for k in TABLE if k.default is not None and not k.rule.accepts(k.default)] == []


def test_the_reference_page_has_every_key() -> None:
    page = reference_markdown()
    for key in TABLE:
        assert f"| `{key.pattern[-1]}` |" in page
        assert key.doc in page
    assert "## `[[gates]]`" in page
    assert "## `[split]`" in page
    rows = [line for line in page.split("\n") if line.startswith("| `")]
    assert len(rows) == len(TABLE)
    assert all(row.replace(r"\|", "").count("|") == 5 for row in rows)
