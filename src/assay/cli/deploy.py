"""`assay deploy`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.markup import escape

from assay.cli.command import Command
from assay.cli.console import console_for
from assay.deploy.files import KINDS
from assay.lifecycle.deploying.deploy import deploy


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("model", help="NAME or NAME@VERSION")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="a new folder"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="of one copy (default: 1)"
    )
    parser.add_argument("--port", type=int, default=8080, metavar="P", help="(default: 8080)")
    parser.add_argument(
        "--rps", type=float, metavar="N", help="requests a second, for the number of copies"
    )


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    made = deploy(
        args.kind,
        args.model,
        args.output,
        workers=args.workers,
        port=args.port,
        rps=args.rps,
        store=args.store,
    )
    console = console_for(args)
    folder = escape(str(made.folder))
    console.print(
        f"[green]✓[/green] {made.model} as {args.kind}: {len(made.files)} files → {folder}"
    )
    console.print(f"  {made.sizing.why}")
    console.print(
        "\nNext:", f"  cd {folder}", *(f"  {escape(line)}" for line in made.then), sep="\n"
    )
    return 0, {
        "model": made.model,
        "package": made.package,
        "folder": str(made.folder),
        "files": list(made.files),
        "sizing": vars(made.sizing),
        "next": list(made.then),
    }


COMMAND = Command(
    about="""\
Write the files that run a version of a model elsewhere, and say what to run next. Where the
version was load-tested, memory, copies and autoscaling come from what was measured.

  docker      an image that answers as `assay serve` does: no shell, no root, no code but ours
  compose     the same with Docker Compose
  kubernetes  the same with Deployment, Service, autoscaling, disruption budget, network policy
  kserve      the same behind KServe, by the Open Inference Protocol
  systemd     a hardened service for one machine, and the script that installs it
  ray         a Ray Serve application around the package
  triton      a model repository of Triton: the model file and its config
  mlflow      a folder that MLflow loads and registers, without Assay""",
    examples="""\
examples:
  assay deploy docker churn -o image
  assay deploy kubernetes churn@3 -o k8s --rps 2000
  assay deploy systemd churn -o unit --workers 2 --port 9000
""",
    configure=_configure,
    run=_run,
)
