"""Alerts from the log of a real server to real receivers, and the command that looks after them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from shop import Shop, Start, eventually, make_table
from watched import Log, Watch, once

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "alert"))

from receivers import Inbox, Mailbox, inbox, mailbox

from assay.cli.main import main

SET = ("--set", "watch.rows=300", "--set", "watch.minimum=50")

Channels = Callable[..., None]


@pytest.fixture(name="inbox")
def _inbox() -> Iterator[Inbox]:
    with inbox() as made:
        yield made


@pytest.fixture(name="mailbox")
def _mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mailbox() as made:
        monkeypatch.setenv("ASSAY_SMTP", made.url)
        yield made


@pytest.fixture
def channels(trained: Shop) -> Iterator[Channels]:
    """Return a function that writes channels into churny's project file, as it was in the end."""
    file = trained.folder / "churny" / "assay.toml"
    before = file.read_text()

    def write(*to: str, more: str = "") -> None:
        on = 'on = ["drift", "degraded", "quality", "incident"]'
        parts = [f"[[alerts]]\nto = {json.dumps(one)}\n{on}\n{more}" for one in to]
        file.write_text("\n".join([before, *parts]))

    yield write
    file.write_text(before)


@pytest.fixture
def alerts(store: Shop, capsys: Any) -> Callable[..., tuple[int, Any]]:
    """Return a function that runs `assay alerts`: the exit code, and the data or the errors."""

    def call(*words: object) -> tuple[int, Any]:
        capsys.readouterr()
        code = main(["alerts", *map(str, words), "--store", str(store.store), "--json"])
        envelope = json.loads(capsys.readouterr().out.splitlines()[-1])
        return code, envelope["data"] if envelope["ok"] else envelope["errors"]

    return call


def shifted(rows: int, seed: int) -> pl.DataFrame:
    return make_table(rows, seed=seed).with_columns(pl.col("fee") + 25)


