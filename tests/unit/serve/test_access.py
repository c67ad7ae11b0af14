"""Who may ask a server what."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from assay.errors import UsageError
from assay.serve.access import Access, Token, Tokens, read_tokens
from assay.serve.http.message import Request
from assay.serve.problems import Rejected


def token(secret: str, *scopes: str, expires: float | None = None, name: str = "shop") -> Token:
    return Token(name, hashlib.sha256(secret.encode()).hexdigest(), scopes, expires)


def request(header: bytes | None) -> Request:
    headers = {} if header is None else {b"authorization": header}
    return Request("POST", "/predict", "", headers, b"", 0.0)


def test_an_open_server_asks_for_nothing() -> None:
    assert Access(anyone=True).allows(request(None), "admin")


def test_without_any_token_a_server_that_is_not_open_answers_nobody() -> None:
    access = Access()
    assert not access.allows(request(None), "predict")
    with pytest.raises(Rejected):
        access.allows(request(b"Bearer guess"), "predict")


@pytest.mark.parametrize("header", [b"Bearer s3cret", b"bearer s3cret", b"BEARER  s3cret "])
def test_a_token_allows_its_scopes_and_no_other(header: bytes) -> None:
    access = Access([token("other", "admin"), token("s3cret", "predict", "feedback")])
    assert access.allows(request(header), "predict")
    assert access.allows(request(header), "feedback")
    assert not access.allows(request(header), "admin")


def test_admin_may_do_everything() -> None:
    access = Access([token("root", "admin")])
    assert all(access.allows(request(b"Bearer root"), s) for s in ("predict", "feedback", "admin"))


def test_health_needs_no_token() -> None:
    assert Access([token("s3cret", "predict")]).allows(request(None), "")


@pytest.mark.parametrize(
    "header",
    [b"", b"Bearer", b"Bearer ", b"Basic s3cret", b"s3cret", b"Bearer s3cre", b"Bearer \xff"],
)
def test_a_token_that_is_not_known_is_refused(header: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        Access([token("s3cret", "predict")]).allows(request(header), "predict")
    assert (caught.value.code, caught.value.status) == ("ACCESS-TOKEN", 401)
    assert caught.value.headers == ((b"www-authenticate", b'Bearer error="invalid_token"'),)
    assert "s3cre" not in str(caught.value)


def test_a_token_ends() -> None:
    ended = Access([token("s3cret", "predict", expires=time.time() - 1)])
    with pytest.raises(Rejected):
        ended.allows(request(b"Bearer s3cret"), "predict")
    going = Access([token("s3cret", "predict", expires=time.time() + 60)])
    assert going.allows(request(b"Bearer s3cret"), "predict")


def table(name: str, secret: str) -> str:
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return f'[tokens.{name}]\ndigest = "{digest}"\nscopes = ["predict"]\n'


def test_a_change_of_the_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    tokens = Tokens(path, loopback=True)
    assert tokens.access().open
    path.write_text(table("shop", "s3cret"))
    access = tokens.access()
    assert not access.open
    assert access.allows(request(b"Bearer s3cret"), "predict")
    assert tokens.access() is access
    path.write_text("")
    os.utime(path, ns=(1, 1))
    assert not tokens.access().open
    assert Tokens(path, loopback=True).access().open


def test_the_last_token_revoked_closes_a_server_that_others_reach(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(table("shop", "s3cret"))
    tokens = Tokens(path, loopback=False)
    assert tokens.access().allows(request(b"Bearer s3cret"), "predict")
    path.unlink()
    with pytest.raises(Rejected):
        tokens.access().allows(request(b"Bearer s3cret"), "predict")


def test_a_file_that_breaks_is_told_once_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(table("shop", "s3cret"))
    tokens = Tokens(path, loopback=True)
    before = tokens.access()
    path.write_text("[tokens")
    with pytest.raises(UsageError):
        tokens.access()
    assert tokens.access() is before


@pytest.mark.parametrize(
    "text",
    [
        "[tokens",
        "tokens = 1",
        "[tokens.a]\nscopes = []",
        '[tokens.a]\ndigest = "é"\nscopes = []',
        '[tokens.a]\ndigest = "0"\nscopes = []',
        f'[tokens.a]\ndigest = "{"0" * 64}"\nscopes = 1',
        f'[tokens.a]\ndigest = "{"0" * 64}"\nscopes = []\nexpires = 5',
    ],
)
def test_a_file_that_no_command_wrote_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_tokens(path)
    assert caught.value.code == "TOKENS-UNREADABLE"
