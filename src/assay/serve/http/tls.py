"""TLS from a certificate and a key in files, which may be renewed while a server runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from assay.errors import UsageError


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context of a server that speaks TLS 1.2 and later, and HTTP/1.1 only.

    Raises: UsageError for a file that is missing, cannot be read or is no PEM, and for a key that
    is not the certificate's or wants a password.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(["http/1.1"])
    _load(made, certificate, key)
    return made


def renew(made: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Read the files again: new connections get what is in them now; raises as `context` does."""
    context(certificate, key)  # a pair that does not fit would leave half of it behind
    _load(made, certificate, key)


def _load(made: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for path in (certificate, key):
        _check_readable(path)
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        where, reason = f"{certificate}, {key}", getattr(error, "reason", None)
        if reason == "KEY_VALUES_MISMATCH":
            raise UsageError(
                "TLS-MISMATCH", "the key is not the certificate's", where=where
            ) from error
        raise UsageError(
            "TLS-NOT-PEM",
            "certificate and key cannot be used",
            where=where,
            got=reason or str(error),
            hint="give PEM files, the chain after the certificate, the key without a password",
        ) from error


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise UsageError("TLS-NO-FILE", "there is no such file", where=str(path)) from error
    except OSError as error:
        raise UsageError(
            "TLS-UNREADABLE",
            f"the file cannot be read: {error.strerror}",
            where=str(path),
            hint="let the user that runs the server read it, and nobody else",
        ) from error


def _no_password() -> str:
    """Stand in for the question on the terminal that a server must not ask."""
    raise ValueError("the key asks for a password")
