"""Webhooks to a real receiver."""

from __future__ import annotations

import socket
import time
from base64 import b64encode

import pytest
from receivers import Inbox, inbox, notice

from assay.alert import webhook
from assay.alert.channel import deliver, label_of
from assay.alert.webhook import signature
from assay.errors import AssayError, TransientFault, UsageError


def fault(to: str, environ: dict[str, str] | None = None) -> AssayError:
    with pytest.raises(AssayError) as caught:
        deliver(to, notice(), environ or {})
    return caught.value


def test_the_schema_of_the_body(inbox: Inbox):
    deliver(f"webhook:{inbox.url}", notice(), {})
    ((headers, _),), (told,) = inbox.got, inbox.told
    assert told == {
        "schema": "assay.alert@1",
        "id": "0123456789abcdef",
        "thread": "0123456789abcdef",
        "state": "firing",
        "again": False,
        "kind": "drift",
        "severity": "warning",
        "model": "churn",
        "at": "2026-11-22T10:00:00.000000+00:00",
        "title": "[churn@2] drift: fee",
        "text": "[churn@2] drift: fee\n- fee moved by 0.4\n"
        "event 7 of the ledger, 2026-11-22T10:00:00 UTC\nassay alerts list churn",
        "alerts": [
            {"cause": "fee", "text": "fee moved by 0.4", "severity": "warning", "column": "fee"}
        ],
        "evidence": {"event": 7, "version": 2, "command": "assay alerts list churn"},
    }
    assert headers["X-Assay-Id"] == "0123456789abcdef"
    assert "X-Assay-Signature" not in headers


def test_the_signature_is_of_the_time_and_the_body(inbox: Inbox):
    deliver(f"webhook:{inbox.url}", notice(), {"ASSAY_ALERT_SECRET": "kéy"})
    ((headers, body),) = inbox.got
    assert headers["X-Assay-Signature"] == signature("kéy", headers["X-Assay-Timestamp"], body)
    assert headers["X-Assay-Signature"] != signature("other", headers["X-Assay-Timestamp"], body)
    # printf '1.{}' | openssl dgst -sha256 -hmac a
    known = "7556c5fdf99ac2e6f9be7a6f4a7e2aa6a218faeb166236b0999e7755e4f33f4b"
    assert signature("a", "1", b"{}") == f"sha256={known}"
    assert abs(int(headers["X-Assay-Timestamp"]) - time.time()) < 60


def test_the_address_may_be_in_the_environment(inbox: Inbox):
    deliver("webhook:$HOOK", notice(), {"HOOK": inbox.url})
    assert len(inbox.got) == 1
    error = fault("webhook:$HOOK")
    assert isinstance(error, UsageError)
    assert error.code == "ALERT-VARIABLE"
    assert fault("webhook:$HOOK", {"HOOK": "file:///etc/passwd"}).code == "ALERT-URL"


@pytest.mark.parametrize("status", [204, 299])
def test_any_2xx_is_a_delivery(inbox: Inbox, status):
    inbox.status = status
    deliver(f"webhook:{inbox.url}", notice(), {})
    assert len(inbox.got) == 1


@pytest.mark.parametrize("status", [302, 307, 308, 400, 404, 429, 500])
def test_anything_else_is_none(inbox: Inbox, status):
    inbox.status = status
    error = fault(f"webhook:{inbox.url}")
    assert isinstance(error, TransientFault)
    assert error.code == "ALERT-REFUSED"
    assert f"{status} as asked" in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(inbox: Inbox, status):
    with inbox_elsewhere() as other:
        inbox.status, inbox.location = status, other.url
        assert fault(f"webhook:{inbox.url}").code == "ALERT-REFUSED"
        assert other.got == []


inbox_elsewhere = inbox


def test_a_receiver_that_hangs_is_left(inbox: Inbox, monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUT", 0.2)
    inbox.open.clear()
    begun = time.monotonic()
    error = fault(f"webhook:{inbox.url}")
    assert error.code == "ALERT-UNREACHABLE"
    assert time.monotonic() - begun < 10


def test_a_receiver_that_speaks_no_http_and_one_that_is_gone():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert fault(f"webhook:http://127.0.0.1:{port}/").code == "ALERT-UNREACHABLE"
    assert fault("webhook:http://nobody.invalid/").code == "ALERT-UNREACHABLE"


def test_no_fault_and_no_label_shows_a_secret(inbox: Inbox):
    inbox.status = 500
    for to in (inbox.url, "http://us:pa55@nobody.invalid/x?token=hush", "http://no body/hush"):
        error = fault(f"webhook:{to}", {"ASSAY_ALERT_SECRET": "hush"})
        shown = str(error) + label_of(f"webhook:{to}")
        assert not any(word in shown for word in ("s3cret", "hush", "pa55")), shown


def test_labels_tell_channels_apart_and_are_stable():
    one, other = "webhook:https://chat.example/T1/hush", "webhook:https://chat.example/T2/hush"
    assert label_of(one).startswith("webhook:https://chat.example#")
    assert label_of(one) == label_of(one) != label_of(other)
    assert label_of("webhook:$HOOK") == "webhook:$HOOK"
    assert label_of("mail:me@example.org") == "mail:me@example.org"
    assert label_of("command:tell --key hush").startswith("command:tell#")
    assert label_of("webhook:http://u:p@x:9/a").startswith("webhook:http://x:9#")
    assert label_of("command: tell 'me").startswith("command:tell#")


def test_a_name_and_a_password_in_the_address_are_a_login(inbox: Inbox):
    deliver(f"webhook:{inbox.url.replace('//', '//me:hu%3Ash@')}", notice(), {})
    ((headers, _),) = inbox.got
    assert headers["Authorization"] == "Basic " + b64encode(b"me:hu:sh").decode()
    assert "hush" not in headers["Host"]


@pytest.mark.parametrize("url", ["http://x:99999999/", "http:///x", "ftp://x/", "nothing"])
def test_what_is_no_address(url):
    assert fault("webhook:$HOOK", {"HOOK": url}).code == "ALERT-URL"


def test_the_text_orders_no_chat_about(inbox: Inbox):
    told = {"cause": "<!channel>", "text": "a\nb <!here>", "severity": "note", "column": ""}
    deliver(f"webhook:{inbox.url}", notice(alerts=(told,)), {})
    assert "<" not in inbox.told[0]["text"]
    assert "&lt;!here&gt;" in inbox.told[0]["text"]
    assert inbox.told[0]["alerts"] == [told]


def test_many_causes_make_a_short_text_and_the_whole_data(inbox: Inbox):
    told = [
        {"cause": f"c{i}", "text": f"c{i} moved", "severity": "note", "column": ""}
        for i in range(500)
    ]
    deliver(f"webhook:{inbox.url}", notice(alerts=tuple(told)), {})
    (sent,) = inbox.told
    assert sent["title"] == "[churn@2] drift: c0, c1, c2 and 497 more"
    assert len(sent["alerts"]) == 500
    assert "and 480 more" in sent["text"]
