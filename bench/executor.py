"""What executing costs, without a database: `python -m bench.executor`.

The nested query over documents in memory: by graphql-core, by the compiled executor,
and by hand, as dicts and orjson. Equal answers are proven first; then medians of the
CPU time of one request, parsing, validation and the JSON text included.
"""

import argparse
import asyncio
import cProfile
import pstats
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import itemgetter
from typing import Any

import orjson
import strawberry

from gql.execution import (
    CompiledExecutor,
    DocumentCache,
    FromDocument,
    batch,
    plain,
    plans_of,
)

Document = dict[str, Any]

NESTED = """query Nested($profiles: Int!, $events: Int!) {
  profiles(first: $profiles) {
    edges {
      node {
        id email firstName lastName createdAt
        location { city country }
        consent { email { status consentedAt } sms { status consentedAt } }
        lists { joinedAt source list { id name } }
        events(first: $events) {
          edges { node { id timestamp value uniqueId metric { id name } } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""
FLAT = """query Flat($profiles: Int!) {
  profiles(first: $profiles) {
    edges { node { id email phoneNumber firstName lastName createdAt } }
  }
}"""
ONE = """query One {
  profile { id email phoneNumber firstName lastName createdAt }
}"""


@dataclass
class Context:
    rows: "Rows"
    compiled: bool = True
    loaders: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """The documents that a database would answer."""

    profiles: list[Document]
    lists: dict[str, Document]
    metrics: dict[str, Document]
    events: dict[str, list[Document]]


Info = strawberry.Info[Context, None]


def _id(prefix: str) -> Callable[[object], str]:
    return lambda stored: f"{prefix}_{stored}"


@strawberry.enum
class Status(StrEnum):
    SUBSCRIBED = "SUBSCRIBED"
    UNSUBSCRIBED = "UNSUBSCRIBED"


@strawberry.interface
class Node(FromDocument):
    id: strawberry.ID = plain("_id", read=str, description="-")


@strawberry.type
class PageInfo:
    has_next_page: bool = plain("has_next", description="-")
    end_cursor: str | None = plain("end", description="-")


@strawberry.type
class Metric(Node):
    id: strawberry.ID = plain("_id", read=_id("met"), description="-")
    name: str = plain("name", description="-")


@strawberry.type
class Event(Node):
    id: strawberry.ID = plain("_id", read=_id("evt"), description="-")
    timestamp: datetime = plain("timestamp", description="-")
    value: float | None = plain("value", description="-")
    unique_id: str = plain("unique_id", description="-")

    @batch(description="-", key=itemgetter("metric_id"), graphql_type=Metric)
    @staticmethod
    async def metric(parents: list[Document], context: Context) -> list[Document]:
        await asyncio.sleep(0)
        return [context.rows.metrics[it["metric_id"]] for it in parents]


@strawberry.type
class EventEdge:
    node: Event = plain("node", description="-")


@strawberry.type
class EventConnection:
    edges: list[EventEdge] = plain("edges", description="-")
    page_info: PageInfo = plain("page_info", description="-")


@strawberry.type
class List(Node):
    id: strawberry.ID = plain("_id", read=_id("lst"), description="-")
    name: str = plain("name", description="-")


@strawberry.type
class Membership:
    joined_at: datetime = plain("joined_at", description="-")
    source: str = plain("source", description="-")
    list: List = plain("list", description="-")


@strawberry.type
class ChannelConsent:
    status: Status = plain("status", default="UNSUBSCRIBED", description="-")
    consented_at: datetime | None = plain("consented_at", description="-")


@strawberry.type
class Consent:
    email: ChannelConsent = plain("email", default={}, description="-")
    sms: ChannelConsent = plain("sms", default={}, description="-")


@strawberry.type
class Location:
    city: str | None = plain("city", description="-")
    country: str | None = plain("country", description="-")


@strawberry.type
class Profile(Node):
    id: strawberry.ID = plain("_id", read=_id("prf"), description="-")
    email: str | None = plain("email", description="-")
    phone_number: str | None = plain("phone_number", description="-")
    first_name: str | None = plain("first_name", description="-")
    last_name: str | None = plain("last_name", description="-")
    created_at: datetime = plain("created_at", description="-")
    location: Location | None = plain("location", description="-")
    consent: Consent = plain("consent", default={}, description="-")

    @batch(description="-", graphql_type=list[Membership])
    @staticmethod
    async def lists(parents: list[Document], context: Context) -> list[list[Document]]:
        await asyncio.sleep(0)
        rows = context.rows.lists
        return [
            [{**it, "list": rows[it["list_id"]]} for it in profile["lists"]]
            for profile in parents
        ]

    @batch(description="-", graphql_type=EventConnection)
    @staticmethod
    async def events(
        parents: list[Document], context: Context, first: int = 20
    ) -> list[Document]:
        await asyncio.sleep(0)
        found = (context.rows.events[it["_id"]] for it in parents)
        return [connection(rows[:first], len(rows) > first) for rows in found]


@strawberry.type
class ProfileEdge:
    node: Profile = plain("node", description="-")


@strawberry.type
class ProfileConnection:
    edges: list[ProfileEdge] = plain("edges", description="-")
    page_info: PageInfo = plain("page_info", description="-")


@strawberry.type
class Query:
    @strawberry.field
    async def profiles(self, info: Info, first: int) -> ProfileConnection:
        await asyncio.sleep(0)
        rows = info.context.rows.profiles
        return connection(rows[:first], len(rows) > first)  # type: ignore[no-any-return]

    @strawberry.field
    async def profile(self, info: Info) -> Profile | None:
        await asyncio.sleep(0)
        found: Any = info.context.rows.profiles[0]
        return found  # type: ignore[no-any-return]


def connection(rows: list[Document], has_next: bool) -> Any:
    return {
        "edges": [{"node": row} for row in rows],
        "page_info": {"has_next": has_next, "end": rows[-1]["_id"] if rows else None},
    }


schema = strawberry.Schema(
    Query,
    extensions=[DocumentCache],
    execution_context_class=CompiledExecutor,
)


def made_rows(profiles: int = 100, events: int = 25, seed: int = 7) -> Rows:
    """Documents like the real ones, always the same."""
    chance = random.Random(seed)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    metrics = [f"{it:024x}" for it in range(8)]
    lists = [f"{it:024x}" for it in range(100, 112)]
    people = []
    history = {}
    for number in range(profiles):
        key = f"{number:024x}"
        at = start + timedelta(seconds=chance.randrange(10_000_000))
        people.append(
            {
                "_id": key,
                "email": f"person{number}@example.org",
                "phone_number": f"+1415555{number:04}",
                "first_name": "Ada",
                "last_name": f"Number {number}",
                "created_at": at,
                "location": {"city": "Berlin", "country": "Germany"},
                "consent": {"email": {"status": "SUBSCRIBED", "consented_at": at}},
                "lists": [
                    {"list_id": it, "joined_at": at, "source": "API"}
                    for it in chance.sample(lists, 2)
                ],
            }
        )
        history[key] = [
            {
                "_id": f"{number * 1000 + it + 1_000_000:024x}",
                "metric_id": chance.choice(metrics),
                "timestamp": at + timedelta(hours=it),
                "value": chance.randrange(10_000) / 100,
                "unique_id": f"order-{number}-{it}",
            }
            for it in range(events)
        ]
    return Rows(
        people,
        {it: {"_id": it, "name": f"List {it[-3:]}"} for it in lists},
        {it: {"_id": it, "name": f"Metric {it[-3:]}"} for it in metrics},
        history,
    )


async def execute(
    rows: Rows, query: str, variables: Document, *, compiled: bool
) -> bytes:
    """The answer's JSON text, through the whole of Strawberry."""
    result = await schema.execute(
        query, variables, context_value=Context(rows, compiled)
    )
    if result.errors:
        raise RuntimeError(result.errors)
    return orjson.dumps({"data": result.data})


