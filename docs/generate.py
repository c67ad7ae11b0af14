"""Write the reference pages that come from the code's own tables.

Usage: python docs/generate.py [--check]    --check only says which pages are out of date
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assay import errors as error_classes
from assay.cli.main import COMMANDS, EXIT_CODES
from assay.errors import AssayError
from assay.kernel.loader import load
from assay.metrics import METRICS
from assay.spec.keys import reference_markdown

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "assay"
REFERENCE = ROOT / "docs" / "reference"
NOTE = "Made by `make docs` from the code; do not edit."

CLASSES: dict[str, type[AssayError]] = {
    name: value
    for name, value in vars(error_classes).items()
    if isinstance(value, type) and issubclass(value, AssayError)
}
_CODE = re.compile(r"[A-Z]+(-[A-Z0-9]+)*")
_HOLE = "…"

WORDS = {
    "DATA-COLUMN-UNKNOWN": "the table has no column …",
    "DATA-FORMAT": "the file is of a kind that is not read",
    "DATA-TARGET-UNKNOWN": "the table has no column …",
    "INTERRUPTED": "interrupted; the same command resumes at the first missing record",
    "SERVE-FEEDBACK": "feedback does not fit the model, or is not of the form that it has",
    "STORE-NOT-FOUND": "there is no store here",
    "WORKER-DIED": "a worker ended in the middle of a call",
}
"""What a code says where its message is a variable at the place that raises it."""


@dataclass
class Code:
    """An error code: where it is raised, what it says there, and what it hints at."""

    exits: set[int] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)


def error_codes() -> dict[str, Code]:
    """Return every error code that the source raises, in order of name.

    A code is the first argument of an error class, or of a helper that makes such an error.
    """
    found: dict[str, Code] = {}
    for path in sorted(SRC.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            code = _code(call)
            if code:
                _note(found.setdefault(code, Code()), call)
    return dict(sorted(found.items()))


def _code(call: ast.Call) -> str:
    """Return the error code that a call starts with, or ""."""
    first = call.args[0] if call.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return ""
    text = first.value
    if not _CODE.fullmatch(text):
        return ""
    return text if _called(call) in CLASSES or "-" in text else ""


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _note(code: Code, call: ast.Call) -> None:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    said = [named["message"]] if "message" in named else call.args[1:]
    messages = [text for text in map(_text, said) if " " in text]
    hint = _text(named["hint"]) if "hint" in named else ""
    if messages and messages[0] not in code.messages:
        code.messages.append(messages[0])
    if hint.strip(_HOLE + " ") and hint not in code.hints:
        code.hints.append(hint)
    if _called(call) in CLASSES:
        code.exits.add(CLASSES[_called(call)].exit_code)


def _text(node: ast.AST) -> str:
    """Return a text expression with a hole for each part that is known only at run time."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else _HOLE
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.IfExp):
        return f"{_text(node.body)} / {_text(node.orelse)}"
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return _HOLE


def finding_codes() -> set[str]:
    """Return every code of a finding: those of the audit's table and of `Finding(code=…)`."""
    found: set[str] = set()
    for path in SRC.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or _called(call) not in {"Finding", "Check"}:
                continue
            values = [k.value for k in call.keywords if k.arg in {"code", "codes"}]
            values += [arg for arg in call.args if isinstance(arg, ast.Tuple)]
            texts = (leaf for value in values for leaf in ast.walk(value))
            found |= {
                leaf.value
                for leaf in texts
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
            }
    return found


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|").replace("<", "&lt;") for cell in cells) + " |"


def errors_page() -> str:
    """Return the page of error codes, a section for each prefix."""
    lines = [
        "# Error codes",
        "",
        NOTE,
        "",
        "A hole (…) stands for what is known only when it happens.",
    ]
    section = ""
    for name, code in error_codes().items():
        if name.split("-")[0] != section:
            section = name.split("-")[0]
            lines += ["", f"## {section}", "", "| code | exit | what it says | what to try |"]
            lines += ["|---|---|---|---|"]
        exits = ", ".join(map(str, sorted(code.exits))) or "2"
        says = "<br>".join(code.messages) or WORDS.get(name, "")
        tries = "<br>".join(code.hints)
        row = _row(f"`{name}`", exits, says, tries)
        lines.append(row.replace("&lt;br>", "<br>"))
    return "\n".join(lines) + "\n"


def _options(path: str) -> Iterator[str]:
    parser = argparse.ArgumentParser(add_help=False)
    load(path).configure(parser)
    for action in parser._actions:  # argparse has no public list
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                yield _row(f"`{choice.dest}`", choice.help or "")
            continue
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        value = "" if action.nargs == 0 and action.option_strings else metavar
        name = " ".join(filter(None, [", ".join(action.option_strings), value]))
        yield _row(f"`{name}`", action.help or "")


def commands_page() -> str:
    """Return the page of commands: what each does, its options, and examples."""
    lines = ["# Commands", "", NOTE, "", "```", EXIT_CODES, "```", ""]
    lines += ["Every command takes `--store DIR`, `--json` and `--debug` too."]
    for name, (path, line) in COMMANDS.items():
        command = load(path)
        lines += ["", f"## assay {name}", "", f"*{line}*", "", command.about, ""]
        options = list(_options(path))
        lines += ["| argument | meaning |", "|---|---|", *options, ""] if options else []
        lines += ["```", command.examples.strip("\n"), "```"]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Return the page of metrics."""
    lines = ["# Metrics", "", NOTE, "", "| name | title | tasks | better | unit | interval |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, metric in METRICS.items():
        better = "more" if metric.higher_is_better else "less"
        tasks = ", ".join(sorted(metric.tasks))
        lines.append(
            _row(f"`{name}`", metric.title, tasks, better, metric.unit or "", metric.interval)
        )
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "errors.md": errors_page,
    "spec.md": reference_markdown,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
}


def stale() -> list[str]:
    """Return the names of the pages that differ from what the code says."""
    return [
        name
        for name, make in PAGES.items()
        if not (REFERENCE / name).exists()
        or (REFERENCE / name).read_text(encoding="utf-8") != make()
    ]


def main() -> int:
    """Write the pages, or with --check only say which are out of date."""
    old = stale()
    if "--check" not in sys.argv[1:]:
        for name in old:
            (REFERENCE / name).write_text(PAGES[name](), encoding="utf-8")
    print("\n".join(f"{name} is out of date" for name in old) or "every page is current")
    return 1 if old and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    raise SystemExit(main())
