"""A look is a model judged on the test rows under a seal."""

from assay.lifecycle.looks import looks_at
from assay.records.event import Event


def read(seal, test="t", **data):
    return Event(
        seq=0,
        kind="test.read",
        subject="run",
        actor="a",
        at="2026-11-22T00:00:00Z",
        agency="default",
        data={"seal": seal, "test": test, **data},
        parents=(),
        previous="",
        digest="",
    )


def test_looks_are_models_and_seals_not_readings():
    events = [read("s", model="m")] * 3  # a run that was resumed twice
    assert looks_at(events, "t") == 1
    events.append(read("s", model="n"))  # another budget, another model
    assert looks_at(events, "t") == 2
    events.append(read("z", model="n"))  # the same model under other gates
    assert looks_at(events, "t") == 3
    events.append(read("z", rerun=True))  # verify --rerun tells nobody anything new
    assert looks_at(events, "t") == 3
    assert looks_at(events, "other rows") == 1


def test_readings_of_a_store_from_before_models_were_named_count_by_their_seals():
    assert looks_at([read("s"), read("s"), read("z")], "t") == 2
