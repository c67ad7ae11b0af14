"""Alerts to a real command."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path

import pytest
from receivers import notice

from assay.alert import command
from assay.alert.channel import deliver
from assay.errors import AssayError

ENVIRON = {"PATH": os.environ["PATH"]}


def python(code: str, *words: str) -> str:
    return "command:" + shlex.join([sys.executable, "-c", code, *words])


def fault(to: str) -> AssayError:
    with pytest.raises(AssayError) as caught:
        deliver(to, notice(), ENVIRON)
    return caught.value


def test_it_gets_the_notice_on_its_input_and_in_its_environment(tmp_path):
    out = tmp_path / "out"
    code = (
        "import json, os, sys; json.dump([json.load(sys.stdin), sys.argv[1:], "
        "{k: v for k, v in os.environ.items() if 'ALERT' in k}], open(sys.argv[1], 'w'))"
    )
    deliver(python(code, str(out), "a b; $(touch no)"), notice(model="größe\n"), ENVIRON)
    told, words, environ = json.loads(out.read_text())
    assert told == notice(model="größe\n").to_dict()
    assert words[1] == "a b; $(touch no)"
    assert environ == {
        "ASSAY_ALERT_ID": "0123456789abcdef",
        "ASSAY_ALERT_STATE": "firing",
        "ASSAY_ALERT_KIND": "drift",
        "ASSAY_ALERT_SEVERITY": "warning",
        "ASSAY_ALERT_MODEL": "größe\n",
        "ASSAY_ALERT_TITLE": "[größe @2] drift: fee",
    }


def test_one_that_reads_nothing_is_fine(tmp_path: Path):
    mark = tmp_path / "ran"
    deliver(f"command:touch {mark}", notice(alerts=notice().alerts * 20_000), ENVIRON)
    assert mark.exists()


def test_one_that_fails_says_why_without_its_words():
    error = fault(python("import sys; sys.exit(f'no luck with {sys.argv[1]}')", "hush"))
    assert error.code == "ALERT-REFUSED"
    assert "exit code 1: no luck with ***" in error.message


@pytest.mark.parametrize("words", ["no-such-command-at-all", "/", "''"])
def test_one_that_is_not_there(words):
    assert fault(f"command:{words}").code == "ALERT-UNREACHABLE"


@pytest.mark.parametrize("words", ["tell 'me", "   "])
def test_words_that_are_no_command(words):
    assert fault(f"command:{words}").code == "ALERT-COMMAND"


def test_one_that_hangs_is_ended_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "TIMEOUT", 1.0)
    mark = tmp_path / "pid"
    begun = time.monotonic()
    error = fault("command:" + shlex.join(["sh", "-c", f"sleep 60 & echo $! > {mark}; wait"]))
    assert error.code == "ALERT-UNREACHABLE"
    assert time.monotonic() - begun < 30
    child = Path(f"/proc/{int(mark.read_text())}/stat")
    end = time.monotonic() + 10
    while child.exists() and child.read_text().split(") ")[1][0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.01)
