"""`assay release` without a server: what it writes, what it refuses, and what it shows."""

from __future__ import annotations

import json

import pytest
from shop import Shop

from assay.cli.main import main
from assay.errors import AssayError
from assay.kernel.stage import Context
from assay.lifecycle.models import history, rollback
from assay.lifecycle.releasing import release
from assay.lifecycle.releasing.deciding import Releasing, kept_at
from assay.lifecycle.releasing.experiment import experiment
from assay.lifecycle.releasing.releases import STEP, Releases
from assay.records.deployment import LATENCY_EDGES, Deployment, Traffic


def told(capsys, *words: object) -> tuple[int, dict]:
    """Run a command with --json; return its exit code and its envelope."""
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def code_of(call, *args, **options) -> str:
    with pytest.raises(AssayError) as error:
        call(*args, **options)
    return error.value.code


def test_a_release_is_one_event_that_says_everything(store: Shop):
    standing = release.start("churny@1", ["release.alpha=0.01"], "why not", store=store.store)
    [event] = store.events("release.started")
    assert event.agency == "user"
    assert event.data["section"]["alpha"] == 0.01
    assert event.data["reason"] == "why not"
    assert len(event.parents) == 2
    assert standing.release.on
    assert standing.servers == ()
    live, new = standing.release.arms()
    assert (live.version, new.version) == (2, 1)
    assert live.share + new.share == 1
    assert new.share == 0.05


def test_without_a_server_it_says_so_and_waits(store: Shop, capsys):
    code, said = told(capsys, "release", "churny@1", "--store", store.store)
    assert code == 0
    assert said["data"]["servers"] == []
    assert main(["release", "churny", "--store", str(store.store)]) == 0
    shown = capsys.readouterr().out
    assert "no server answers with churny now" in shown
    assert "stage 1 of 3: it has 5.0% of the requests" in shown


def test_what_cannot_be_released_is_refused(store: Shop):
    at = {"store": store.store}
    assert code_of(release.start, "churny@2", **at) == "MODEL-ALREADY-CHAMPION"
    assert code_of(release.start, "churny@9", **at) == "MODEL-NO-VERSION"
    assert code_of(release.start, "churny@1", ["budget.time=1s"], **at) == "SERVE-SET"
    ab = ["release.strategy=ab"]
    assert code_of(release.start, "churny@1", ab, **at) == "RELEASE-METRIC"
    assert code_of(release.status, "churny", **at) == "RELEASE-NONE"
    release.start("churny@1", **at)
    assert code_of(release.start, "churny@1", **at) == "RELEASE-ON"
    release.abort("churny", "enough", **at)
    assert code_of(release.abort, "churny", **at) == "RELEASE-NONE-ON"
    assert code_of(experiment, "churny", **at) == "RELEASE-METRIC"


def test_a_version_that_its_gates_did_not_accept_needs_a_reason(store: Shop):
    workspace = store.workspace()
    context = Context(workspace.store, workspace.ledger, workspace.root)
    package = release.start("churny@1", store=store.store).release.candidate.package
    release.abort("churny", store=store.store)
    copy = context.append(
        "model.registered", "other", package=package, run="r", verdict="rejected"
    )  # fmt: skip
    assert copy.subject == "other"
    live = store.events("model.registered")[1].data["package"]
    context.append("model.registered", "other", package=live, run="r", verdict="accepted")
    context.append(
        "alias.moved", "other", alias="champion", version=2, reason="", verdict="accepted"
    )
    assert code_of(release.start, "other@1", store=store.store) == "PROMOTE-REASON"
    assert release.start("other@1", (), "my risk", store=store.store).release.on


def test_direct_makes_it_the_champion_at_once(store: Shop, capsys):
    code, said = told(capsys, "release", "churny@1", "--strategy", "direct", "--store", store.store)
    assert (code, said["data"]["state"]) == (0, "promoted")
    assert history("churny", store=store.store)["moves"][-1]["version"] == 1


def test_keys_belong_to_the_start(store: Shop, capsys):
    release.start("churny@1", store=store.store)
    code, said = told(capsys, "release", "churny", "--strategy", "ab", "--store", store.store)
    assert (code, said["errors"][0]["code"]) == (2, "RELEASE-STARTED")


def test_an_abort_and_what_it_leaves(store: Shop, capsys):
    release.start("churny@1", store=store.store)
    words = ["release", "churny", "--abort", "--reason", "rain", "--store", store.store]
    code, said = told(capsys, *words)
    assert (code, said["data"]["state"]) == (0, "aborted")
    assert said["data"]["reason"].endswith("rain")
    assert store.events("release.decided")[0].agency == "user"
    assert main(["release", "churny", "--store", str(store.store)]) == 3


@pytest.mark.parametrize(("reference", "state"), [("churny@1", "promoted"), (None, "aborted")])
def test_a_person_who_moves_the_champion_ends_it(store: Shop, reference, state):
    release.start("churny@1", store=store.store)
    if reference:
        store.assay("promote", reference)
    else:
        rollback("churny", store=store.store)
    standing = release.status("churny", store=store.store)
    assert standing.release.state == state
    release.start("churny@2" if reference else "churny@1", store=store.store)  # another may begin


