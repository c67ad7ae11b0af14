"""What is printed is text: never markup, never colour codes in a file."""

from __future__ import annotations

import argparse
import io

import pytest
from rich.console import Console

from assay.cli.console import coloured, console_for, progress, table
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


def test_a_reader_that_has_gone_is_left_to_main():
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    console = console_for(argparse.Namespace(json=False))
    console.file = Gone()
    with pytest.raises(BrokenPipeError):
        console.print("hello")
