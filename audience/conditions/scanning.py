"""How untrusted JSON is read: each place in it knows its path, and notes what is wrong
there instead of stopping."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, TypeVar

from audience.conditions import limits
from audience.errors import Code, Problem

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class At:
    """A value of the input, its path, and the list of everything that is wrong.

    Every reading method answers None after noting a problem.
    """

    value: Any
    path: tuple[str, ...]
    problems: list[Problem] = field(repr=False)

    def wrong(self, message: str, code: Code = Code.INVALID) -> None:
        self.problems.append(Problem(code, message, self.path))

    def at(self, name: str) -> "At":
        """The value of one of an object's fields; absent and null are both None."""
        inner = self.value.get(name) if isinstance(self.value, Mapping) else None
        return At(inner, (*self.path, name), self.problems)

    @property
    def given(self) -> bool:
        return self.value is not None

    def object(self, *names: str) -> bool:
        """Whether it is an object with no fields but `names`."""
        if not isinstance(self.value, Mapping):
            self.wrong(f"An object with {_any_of(names)} is expected.")
            return False
        for name in self.value:
            if name not in names:
                self.at(str(name)).wrong(
                    f"There is no {str(name)!r:.40} here: use {_any_of(names)}."
                )
                return False
        return True

    def one_of(self, *names: str) -> "At | None":
        """The one field that is given of an object that must have exactly one."""
        if not self.object(*names):
            return None
        present = [name for name in names if self.at(name).given]
        if len(present) != 1:
            self.wrong(f"Exactly one of {', '.join(names)} is expected.")
            return None
        return self.at(present[0])

    def items(self, most: int, *, least: int = 1, what: str) -> "Iterator[At]":
        """The items of a list of `least` to `most`; nothing after a problem."""
        if not isinstance(self.value, list):
            self.wrong(f"A list of {what} is expected.")
        elif len(self.value) < least:
            self.wrong(f"Too few {what}: {len(self.value)} instead of {least} or more.")
        elif len(self.value) > most:
            self.wrong(
                f"There are {len(self.value)} {what}; at most {most} are allowed.",
                Code.TOO_LARGE,
            )
        else:
            for index, item in enumerate(self.value):
                yield At(item, (*self.path, str(index)), self.problems)

    def text(self, most: int = limits.TEXT, *, empty: bool = False) -> str | None:
        if not isinstance(self.value, str):
            self.wrong("A text is expected.")
            return None
        if not self.value and not empty:
            self.wrong("The text must not be empty.")
            return None
        if len(self.value) > most:
            self.wrong(
                f"The text has {len(self.value)} characters; at most {most} are "
                "allowed.",
                Code.TOO_LARGE,
            )
            return None
        if "\0" in self.value or not _encodes(self.value):
            self.wrong("The text must not contain NUL or half a character.")
            return None
        return self.value

    def texts(self, most: int = limits.CHOICES, *, what: str) -> tuple[str, ...]:
        read = [item.text(empty=True) for item in self.items(most, what=what)]
        return tuple(text for text in read if text is not None)

    def number(self) -> float | None:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.wrong("A number is expected.")
            return None
        if not isfinite(self.value) or abs(self.value) > limits.NUMBER:
            self.wrong(f"The number must lie within ±{limits.NUMBER:,}.")
            return None
        return float(self.value)

    def whole(self, least: int, most: int) -> int | None:
        number = self.number()
        if number is None:
            return None
        if number != int(number) or not least <= number <= most:
            self.wrong(f"A whole number from {least} to {most} is expected.")
            return None
        return int(number)

    def boolean(self) -> bool | None:
        if not isinstance(self.value, bool):
            self.wrong("true or false is expected.")
            return None
        return self.value

    def choice(self, choices: type[Choice]) -> Choice | None:
        if isinstance(self.value, str) and self.value in list(choices):
            return choices(self.value)
        self.wrong(f"One of {', '.join(choices)} is expected.")
        return None

    def choices(self, choices: type[Choice], what: str) -> tuple[Choice, ...]:
        read = [item.choice(choices) for item in self.items(len(choices), what=what)]
        return tuple(one for one in read if one is not None)

    def instant(self) -> datetime | None:
        try:
            moment = datetime.fromisoformat(self.value)
            if moment.tzinfo is None or len(self.value) < 19:
                raise ValueError
            moment = moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            self.wrong(
                "An instant such as 2026-05-01T12:00:00Z is expected, with Z or an "
                "offset."
            )
            return None
        if not limits.EARLIEST_YEAR <= moment.year <= limits.LATEST_YEAR:
            self._far()
            return None
        return moment - timedelta(microseconds=moment.microsecond % 1000)

    def day(self) -> date | None:
        try:
            if len(self.value) != 10:
                raise ValueError
            day = date.fromisoformat(self.value)
        except (TypeError, ValueError):
            self.wrong("A day such as 2026-05-01 is expected.")
            return None
        if not limits.EARLIEST_YEAR <= day.year <= limits.LATEST_YEAR:
            self._far()
            return None
        return day

    def _far(self) -> None:
        self.wrong(
            f"The year must lie between {limits.EARLIEST_YEAR} and "
            f"{limits.LATEST_YEAR}."
        )


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _any_of(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