async def by_hand(rows: Rows, query: str, variables: Document) -> bytes:
    """The same reads, and dicts written out by hand."""
    await asyncio.sleep(0)
    if query is ONE:
        return orjson.dumps({"data": {"profile": _flat(rows.profiles[0])}})
    people = rows.profiles[: variables["profiles"]]
    if query is FLAT:
        edges = [{"node": _flat(it)} for it in people]
        return orjson.dumps({"data": {"profiles": {"edges": edges}}})
    return orjson.dumps(await _nested(rows, people, variables["events"]))


async def _nested(rows: Rows, people: list[Document], first: int) -> Document:
    await asyncio.sleep(0)
    edges = []
    metrics = {
        key: {"id": f"met_{key}", "name": it["name"]}
        for key, it in rows.metrics.items()
    }
    lists = {
        key: {"id": f"lst_{key}", "name": it["name"]} for key, it in rows.lists.items()
    }
    for profile in people:
        events = rows.events[profile["_id"]][:first]
        consent = profile["consent"]
        where = profile.get("location")
        node = {
            "id": f"prf_{profile['_id']}",
            "email": profile.get("email"),
            "firstName": profile.get("first_name"),
            "lastName": profile.get("last_name"),
            "createdAt": profile["created_at"].isoformat(),
            "location": where
            and {"city": where.get("city"), "country": where.get("country")},
            "consent": {it: _consent(consent.get(it)) for it in ("email", "sms")},
            "lists": [
                {
                    "joinedAt": it["joined_at"].isoformat(),
                    "source": it["source"],
                    "list": lists[it["list_id"]],
                }
                for it in profile["lists"]
            ],
            "events": {
                "edges": [
                    {
                        "node": {
                            "id": f"evt_{it['_id']}",
                            "timestamp": it["timestamp"].isoformat(),
                            "value": it.get("value"),
                            "uniqueId": it["unique_id"],
                            "metric": metrics[it["metric_id"]],
                        }
                    }
                    for it in events
                ],
                "pageInfo": {
                    "hasNextPage": len(rows.events[profile["_id"]]) > first,
                    "endCursor": events[-1]["_id"],
                },
            },
        }
        edges.append({"node": node})
    page = {
        "hasNextPage": len(rows.profiles) > len(people),
        "endCursor": people[-1]["_id"],
    }
    return {"data": {"profiles": {"edges": edges, "pageInfo": page}}}


