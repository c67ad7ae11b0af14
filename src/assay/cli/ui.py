"""`assay ui`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from assay.cli.command import Command
from assay.errors import UsageError
from assay.kernel.loader import load


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8090, help="0 is a free one (default: 8090)")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="the chain, as PEM")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, as PEM")
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    if bool(args.tls_cert) != bool(args.tls_key):
        raise UsageError(
            "SERVE-TLS-PAIR",
            "a certificate and its key go together",
            allowed=["--tls-cert FILE --tls-key FILE"],
        )
    if not 0 <= args.port <= 65_535:
        raise UsageError(
            "SERVE-NUMBER", "--port is a number from 0 to 65,535", where="--port", got=args.port
        )
    options = load("assay.ui.server:Options")(
        host=args.host,
        port=args.port,
        tls=(args.tls_cert, args.tls_key) if args.tls_cert else None,
        open=args.open,
    )
    load("assay.ui.server:serve_ui")(options, store=args.store)
    return 0, {"host": args.host}


COMMAND = Command(
    about="""\
Open the web page of a store: runs, models, windows, incidents, alerts and the audit log, brought up
to date as the ledger grows. `ready URL` on standard error says where it is. It shows and changes
nothing, loads nothing from elsewhere, and ends with Ctrl-C. Where other machines can reach it, it
asks for a token with the scope `read`.""",
    examples="""\
examples:
  assay ui
  assay ui --open --store examples/churn/.assay
  assay ui --host 0.0.0.0 --port 9000 --tls-cert chain.pem --tls-key key.pem
""",
    configure=_configure,
    run=_run,
)
