"""Mail to a real SMTP server."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess

import pytest
from receivers import Mailbox, mailbox, notice

from assay.alert import mail
from assay.alert.channel import deliver
from assay.alert.mail import server_of
from assay.errors import AssayError

TO = "mail:ops@example.org"
openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")


def fault(url: str, **changes) -> AssayError:
    with pytest.raises(AssayError) as caught:
        deliver(TO, notice(**changes), {"ASSAY_SMTP": url} if url else {})
    return caught.value


def test_a_mail_as_it_arrives(mailbox: Mailbox):
    deliver(TO, notice(), {"ASSAY_SMTP": mailbox.url})
    (got,), (envelope,) = mailbox.got, mailbox.envelopes
    assert envelope.rcpt_tos == ["ops@example.org"]
    assert envelope.mail_from == "assay@example.org"
    assert got["subject"] == "[churn@2] drift: fee"
    assert got["from"] == "Assay <assay@example.org>"
    assert got["to"] == "ops@example.org"
    assert got["message-id"] == "<0123456789abcdef@example.org>"
    assert got["in-reply-to"] is None
    assert got["auto-submitted"] == "auto-generated"
    text = got.get_body(("plain",)).get_content()
    assert "fee moved by 0.4" in text
    assert "assay alerts list churn" in text
    assert "<p>- fee moved by 0.4</p>" in got.get_body(("html",)).get_content()


def test_what_follows_is_in_the_thread_of_the_first(mailbox: Mailbox):
    environ = {"ASSAY_SMTP": mailbox.url}
    deliver(TO, notice(), environ)
    deliver(TO, notice(id="f" * 16, state="resolved"), environ)
    first, second = mailbox.got
    assert second["subject"] == "[churn@2] resolved: drift: fee"
    assert second["in-reply-to"] == second["references"] == first["message-id"]


def test_names_in_any_script(mailbox: Mailbox):
    told = {"cause": "größe 数量 🙂", "text": "größe moved", "severity": "warning", "column": ""}
    deliver(TO, notice(model="müller", alerts=(told,)), {"ASSAY_SMTP": mailbox.url})
    assert mailbox.got[0]["subject"] == "[müller@2] drift: größe 数量 🙂"
    assert "größe moved" in mailbox.got[0].get_body(("plain",)).get_content()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\0"])
def test_a_name_with_a_line_break_makes_no_header(mailbox: Mailbox, end):
    evil = f"fee{end}Bcc: everybody@example.org{end}{end}<script>"
    told = {"cause": evil, "text": evil, "severity": "warning", "column": evil}
    deliver(TO, notice(model=evil, alerts=(told,)), {"ASSAY_SMTP": mailbox.url})
    (got,), (envelope,) = mailbox.got, mailbox.envelopes
    assert got["bcc"] is None
    assert envelope.rcpt_tos == ["ops@example.org"]
    assert "Bcc: everybody" in got["subject"]
    assert "<script>" not in got.get_body(("html",)).get_content()
    text = got.get_body(("plain",)).get_content()
    assert all(line.startswith(("[", "- ", "event ", "assay ")) for line in text.splitlines())


def test_a_server_that_refuses(mailbox: Mailbox):
    mailbox.refuse = "550 not here"
    error = fault(mailbox.url)
    assert error.code == "ALERT-REFUSED"
    assert "550" in error.message


def test_a_server_that_is_gone_or_hangs(monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"smtp://127.0.0.1:{server.getsockname()[1]}"
        assert fault(url).code == "ALERT-UNREACHABLE"  # it takes the connection and says nothing
    assert fault(url).code == "ALERT-UNREACHABLE"


def test_a_password_is_sent_and_never_shown():
    with mailbox(logins=True) as box:
        host = f"127.0.0.1:{box.port}"
        deliver(TO, notice(), {"ASSAY_SMTP": f"smtp://me:hu%3Ash%40@{host}?from=a@b.org"})
        assert box.logins == [(b"me", b"hu:sh@")]
        assert len(box.got) == 1
        error = fault(f"smtp://me:wr0ng@{host}?from=a@b.org")
        assert error.code == "ALERT-REFUSED"
        assert "wr0ng" not in str(error)


def test_a_password_goes_to_no_other_machine_without_tls(monkeypatch):
    with mailbox(logins=True) as box:
        monkeypatch.setattr(mail, "_LOOPBACK", ())
        error = fault(f"smtp://me:hu%3Ash%40@127.0.0.1:{box.port}")
        assert error.code == "ALERT-REFUSED"
        assert "TLS" in error.message
        assert box.logins == []


@openssl
def test_tls_is_used_where_it_is_offered_and_its_certificate_checked(tmp_path, monkeypatch):
    pem, key = tmp_path / "a.pem", tmp_path / "a.key"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        f" -keyout {key} -out {pem} -subj /CN=here -addext subjectAltName=IP:127.0.0.1".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    with mailbox(tls_context=context, require_starttls=True) as box:
        error = fault(box.url)
        assert error.code == "ALERT-UNREACHABLE"
        assert "certificate" in error.message
        assert box.got == []
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        deliver(TO, notice(), {"ASSAY_SMTP": box.url})
        assert len(box.got) == 1


@pytest.mark.parametrize("url", ["http://x", "smtp://", "x", "smtp://h:port", "smtp://u:hush@:25"])
def test_what_is_no_server(url):
    error = fault(url)
    assert error.code == "ALERT-SMTP"
    assert error.got is None
    assert "hush" not in str(error)


def test_without_a_server_it_is_asked_for():
    error = fault("")
    assert error.code == "ALERT-VARIABLE"
    assert "ASSAY_SMTP" in error.where


def test_what_is_left_out_of_the_address():
    server = server_of("smtps://me%40example.org:p@mail.example.org")
    assert (server.port, server.sender, server.user) == (465, "me@example.org", "me@example.org")
    assert server_of("smtp://h").port == 587
    assert server_of("smtp://h").sender.startswith("assay@")
