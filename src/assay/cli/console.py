"""How Assay speaks: progress while it works, tables when it is done.

With `--json` everything for people goes to standard error.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from assay.kernel.stage import Note
from assay.lifecycle.run import Notify

COLOURS = {
    "accepted": "green",
    "rejected": "red",
    "inconclusive": "yellow",
    "stopped": "red",
    "error": "red",
    "warning": "yellow",
    "note": "cyan",
}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave a reader that has gone, such as `head`, to `main`: it is no fault."""
        raise BrokenPipeError


def console_for(args: argparse.Namespace) -> Console:
    """Return where text for people goes; 120 columns where no terminal says otherwise."""
    console = _Console(stderr=args.json, highlight=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console


def coloured(word: str, text: str = "") -> str:
    """Return `text` (by default the word) as markup in the colour of `word`."""
    colour = COLOURS.get(word, "default")
    return f"[{colour}]{escape(text or word)}[/{colour}]"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> Table:
    """Return a plain table; cells are text, never markup."""
    made = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for header in headers:
        made.add_column(header, style=None, header_style="dim", overflow="fold")
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    return made


@contextmanager
def progress(console: Console) -> Iterator[Notify]:
    """Show the notes of a run: a live line on a terminal, one line a stage elsewhere."""
    if console.is_terminal:
        bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        with bars:
            task = bars.add_task("", total=None)

            def live(note: Note) -> None:
                _finished(console, note)
                total = note.total if note.seconds is None and note.total > 1 else None
                text = f"[bold]{note.stage}[/bold] {escape(note.text)}"
                bars.update(task, description=text, completed=note.done, total=total)

            yield live
    else:
        yield lambda note: _finished(console, note)


def _finished(console: Console, note: Note) -> None:
    """Print a stage that has ended, and what must be read even without a terminal."""
    if note.stage in ("wait", "cached"):
        console.print(f"  {escape(note.text)}")
    elif note.cached:
        console.print(f"  [green]✓[/green] {escape(note.text)} [dim](already done)[/dim]")
    elif note.seconds is not None:
        console.print(f"  [green]✓[/green] {escape(note.text)} [dim]{note.seconds:.1f} s[/dim]")
