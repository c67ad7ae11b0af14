"""What is printed is text: never markup, never colour codes in a file."""

from __future__ import annotations

import argparse
import io
import json
import re
import shlex
import subprocess
import sys
import time

import pytest
from rich.console import Console

from assay.cli.console import coloured, console_for, progress, table
from assay.cli.main import EXIT_CODES, main
from assay.kernel.stage import Note


def printed(thing, *, terminal: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=terminal, highlight=False).print(thing)
    return out.getvalue()


@pytest.mark.parametrize("cell", ["[red]x[/red]", "[link=http://a.b]x[/link]", "[/]", "\\[b]"])
def test_a_cell_is_text(cell):
    assert cell in printed(table(("name",), [(cell,)]))
    assert cell in printed(coloured("error", cell))


def test_words_for_people_go_to_standard_error_when_json_is_asked_for(capsys):
    for as_json in (False, True):
        console_for(argparse.Namespace(json=as_json)).print("hello [b]you[/b]")
    out, err = capsys.readouterr()
    assert out == err == "hello you\n"


def test_stages_are_told_one_line_each_where_there_is_no_terminal():
    out = io.StringIO()
    with progress(Console(file=out, width=100, highlight=False)) as notify:
        notify(Note("search", "boosting, fold 1", 1, 5))
        notify(Note("search", "Baselines [and] candidates", 1, 1, 2.34))
        notify(Note("fit", "Champion", 1, 1, 0.0, cached=True))
        notify(Note("wait", "waiting for process 7"))
    lines = out.getvalue().splitlines()
    assert [line.strip() for line in lines] == [
        "✓ Baselines [and] candidates 2.3 s",
        "✓ Champion (already done)",
        "waiting for process 7",
    ]


def test_a_long_stage_says_now_and_then_what_it_does(monkeypatch: pytest.MonkeyPatch):
    clock = iter([0.0, 10.0, 16.0, 20.0, 33.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    with progress(Console(file=out, width=80, highlight=False, soft_wrap=True)) as notify:
        for place in range(4):
            notify(Note("search", f"candidate {place} [of 9]; best so far 0.271; 9 s left", 1, 9))
    assert out.getvalue().splitlines() == [
        "    search: candidate 1 [of 9]; best so far 0.271; 9 s left",
        "    search: candidate 3 [of 9]; best so far 0.271; 9 s left",
    ]


def test_a_narrow_terminal_shows_all_of_a_note():
    out = io.StringIO()
    console = Console(file=out, width=60, force_terminal=True, highlight=False, soft_wrap=True)
    said = "candidate 7 of the portfolio, fold 2 of 5; best so far 0.2712 (boosting_2); 31 s left"
    with progress(console) as notify:
        notify(Note("search", said, 3, 9))
    shown = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", out.getvalue()).split())
    assert all(word in shown for word in said.split())


def test_work_goes_on_when_the_reader_has_gone():
    """The first line is lost to `true`, the later ones too, and the exit code is the work's own."""
    work = (
        "import argparse, time\n"
        "from assay.cli.console import console_for\n"
        "time.sleep(0.3)\n"
        "console = console_for(argparse.Namespace(json=False))\n"
        "for _ in range(3): console.print('hello')\n"
        "raise SystemExit(4)\n"
    )
    line = f'{shlex.quote(sys.executable)} -c {shlex.quote(work)} | true; exit "${{PIPESTATUS[0]}}"'
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (4, "")


def test_a_console_without_a_real_file_falls_silent():
    tries = []

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            tries.append(text)
            raise BrokenPipeError

    console = console_for(argparse.Namespace(json=False))
    console.file = Gone()
    for _ in range(3):
        console.print("hello")
    assert len(tries) == 1  # and not once more after the reader has gone


def test_a_narrow_terminal_folds_no_name():
    rows = [("a_long_run_name-7b765a89", "accepted", "a sentence that says why it is so")]
    out = io.StringIO()
    narrow = Console(file=out, width=30, highlight=False, soft_wrap=True)
    narrow.print(table(("run", "verdict", "why"), rows))
    text = out.getvalue()
    assert "a_long_run_name-7b765a89  accepted" in text
    for word in rows[0][2].split():
        assert word in text


def test_a_table_without_headers_starts_with_its_rows():
    assert printed(table(("", ""), [("a", "b")])).startswith("a")


def test_without_a_command_json_gets_an_envelope(capsys):
    assert main(["--json"]) == 2
    envelope = json.loads(capsys.readouterr().out)
    assert envelope["ok"] is False
    assert envelope["errors"][0]["code"] == "USAGE"


def test_the_exit_codes_name_refusals_and_interruptions():
    assert "stopped by the audit, or refused" in EXIT_CODES
    assert "130 interrupted" in EXIT_CODES
