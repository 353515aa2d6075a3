"""What the tests of events, summaries and merges share: making events, the true
summaries, and writers that stop half-way."""

import types
from collections.abc import Coroutine, Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from audience.events import NewEvent
from audience.identity import Identity
from audience.summaries import Summary, summarise
from resolvers.db import Database, find

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)


class Killed(BaseException):
    """The writer was stopped."""


def event(
    who: Identity,
    number: int,
    metric: str = "Placed Order",
    *,
    value: float | None = 0.25,
) -> NewEvent:
    """The event `number` of somebody: the same number is the same event. Values are
    exact in binary, so that sums are equal in every order."""
    return NewEvent(
        who,
        metric,
        NOW - timedelta(minutes=(number * 7919) % 100_000),
        None if value is None else value * (number % 40),
        properties={"number": number},
        unique_id=f"e{number}",
    )


async def true_summaries(db: Database) -> dict[Any, Summary]:
    """The summary of every profile, from its events alone."""
    keys = {row["_id"]: row["key"] for row in await find(db.metrics, {})}
    events: dict[Any, list[tuple[str, datetime, float | None]]] = {
        row["_id"]: [] for row in await find(db.profiles, {}, {"_id": 1})
    }
    for row in await find(db.events, {}):
        events[row["profile_id"]].append(
            (keys[row["metric_id"]], row["timestamp"], row.get("value"))
        )
    return {profile: summarise(some) for profile, some in events.items()}


async def assert_exact(db: Database) -> None:
    """Every summary equals the one computed from the events."""
    true = await true_summaries(db)
    profiles = await find(db.profiles, {})
    assert {row["_id"]: row["summary"] for row in profiles} == true
    last = {
        profile: max((metric["l"] for metric in summary.values()), default=None)
        for profile, summary in true.items()
    }
    assert {row["_id"]: row.get("last_event_at") for row in profiles} == last


async def unique_ids(db: Database) -> list[str]:
    """The unique ids of all events, sorted."""
    return sorted(row["unique_id"] for row in await find(db.events, {}))


@types.coroutine
def killed_after(
    steps: int, writer: Coroutine[Any, Any, Any]
) -> Generator[Any, Any, bool]:
    """Runs the writer until it has got the answers to so many of its awaits, then
    stops it there. Whether it came to its end before."""
    problem: BaseException | None = None
    step = 0
    while True:
        if step == steps:
            problem = Killed()
        try:
            # After it is stopped it may still tidy up, such as close a session.
            waiting = writer.send(None) if problem is None else writer.throw(problem)
        except StopIteration:
            return True
        except Killed:
            return False
        step += 1
        try:
            yield waiting
            problem = None
        except BaseException as error:  # noqa: BLE001 - the writer's to handle
            problem = error


@types.coroutine
def overtaken_after(
    steps: int, writer: Coroutine[Any, Any, Any], other: Coroutine[Any, Any, Any]
) -> Generator[Any, Any, bool]:
    """Runs the writer until it has got the answers to so many of its awaits, then all
    of the other, then the rest of the writer. Whether the writer ended before."""
    problem: BaseException | None = None
    step = 0
    while True:
        if step == steps:
            yield from other.__await__()
        try:
            waiting = writer.send(None) if problem is None else writer.throw(problem)
        except StopIteration:
            other.close()
            return step < steps
        step += 1
        try:
            yield waiting
            problem = None
        except BaseException as error:  # noqa: BLE001 - the writer's to handle
            problem = error


def batches(numbers: Sequence[int], size: int) -> list[Sequence[int]]:
    """The numbers in batches."""
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
