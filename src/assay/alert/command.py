"""A notice as the standard input of a command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping

from assay.alert.faults import hidden, refused, unreachable
from assay.alert.notice import Notice
from assay.errors import UsageError

TIMEOUT = 30.0
"""Seconds that a command may take."""
SAID = 4096
"""Bytes at the end of its standard error that are read."""


def run_command(words: str, notice: Notice, environ: Mapping[str, str]) -> None:
    """Run a command, without a shell, with the notice as JSON on its standard input.

    `$ASSAY_ALERT_ID`, `_STATE`, `_KIND`, `_SEVERITY`, `_MODEL` and `_TITLE` say the most of it.
    Exit code 0 is a delivery; a command that takes too long is killed with its children. Raises as
    `deliver`.
    """
    argv = _split(words)
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(  # noqa: S603 (the words are the project file's own)
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={**environ, **_variables(notice)},
                start_new_session=True,
            )
        except OSError as error:
            raise unreachable(argv[0], error.strerror or "it does not start") from None
        try:
            process.communicate(notice.to_json(), TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children, too
            process.wait()
            raise unreachable(argv[0], f"it took longer than {TIMEOUT:g} s") from None
        if process.returncode:
            said.seek(max(0, said.seek(0, os.SEEK_END) - SAID))
            last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
            why = f"exit code {process.returncode}: {last}"
            raise refused(argv[0], hidden(why, argv[1:]))


def _split(words: str) -> list[str]:
    try:
        argv = shlex.split(words)
    except ValueError:
        argv = []
    if not argv:
        raise UsageError(
            "ALERT-COMMAND",
            "these words are no command",
            allowed=["command:/usr/local/bin/tell --team data"],
            hint="check the quotes after `command:`",
        )
    return argv


def _variables(notice: Notice) -> dict[str, str]:
    told = {
        "ID": notice.id,
        "STATE": notice.state,
        "KIND": notice.kind,
        "SEVERITY": notice.severity,
        "MODEL": notice.model.replace("\0", " "),
        "TITLE": notice.title,
    }
    return {f"ASSAY_ALERT_{name}": value for name, value in told.items()}
