from __future__ import annotations

import os

import pytest

from assay.errors import DataError, Tampered, TransientFault
from assay.kernel import stage as stage_module
from assay.kernel import wrap
from assay.kernel.ledger import verify_chain
from assay.kernel.run import run
from assay.kernel.stage import Stage, take
from assay.kernel.store import put_record
from assay.kernel.wrap import WRAPPERS, Outcome, attempt, build, cached, ledgered, measured, retried
from assay.records.base import digest
from assay.records.fitted import Candidate
from assay.records.report import Estimate


def finished(context):
    return [event for event in context.ledger.read() if event.kind == "work.finished"]


def test_carries_records_through(chain, given, new_context):
    progress = run(chain.stages, given, new_context())
    assert progress.records["c"].name == "0a0abc"
    assert progress.records["c"].params == {"a": "0a", "b": "0ab"}  # what it needs, nothing else
    assert list(progress.outcomes) == ["a", "b", "c"]
    assert progress.halted is None
    assert chain.calls == ["a", "b", "c"]
    assert given.keys() == {"given", "unused"}


def test_the_second_run_does_nothing_again(chain, given, new_context, notes):
    first = run(chain.stages, given, new_context())
    events = list(new_context().ledger.read())
    second = run(chain.stages, given, new_context("run-2"))
    assert second.records == first.records
    assert chain.calls == ["a", "b", "c"]
    assert all(outcome.cached for outcome in second.outcomes.values())
    assert list(new_context().ledger.read()) == events
    assert [note.stage for note in notes if note.cached] == ["a", "b", "c"]


@pytest.mark.parametrize("broken", ["a", "b", "c"])
@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt(), DataError("X", "x")])
def test_resumes_at_the_stage_that_failed(chain, given, new_context, broken, error):
    chain.fail[broken] = [error]
    with pytest.raises(type(error)):
        run(chain.stages, given, new_context())
    done = "abc"[: "abc".index(broken)]
    assert [event.subject for event in finished(new_context())] == list(done)
    progress = run(chain.stages, given, new_context("run-2"))
    assert progress.records["c"].name == "0a0abc"
    assert [chain.calls.count(name) for name in "abc"] == [1 + (n == broken) for n in "abc"]
    assert verify_chain(new_context().ledger.read()) == 3


def test_halts(chain, given, new_context):
    def stop(record):
        return f"{record.name} is enough" if record.name == "0ab" else None

    a, b, c = chain.stages
    b = chain.stage("b", ["a"], halts=stop)
    for _ in range(2):  # the second time from the cache: the reason is the same
        progress = run([a, b, c], given, new_context())
        assert (progress.halted, progress.reason) == ("b", "0ab is enough")
        assert "c" not in progress.records
    assert chain.calls == ["a", "b"]


def test_halts_may_let_pass(chain, given, new_context):
    stage = chain.stage("a", ["given"], halts=lambda _: None)
    assert run([stage], given, new_context()).halted is None


def test_only_what_changed_is_done_again(chain, given, new_context):
    run(chain.stages, given, new_context())
    given["unused"] = Candidate(name="other", kind="test")
    run(chain.stages, given, new_context())
    assert chain.calls == ["a", "b", "c"]
    stages = [*chain.stages[:2], chain.stage("c", ["a", "b"], version=2)]
    run(stages, given, new_context())
    assert chain.calls == ["a", "b", "c", "c"]
    given["given"] = Candidate(name="1", kind="test")
    assert run(chain.stages, given, new_context()).records["c"].name == "1a1ab" + "c"
    assert chain.calls[4:] == ["a", "b", "c"]


# ---- keys


def key(name="s", needs=("x",), version=1, **records):
    def body(inputs, context):
        raise NotImplementedError

    return Stage(name, "title", Candidate, tuple(needs), body, version=version).key(records)


