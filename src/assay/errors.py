"""Every error that Assay raises on purpose: code, what, where, got, allowed, and what to try.

An error's class decides the exit code of the command line; its code names the entry in
`docs/reference/errors.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar


class AssayError(Exception):
    """A mistake or fault that Assay can explain.

    Args:
        code: stable upper-case name, such as `SPEC-UNKNOWN-KEY`.
        message: one sentence that says what is wrong.
        where: file and line, key path, column or record.
        got: the value that was found, if one was.
        allowed: the values that would have been accepted.
        hint: what to try next, a command or an edit.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: str = "",
        got: Any = None,
        allowed: Sequence[Any] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.got = got
        self.allowed = tuple(allowed)
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.__dict__.copy()))

    def to_dict(self) -> dict[str, Any]:
        """Return the error as the JSON envelope prints it."""
        return {
            "code": self.code,
            "where": self.where,
            "message": self.message,
            "got": self.got,
            "allowed": list(self.allowed),
            "try": self.hint,
        }

    def __str__(self) -> str:
        lines = [f"{self.code}: {self.message}"]
        if self.where:
            lines.append(f"  where    {self.where}")
        if self.got is not None:
            lines.append(f"  got      {self.got!r}")
        if self.allowed:
            lines.append(f"  allowed  {', '.join(str(value) for value in self.allowed)}")
        if self.hint:
            lines.append(f"  try      {self.hint}")
        return "\n".join(lines)


def _rebuild(kind: type[AssayError], state: dict[str, Any]) -> AssayError:
    """Unpickle an error that crossed a process border."""
    error = kind.__new__(kind)
    Exception.__init__(error, state.get("message", ""))
    error.__dict__.update(state)
    return error


class UsageError(AssayError):
    """The command, flag or argument does not fit."""

    exit_code = 2


class SpecError(AssayError):
    """The project file does not say what a project file must say."""

    exit_code = 2


class DataError(AssayError):
    """The data cannot be read, or cannot carry the question."""

    exit_code = 2


class MissingExtra(AssayError):
    """An optional dependency is not installed; the hint names the extra that brings it."""

    exit_code = 2


class StoreError(AssayError):
    """The store cannot be read or written: no room, no right, or busy for too long."""

    exit_code = 2


class TransientFault(AssayError):
    """Something outside failed in a way that a second attempt may mend."""

    exit_code = 2


class Refused(AssayError):
    """A gate or the audit says no, and the request stands against it."""

    exit_code = 3


class Tampered(AssayError):
    """A digest does not match what it names."""

    exit_code = 5


class Mistakes(AssayError):
    """Several errors found in one pass, reported together; the first decides the exit code."""

    def __init__(self, errors: Iterable[AssayError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        count = len(self.errors)
        super().__init__(first.code, f"{count} mistakes found" if count > 1 else first.message)
        self.exit_code = first.exit_code  # type: ignore[misc]

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def all_errors(error: AssayError) -> tuple[AssayError, ...]:
    """Return the errors that `error` stands for, itself when it stands alone."""
    return error.errors if isinstance(error, Mistakes) else (error,)
