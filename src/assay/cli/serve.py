"""`assay serve`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assay.cli.command import Command
from assay.errors import UsageError
from assay.kernel.loader import load

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="NAME[@VERSION]", help="without a version: "
        "the champion, whichever it is")  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="the address (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="0 is a free one (default: 8080)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="(default: one a core)")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="the chain, as PEM")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, as PEM")
    parser.add_argument("--trace", default="", metavar="URL", help="send spans of requests to "
        "this OpenTelemetry collector, such as http://localhost:4318")  # fmt: skip
    parser.add_argument("--trace-share", type=float, default=0.01, metavar="P", help="the share of "
        "requests with a span, where their caller does not say (default: 0.01)")  # fmt: skip
    parser.add_argument("--no-log", action="store_true", help="write no log of predictions")
    parser.add_argument(
        "--allow-code", action="store_true", help="let the packages' own Python run"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="a key of [serve] or [release] in place of the project file's",
    )  # fmt: skip


def _run(args: argparse.Namespace) -> tuple[int, Any]:
    _check(args)
    for name in _THREADS:  # workers are processes: a request takes one core
        os.environ.setdefault(name, "1")
    options = load("assay.lifecycle.serving.server:Options")(
        host=args.host,
        port=args.port,
        workers=args.workers,
        tls=(args.tls_cert, args.tls_key) if args.tls_cert else None,
        log=not args.no_log,
        allow_code=args.allow_code,
        overrides=tuple(args.overrides),
        trace=load("assay.serve.tracing.route:Tracing")(args.trace, args.trace_share)
        if args.trace
        else None,
    )
    load("assay.lifecycle.serving.server:serve")(args.models, options, store=args.store)
    return 0, {"models": args.models}


def _check(args: argparse.Namespace) -> None:
    if bool(args.tls_cert) != bool(args.tls_key):
        raise UsageError(
            "SERVE-TLS-PAIR",
            "a certificate and its key go together",
            allowed=["--tls-cert FILE --tls-key FILE"],
        )
    for flag, value, most in (("--port", args.port, 65_535), ("--workers", args.workers, 256)):
        if not 0 <= value <= most:
            raise UsageError(
                "SERVE-NUMBER", f"{flag} is a number from 0 to {most:,}", where=flag, got=value
            )
    if args.trace and urlsplit(args.trace).scheme not in ("http", "https"):
        raise UsageError(
            "SERVE-TRACE",
            "traces go to an address with http:// or https://",
            where="--trace",
            allowed=["http://HOST:4318"],
            hint="OTLP over HTTP; a key of the collector belongs into $OTEL_EXPORTER_OTLP_HEADERS",
        )
    if not 0.0 <= args.trace_share <= 1.0:
        raise UsageError(
            "SERVE-NUMBER",
            "--trace-share is a number from 0 to 1",
            where="--trace-share",
            got=args.trace_share,
        )


COMMAND = Command(
    about="""\
Answer requests with one or more models. `ready URL` on standard error says that it can. A model
named without a version follows its champion: `assay promote`, `rollback` and `release` change what
a running server answers with, within a second and without a failed request. SIGTERM lets every
request end first; SIGHUP reads project files, tokens and certificates again.""",
    examples="""\
examples:
  assay serve churn
  assay serve churn@2 --port 9000 --workers 2
  assay serve churn fraud --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem
  assay serve churn --set serve.slo=20ms --set serve.unseen=error
  assay serve churn --trace http://localhost:4318 --trace-share 0.05
""",
    configure=_configure,
    run=_run,
)
