"""One port for several workers, and what is wrong with a port or a host."""

from __future__ import annotations

import socket

import pytest

from assay.errors import UsageError
from assay.serve.processes.sockets import bind, is_loopback, url_of


def test_all_sockets_share_a_free_port() -> None:
    sockets = bind("127.0.0.1", 0, 3)
    ports = {each.getsockname()[1] for each in sockets}
    assert len(ports) == 1
    assert ports.pop() > 0
    for each in sockets:
        each.close()


def test_a_port_that_another_server_shares_is_taken_all_the_same() -> None:
    sockets = bind("127.0.0.1", 0, 2)
    for each in sockets:
        each.listen()
    with pytest.raises(UsageError) as caught:
        bind("127.0.0.1", sockets[0].getsockname()[1], 2)
    assert caught.value.code == "SERVE-PORT"
    for each in sockets:
        each.close()


def test_a_port_is_free_again_at_once() -> None:
    [first] = bind("127.0.0.1", 0, 1)
    port = first.getsockname()[1]
    first.listen()
    client = socket.create_connection(("127.0.0.1", port))
    taken, _ = first.accept()
    taken.close()  # our side closes first: the address stays in TIME_WAIT
    client.close()
    first.close()
    [second] = bind("127.0.0.1", port, 1)
    second.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a" * 300])
def test_an_address_of_elsewhere_is_refused(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind(host, 0, 1)
    assert caught.value.code == "SERVE-HOST"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_url_is_one_that_a_client_can_use() -> None:
    [bound] = bind("0.0.0.0", 0, 1)
    port = bound.getsockname()[1]
    assert url_of("0.0.0.0", bound, tls=False) == f"http://127.0.0.1:{port}"
    assert url_of("::1", bound, tls=True) == f"https://[::1]:{port}"
    assert url_of("model.example.org", bound, tls=True) == f"https://model.example.org:{port}"
    bound.close()
