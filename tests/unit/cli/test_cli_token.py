"""`assay token`: made once, listed without the secret, revoked."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from assay.cli.main import main
from assay.serve.access import Access, read_tokens
from assay.serve.http.message import Request
from assay.stores.workspace import open_workspace


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    open_workspace(tmp_path / "store")

    def run(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = main(["token", *words, "--store", str(tmp_path / "store"), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_what_is_shown_once_opens_and_is_not_kept(call: Any, tmp_path: Path) -> None:
    code, envelope = call("shop", "--scope", "predict, feedback", "--days", "1")
    secret = envelope["data"]["token"]
    assert code == 0
    assert len(secret) > 40
    kept = read_tokens(tmp_path / "store" / "tokens.toml")
    request = Request("POST", "/", "", {b"authorization": f"Bearer {secret}".encode()}, b"", 0.0)
    assert Access(kept).allows(request, "predict")
    assert Access(kept).allows(request, "feedback")
    assert kept[0].expires is not None
    assert abs(kept[0].expires - time.time() - 86_400) < 60
    _, listed = call("--list")
    assert listed["data"] == [
        {"name": "shop", "scopes": ["predict", "feedback"], "expires": kept[0].expires}
    ]
    assert secret not in json.dumps(listed)
    assert call("shop", "--revoke")[0] == 0
    assert call("--list")[1]["data"] == []


def test_without_json_the_token_alone_is_on_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_workspace(tmp_path / "store")
    main(["token", "shop", "--store", str(tmp_path / "store")])
    out = capsys.readouterr().out
    assert out.startswith("assay_")
    assert len(out.split()) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], "TOKEN-NAME"),
        (["a b"], "TOKEN-NAME"),
        (["x" * 65], "TOKEN-NAME"),
        (["taken"], "TOKEN-TAKEN"),
        (["shop", "--scope", "root"], "TOKEN-SCOPE"),
        (["shop", "--scope", ""], "TOKEN-SCOPE"),
        (["shop", "--days", "0"], "TOKEN-DAYS"),
        (["shop", "--days", "nan"], "TOKEN-DAYS"),
        (["nobody", "--revoke"], "TOKEN-UNKNOWN"),
    ],
)
def test_a_mistake_is_named(call: Any, words: list[str], code: str) -> None:
    assert call("taken")[0] == 0
    exit_code, envelope = call(*words)
    assert exit_code == 2
    assert envelope["errors"][0]["code"] == code
    assert [token["name"] for token in call("--list")[1]["data"]] == ["taken"]
