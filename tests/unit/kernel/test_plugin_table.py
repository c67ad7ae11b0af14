from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint

import pytest

from assay.errors import MissingExtra, UsageError
from assay.kernel import plugins
from assay.kernel.family import Capabilities, Family
from assay.kernel.plugins import check_family, load_family, load_predictor, table


def make_family(**changes):
    """Return an object with every method of the contract, changed as asked."""
    members = {"id": "mine@1", "capabilities": Capabilities()}
    for name, method in inspect.getmembers(Family, inspect.isfunction):
        if not name.startswith("_"):
            arguments = ", ".join(inspect.signature(method).parameters)
            scope = {}
            exec(f"def {name}({arguments}): return {name!r}", scope)
            members[name] = scope[name]
    members = {k: v for k, v in (members | changes).items() if v is not None}
    return type("Mine", (), members)()


def rejected(family):
    with pytest.raises(UsageError) as caught:
        check_family(family, "mine:FAMILY")
    assert caught.value.code == "PLUGIN-REJECTED"
    assert "mine:FAMILY" in caught.value.message
    return caught.value.message


def test_a_whole_family_is_accepted():
    family = make_family()
    assert check_family(family, "mine:FAMILY") is family


@pytest.mark.parametrize("bad", ["", "mine", "mine@", "mine@0", "Mine@1", "mi-ne@1", "mine@1.0", 7])
def test_bad_id(bad):
    assert "name@1" in rejected(make_family(id=bad))


def test_missing_id():
    assert "name@1" in rejected(make_family(id=None))


@pytest.mark.parametrize("name", ["fit", "export", "problem", "nasty_rows"])
def test_missing_method(name):
    assert f"method {name} is missing" in rejected(make_family(**{name: None}))
    assert f"method {name} is missing" in rejected(make_family(**{name: "not callable"}))


def test_wrong_argument_names():
    message = rejected(make_family(restore=lambda self, candidate, state, problem: None))
    assert "restore takes (candidate, state, problem), not (candidate, problem, state)" in message


def test_every_mistake_at_once():
    message = rejected(make_family(id="?", fit=None, profile=lambda self: None))
    assert "id must" in message
    assert "fit is missing" in message
    assert "profile takes ()" in message


def test_load_gives_the_object():
    assert plugins.load("os.path:join") is __import__("os").path.join


@pytest.mark.parametrize(
    "path", ["no_such_module_here:x", "assay.no_such:x", "os:no_such_name", "os", "os.path:"]
)
def test_nothing_there(path):
    with pytest.raises(UsageError) as caught:
        plugins.load(path)
    assert caught.value.code == "PLUGIN-NOT-FOUND"


def test_missing_extra_names_the_package(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import surely_not_installed.part\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra) as caught:
        plugins.load("needs_more:FAMILY")
    assert caught.value.code == "EXTRA-MISSING"
    assert "surely_not_installed" in caught.value.hint


def test_a_module_that_fails_shows_its_own_error(tmp_path, monkeypatch):
    (tmp_path / "breaks.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ZeroDivisionError):
        plugins.load("breaks:FAMILY")


def entries(monkeypatch, **named):
    found = [EntryPoint(name, path, "assay.families") for name, path in named.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found)


def test_table_joins_builtin_and_installed(monkeypatch):
    entries(monkeypatch, mine="mine:FAMILY")
    assert table("assay.families", {"own": "own:X"}) == {"own": "own:X", "mine": "mine:FAMILY"}


def test_a_name_is_taken_once(monkeypatch):
    entries(monkeypatch, own="stranger:FAMILY")
    with pytest.raises(UsageError) as caught:
        table("assay.families", {"own": "own:X"})
    assert caught.value.code == "PLUGIN-NAME-TAKEN"
    assert caught.value.got == "stranger:FAMILY"
    assert caught.value.allowed == ("own:X",)
    entries(monkeypatch, own="own:X")  # our own entry, listed by the installed package too
    assert table("assay.families", {"own": "own:X"}) == {"own": "own:X"}


@pytest.mark.parametrize("load", [load_family, load_predictor])
def test_unknown_family_lists_the_known(load):
    with pytest.raises(UsageError) as caught:
        load("nonsense")
    assert caught.value.code == "FAMILY-UNKNOWN"
    assert caught.value.allowed


def test_installed_family_is_loaded_and_checked(tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text("FAMILY = object()\ndef load(files, signature): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    entries(monkeypatch, stranger="stranger:FAMILY")
    with pytest.raises(UsageError) as caught:
        load_family("stranger")
    assert caught.value.code == "PLUGIN-REJECTED"
    entries(monkeypatch, stranger="stranger:load")
    assert load_predictor("stranger").__name__ == "load"
