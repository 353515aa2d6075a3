"""The scenarios without GraphQL: the same reads, dicts by hand, orjson. What a server
could reach at best; a yardstick, not an API."""

import gc
import hmac
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
from bson import ObjectId
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from audience.consent import Channel, can_receive
from resolvers.consent import state_of
from resolvers.db import (
    Database,
    Document,
    Driver,
    aggregate,
    close,
    connect,
    find,
    zoneless,
)
from server.seeds.household import PLACED_ORDER

Answer = Callable[[Database, Document], Awaitable[Document]]

_EVENT = {"timestamp": 1, "value": 1, "metric_id": 1}


def from_environment() -> Starlette:
    """The app of one worker process."""
    key = os.environ["AUDIENCE_ADMIN_KEY"].encode()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        driver = cast("Driver", os.environ["AUDIENCE_DRIVER"])
        name = os.environ["AUDIENCE_DATABASE"]
        db = connect(os.environ["MONGODB_URI"], name, driver=driver)
        app.state.db = replace(db, profiles=zoneless(db.profiles))
        # Looks for garbage as seldom as the server does: rows by the hundred come and
        # go without cycles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(200_000, 20, 20)
        yield
        await close(db)

    def route(name: str, answer: Answer) -> Route:
        async def respond(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, b"Bearer " + key):
                return Response(status_code=401)
            asked = orjson.loads(await request.body())
            data = await answer(request.app.state.db, asked.get("variables") or {})
            body = orjson.dumps({"data": data})
            return Response(body, media_type="application/json")

        return Route(f"/{name}", respond, methods=["POST"])

    answers = {
        "nested": nested,
        "activity": activity,
        "flat": flat,
        "lookup": lookup,
        "segment": segment,
    }
    return Starlette(
        routes=[route(name, answer) for name, answer in answers.items()],
        lifespan=lifespan,
    )


async def nested(db: Database, variables: Document) -> Document:
    fields = {
        **dict.fromkeys(("email", "first_name", "last_name", "created_at"), 1),
        **dict.fromkeys(("consent", "lists"), 1),
    }
    rows = await find(db.profiles, {}, fields, sort={"_id": -1}, limit=51)
    profiles = rows[:50]
    events = await _events(
        db,
        [profile["_id"] for profile in profiles],
        {},
        11,
        _EVENT | {"currency": 1, "unique_id": 1},
    )
    lists = await _named(
        db.lists,
        {row["list_id"] for profile in profiles for row in profile.get("lists", ())},
    )
    metrics = await _named(
        db.metrics,
        {event["metric_id"] for every in events.values() for event in every},
    )
    return {
        "profiles": {
            "edges": [
                {
                    "node": {
                        "id": f"prf_{profile['_id']}",
                        "email": profile.get("email"),
                        "firstName": profile.get("first_name"),
                        "lastName": profile.get("last_name"),
                        "createdAt": _time(profile["created_at"]),
                        "consent": {
                            "email": _consent(profile, Channel.EMAIL, dated=True),
                            "sms": _consent(profile, Channel.SMS),
                        },
                        "lists": {
                            "edges": [
                                {
                                    "node": {
                                        "joinedAt": _time(row["joined_at"]),
                                        "source": row["source"],
                                        "list": {
                                            "id": f"lst_{row['list_id']}",
                                            "name": lists[row["list_id"]],
                                        },
                                    }
                                }
                                for row in _newest(profile.get("lists", []))[:10]
                            ]
                        },
                        "events": {
                            "edges": [
                                {
                                    "node": {
                                        "id": f"evt_{event['_id']}",
                                        "timestamp": _time(event["timestamp"]),
                                        "value": event.get("value"),
                                        "valueCurrency": event.get("currency"),
                                        "uniqueId": event["unique_id"],
                                        "metric": {
                                            "id": f"met_{event['metric_id']}",
                                            "name": metrics[event["metric_id"]],
                                        },
                                    }
                                }
                                for event in events[profile["_id"]][:10]
                            ]
                        },
                    }
                }
                for profile in profiles
            ],
            "pageInfo": {"hasNextPage": len(rows) > 50},
        }
    }


async def activity(db: Database, variables: Document) -> Document:
    stored = ObjectId(variables["id"].removeprefix("prf_"))
    (profile,) = await find(db.profiles, {"_id": stored}, {"email": 1})
    fields = _EVENT | {"properties": 1, "profile_id": 1}
    events = (await _events(db, [stored], {}, 26, fields))[stored]
    metrics = await _named(db.metrics, {event["metric_id"] for event in events})
    return {
        "profile": {
            "id": f"prf_{stored}",
            "email": profile.get("email"),
            "events": {
                "edges": [
                    {
                        "node": {
                            "id": f"evt_{event['_id']}",
                            "timestamp": _time(event["timestamp"]),
                            "value": event.get("value"),
                            "properties": event["properties"],
                            "metric": {
                                "id": f"met_{event['metric_id']}",
                                "name": metrics[event["metric_id"]],
                            },
                        }
                    }
                    for event in events[:25]
                ]
            },
        }
    }


