"""How Assay speaks: progress while it works, tables when it is done.

With `--json` everything for people goes to standard error.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

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

QUIET = 15.0
"""Seconds after which a stage that takes long says what it is doing, where there is no terminal."""

LAST = 24
"""Characters that the last column of a table keeps on any terminal."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Go on without a reader that has gone, such as `head`: the work and its verdict count."""
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        except io.UnsupportedOperation:  # not a real file, so there is nothing to point elsewhere
            self.quiet = True


class _Table(Table):
    """A table that is wider than a narrow terminal, which wraps it, rather than cut off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        least = sum((column.min_width or 0) + 1 for column in self.columns)
        wide = options.update(width=max(options.max_width, least))
        return super().__rich_console__(console, wide)


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
    """Return a plain table; cells are text, never markup.

    Only the last column folds where the terminal is narrow, so that names stay whole.
    """
    made = _Table(
        title=title or None, title_justify="left", box=None, pad_edge=False,
        show_header=any(headers),
    )  # fmt: skip
    texts = [[str(cell) for cell in row] for row in rows]
    for place, header in enumerate(headers):
        last = place == len(headers) - 1
        width = max((cell_len(row[place]) for row in texts), default=0)
        made.add_column(
            header, header_style="dim", overflow="fold", no_wrap=not last,
            min_width=min(max(width, cell_len(header)), LAST) if last else width,
        )  # fmt: skip
    for row in texts:
        made.add_row(*map(escape, row))
    return made


@contextmanager
def progress(console: Console) -> Iterator[Notify]:
    """Show the notes of a run: live on a terminal; elsewhere a line a stage, a long one more."""
    if console.is_terminal:
        bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=console,
        )
        task, words = (
            bars.add_task("", total=None),
            Text(style="dim", overflow="fold", no_wrap=False),
        )
        # the words get a line of their own, so that a narrow terminal shows all of them
        with Live(Group(bars, words), console=console, transient=True):

            def live(note: Note) -> None:
                _finished(console, note)
                total = note.total if note.seconds is None and note.total > 1 else None
                bars.update(
                    task, description=f"[bold]{note.stage}[/bold]", completed=note.done, total=total
                )
                words.plain = f"  {note.text}"

            yield live
    else:
        yield _Log(console).take


class _Log:
    """Prints the stages that end; while one takes long, now and then what it is doing."""

    def __init__(self, console: Console) -> None:
        self.console, self.said = console, time.monotonic()

    def take(self, note: Note) -> None:
        """Print a note, or let it pass."""
        now = time.monotonic()
        _finished(self.console, note)
        if note.seconds is not None:
            self.said = now
        elif now - self.said >= QUIET:
            self.said = now
            self.console.print(f"    [dim]{note.stage}: {escape(note.text)}[/dim]")


def _finished(console: Console, note: Note) -> None:
    """Print a stage that has ended, and what must be read even without a terminal."""
    if note.stage in ("wait", "cached"):
        console.print(f"  {escape(note.text)}")
    elif note.cached:
        console.print(f"  [green]✓[/green] {escape(note.text)} [dim](already done)[/dim]")
    elif note.seconds is not None:
        console.print(f"  [green]✓[/green] {escape(note.text)} [dim]{note.seconds:.1f} s[/dim]")
