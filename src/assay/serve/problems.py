"""What a client is told when a request is not answered: an error, its status, and the envelope."""

from __future__ import annotations

import sys
import traceback
from typing import ClassVar

import msgspec

from assay.errors import (
    AssayError,
    DataError,
    Refused,
    StoreError,
    TransientFault,
    UsageError,
    all_errors,
)
from assay.serve.http.message import Response
from assay.serve.say import say

MOST = 20
"""Errors that one answer lists, at most."""

_STATUS: tuple[tuple[type[AssayError], int], ...] = (
    (DataError, 422),
    (UsageError, 400),
    (Refused, 403),
    (StoreError, 503),
    (TransientFault, 503),
)
_UNKNOWN = frozenset({"MODEL-UNKNOWN", "MODEL-NO-VERSION", "MODEL-NO-CHAMPION"})


class Rejected(AssayError):
    """A request that HTTP has a status of its own for; `headers` go with the response."""

    exit_code: ClassVar[int] = 2
    status = 400
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def at(self, status: int, *headers: tuple[bytes, bytes]) -> Rejected:
        """Set the status and further headers of the response."""
        self.status, self.headers = status, headers
        return self

    def later(self, seconds: int) -> Rejected:
        """Say that the request may be sent again after so many seconds (503)."""
        return self.at(503, (b"retry-after", b"%d" % seconds))


def status_of(error: AssayError) -> int:
    """Return the HTTP status that tells a client of `error`; 500 is a fault of ours."""
    first = all_errors(error)[0]
    if isinstance(first, Rejected):
        return first.status
    if first.code in _UNKNOWN:
        return 404
    return next((status for kind, status in _STATUS if isinstance(first, kind)), 500)


def refusal(error: AssayError) -> Response:
    """Return the response for an error that a client can do something about.

    Of a fault of ours the client learns no more than that it is one.
    """
    status = status_of(error)
    first, *_ = found = all_errors(error)
    if status >= 500 and not isinstance(first, Rejected | StoreError | TransientFault):
        return internal()
    body = envelope(found[:MOST])
    return Response(status, body, headers=getattr(first, "headers", ()))


def internal() -> Response:
    """Return the response for a fault of ours."""
    error = AssayError(
        "SERVE-INTERNAL",
        "the server could not answer; the fault is its own",
        hint="send the request again, and tell who runs the server its x-request-id",
    )
    return Response(500, envelope([error]))


def told(error: BaseException, identity: str) -> Response:
    """Return the response for an error; what is a fault of ours goes to standard error."""
    response = refusal(error) if isinstance(error, AssayError) else internal()
    if response.status >= 500 and not isinstance(error, Rejected):
        say(f"request {identity} failed")
        traceback.print_exception(error, file=sys.stderr)
    return response


def envelope(errors: list[AssayError] | tuple[AssayError, ...]) -> bytes:
    """Return errors as every JSON answer of Assay says them."""
    listed = [error.to_dict() for error in errors]
    return msgspec.json.encode({"ok": False, "errors": listed}, enc_hook=str)
