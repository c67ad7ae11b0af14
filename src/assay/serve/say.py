"""One line for whoever runs the server."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Write a line to standard error at once: a worker may not live to do so later."""
    print(f"assay: {text}", file=sys.stderr, flush=True)  # noqa: T201
