"""TLS with a certificate made here; the files that cannot be used are named."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from http_listener import PATIENT, QUICK, Client, Running, post

from assay.errors import UsageError
from assay.serve.http.tls import context, renew

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="makes certificates with the openssl command"
)

Pair = tuple[Path, Path]


def make_pair(folder: Path, name: str) -> Pair:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    words = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        f" -subj /CN={name} -addext subjectAltName=IP:127.0.0.1 -out {name}.pem -keyout {name}.key"
    )
    subprocess.run(words.split(), cwd=folder, check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("tls"), "one")


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return the context of a client that trusts one certificate only."""
    return ssl.create_default_context(cafile=str(certificate))


def connect(server: Running, client: ssl.SSLContext) -> Client:
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    try:
        return Client(client.wrap_socket(plain, server_hostname="127.0.0.1"))
    except BaseException:
        plain.close()
        raise


def test_requests_are_answered_within_tls(pair: Pair) -> None:
    with Running(tls=context(*pair)) as server:
        with connect(server, trusting(pair[0])) as client:
            for size in (0, 10, 200_000, 10):
                client.send(post(b"a" * size))
                assert client.answer().json["length"] == size
            client.send(b"bad\r\n\r\n")
            assert client.answer().status == 400
            assert client.rest() == b""
        server.waits_for(lambda listener: listener.connections == 0)


def test_old_versions_are_refused(pair: Pair) -> None:
    old = trusting(pair[0])
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with Running(tls=context(*pair)) as server:
        with pytest.raises(ssl.SSLError):
            connect(server, old)
        with connect(server, trusting(pair[0])) as client:
            client.send(post(b"a"))
            assert client.answer().status == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"])
def test_a_client_that_never_shakes_hands_is_closed(pair: Pair, sent: bytes) -> None:
    with Running(limits=QUICK, tls=context(*pair)) as server, server.connect() as client:
        client.send(sent)
        assert b"HTTP" not in client.rest()


def test_slow_clients_are_ended_within_tls(pair: Pair) -> None:
    with Running(limits=QUICK, tls=context(*pair)) as server:
        with connect(server, trusting(pair[0])) as client:
            client.send(post(b"abc")[:-1])
            assert client.answer().status == 408
        with connect(server, trusting(pair[0])) as client:
            client.send(post(b""))
            assert client.answer().status == 200
            assert client.rest() == b""  # it rested too long
        server.waits_for(lambda listener: listener.connections == 0)


def test_a_drain_ends_connections_within_tls(pair: Pair) -> None:
    limits = replace(PATIENT, linger_seconds=0.2)
    with (
        Running(limits=limits, tls=context(*pair)) as server,
        connect(server, trusting(pair[0])) as client,
    ):
        client.send(post(b"a"))
        assert client.answer().status == 200
        wait = server.start_drain(5)
        assert client.rest() == b""
        assert wait() == 0


def test_renewed_files_are_used_by_the_next_connection(pair: Pair, tmp_path: Path) -> None:
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    other = make_pair(tmp_path, "two")
    for source, target in zip(pair, files, strict=True):
        target.write_bytes(source.read_bytes())
    used = context(*files)
    with Running(tls=used) as server:
        connect(server, trusting(pair[0])).__exit__()
        files[0].write_bytes(other[0].read_bytes())  # its key is not there yet
        with pytest.raises(UsageError, match="TLS-MISMATCH"):
            renew(used, *files)
        connect(server, trusting(pair[0])).__exit__()  # as before
        files[1].write_bytes(other[1].read_bytes())
        renew(used, *files)
        connect(server, trusting(other[0])).__exit__()
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(server, trusting(pair[0]))


def test_a_file_that_cannot_be_used_is_named(pair: Pair, tmp_path: Path) -> None:
    certificate, key = pair
    other = make_pair(tmp_path, "two")
    locked, text = tmp_path / "locked.key", tmp_path / "text.pem"
    text.write_text("not a key")
    subprocess.run(
        ["openssl", "ec", "-in", str(key), "-aes128", "-passout", "pass:abcd", "-out", str(locked)],
        check=True,
        capture_output=True,
    )
    cases = {
        (tmp_path / "none.pem", key): "TLS-NO-FILE",
        (certificate, tmp_path / "none.key"): "TLS-NO-FILE",
        (certificate, other[1]): "TLS-MISMATCH",
        (certificate, text): "TLS-NOT-PEM",
        (text, key): "TLS-NOT-PEM",
        (key, certificate): "TLS-NOT-PEM",
        (certificate, locked): "TLS-NOT-PEM",
        (certificate, tmp_path): "TLS-UNREADABLE",
    }
    for files, code in cases.items():
        with pytest.raises(UsageError) as caught:
            context(*files)
        assert caught.value.code == code
        assert caught.value.exit_code == 2
        assert any(str(file) in caught.value.where for file in files)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_is_named(pair: Pair, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pair[1].read_bytes())
    key.chmod(0)
    with pytest.raises(UsageError, match="TLS-UNREADABLE"):
        context(pair[0], key)
