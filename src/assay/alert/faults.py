"""Why a notice could not be delivered, in words without a secret."""

from __future__ import annotations

from collections.abc import Iterable

from assay.errors import AssayError, TransientFault, UsageError

_LONGEST = 200
"""Characters that are kept of what somebody else says."""


def unreachable(to: str, why: str) -> TransientFault:
    """Return the fault of a channel that nobody answers on."""
    return TransientFault(
        "ALERT-UNREACHABLE",
        f"no alert gets through to {to}: {why}",
        hint="it is tried again; `assay alerts test NAME` says when it works",
    )


def refused(to: str, why: str) -> TransientFault:
    """Return the fault of a channel that answered, and did not take the notice."""
    return TransientFault(
        "ALERT-REFUSED",
        f"{to} did not take the alert: {why}",
        hint="it is tried again; `assay alerts test NAME` says when it works",
    )


def unset(variable: str, what: str) -> UsageError:
    """Return the mistake of an environment variable that is missing."""
    return UsageError(
        "ALERT-VARIABLE",
        f"${variable} is not set: it has to hold {what}",
        where=f"${variable}",
        hint="set it where `assay watch` runs",
    )


def is_down(error: AssayError) -> bool:
    """Return True where the channel itself fails, so that nothing else gets through either."""
    return error.code != "ALERT-REFUSED"


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return somebody else's words in one short line, without the secrets that they repeat."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return one_line(text)[:_LONGEST]


def one_line(text: str) -> str:
    """Return text without line breaks and other control characters, so that it stays one header."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
