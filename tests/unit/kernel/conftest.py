"""Three small stages over real records, in a store and ledger in memory."""

from __future__ import annotations

import pytest

from assay.kernel.stage import Context, Stage
from assay.records.fitted import Candidate
from assay.stores.memory import MemoryLedger, MemoryStore


class Chain:
    """Stages a → b → c, each adding its letter; `calls` says which ran, `fail` breaks one."""

    def __init__(self):
        self.calls = []
        self.fail = {}

    def stage(self, name, needs=(), **options):
        def body(inputs, context):
            self.calls.append(name)
            if self.fail.get(name):
                raise self.fail[name].pop(0)
            seen = {need: inputs[need].name for need in inputs}
            return Candidate(name="".join(seen.values()) + name, kind="test", params=seen)

        return Stage(name, name.upper(), Candidate, tuple(needs), body, **options)

    @property
    def stages(self):
        return [self.stage("a", ["given"]), self.stage("b", ["a"]), self.stage("c", ["a", "b"])]


@pytest.fixture
def chain():
    return Chain()


@pytest.fixture
def given():
    return {"given": Candidate(name="0", kind="test"), "unused": Candidate(name="x", kind="test")}


@pytest.fixture
def notes():
    return []


@pytest.fixture
def new_context(tmp_path, notes):
    """Make contexts over one store and ledger, as runs one after the other have."""
    store, ledger = MemoryStore(), MemoryLedger()

    def make(run="run-1"):
        return Context(store, ledger, tmp_path, run=run, actor="tester", notify=notes.append)

    return make