def _consent(given: Document | None) -> Document:
    if given is None:
        return {"status": "UNSUBSCRIBED", "consentedAt": None}
    return {
        "status": given["status"],
        "consentedAt": given["consented_at"].isoformat(),
    }


def _flat(profile: Document) -> Document:
    return {
        "id": f"prf_{profile['_id']}",
        "email": profile.get("email"),
        "phoneNumber": profile.get("phone_number"),
        "firstName": profile.get("first_name"),
        "lastName": profile.get("last_name"),
        "createdAt": profile["created_at"].isoformat(),
    }


Ask = Callable[[], Awaitable[bytes]]


async def median_ms(ask: Ask, seconds: float) -> float:
    """The median CPU time of one request, in milliseconds."""
    await ask()
    times: list[int] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        started = time.process_time_ns()
        await ask()
        times.append(time.process_time_ns() - started)
    return statistics.median(times) / 1e6


async def compare(seconds: float) -> None:
    rows = made_rows()
    scenarios: dict[str, tuple[str, Document]] = {
        "50 profiles x 10 events": (NESTED, {"profiles": 50, "events": 10}),
        "100 flat profiles": (FLAT, {"profiles": 100}),
        "one profile, six fields": (ONE, {}),
    }
    print(
        f"{'':24} {'kB':>6} {'graphql-core':>13} {'compiled':>9} {'by hand':>8} "
        f"{'times':>6} {'of hand':>8}"
    )
    for name, (query, variables) in scenarios.items():
        ways: list[Ask] = [
            lambda q=query, v=variables: execute(rows, q, v, compiled=False),  # type: ignore[misc]
            lambda q=query, v=variables: execute(rows, q, v, compiled=True),  # type: ignore[misc]
            lambda q=query, v=variables: by_hand(rows, q, v),  # type: ignore[misc]
        ]
        answers = {await way() for way in ways}
        if len(answers) != 1:
            raise RuntimeError(f"{name}: the answers differ")
        core, compiled, hand = [await median_ms(way, seconds) for way in ways]
        print(
            f"{name:24} {len(answers.pop()) / 1000:6.1f} {core:13.3f} {compiled:9.3f} "
            f"{hand:8.3f} {core / compiled:6.1f} {hand / compiled:8.2f}"
        )
    plans = plans_of(schema._schema)
    if plans.handed_over or plans.uncovered:
        raise RuntimeError("graphql-core had to help")


async def profiled(requests: int) -> None:
    rows = made_rows()
    variables = {"profiles": 50, "events": 10}
    await execute(rows, NESTED, variables, compiled=True)
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(requests):
        await execute(rows, NESTED, variables, compiled=True)
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement")
    parser.add_argument("--profile", action="store_true", help="show where time goes")
    given = parser.parse_args()
    asyncio.run(profiled(200) if given.profile else compare(given.seconds))
