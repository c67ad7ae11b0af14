"""`assay`: parse, load the one command asked for, print, and turn errors into exit codes."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from assay import __version__
from assay.errors import AssayError, UsageError, all_errors
from assay.kernel.loader import load

COMMANDS: dict[str, tuple[str, str]] = {
    "data": ("assay.cli.data:COMMAND", "the catalogue of data sets: list, get, show"),
    "init": ("assay.cli.init:COMMAND", "write an assay.toml for a table and its target"),
    "check": ("assay.cli.check:COMMAND", "the project file and the data audit; trains nothing"),
    "run": ("assay.cli.run:COMMAND", "audit, split, train, evaluate, judge, package, register"),
    "runs": ("assay.cli.runs:RUNS", "list the runs of a store"),
    "show": ("assay.cli.runs:SHOW", "show a run: verdict, gates, leaderboard, versions"),
    "compare": ("assay.cli.runs:COMPARE", "put two runs side by side"),
    "report": ("assay.cli.runs:REPORT", "write a run's report: one HTML file, works offline"),
    "models": ("assay.cli.models:MODELS", "list the models of a store"),
    "promote": ("assay.cli.models:PROMOTE", "make a version the champion"),
    "rollback": ("assay.cli.models:ROLLBACK", "go back to the version that was live before"),
    "release": ("assay.cli.release:COMMAND", "let a new version take over, safely"),
    "history": ("assay.cli.models:HISTORY", "what was live when, and who decided"),
    "predict": ("assay.cli.predict:COMMAND", "answer for every row of a file"),
    "deploy": ("assay.cli.deploy:COMMAND", "write the files that run a version elsewhere"),
    "serve": ("assay.cli.serve:COMMAND", "answer requests over HTTP with one or more models"),
    "token": ("assay.cli.token:COMMAND", "make, list and revoke the tokens of a store's servers"),
    "load-test": ("assay.cli.load_test:COMMAND", "how fast a served model answers under load"),
    "watch": ("assay.cli.watch:COMMAND", "compare what a live model is asked with its profile"),
    "drill": ("assay.cli.drill:COMMAND", "put a fault into a running server and see it recover"),
    "log": ("assay.cli.log:COMMAND", "what was asked and answered, and what was true"),
    "incidents": (
        "assay.cli.incidents:COMMAND",
        "what went wrong with live models, and what was done",
    ),
    "alerts": ("assay.cli.alerts:COMMAND", "what is wrong now, who was told, and how it is told"),
    "ui": ("assay.cli.ui:COMMAND", "the web page of a store: what is live, how it does, and why"),
    "verify": ("assay.cli.verify:COMMAND", "check digests, the chain, and the numbers themselves"),
}
"""Command → where it is, and its line in the help."""

EXIT_CODES = """\
exit codes: 0 accepted or done, 1 a fault of Assay, 2 wrong use (file, flag, data),
            3 rejected by a gate, stopped by the audit, or refused (watch: not steady),
            4 inconclusive (watch: unknown), 5 tampered,
            130 interrupted (the same command resumes)"""

EXAMPLES = """\
examples:
  assay init churn --data telco_churn --target Churn    write churn/assay.toml
  assay check churn                                     look at the data before training
  assay run churn                                       all the way to a judged model
  assay report last                                     the page to show around
  assay predict churn@champion new.csv -o answers.csv
  assay serve churn                                     answer over HTTP
  assay release churn@2 --watch                         a canary that decides by itself
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    try:
        return _main(words)
    except AssayError as error:
        return _fail([e.to_dict() for e in all_errors(error)], str(error), error.exit_code, as_json)
    except KeyboardInterrupt:
        message = "interrupted: the same command resumes at the first missing record"
        return _fail([UsageError("INTERRUPTED", message).to_dict()], message, 130, as_json)
    except BrokenPipeError:  # the reader, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell counts the end by SIGPIPE
    except Exception as error:  # noqa: BLE001 (the last line of defence)
        if "--debug" in words:
            traceback.print_exc()
        fault = AssayError(
            "INTERNAL",
            f"this is a fault in Assay: {type(error).__name__}: {error}",
            hint="run again with --debug and report what it prints; finished work is kept",
        )
        return _fail([fault.to_dict()], str(fault), 1, as_json)


def _main(words: list[str]) -> int:
    chosen = next((word for word in words if not word.startswith("-")), None)
    parser, command = build_parser(chosen)
    if chosen is None and not {"-h", "--help", "--version"} & set(words):
        if "--json" in words:
            parser.error("a command is missing")
        parser.print_help(sys.stderr)
        return 2
    args = parser.parse_args(words)
    code, data = command.run(args)
    if args.json:
        sys.stdout.write(json.dumps({"ok": True, "data": data}, ensure_ascii=False) + "\n")
    return int(code)


def build_parser(chosen: str | None) -> tuple[argparse.ArgumentParser, Any]:
    """Return the parser, with the options of the command `chosen` filled in, and that command."""
    parser = _Parser(
        prog="assay",
        description="From a written question to a judged, packaged, registered model.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"assay {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command = None
    for name, (path, line) in COMMANDS.items():
        sub = subparsers.add_parser(
            name,
            help=line,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == chosen:
            command = load(path)
            sub.description, sub.epilog = command.about, f"{command.examples}\n{EXIT_CODES}"
            command.configure(sub)
            _common(sub)
    return parser, command


def _common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("everywhere")
    group.add_argument("--store", metavar="DIR", help="the store (default: $ASSAY_STORE, .assay)")
    group.add_argument("--json", action="store_true", help="one JSON envelope as the last line")
    group.add_argument("--debug", action="store_true", help="print the traceback of a fault")


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line like every other mistake."""

    def error(self, message: str) -> Any:
        raise UsageError(
            "USAGE", message, where=self.prog, hint=f"{self.prog} --help shows what it takes"
        )


def _fail(errors: list[dict[str, Any]], text: str, code: int, as_json: bool) -> int:
    sys.stderr.write(f"{text}\n")
    if as_json:
        envelope = {"ok": False, "errors": errors}
        sys.stdout.write(json.dumps(envelope, ensure_ascii=False, default=str) + "\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
