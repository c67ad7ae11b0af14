"""The rules of docs/why/design.md that no linter knows: budgets, layers, and forbidden words."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "assay"

FILE_LINES = 400
FUNCTION_LINES = 60
SHORT_FUNCTION_LINES, SHORT_SHARE = 25, 0.90
CORE_LINES = 3000  # kernel + records + errors
HEAVY = {
    "jinja2", "joblib", "lightgbm", "msgspec", "numpy", "onnx", "onnxruntime", "pandas", "polars",
    "psycopg", "pyarrow", "rich", "scipy", "sklearn",
}  # fmt: skip
FAMILY_NAMES_ALLOWED = {
    "kernel/plugins.py": "the table of built-in families",
    "records/spec.py": "the default of project.family",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package, parsed, by its path below src/assay."""
    return {
        path.relative_to(SRC).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SRC.rglob("*.py"))
    }


def lines(name: str) -> int:
    return len((SRC / name).read_text(encoding="utf-8").splitlines())


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Count the lines from `def` to the last one, the docstring left out."""
    first = function.body[0]
    doc = 0
    if ast.get_docstring(function, clean=False) is not None:
        doc = (first.end_lineno or 0) - first.lineno + 1
    return (function.end_lineno or 0) - function.lineno + 1 - doc


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    found = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in found if path.is_file()]


def test_no_file_is_long() -> None:
    long = {name: lines(name) for name in modules() if lines(name) > FILE_LINES}
    assert not long


def test_no_function_is_long() -> None:
    long = {
        f"{name}:{function.name}": length(function)
        for name, tree in modules().items()
        for function in functions(tree)
        if length(function) > FUNCTION_LINES
    }
    assert not long


def test_most_functions_are_short() -> None:
    found = {
        f"{name}:{function.name}": length(function)
        for name, tree in modules().items()
        for function in functions(tree)
    }
    longest = sorted(found.items(), key=lambda item: -item[1])
    share = sum(size <= SHORT_FUNCTION_LINES for size in found.values()) / len(found)
    assert share >= SHORT_SHARE, (share, longest[:15])


def test_the_run_loop_fits_on_a_screen() -> None:
    loop = next(f for f in functions(modules()["kernel/run.py"]) if f.name == "run")
    assert length(loop) <= FUNCTION_LINES


def test_the_core_is_small() -> None:
    core = [n for n in modules() if n == "errors.py" or n.startswith(("kernel/", "records/"))]
    assert sum(lines(name) for name in core) <= CORE_LINES


def test_no_import_of_our_own_hides_in_a_function() -> None:
    hidden = {
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        for function in functions(tree)
        for node in ast.walk(function)
        if (isinstance(node, ast.ImportFrom) and (node.level or _ours(node.module or "")))
        or (isinstance(node, ast.Import) and any(_ours(alias.name) for alias in node.names))
    }
    assert not hidden


def _ours(module: str) -> bool:
    return module.split(".")[0] == "assay"


def contract_layers() -> list[list[str]]:
    """Return the layers of the import contract, top first, each with its modules."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contract = tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]
    assert "ignore_imports" not in contract
    return [
        [name.strip(" ()").removeprefix("assay.") for name in layer.split("|")]
        for layer in contract["layers"]
    ]


def test_every_package_is_in_the_import_contract() -> None:
    listed = {name for layer in contract_layers() for name in layer}
    existing = {path.name for path in SRC.iterdir() if (path / "__init__.py").exists()}
    existing |= {path.stem for path in SRC.glob("*.py") if path.stem != "__init__"}
    assert existing <= listed


def test_families_do_not_import_each_other() -> None:
    families = {path.name for path in (SRC / "tasks").iterdir() if path.is_dir()}
    for name, tree in modules().items():
        family = name.split("/")[1] if name.startswith("tasks/") else ""
        for node in ast.walk(tree):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            other = module.removeprefix("assay.tasks.").split(".")[0]
            if family and module.startswith("assay.tasks.") and other in families:
                assert other == family, name


def test_no_family_is_named_outside_of_tasks() -> None:
    names = [path.name for path in (SRC / "tasks").iterdir() if (path / "__init__.py").exists()]
    pattern = re.compile(rf"(?<![\w-])({'|'.join(names)})(?![\w-])")
    for name in modules():
        if not name.startswith("tasks/") and name not in FAMILY_NAMES_ALLOWED:
            found = pattern.search(code_of(name))
            assert found is None, f"{name} names the family {found[0] if found else ''}"


def code_of(name: str) -> str:
    """Return a module's code without comments and docstrings."""
    tree = ast.parse((SRC / name).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # a string that stands alone is prose
            node.body = [child for child in body if not _is_text(child)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_every_exemption_is_still_needed() -> None:
    for name in FAMILY_NAMES_ALLOWED:
        assert "tabular" in (SRC / name).read_text(encoding="utf-8"), name


def test_user_input_is_never_checked_by_assert() -> None:
    asserts = {
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        if not name.startswith("testing/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    }
    assert not asserts


def public(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the public classes and functions of a module, and the public methods of its classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                methods = (child for child in node.body if isinstance(child, Function))
                yield from (child for child in methods if not child.name.startswith("_"))


def test_every_public_name_says_what_it_is() -> None:
    silent = {
        f"{name}:{getattr(node, 'name', '')}"
        for name, tree in modules().items()
        for node in public(tree)
        if not ast.get_docstring(node)  # type: ignore[arg-type]
    }
    assert not silent


@pytest.mark.parametrize("module", ["assay", "assay.errors", "assay.cli.main"])
def test_importing_the_package_loads_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print(' '.join({{n.split('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


MACHINE_PATH = re.compile(r"(?<![\w.:/$}<-])/(?:root|work|Users|private)/[\w.-]+")
TEXT = {
    ".py",
    ".toml",
    ".md",
    ".lock",
    ".txt",
    ".json",
    ".yml",
    ".yaml",
    ".sh",
    ".cfg",
    ".html",
    "",
}


def test_no_file_names_a_path_of_one_machine() -> None:
    for path in tracked():
        if path.suffix in TEXT:
            found = MACHINE_PATH.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{path.relative_to(ROOT)}: {found[0] if found else ''}"


@pytest.mark.parametrize("name", [f"requirements{of}.lock" for of in ("", "-dev", "-serve")])
def test_the_lock_pins_by_hash_and_names_no_index(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text.lower().replace("markdown-it", "")
    pins = re.split(r"\n(?=\S)", text.strip())
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)


def test_the_core_install_is_small() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
    assert len(names) <= 45
    assert not names & {"torch", "pandas", "pyarrow"}


def test_both_locks_agree_and_cover_the_dependencies() -> None:
    pins = {
        name: dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    }
    core, dev = pins["requirements.lock"], pins["requirements-dev.lock"]
    assert {name: dev.get(name) for name in core} == core
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    for requirement in wanted:
        assert re.split(r"[\[>=<]", requirement)[0] in dev, requirement
