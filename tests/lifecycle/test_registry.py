"""Versions and the champion: moved by a verdict, or by a person who says why."""

from __future__ import annotations

import shutil

import pytest
from projects import ACCEPTED, PATIENCE, write_project

import assay
from assay.errors import Refused, UsageError
from assay.kernel.ledger import verify_chain
from assay.kernel.stage import Context
from assay.records.package import Package
from assay.records.report import Parity
from assay.registry.change import register
from assay.registry.fold import fold
from assay.stores.workspace import open_workspace


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Return a project with an accepted, a rejected and another accepted version."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ASSAY_STORE", raising=False)
        project = write_project(tmp_path_factory.mktemp("three") / "shop", "binary", ACCEPTED)
        project.run()
        project.run("gates.0.at_least=0.9999")
        project.run("gates.0.at_least=0.6")
    return project


@pytest.fixture
def shop(three, tmp_path):
    """Return a copy of `three` that a test may change."""
    shutil.copytree(three.folder, tmp_path / "shop")
    return type(three)(tmp_path / "shop")


def champion(project) -> int:
    (live,) = [v.version for v in assay.models(project.store) if v.aliases]
    return live


def test_only_an_accepted_verdict_moves_the_champion(shop):
    versions = assay.models(shop.store)
    assert [v.version for v in versions] == [1, 2, 3]
    assert [v.verdict for v in versions] == ["accepted", "rejected", "accepted"]
    moves = assay.history("shop", store=shop.store)["moves"]
    assert [m["version"] for m in moves] == [1, 3]
    assert all(m["agency"] == "default" and "accepted by its gates" in m["reason"] for m in moves)
    assert champion(shop) == 3


def test_a_rejected_version_needs_a_person_and_a_reason(shop, cli):
    said = cli("promote", "shop@2", "--store", shop.store)
    assert (said.code, said.codes) == (3, ["PROMOTE-REASON"])
    with pytest.raises(Refused):
        assay.promote("shop@2", "  ", store=shop.store)
    assert champion(shop) == 3
    said = cli("promote", "shop@2", "--reason", "the feed is broken", "--store", shop.store)
    assert (said.code, said.data["version"]) == (0, 2)
    move = assay.history("shop", store=shop.store)["moves"][-1]
    assert (move["agency"], move["reason"]) == ("user", "the feed is broken")
    assert move["actor"]
    assert move["verdict"] == "rejected"
    words = ("predict", "shop", shop.folder / "table.csv", "-o", shop.folder / "answers.csv")
    answered = cli(*words, "--store", shop.store).data["package"]
    assert answered == assay.models(shop.store)[1].package


def test_an_accepted_version_needs_no_reason(shop):
    assert assay.promote("shop@1", store=shop.store).version == 1
    assert champion(shop) == 1


def test_the_champion_cannot_be_promoted_again(shop, cli):
    said = cli("promote", "shop@3", "--store", shop.store)
    assert (said.code, said.codes) == (2, ["MODEL-ALREADY-CHAMPION"])


@pytest.mark.parametrize("reference", ["shop@4", "shop@x", "shoop", "shop@-1", ""])
def test_what_is_not_there_cannot_be_promoted(reference, shop, cli):
    said = cli("promote", reference, "--reason", "mine", "--store", shop.store)
    assert said.code == 2
    assert champion(shop) == 3


def test_a_second_rollback_goes_further_back(shop, cli):
    assay.promote("shop@2", "try it", store=shop.store)
    assert [m["version"] for m in assay.history("shop", store=shop.store)["moves"]] == [1, 3, 2]
    assert assay.rollback("shop", "worse in the north", store=shop.store).version == 3
    said = cli("rollback", "shop", "--store", shop.store)
    assert (said.code, said.data["version"]) == (0, 1)
    said = cli("rollback", "shop", "--store", shop.store)
    assert (said.code, said.codes) == (2, ["ROLLBACK-NOTHING"])
    assert champion(shop) == 1
    assert assay.history("shop", store=shop.store)["moves"][-2]["reason"] == "worse in the north"


