"""What a worker knows: its models, and where what it does is counted and written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.errors import AssayError
from assay.serve.access import Access
from assay.serve.log.writer import PredictionLog
from assay.serve.models import Models
from assay.serve.processes.board import Board, Tally

Ask = Callable[[str, str, Callable[[AssayError | None], None]], None]
"""Takes "load" or "unload", NAME or NAME@VERSION, and what to call when all workers have done so,
or with the error that says why they have not."""


@dataclass
class State:
    """A worker, as its routes see it.

    `log` is None where nothing is written; whether a model's answers are is its `[serve] log`.
    `ready` turns True after every model has answered once, and False when the server drains.
    `board` has the counts of all workers; `ask` is None where no parent could be asked.
    """

    models: Models
    tally: Tally
    access: Access
    log: PredictionLog | None = None
    worker: int = 0
    ready: bool = True
    board: Board | None = None
    ask: Ask | None = None