def test_a_key_changes_exactly_with_its_inputs():
    x, y = Candidate(name="x", kind="k"), Candidate(name="y", kind="k", params={"a": 1})
    same = key(x=x)
    assert same == key(x=Candidate(name="x", kind="k"))
    assert same == key(x=x, y=y)  # not needed, so not part of it
    others = [
        key(x=y),
        key(name="t", x=x),
        key(version=2, x=x),
        key(needs=("x", "y"), x=x, y=y),
        key(needs=("y",), y=x),
        key(x=Candidate(name="x", kind="k", params={"a": 1})),
        key(x=Candidate(name="x", kind="k", params={"a": 1.5})),
        key(needs=()),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_the_order_of_needs_and_params_does_not_matter():
    x = Candidate(name="x", kind="k", params={"a": 1, "b": 2})
    y = Candidate(name="x", kind="k", params={"b": 2, "a": 1})
    assert key(needs=("x", "y"), x=x, y=y) == key(needs=("y", "x"), x=y, y=x)


# ---- wrappers


def test_wrappers_outermost_first():
    assert list(WRAPPERS) == [cached, ledgered, measured, retried]


def test_ledgered_says_what_who_and_at_what_cost(chain, given, new_context, notes):
    context = new_context()
    outcome = build(chain.stage("a", ["given"]))(given, context)
    (event,) = context.ledger.read()
    assert (event.kind, event.subject, event.actor) == ("work.finished", "a", "tester")
    assert event.parents == (digest(given["given"]),)
    assert event.data["record"] == digest(outcome.record)
    assert event.data["key"] == chain.stage("a", ["given"]).key(given)
    assert event.data["run"] == "run-1"
    assert event.data["peak_rss_mb"] > 1
    assert event.data["seconds"] == round(outcome.seconds, 3)
    assert context.store.has(event.data["record"])
    assert [(note.text, note.done, note.total) for note in notes] == [("A", 0, 0), ("A", 1, 1)]


def test_measured_takes_the_time(chain, given, new_context, monkeypatch):
    ticks = iter([10.0, 12.5])
    monkeypatch.setattr(wrap.time, "perf_counter", lambda: next(ticks))
    call = measured(chain.stage("a"), lambda inputs, context: Outcome(given["given"]))
    outcome = call({}, new_context())
    assert outcome.seconds == 2.5
    assert 1 < outcome.peak_rss_mb < 100_000


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_retried_tries_three_times(chain, given, new_context, notes, monkeypatch, failures):
    waits = []
    monkeypatch.setattr(wrap.time, "sleep", waits.append)
    chain.fail["a"] = [TransientFault("DATA-NET", f"try {i}") for i in range(failures)]
    call = build(chain.stage("a", ["given"]))
    if failures == 3:
        with pytest.raises(TransientFault, match="try 2"):
            call(given, new_context())
        assert finished(new_context()) == []
    else:
        assert call(given, new_context()).record == chain.stages[0].body(given, new_context())
    assert waits == [0.5, 1.0][:failures]
    said = [note.text for note in notes if "again" in note.text]
    assert said == [f"trying again: try {i}" for i in range(min(failures, 2))]


def test_only_faults_from_outside_are_tried_again(chain, given, new_context):
    chain.fail["a"] = [ValueError("ours")]
    with pytest.raises(ValueError, match="ours"):
        build(chain.stage("a", ["given"]))(given, new_context())
    assert chain.calls == ["a"]


# ---- remembering


def test_other_processes_work_is_seen(chain, given, new_context):
    mine, theirs = new_context("run-1"), new_context("run-2")
    assert mine.recall("k", Candidate) is None
    theirs.remember("k", "thing", given["given"])
    assert mine.recall("k", Candidate) == given["given"]


def test_the_last_record_under_a_key_counts(given, new_context):
    context = new_context()
    for name in ("given", "unused"):
        context.remember("k", "thing", given[name])
    assert new_context().recall("k", Candidate) == given["unused"]


def test_work_whose_bytes_are_gone_is_done_again(chain, given, new_context):
    run(chain.stages, given, new_context())
    context = new_context()
    lost = put_record(context.store, Candidate(name="0ab", kind="test", params={"a": "0a"}))
    del context.store._blobs[lost]
    assert run(chain.stages, given, new_context()).records["c"].name == "0a0abc"
    assert chain.calls == ["a", "b", "c", "b"]
    assert context.store.has(lost)


def test_work_whose_bytes_changed_is_tampered(given, new_context):
    context = new_context()
    context.remember("k", "thing", given["given"])
    context.store._blobs[digest(given["given"])] = b"{}"
    with pytest.raises(Tampered):
        new_context().recall("k", Candidate)


def test_a_record_of_another_kind_is_tampered(given, new_context):
    context = new_context()
    context.remember("k", "thing", given["given"])
    with pytest.raises(Tampered):
        context.recall("k", Estimate)
    with pytest.raises(Tampered):
        take(given, "given", Estimate)
    assert take(given, "given", Candidate) is given["given"]


def test_append_names_actor_and_agency(new_context):
    context = new_context()
    event = context.append("choice.made", "metric", agency="user", parents=("p",), value="f1")
    assert (event.actor, event.agency, event.parents) == ("tester", "user", ("p",))
    assert event.data == {"value": "f1"}


# ---- what a record stands for


class Keeper(Candidate, frozen=True, kw_only=True, tag="keeper@1"):
    """A record that is nothing without its bytes."""

    def blobs(self):
        return (self.kind,)


def test_work_whose_bytes_are_gone_counts_as_not_done(new_context):
    context = new_context()
    blob = context.store.put(b"predictions")
    context.remember("key", "fit", Keeper(name="a", kind=blob))
    assert new_context().recall("key", Keeper).kind == blob
    context.remember("other", "fit", Keeper(name="b", kind="0" * 64))
    assert new_context().recall("other", Keeper) is None


def test_what_is_remembered_comes_back_as_a_resumed_run_will_read_it(new_context):
    given = Candidate(name="a", kind="test", params={"b": 1, "a": (1, 2)})
    found = new_context().remember("key", "fit", given)
    assert list(found.params) == ["a", "b"]
    assert found.params["a"] == [1, 2]
    assert found == new_context().recall("key", Candidate)


def test_a_stage_whose_folder_is_gone_is_done_again(chain, given, new_context):
    there = [True]
    stage = chain.stage("a", ["given"], intact=lambda record, _: there[0] and record.name == "0a")
    run([stage], given, new_context())
    run([stage], given, new_context())
    assert chain.calls == ["a"]
    there[0] = False
    run([stage], given, new_context())
    assert chain.calls == ["a", "a"]


def test_an_input_of_another_kind_is_refused():
    with pytest.raises(Tampered) as error:
        take({"search": Candidate(name="a", kind="k")}, "search", Estimate)
    assert error.value.code == "RECORD-KIND"


def test_a_user_without_a_name_is_a_number(monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(stage_module.getpass, "getuser", nameless)
    assert stage_module.user_name() == f"uid-{os.getuid()}"


def test_work_outside_of_a_stage_is_tried_again_too(new_context, notes, monkeypatch):
    monkeypatch.setattr(wrap.time, "sleep", lambda _: None)
    faults = [TransientFault("NET", "the line is down"), TransientFault("NET", "still down")]

    def work():
        if faults:
            raise faults.pop(0)
        return 7

    assert attempt(work, "data", new_context()) == 7
    assert [note.text for note in notes] == ["trying again: the line is down",
                                             "trying again: still down"]  # fmt: skip
    faults = [TransientFault("NET", "down")] * 3
    with pytest.raises(TransientFault):
        attempt(work, "data", new_context())
