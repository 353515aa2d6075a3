"""What the hub looks at, in a few bounded reads."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from bson import ObjectId

from audience.consent import Channel, Status
from audience.events import OPENED_APP
from audience.forms.definitions import MAX_FORMS, FormStatus
from audience.growth.states import (
    ANSWERED_WITHIN,
    MESSAGES,
    NEWEST_PEOPLE,
    PEOPLE_WITH_DEVICE,
    PEOPLE_WITH_PHONE,
    WINDOW,
    FormFigures,
    IntegrationFigures,
    ListRef,
    Ref,
    State,
)
from audience.integrations.kinds import (
    MAX_INTEGRATIONS,
    IntegrationKind,
    IntegrationStatus,
)
from audience.keys import MAX_KEYS, KeyKind
from audience.lists import MAX_LISTS, MembershipSource, OptIn
from audience.webhooks import DeliveryState
from resolvers.db import Collection, Database, Document, aggregate, find
from resolvers.forms.statistics import day_of
from resolvers.integrations import Outcome, logs_of_integrations
from resolvers.lists.lookups import LIVE

_NEWEST_FIRST = {"_id": -1}
_PHONE: Document = {"phone_number": {"$exists": True}}
_DEVICE: Document = {"push_tokens.token": {"$exists": True}}


async def growth_state(db: Database, now: datetime, zone: tzinfo) -> State:
    """The account as the hub sees it."""
    lists, forms, newest, keys, integrations = await asyncio.gather(
        find(db.lists, LIVE, {"name": 1, "opt_in": 1}, _NEWEST_FIRST, MAX_LISTS),
        find(db.forms, {}, _FORM, _NEWEST_FIRST, MAX_FORMS),
        find(db.profiles, {}, _PERSON, _NEWEST_FIRST, NEWEST_PEOPLE),
        find(db.keys, _PUBLIC, _KEY, _NEWEST_FIRST, MAX_KEYS),
        _integrations(db, now),
    )
    has_sms, has_push, has_tokens, has_opened_app, has_imported = await asyncio.gather(
        _has_agreed(db.profiles, _PHONE, Channel.SMS, PEOPLE_WITH_PHONE),
        _has_agreed(db.profiles, _DEVICE, Channel.PUSH, PEOPLE_WITH_DEVICE),
        _has(db.profiles, _DEVICE),
        _has_opened_app(db, now),
        _has(db.imports, {"status": "COMPLETED"}),
    )
    named = {each["_id"]: each for each in lists}
    live = [
        each
        for each in forms
        if each["status"] == FormStatus.LIVE and each["list_id"] in named
    ]
    counts = await _counts(db, [each["_id"] for each in live], now, zone)
    drafts = [each for each in forms if each["status"] == FormStatus.DRAFT]
    waiting, confirmed = _confirmations(newest, now)
    return State(
        lists=tuple(
            sorted(
                (_list_ref(each) for each in lists),
                key=lambda each: each.is_single_opt_in,
            )
        ),
        draft=_ref(drafts[0]) if drafts else None,
        archived=sum(each["status"] == FormStatus.ARCHIVED for each in forms),
        form_names=frozenset(each["name"] for each in forms),
        forms=tuple(
            _figures(each, named[each["list_id"]], *counts.get(each["_id"], (0, 0)))
            for each in live
        ),
        has_submissions=any(each.get("submitted_at") for each in forms),
        waiting=waiting,
        confirmed=confirmed,
        has_sms_consent=has_sms,
        has_brought_people=has_imported or _has_added(newest),
        public_keys=tuple(map(_ref, keys)),
        open_keys=tuple(_ref(each) for each in keys if not each["allowed_origins"]),
        lasting_open_keys=tuple(
            _ref(each)
            for each in keys
            if not each["allowed_origins"] and each["created_at"] < now - WINDOW
        ),
        has_push_tokens=has_tokens,
        has_push_consent=has_push,
        has_opened_app=has_opened_app,
        integrations=tuple(integrations),
    )


async def _has_agreed(
    people: Collection, match: Document, channel: Channel, among: int
) -> bool:
    """Whether one of so many of these people is subscribed to the channel."""
    agreed = {f"consent.{channel.lower()}.status": Status.SUBSCRIBED}
    stages: list[Document] = [
        {"$match": match},
        {"$limit": among},
        {"$match": agreed},
        {"$limit": 1},
    ]
    return bool(await aggregate(people, [*stages, {"$project": {"_id": 1}}]))


async def _has(collection: Collection, match: Document) -> bool:
    return await collection.find_one(match, {"_id": 1}) is not None


async def _has_opened_app(db: Database, now: datetime) -> bool:
    metric = await db.metrics.find_one({"name": OPENED_APP}, {"_id": 1})
    if metric is None:
        return False
    lately = {"metric_id": metric["_id"], "timestamp": {"$gte": now - WINDOW}}
    return await _has(db.events, lately)


async def _counts(
    db: Database, form_ids: Sequence[ObjectId], now: datetime, zone: tzinfo
) -> dict[ObjectId, tuple[int, int]]:
    """Views and submissions of each form lately."""
    lately = {"$gte": day_of(now - WINDOW, zone)}
    rows = await aggregate(
        db.form_events,
        [
            {"$match": {"form_id": {"$in": list(form_ids)}, "day": lately}},
            {
                "$group": {
                    "_id": "$form_id",
                    "views": {"$sum": "$views"},
                    "submissions": {"$sum": "$submissions"},
                }
            },
        ],
    )
    return {row["_id"]: (row["views"], row["submissions"]) for row in rows}


async def _integrations(db: Database, now: datetime) -> list[IntegrationFigures]:
    found = await find(
        db.integrations, {}, _INTEGRATION, _NEWEST_FIRST, MAX_INTEGRATIONS
    )
    outbound = [
        each["_id"]
        for each in found
        if each["kind"] == IntegrationKind.OUTBOUND_WEBHOOK
    ]
    sent = await _sent(db, outbound, now) if outbound else {}
    logs = await logs_of_integrations(db, [each["_id"] for each in found])
    return [
        IntegrationFigures(
            str(each["_id"]),
            each["name"],
            is_active=each["status"] == IntegrationStatus.ACTIVE,
            is_outbound=each["kind"] == IntegrationKind.OUTBOUND_WEBHOOK,
            has_secret=each.get("secret_hint") is not None,
            takes_messages=each["kind"] == IntegrationKind.TEXT_MESSAGES,
            has_worked="last_accepted_at" in log
            or sent.get((each["_id"], DeliveryState.DELIVERED), 0) > 0,
            failures=sent.get((each["_id"], DeliveryState.DEAD), 0)
            + sum(
                problem["outcome"] == Outcome.REFUSED and problem["at"] >= now - WINDOW
                for problem in log["problems"]
            ),
        )
        for each, log in zip(found, logs, strict=True)
    ]


async def _sent(
    db: Database, webhooks: Sequence[ObjectId], now: datetime
) -> dict[tuple[ObjectId, str], int]:
    """How many messages to outbound webhooks were delivered lately, and given up."""
    rows = await aggregate(
        db.deliveries,
        [
            {
                "$match": {
                    "integration_id": {"$in": list(webhooks)},
                    "state": {"$in": [DeliveryState.DELIVERED, DeliveryState.DEAD]},
                    "created_at": {"$gte": now - WINDOW},
                }
            },
            {"$limit": MESSAGES},
            {
                "$group": {
                    "_id": {"webhook": "$integration_id", "state": "$state"},
                    "count": {"$sum": 1},
                }
            },
        ],
    )
    return {(row["_id"]["webhook"], row["_id"]["state"]): row["count"] for row in rows}


def _confirmations(newest: Sequence[Document], now: datetime) -> tuple[int, int]:
    """Of those who were asked to confirm lately, but not only just: how many have not
    answered, and how many have."""
    since, until = now - WINDOW, now - ANSWERED_WITHIN
    waiting = confirmed = 0
    for each in newest:
        asked = [request["requested_at"] for request in each.get("pending", ())]
        states = each.get("consent", {}).values()
        if any(since <= at <= until for at in asked):
            waiting += 1
        elif any(
            state.get("double_opt_in") and since <= state["consented_at"] <= until
            for state in states
        ):
            confirmed += 1
    return waiting, confirmed


def _has_added(newest: Sequence[Document]) -> bool:
    by_hand = {MembershipSource.QUICK_ADD, MembershipSource.IMPORT}
    return any(
        membership["source"] in by_hand
        for each in newest
        for membership in each.get("lists", ())
    )


def _figures(
    form: Document, its_list: Document, views: int, submissions: int
) -> FormFigures:
    return FormFigures(
        str(form["_id"]),
        form["name"],
        form["short"],
        _list_ref(its_list),
        any(each["channel"] == Channel.SMS for each in form["consents"]),
        views,
        submissions,
        form["targeting"],
    )


def _list_ref(document: Document) -> ListRef:
    is_single = document["opt_in"] == OptIn.SINGLE
    return ListRef(str(document["_id"]), document["name"], is_single)


def _ref(document: Mapping[str, Any]) -> Ref:
    return Ref(str(document["_id"]), document["name"])


_FORM = dict.fromkeys(
    (
        *("name", "status", "list_id", "short", "submitted_at", "consents.channel"),
        "targeting",
    ),
    1,
)
_PERSON = dict.fromkeys(
    (
        "pending.requested_at",
        "lists.source",
        *(
            f"consent.{channel.lower()}.{name}"
            for channel in Channel
            for name in ("double_opt_in", "consented_at")
        ),
    ),
    1,
)
_PUBLIC: Document = {"kind": KeyKind.PUBLIC, "revoked_at": None}
_KEY = {"name": 1, "allowed_origins": 1, "created_at": 1}
_INTEGRATION = dict.fromkeys(("name", "kind", "status", "secret_hint"), 1)
