"""The docs cannot drift: codes, commands, keys and links in them are those of the code."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assay.cli.main import COMMANDS
from assay.spec.keys import KEYS
from assay.spec.load import load

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *ROOT.glob("decisions/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
)
EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/*/assay.toml"))


@cache
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_current() -> None:
    assert generate().stale() == [], "run `make docs`"


def test_every_page_can_be_found() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.glob("*/*.md")}
    assert sorted(page for page in pages if f"]({page})" not in index) == []


def test_every_error_code_says_something() -> None:
    codes = generate().error_codes()
    assert len(codes) > 100
    silent = [name for name, code in codes.items() if not code.messages]
    assert set(silent) <= set(generate().WORDS)
    assert set(generate().WORDS) <= set(silent), "an entry of WORDS is not needed any more"


def test_every_error_code_has_a_test() -> None:
    here = Path(__file__).resolve()
    tests = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "src/assay/testing").rglob("*.py")]
        if path.resolve() != here
    )
    named = set(re.findall(r"[A-Z]+(?:-[A-Z0-9]+)*", tests))
    assert sorted(generate().error_codes().keys() - named) == []


def test_every_finding_has_a_page_and_every_page_a_finding() -> None:
    pages = {path.stem for path in (DOCS / "reference" / "findings").glob("[A-Z]*.md")}
    assert pages == generate().finding_codes() | {"ACCEPT-UNUSED"}


def blocks(page: Path, language: str) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    yield from re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[str]:
    """Yield the lines of code on a page, fenced or indented, that call assay."""
    for line in page.read_text(encoding="utf-8").splitlines():
        code = re.match(r"(?: {4}|\$ )?\$? ?(assay [a-z].*)", line)
        if code:
            yield code[1]
        yield from re.findall(r"`(assay [a-z][^`]*)`", line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_only_commands_that_exist(page: Path) -> None:
    later = {"serve", "watch", "release"} if page.name in {"design.md", "README.md"} else set()
    for line in commands(page):
        words = re.findall(r"[a-z-]+", line)
        assert words[1] in {*COMMANDS, *later}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def keys(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and path not in KEYS:
        for name, inner in value.items():
            yield from keys(inner, (*path, name))
    elif isinstance(value, list) and (*path, "*") in {key[: len(path) + 1] for key in KEYS}:
        for inner in value:
            yield from keys(inner, (*path, "*"))
    else:
        yield path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_project_files_on_a_page_have_known_keys(page: Path) -> None:
    for block in blocks(page, "toml"):
        assert set(keys(tomllib.loads(block))) <= set(KEYS), block


def test_every_command_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"## assay {name}\n" in text


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_is_a_valid_project_with_numbers_to_expect(folder: Path) -> None:
    spec = load(folder)
    assert spec.project.question
    assert spec.gates
    assert "What to expect" in (folder / "README.md").read_text(encoding="utf-8")


def test_there_are_examples_for_every_task() -> None:
    names = {folder.name for folder in EXAMPLES}
    assert {"diagnosis", "diagnosis-leak", "wine-cultivars", "diabetes"} <= names