def test_a_plan(store: Shop, capsys):
    words = [
        "release",
        "churny@1",
        "--plan",
        "--set",
        "release.steps=[0.5]",
        "--store",
        store.store,
    ]
    code, said = told(capsys, *words, "--rate", 0.1, "--effect", 0.02)
    assert code == 0
    assert 4000 < said["data"]["new"] < 5000
    code, half = told(capsys, *words, "--deviation", 10, "--effect", 1)
    code, whole = told(capsys, *words, "--deviation", 10, "--effect", 0.5)
    assert whole["data"]["total"] == pytest.approx(4 * half["data"]["total"], rel=0.01)
    for wrong in (
        ["--rate", 0.1],
        ["--rate", 0.9, "--effect", 0.2],
        ["--rate", 0.1, "--effect", 0],
    ):
        code, said = told(capsys, *words, *wrong)
        assert (code, said["errors"][0]["code"]) == (2, "RELEASE-PLAN")


def test_a_report_names_the_columns_that_the_log_has(store: Shop):
    keys = ["release.strategy=ab", "release.metric=paid"]
    release.start("churny@1", keys, store=store.store)
    assert code_of(experiment, "churny", "nothing", store=store.store) == "RELEASE-COVARIATE"
    found = experiment("churny", store=store.store)
    assert found.effect is None
    assert found.stages == ()


def counted(version: int, requests: int, yes: int) -> Traffic:
    """Return what a server counted: every request quick, so many with the second class."""
    latency = [0] * (len(LATENCY_EDGES) + 1)
    latency[10] = requests
    return Traffic(
        model="churny", version=version, requests=requests, rows=requests,
        latency=tuple(latency), answers=(requests - yes, yes),
    )  # fmt: skip


def serving(store: Shop) -> Releasing:
    """Return what a server asks about releases, with the first stage on all its workers."""
    releasing = Releasing(store.workspace())
    for event in store.workspace().ledger.read():
        releasing.take(event)
    releasing.changed(releasing.arranged(Deployment(model="churny", arms=())))
    return releasing


def test_one_server_decides_and_the_others_follow(store: Shop):
    release.start("churny@1", ["release.minimum=20"], store=store.store)
    first, second = serving(store), serving(store)
    for look in range(1, 40):
        new = counted(1, 5 * look, 4 * look), counted(2, 1000 * look, 200 * look)
        first.look(lambda now=new: now)
        second.look(lambda now=new: now)
    decided = store.events("release.decided")
    assert len(decided) == 1
    assert decided[0].data["decision"] == "aborted"
    assert first.arranged(Deployment(model="churny", arms=())).arms == ()
    assert history("churny", store=store.store)["moves"][-1]["version"] == 2


def test_a_server_that_is_asked_nothing_leaves_the_decision_to_others(store: Shop):
    release.start("churny@1", store=store.store)
    idle, busy = serving(store), serving(store)
    idle.look(lambda: [counted(2, 500, 100)])
    for look in range(3):
        now = [counted(1, 50 * look, 10 * look), counted(2, 500 * look, 100 * look)]
        idle.look(lambda: [counted(2, 500, 100)])
        busy.look(lambda now=now: now)
    assert json.loads(kept_at(store.store, "churny").read_bytes())["requests"] == [500, 50]


def test_a_version_that_cannot_be_loaded_ends_its_release(store: Shop):
    release.start("churny@1", store=store.store)
    releasing = serving(store)
    wanted = releasing.arranged(Deployment(model="churny", arms=()))
    releasing.failed(wanted, AssayError("PACKAGE-CHANGED", "a file was changed"))
    standing = release.status("churny", store=store.store)
    assert standing.release.state == "aborted"
    assert standing.kept["reason"] == "the new version cannot be loaded: a file was changed"


def test_a_decision_that_a_person_took_first_stands(store: Shop):
    release.start("churny@1", store=store.store)
    releasing = serving(store)
    release.abort("churny", "mine", store=store.store)
    wanted = releasing.arranged(Deployment(model="churny", arms=()))
    releasing.failed(wanted, AssayError("X", "too late"))
    assert [e.data["reason"][-4:] for e in store.events("release.decided")] == ["mine"]


def test_a_torn_file_only_costs_what_it_had(store: Shop):
    release.start("churny@1", store=store.store)
    kept = kept_at(store.store, "churny")
    kept.parent.mkdir()
    kept.write_bytes(b'{"release": ')
    assert release.status("churny", store=store.store).kept == {}
    releasing = serving(store)
    releasing.look(lambda: [counted(2, 100, 20)])
    releasing.look(lambda: [counted(1, 10, 2), counted(2, 200, 40)])
    assert release.status("churny", store=store.store).kept["requests"] == [100, 10]


def test_steps_of_another_release_are_not_taken(store: Shop):
    release.start("churny@1", store=store.store)
    workspace = store.workspace()
    context = Context(workspace.store, workspace.ledger, workspace.root)
    context.append(STEP, "churny", release="another", stage=2)
    assert Releases(workspace.ledger.read()).last["churny"].stage == 0
