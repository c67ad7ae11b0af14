"""The file of a watcher: what is no state is set aside, and not raised."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay.lifecycle.watching.kept import Shelved, State
from assay.stores.workspace import open_workspace


@pytest.mark.parametrize(
    "held", [{"labels": {"known": 7}}, {"labels": {"fresh": 7}}, {"form": 99}, {"number": "x"}, [1]]
)
def test_a_file_that_holds_no_state_is_set_aside(tmp_path: Path, held: Any) -> None:
    shelved = Shelved(open_workspace(tmp_path / "store"), "m")
    shelved.write(State(number=3))
    found = shelved.read()
    assert found is not None
    assert found.number == 3
    shelved.path.write_bytes(zlib.compress(msgspec.msgpack.encode(held)))
    assert shelved.read() is None
    assert shelved.damaged
