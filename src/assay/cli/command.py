"""What a command is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Command:
    """A command: what it does, examples, its options, and the function that runs it.

    `run` prints for people and returns the exit code and the `data` of the JSON envelope.
    """

    about: str
    examples: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], tuple[int, Any]]
