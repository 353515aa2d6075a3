"""What someone did: the rules and limits of an event, and of a metric's name."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from audience.errors import AudienceError, Code, InvalidInput, Problem
from audience.identity import Identity, is_plain
from audience.profiles import MAX_PROBLEMS, property_problems

MAX_BATCH = 1_000  # events in one call of the API
MAX_METRICS = 2_000  # of one account, so also of one profile
PROFILE_METRICS = 1_000  # of one profile; see resolvers/events.py for its precision
METRIC_NAME_LENGTH = 128
UNIQUE_ID_LENGTH = 255
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(days=366)
MAX_VALUE = 1e15  # above or below zero, so that no sum of them is infinite
OPENED_APP = "Opened App"
# Callers who are not trusted may make these metrics and no others.
STANDARD_METRICS = frozenset({OPENED_APP})
# Of the newest events of a metric, kept on the profile. More of them take a migration.
SUMMARY_TIMES = 40

_CURRENCY = re.compile(r"[A-Za-z]{3}")


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to record, already checked. Made by `new_event`.

    Without a `unique_id` it is a new event however often it is sent.
    """

    identity: Identity
    metric: str
    timestamp: datetime
    value: float | None = None
    currency: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    unique_id: str | None = None


def new_event(
    identity: Identity,
    metric: str,
    *,
    now: datetime,
    timestamp: datetime | None = None,
    value: float | None = None,
    currency: str | None = None,
    properties: Mapping[str, Any] | None = None,
    unique_id: str | None = None,
) -> NewEvent:
    """The checked event, at `now` when no time is given. InvalidInput carries every
    problem with its path."""
    problems: list[Problem] = []

    def refuse(message: str, name: str) -> None:
        problems.append(Problem(Code.INVALID, message, (name,)))

    try:
        metric = metric_name(metric)
    except AudienceError as error:
        problems.extend(error.problems)
    when = now if timestamp is None else timestamp
    if when.tzinfo is None:
        refuse(
            "A time has an offset from UTC, as in 2026-11-23T18:00:00Z.", "timestamp"
        )
    elif not EARLIEST <= when <= now + LATEST_AHEAD:
        refuse("An event lies between 1990 and one year from now.", "timestamp")
    if value is not None and not abs(value) <= MAX_VALUE:  # NaN compares false
        refuse(
            "A value is a number from -1,000,000,000,000,000 to 1,000,000,000,000,000.",
            "value",
        )
    if currency is not None and not _CURRENCY.fullmatch(currency):
        refuse("A currency is a code of ISO 4217 such as EUR.", "valueCurrency")
    if unique_id is not None and not _is_short(unique_id, UNIQUE_ID_LENGTH):
        refuse(
            f"A unique id has 1 to {UNIQUE_ID_LENGTH} characters, none of them a "
            "control character.",
            "uniqueId",
        )
    if properties:
        problems.extend(property_problems(properties, ("properties",)))
    if problems:
        raise InvalidInput.of(problems[:MAX_PROBLEMS])
    if when.tzinfo is not UTC:
        when = when.astimezone(UTC)
    return NewEvent(
        identity,
        metric,
        when.replace(microsecond=when.microsecond // 1000 * 1000),
        None if value is None else float(value),
        None if currency is None else currency.upper(),
        properties or {},
        unique_id,
    )


def metric_name(text: str, path: tuple[str, ...] = ("metric",)) -> str:
    """The name in its normal form: trimmed, Unicode's NFC."""
    name = unicodedata.normalize("NFC", text.strip())
    if not _is_short(name, METRIC_NAME_LENGTH):
        raise InvalidInput(
            f"A metric's name has 1 to {METRIC_NAME_LENGTH} characters, none of them "
            "a control character.",
            path,
        )
    return name


def _is_short(text: str, length: int) -> bool:
    return 0 < len(text) <= length and is_plain(text)