@pytest.mark.parametrize("command", ["rollback", "history"])
@pytest.mark.parametrize("reference", ["shop@3", "shop@champion"])
def test_a_version_is_not_the_name_of_a_model(command, reference, shop, cli):
    said = cli(command, reference, "--store", shop.store)
    assert (said.code, said.codes) == (2, ["MODEL-NAME"]), said.err
    assert "promote" in said.out
    assert champion(shop) == 3


def test_running_the_same_project_again_does_not_undo_a_rollback(shop):
    assay.rollback("shop", store=shop.store)
    shop.run("gates.0.at_least=0.6")
    assert champion(shop) == 1
    assert len(assay.models(shop.store)) == 3


def test_history_says_what_was_live_at_any_time(shop, cli):
    moves = assay.history("shop", store=shop.store)["moves"]
    before, first = "2001-01-01", moves[0]["at"]
    answers = [
        cli("history", "shop", "--at", at, "--store", shop.store).data["live"]
        for at in (before, first, moves[1]["at"], "2999-01-01T00:00:00+02:00")
    ]
    assert [a and a["version"] for a in answers] == [None, 1, 3, 3]
    for at in ("yesterday", "9999-12-31T23:59:59-12:00"):  # the second is past the last year
        said = cli("history", "shop", "--at", at, "--store", shop.store)
        assert (said.code, said.codes) == (2, ["TIME-FORMAT"])
    assert cli("history", "shoop", "--store", shop.store).codes == ["MODEL-UNKNOWN"]


def test_a_store_without_models_says_so(tmp_path, cli):
    open_workspace(tmp_path / "store")
    assert cli("models", "--store", tmp_path / "store").data == []
    said = cli("models", "--store", tmp_path / "nothing")
    assert (said.code, said.codes) == (2, ["STORE-NOT-FOUND"])


REGISTER = """
import sys
from pathlib import Path
from assay.kernel.stage import Context
from assay.records.package import Package
from assay.records.report import Parity
from assay.registry.change import register
from assay.stores.workspace import open_workspace

space = open_workspace(sys.argv[1])
context = Context(space.store, space.ledger, space.root, run=sys.argv[2])
parity = Parity(rows=1, nasty_rows=1, max_abs_diff=0.0, label_flips=0, tolerance=1e-6)
sys.stdin.readline()
for number in range(10):
    name = f"{sys.argv[2]}{number:02}".encode().hex().ljust(64, "0")
    package = Package(name="shop", digest=name, path="", bytes=1, parity=parity)
    print(register(context, package, "rejected").version)
"""


def test_two_processes_register_at_once_and_no_version_is_lost(tmp_path, python):
    store = tmp_path / "store"
    open_workspace(store)
    both = [python(REGISTER, store, name) for name in "ab"]
    answers = [process.communicate("go\n", timeout=PATIENCE)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    given = [int(number) for answer in answers for number in answer]
    assert sorted(given) == list(range(1, 21))
    events = list(open_workspace(store).ledger.read())
    assert verify_chain(events) == 20
    assert [v.version for v in fold(events).listing()] == list(range(1, 21))


def test_registering_a_package_again_gives_the_version_it_has(tmp_path):
    space = open_workspace(tmp_path / "store")
    context = Context(space.store, space.ledger, space.root, run="one")
    parity = Parity(rows=1, nasty_rows=1, max_abs_diff=0.0, label_flips=0, tolerance=1e-6)
    package = Package(name="shop", digest="a" * 64, path="", bytes=1, parity=parity)
    assert register(context, package, "accepted").version == 1
    assert register(context, package, "accepted").version == 1
    assert len(list(space.ledger.read())) == 2
    with pytest.raises(UsageError):
        fold(space.ledger.read()).resolve("shop@2")
