"""Receivers that a test may ask for, and an environment without secrets of the machine."""

from __future__ import annotations

import pytest
from receivers import inbox, mailbox


@pytest.fixture(autouse=True)
def _no_secrets_of_the_machine(monkeypatch):
    for name in ("ASSAY_SMTP", "ASSAY_ALERT_SECRET", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(name="inbox")
def _inbox():
    with inbox() as made:
        yield made


@pytest.fixture(name="mailbox")
def _mailbox():
    with mailbox() as made:
        yield made