@pytest.mark.slow
def test_every_channel_hears_of_it_also_after_kill_9(
    store: Shop, watch: Watch, inbox: Inbox, mailbox: Mailbox, channels: Channels, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    code = f"import sys; open({str(heard)!r}, 'a').write(sys.stdin.read() + chr(10))"
    channels(f"webhook:{inbox.url}", "mail:me@example.org", f'command:{sys.executable} -c "{code}"')
    inbox.open.clear()
    log = Log(store)
    log.write(shifted(300, seed=41))
    watching = watch(*SET)
    eventually(lambda: store.events("alert.raised"), 60)
    eventually(lambda: mailbox.got, 60)  # the receiver of the webhook hangs meanwhile
    watching.kill()
    inbox.open.set()
    watch(*SET)
    waiting = eventually(lambda: len(store.events("alert.raised")))
    eventually(lambda: len({told["id"] for told in inbox.told}) == waiting, 90)
    kinds = {told["kind"] for told in inbox.told}
    assert {"drift", "incident"} <= kinds
    drift = next(told for told in inbox.told if told["kind"] == "drift")
    assert "fee" in [alert["cause"] for alert in drift["alerts"]]
    assert drift["evidence"]["command"] == "assay watch churny --window 0"
    notices = {event.digest[:16] for event in store.events("alert.raised")}
    assert {told["id"] for told in inbox.told} == notices
    lines = eventually(lambda: len(heard.read_text().splitlines()) >= waiting and heard.read_text())
    assert {json.loads(line)["id"] for line in lines.splitlines()} == notices
    assert {mail["message-id"][1:17] for mail in mailbox.got} <= notices
    for seed in (51, 52, 53, 54):
        log.write(make_table(300, seed=seed))
    over = eventually(lambda: [t for t in inbox.told if t["state"] == "resolved"], 90)
    assert over[0]["thread"] in notices


def test_a_window_that_is_judged_by_hand_is_told_too(
    store: Shop, inbox: Inbox, channels: Channels, alerts: Any, capsys: Any
) -> None:
    channels(f"webhook:{inbox.url}")
    Log(store).write(shifted(300, seed=42))
    code, data = once(store, capsys)
    assert (code, data["verdict"]) == (3, "drift")
    assert "drift" in {told["kind"] for told in inbox.told}
    code, found = alerts()
    assert code == 0
    firing = [one for one in found if one["kind"] == "drift"]
    assert {one["state"] for one in firing} == {"firing"}
    assert "fee" in {one["column"] for one in firing}
    assert all(one["told"] == [label] for one in firing for label in one["told"])
    shown = main(["watch", "churny", "--window", "0", "--store", str(store.store), "--json"])
    again = json.loads(capsys.readouterr().out.splitlines()[-1])["data"]
    assert shown == 3
    assert again["drift"] == data["drift"]
    assert main(["watch", "churny", "--window", "7", "--store", str(store.store), "--json"]) == 2
    (error,) = json.loads(capsys.readouterr().out.splitlines()[-1])["errors"]
    assert error["code"] == "WATCH-NO-WINDOW"


def test_silence_and_resolve_by_hand(
    store: Shop, inbox: Inbox, channels: Channels, alerts: Any, capsys: Any
) -> None:
    channels(f"webhook:{inbox.url}")
    why = ("--reason", "the price change")
    code, (error,) = alerts("silence", "churny", "--for", "2h")
    assert (code, error["code"]) == (2, "ALERT-REASON")
    for span in ([], ["--for", "soon"]):
        code, (error,) = alerts("silence", "churny", *span, *why)
        assert (code, error["code"]) == (2, "ALERT-SPAN")
    assert alerts("silence", "churny", "--for", "2h", *why)[0] == 0
    Log(store).write(shifted(300, seed=43))
    once(store, capsys)
    assert inbox.got == []
    assert {one["state"] for one in alerts("list", "churny")[1]} == {"silenced"}
    assert alerts("silence", "churny", "--for", "0", *why)[0] == 0
    code, over = alerts("resolve", "churny", "--kind", "drift", "--column", "fee", *why)
    assert (code, over) == (0, [{"kind": "drift", "cause": "fee"}])
    assert "fee" not in {a["column"] for told in inbox.told for a in told["alerts"]}
    assert inbox.got  # the rest holds still, and is told now
    states = {one["cause"]: one["state"] for one in alerts("list", "churny", "--kind", "drift")[1]}
    assert states["fee"] == "resolved"
    (event,) = [e for e in store.events("alert.resolved") if e.data["alerts"][0]["cause"] == "fee"]
    assert event.agency == "user"
    assert event.data["evidence"]["reason"] == "the price change"


def test_a_test_alert_says_what_became_of_it(
    store: Shop, inbox: Inbox, mailbox: Mailbox, channels: Channels, alerts: Any
) -> None:
    channels(f"webhook:{inbox.url}", "mail:me@example.org", "command:true")
    code, tried = alerts("test", "churny")
    assert code == 0
    assert len(tried) == 3
    assert all(one["delivered"] for one in tried)
    assert inbox.told[0]["state"] == "test"
    assert mailbox.got[0]["subject"].startswith("[churny] test")
    inbox.status = 500
    channels(f"webhook:{inbox.url}", "command:false", "webhook:$NOWHERE")
    code, tried = alerts("test")
    assert code == 3
    assert {one["error"]["code"] for one in tried} == {"ALERT-REFUSED", "ALERT-VARIABLE"}
    assert "s3cret" not in json.dumps(tried)
    channels()
    code, (error,) = alerts("test", "churny")
    assert (code, error["code"]) == (2, "ALERT-NO-CHANNEL")
    assert store.events("alert.raised") == []


def test_the_files_ask_for_what_the_server_and_the_watcher_tell(
    store: Shop, server: Start, alerts: Any, capsys: Any, tmp_path: Path
) -> None:
    served = server("churny")
    served.client().predict(*make_table(5, seed=44).drop("left", "price").to_dicts())
    page = served.client().get("/metrics").body.decode()
    Log(store).write(shifted(300, seed=44))
    once(store, capsys)
    page += (store.store / "watch" / "churny" / "metrics.prom").read_text()
    code, data = alerts("files", "churny", "-o", tmp_path / "made")
    assert code == 0
    rules, dashboard = (Path(path).read_text() for path in data["files"])
    told = set(re.findall(r"^# TYPE (\w+)", page, re.M))
    told |= {f"{name}_bucket" for name in told}
    ((group,),) = yaml.safe_load(rules).values()
    asked = "\n".join(rule["expr"] for rule in group["rules"]) + dashboard
    names = set(re.findall(r"\bassay_\w+", asked))
    assert len(names) > 15
    assert names <= told


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["silence"], "USAGE"),
        (["files"], "USAGE"),
        (["list", "nobody"], "MODEL-UNKNOWN"),
        (["resolve", "churny"], "ALERT-REASON"),
        (["shout", "churny"], "USAGE"),
    ],
)
def test_wrong_words(alerts: Any, words: list[str], code: str) -> None:
    exit_code, (error,) = alerts(*words)
    assert (exit_code, error["code"]) == (2, code)
