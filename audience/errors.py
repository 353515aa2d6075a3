"""The errors that a caller can mend: what is wrong, where, and what would be right.

AudienceError
├── InvalidInput      a value breaks a rule
├── NotFound          what the input refers to does not exist
├── Conflict          identifiers, or states, that exclude each other
├── Taken             a unique name or identifier is in use
├── TooLarge          a value is over a stated size
├── LimitReached      an account-wide limit would be passed
├── ConsentRequired   marketing without the person's agreement
└── NotAllowed        the rules forbid this change
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """What kind of problem it is; part of the API."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    TAKEN = "TAKEN"
    TOO_LARGE = "TOO_LARGE"
    LIMIT_REACHED = "LIMIT_REACHED"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"
    NOT_ALLOWED = "NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `path` leads to it from the input's top."""

    code: Code
    message: str
    path: tuple[str, ...] = ()


class AudienceError(Exception):
    """One or more problems that the caller can mend. Nothing was changed."""

    code = Code.INVALID

    def __init__(self, message: str, path: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(self.code, message, tuple(path)),)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """An error that carries several problems; the first gives the message."""
        every = tuple(problems)
        error = cls(every[0].message, every[0].path)
        error.problems = every
        return error

    def under(self, *prefix: str) -> "AudienceError":
        """The same problems, their paths led by `prefix`."""
        error = type(self)(str(self))
        error.problems = tuple(
            Problem(problem.code, problem.message, (*prefix, *problem.path))
            for problem in self.problems
        )
        return error


class InvalidInput(AudienceError):
    """A value breaks a rule."""

    code = Code.INVALID


class NotFound(AudienceError):
    """What the input refers to does not exist."""

    code = Code.NOT_FOUND


class Conflict(AudienceError):
    """Identifiers, or states, that exclude each other."""

    code = Code.CONFLICT


class Taken(AudienceError):
    """A unique name or identifier is in use."""

    code = Code.TAKEN


class TooLarge(AudienceError):
    """A value is over a stated size."""

    code = Code.TOO_LARGE


class LimitReached(AudienceError):
    """An account-wide limit would be passed."""

    code = Code.LIMIT_REACHED


class ConsentRequired(AudienceError):
    """Marketing without the person's agreement."""

    code = Code.CONSENT_REQUIRED


class NotAllowed(AudienceError):
    """The rules forbid this change."""

    code = Code.NOT_ALLOWED
