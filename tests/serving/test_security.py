"""Who may ask a running server, over which wire, and from where."""

from __future__ import annotations

import shutil
import signal
import ssl
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from shop import ROWS, Client, Serving, Shop, Start, eventually

from assay.cli.main import main


def make_token(capsys: pytest.CaptureFixture[str], store: Shop, *words: str) -> str:
    capsys.readouterr()
    assert main(["token", *words, "--store", str(store.store)]) == 0
    return capsys.readouterr().out.strip()


def statuses(serving: Serving, token: str) -> tuple[int, int, int, int]:
    """Return what predict, feedback, unload and health answer to a token."""
    client = serving.client(token)
    request = serving.client().headers.get("x-request-id", "r-1")
    return (
        client.post("/predict", ROWS[0]).status,
        client.post("/feedback", {"request": request, "label": "yes"}).status,
        client.post("/v2/repository/models/nobody/unload").status,
        client.get("/v2/health/live").status,
    )


def test_a_token_opens_what_it_is_for(
    server: Start, store: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    predict = make_token(capsys, store, "shop", "--scope", "predict")
    feedback = make_token(capsys, store, "crm", "--scope", "feedback")
    admin = make_token(capsys, store, "boss", "--scope", "admin")
    serving = server("churny", "--workers", "1")
    assert statuses(serving, predict)[0] == 200
    assert statuses(serving, predict)[1:] == (403, 403, 200)
    assert statuses(serving, feedback)[0] == 403
    assert statuses(serving, feedback)[1] not in (401, 403)
    assert statuses(serving, admin) == (200, statuses(serving, feedback)[1], 404, 200)
    for wrong in ("", "guess", predict[:-1], predict.upper()):
        assert statuses(serving, wrong) == (401, 401, 401, 200)
    answer = serving.client(predict[:-1]).post("/predict", ROWS[0])
    assert answer.codes == ["ACCESS-TOKEN"]
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert serving.client(predict).post("/v2/repository/models/x/load").codes == ["SERVE-FORBIDDEN"]


def test_a_running_server_follows_the_tokens_within_a_second_or_two(
    server: Start, store: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = server("churny", "--workers", "2")
    assert serving.client().post("/predict", ROWS[0]).status == 200
    token = make_token(capsys, store, "shop", "--scope", "predict")
    eventually(lambda: {_status(serving, "") for _ in range(6)} == {401}, 5)
    assert _status(serving, token) == 200
    make_token(capsys, store, "shop", "--revoke")
    eventually(lambda: {_status(serving, token) for _ in range(6)} == {200}, 5)  # none left: open


def _status(serving: Serving, token: str) -> int:
    client = Client(serving.url, token)
    status = client.post("/predict", ROWS[0]).status
    client.close()
    return status


def test_the_file_has_no_token_and_is_the_owners_alone(
    store: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = make_token(capsys, store, "shop", "--scope", "predict,feedback", "--days", "2")
    file = store.store / "tokens.toml"
    text = file.read_text()
    assert secret not in text
    assert secret.removeprefix("assay_") not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    [(name, kept)] = tomllib.loads(text)["tokens"].items()
    assert name == "shop"
    assert kept["scopes"] == ["predict", "feedback"]
    assert kept["expires"].tzinfo is not None


def test_a_server_that_others_reach_needs_a_token(
    server: Start, store: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = server("churny", "--host", "0.0.0.0", ready=False)
    _, said = refused.process.communicate(timeout=60)
    assert refused.process.returncode == 2
    assert "SERVE-NO-TOKENS" in said
    token = make_token(capsys, store, "shop", "--scope", "predict")
    serving = server("churny", "--host", "0.0.0.0", "--workers", "1")
    assert _status(serving, token) == 200
    assert _status(serving, "") == 401
    make_token(capsys, store, "shop", "--revoke")
    eventually(lambda: _status(serving, token) == 401, 5)  # and not open to everybody


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for this machine with openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    chain, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )  # fmt: skip
    return chain, key


def test_tls_and_a_certificate_that_is_renewed(server: Start, store: Shop, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "first")
    serving = server("churny", "--workers", "2", "--tls-cert", chain, "--tls-key", key)
    assert serving.url.startswith("https://127.0.0.1:")
    trusted = ssl.create_default_context(cafile=str(chain))
    assert serving.client(context=trusted).predict(ROWS[0])["model"] == "churny@2"
    new_chain, new_key = certificate(tmp_path, "second")
    new_chain.replace(chain)
    new_key.replace(key)
    serving.signal(signal.SIGHUP)
    renewed = ssl.create_default_context(cafile=str(chain))

    def all_new() -> bool:
        try:
            for _ in range(6):
                client = Client(serving.url, context=renewed)
                client.predict(ROWS[0])
                client.close()
        except ssl.SSLError:
            client.close()
            return False
        return True

    eventually(all_new, 10)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--tls-cert", "chain.pem"], "SERVE-TLS-PAIR"),
        (["--tls-cert", "chain.pem", "--tls-key", "key.pem"], "TLS-NO-FILE"),
        (["--port", "70000"], "SERVE-NUMBER"),
        (["--workers", "-1"], "SERVE-NUMBER"),
        (["--host", "no.such.host.invalid"], "SERVE-HOST"),
        (["--set", "data.target=x"], "SERVE-SET"),
        (["--set", "serve.slo=soon"], "SPEC-BAD-VALUE"),
        (["nobody"], "MODEL-UNKNOWN"),
        (["churny@9"], "MODEL-NO-VERSION"),
        (["churny@1", "churny@2"], "SERVE-TWICE"),
    ],
)
def test_a_command_line_that_cannot_be(
    server: Start, words: list[str], code: str, tmp_path: Path
) -> None:
    models = [] if words[0] in ("nobody", "churny@9", "churny@1") else ["churny"]
    serving = server(*models, *words, ready=False)
    _, said = serving.process.communicate(timeout=60)
    assert serving.process.returncode == 2, said
    assert code in said
    assert "Traceback" not in said