async def flat(db: Database, variables: Document) -> Document:
    names = (
        *("email", "external_id", "first_name", "last_name", "location"),
        *("properties", "created_at", "updated_at", "last_event_at"),
    )
    rows = await find(
        db.profiles, {}, dict.fromkeys(names, 1), sort={"_id": -1}, limit=101
    )
    return {
        "profiles": {
            "edges": [
                {
                    "node": {
                        "id": f"prf_{profile['_id']}",
                        "email": profile.get("email"),
                        "externalId": profile.get("external_id"),
                        "firstName": profile.get("first_name"),
                        "lastName": profile.get("last_name"),
                        "location": _location(profile.get("location")),
                        "properties": profile["properties"],
                        "createdAt": _time(profile["created_at"]),
                        "updatedAt": _time(profile["updated_at"]),
                        "lastEventAt": _time(profile.get("last_event_at")),
                    }
                }
                for profile in rows[:100]
            ],
            "pageInfo": {"hasNextPage": len(rows) > 100},
        }
    }


async def lookup(db: Database, variables: Document) -> Document:
    names = ("email", "first_name", "last_name", "external_id", "last_event_at")
    match = {"email": variables["email"]}
    rows = await find(db.profiles, match, dict.fromkeys(names, 1), limit=1)
    profile = rows[0]
    return {
        "profile": {
            "id": f"prf_{profile['_id']}",
            "email": profile.get("email"),
            "firstName": profile.get("first_name"),
            "lastName": profile.get("last_name"),
            "externalId": profile.get("external_id"),
            "lastEventAt": _time(profile.get("last_event_at")),
        }
    }


async def segment(db: Database, variables: Document) -> Document:
    stored = ObjectId(variables["id"].removeprefix("seg_"))
    (found,) = await find(db.segments, {"_id": stored}, {"name": 1})
    (orders,) = await find(db.metrics, {"name": PLACED_ORDER}, {"key": 1})
    # Ordered in the last year, but not in the last 60 days.
    last = f"summary.{orders['key']}.l"
    now = datetime.now(UTC)
    since, until = now - timedelta(days=365), now - timedelta(days=60)
    match = {last: {"$gte": since, "$lt": until}}
    rows = await find(db.profiles, match, {"email": 1}, {"_id": 1}, 51)
    members = rows[:50]
    ids = [member["_id"] for member in members]
    events = await _events(db, ids, {"metric_id": orders["_id"]}, 2, _EVENT)
    return {
        "segment": {
            "id": variables["id"],
            "name": found["name"],
            "members": {
                "edges": [
                    {
                        "node": {
                            "id": f"prf_{member['_id']}",
                            "email": member.get("email"),
                            "events": {
                                "edges": [
                                    {
                                        "node": {
                                            "id": f"evt_{event['_id']}",
                                            "timestamp": _time(event["timestamp"]),
                                            "value": event.get("value"),
                                        }
                                    }
                                    for event in events[member["_id"]][:1]
                                ]
                            },
                        }
                    }
                    for member in members
                ]
            },
        }
    }


async def _events(
    db: Database, ids: list[ObjectId], match: Document, limit: int, fields: Document
) -> dict[ObjectId, list[Document]]:
    """The newest events of each profile: limited reads of one index, in one command.
    With the profile's id among the fields they come one by one, for they may be large.
    """
    pipeline: list[Document] = [
        {"$match": {"_id": {"$in": ids}}},
        {"$project": {"_id": 1}},
        {
            "$lookup": {
                "from": "events",
                "localField": "_id",
                "foreignField": "profile_id",
                "pipeline": [
                    {"$match": match},
                    {"$sort": {"timestamp": -1, "_id": -1}},
                    {"$limit": limit},
                    {"$project": fields},
                ],
                "as": "event",
            }
        },
    ]
    if "profile_id" not in fields:
        rows = await aggregate(db.profiles, pipeline, batch_size=len(ids) + 1)
        return {row["_id"]: row["event"] for row in rows}
    pipeline += [{"$unwind": "$event"}, {"$replaceRoot": {"newRoot": "$event"}}]
    found: dict[ObjectId, list[Document]] = {each: [] for each in ids}
    most = len(ids) * limit + 1
    for event in await aggregate(db.profiles, pipeline, batch_size=most):
        found[event["profile_id"]].append(event)
    return found


async def _named(collection: Any, ids: set[ObjectId]) -> dict[ObjectId, str]:
    rows = await find(collection, {"_id": {"$in": list(ids)}}, {"name": 1})
    return {row["_id"]: row["name"] for row in rows}


def _consent(profile: Document, channel: Channel, *, dated: bool = False) -> Document:
    state = state_of(profile, channel)
    answer: Document = {
        "status": state.status.value,
        "canReceiveMarketing": can_receive(state),
    }
    if dated:
        answer["consentedAt"] = _time(state.consented_at)
    return answer


def _newest(memberships: list[Document]) -> list[Document]:
    def place(row: Document) -> tuple[datetime, ObjectId]:
        return row["joined_at"], row["list_id"]

    return sorted(memberships, key=place, reverse=True)


def _location(location: Document | None) -> Document | None:
    if location is None:
        return None
    return {name: location.get(name) for name in ("city", "region", "country")}


def _time(value: datetime | None) -> str | None:
    return f"{value.isoformat(timespec='milliseconds')}Z" if value else None
