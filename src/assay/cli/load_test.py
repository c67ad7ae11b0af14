"""`assay load-test`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import coloured, console_for, table
from assay.lifecycle.load_testing.load_test import LoadResult, load_test
from assay.lifecycle.load_testing.measure import Load
from assay.records.deployment import LATENCY_EDGES
from assay.report.text import number

BAR = 48
"""Characters of the longest bar of the histogram."""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="NAME or NAME@VERSION")
    parser.add_argument("--rps", type=float, default=500.0, help="requests a second (default: 500)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long (default: 10)")
    parser.add_argument(
        "--connections", type=int, default=32, metavar="N", help="at most so many (default: 32)"
    )
    parser.add_argument(
        "--rows", type=int, default=1, metavar="N", help="rows a request (default: 1)"
    )
    parser.add_argument(
        "--poisson", action="store_true", help="requests come as independent callers would send"
    )
    parser.add_argument(
        "--capacity", action="store_true", help="look for the highest rate that keeps the SLO"
    )
    parser.add_argument(
        "--check", action="store_true", help="compare each answer with the batch prediction"
    )
    parser.add_argument("--url", default="", help="a server that runs already")
    parser.add_argument("--token", default="", help="its token")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="of the server it starts (default: 1)"
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help="TOML with the machine's price")


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    ask = Load(
        rps=args.rps,
        seconds=args.seconds,
        connections=args.connections,
        rows=args.rows,
        workers=args.workers,
        arrivals="poisson" if args.poisson else "constant",
        capacity=args.capacity,
        url=args.url,
        token=args.token,
    )
    with telling() as say:
        result = load_test(
            args.model, ask, prices=args.prices, check=args.check, store=args.store, say=say
        )
    console = console_for(args)
    _print(console, result)
    return result.exit_code, result.to_dict()


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """Give what shows how far a load is: one line, rewritten on a terminal.

    It takes microseconds: a display that draws would make the generator late.
    """
    live = sys.stderr.isatty()

    def say(text: str) -> None:
        sys.stderr.write(f"\r\x1b[K  {text}" if live else "")
        sys.stderr.flush()

    yield say
    say("")


def _print(console: Console, result: LoadResult) -> None:
    record, fired = result.record, result.measured.fired
    latency = result.latency_ms()
    console.print(
        f"[bold]{escape(record.model)}[/bold]  {fired.requests:,} requests in "
        f"{record.seconds:g} s, {escape(result.source)}"
    )
    rows = [(f"latency {name}", f"{number(e.value)} ms", f"{number(e.low)} to {number(e.high)}")
            for name, e in latency.items()]  # fmt: skip
    rows += [("answered", f"{number(record.rps)} a second", ""), *_counts(result)]
    console.print(table(("", "", "95% interval"), rows))
    console.print(histogram(record.latency))
    if result.measured.doubtful:
        console.print(
            f"[yellow]the generator, not the server:[/yellow] it was late itself by "
            f"{1e3 * fired.late:.1f} ms (p99); use a machine with less other work, or a lower --rps"
        )
    if result.decision is not None:
        for gate in result.decision.gates:
            word = coloured(gate.verdict, f"{gate.verdict:<12}")
            console.print(f"{word} {escape(gate.name)} under load: {escape(gate.reason)}")


def _counts(result: LoadResult) -> list[tuple[str, str, str]]:
    record, fired, capacity = result.record, result.measured.fired, result.measured.capacity
    kinds = {f"HTTP {status}": n for status, n in fired.statuses.items() if status >= 300}
    words = ", ".join(f"{name} {n:,}" for name, n in {**kinds, **fired.kinds}.items())
    rows = [("errors", f"{record.errors:,}", words)]
    if result.wrong is not None:
        rows.append(("wrong answers", f"{result.wrong:,}", "each compared with the batch's"))
    if capacity is not None:
        limit = "; the generator could not ask faster" if capacity.by_generator else ""
        promise = f"p99 within {record.slo_ms:g} ms, under 0.1% errors{limit}"
        rows.append(("capacity", f"{number(capacity.rps)} a second", promise))
    if record.cost_per_million is not None:
        cost = f"{number(record.cost_per_million)} {result.currency}"
        rows.append(("a million predictions", cost, "by the price file"))
    if record.peak_mb is not None:
        rows.append(("memory, most", f"{record.peak_mb:.0f} MB", "all processes of the server"))
    return rows


def histogram(counts: Sequence[int]) -> str:
    """Return the latencies as bars of text, from the first to the last that occurs."""
    there = [place for place, count in enumerate(counts) if count]
    if not there:
        return ""
    most, total = max(counts), sum(counts)
    lines = []
    for place in range(there[0], there[-1] + 1):
        edge = f"{number(1e3 * LATENCY_EDGES[min(place, len(LATENCY_EDGES) - 1)])} ms"
        side = "≤" if place < len(LATENCY_EDGES) else ">"
        bar = "█" * max(round(BAR * counts[place] / most), 1 if counts[place] else 0)
        lines.append(f"  {side} {edge:>10}  {counts[place] / total:>6.1%}  {bar}")
    return "\n".join(lines)


COMMAND = Command(
    about="""\
Ask a served model on a schedule, whether or not earlier requests were answered (open loop), and
say how long answers take from when each was due. Without --url a server is started for it and
stopped after. A sealed gate on latency is judged again, under load: exit code 3 when it does not
hold, 4 when the load cannot tell.""",
    examples="""\
examples:
  assay load-test churn                                   500 a second for 10 seconds
  assay load-test churn --rps 2000 --seconds 60 --poisson
  assay load-test churn --capacity --prices prices.toml   the highest rate, and what it costs
  assay load-test churn@3 --check                         is every answer right?
  assay load-test churn --url http://localhost:8000 --token "$TOKEN" --json
""",
    configure=_configure,
    run=_run,
)
