"""The collections as the database keeps them: indexes and validators."""

import contextlib

from pymongo import ASCENDING, DESCENDING, GEOSPHERE, IndexModel
from pymongo.errors import CollectionInvalid

from audience.integrations.kinds import IntegrationKind
from audience.webhooks import DeliveryState
from resolvers.db import COLLECTIONS, Database, Document
from resolvers.migrations import MIGRATIONS, migrate

# Pages of a history, and what conditions ask of it without reading an event.
HISTORIES = {
    "profile_id": ASCENDING,
    "timestamp": DESCENDING,
    "_id": DESCENDING,
    "metric_id": ASCENDING,
    "value": ASCENDING,
}

_ID = {"bsonType": "objectId"}
_TEXT = {"bsonType": "string"}
_TIME = {"bsonType": "date"}
_OBJECT = {"bsonType": "object"}
_ARRAY = {"bsonType": "array"}
_NUMBER = {"bsonType": ["double", "int", "long"]}


def _unique(path: str) -> IndexModel:
    """Unique among the documents that have the field. Equality with a value implies
    that it exists, so it is found through the index."""
    return IndexModel(
        [(path, ASCENDING)],
        unique=True,
        partialFilterExpression={path: {"$exists": True}},
    )


def _index(**keys: int) -> IndexModel:
    return IndexModel([(path.replace("__", "."), way) for path, way in keys.items()])


def _schema(required: Document, **optional: Document) -> Document:
    return {
        "$jsonSchema": {
            "bsonType": "object",
            "required": list(required),
            "properties": required | optional,
        }
    }


INDEXES: dict[str, list[IndexModel]] = {
    "profiles": [
        _unique("email"),
        _unique("phone_number"),
        _unique("external_id"),
        _unique("anonymous_ids"),
        _unique("merged_ids"),
        _unique("push_tokens.token"),
        _index(lists__list_id=ASCENDING, _id=ASCENDING),
        _index(search=ASCENDING),
        _index(updated_at=DESCENDING, _id=DESCENDING),
        _index(last_event_at=DESCENDING, _id=DESCENDING),
        IndexModel([("point", GEOSPHERE)]),
    ],
    "events": [
        IndexModel(
            [("profile_id", ASCENDING), ("metric_id", ASCENDING), ("unique_id", 1)],
            unique=True,
        ),
        IndexModel(list(HISTORIES.items())),
        _index(
            metric_id=ASCENDING, timestamp=DESCENDING, profile_id=ASCENDING, value=1
        ),
        _index(timestamp=DESCENDING, _id=DESCENDING),
    ],
    "metrics": [
        IndexModel([("name", ASCENDING)], unique=True),
        IndexModel([("key", ASCENDING)], unique=True),
    ],
    "lists": [IndexModel([("name_key", ASCENDING)], unique=True)],
    "segments": [IndexModel([("name_key", ASCENDING)], unique=True)],
    "segment_members": [
        IndexModel([("segment_id", ASCENDING), ("profile_id", ASCENDING)], unique=True),
        _index(profile_id=ASCENDING, segment_id=ASCENDING),
        IndexModel(
            [("segment_id", ASCENDING), ("staged", ASCENDING)],
            partialFilterExpression={"staged": {"$exists": True}},
        ),
    ],
    "segment_changes": [
        _index(segment_id=ASCENDING, at=DESCENDING, _id=DESCENDING),
        _index(profile_id=ASCENDING),
    ],
    "held_pages": [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
    "keeper_shares": [],
    "consent_changes": [
        _index(profile_id=ASCENDING, channel=ASCENDING, at=DESCENDING, _id=DESCENDING),
    ],
    "forms": [
        IndexModel([("name_key", ASCENDING)], unique=True),
        IndexModel([("short", ASCENDING)], unique=True),
        _index(list_id=ASCENDING),
    ],
    "form_events": [
        IndexModel([("form_id", ASCENDING), ("day", ASCENDING)], unique=True)
    ],
    "outbox": [
        _index(next_at=ASCENDING),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
    ],
    "rate_counts": [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
    "integrations": [
        IndexModel([("name_key", ASCENDING)], unique=True),
        _unique("key"),
        _index(list_ids=ASCENDING),
        _index(segment_ids=ASCENDING),
    ],
    "deliveries": [
        _index(integration_id=ASCENDING, state=ASCENDING, next_at=ASCENDING),
        _index(integration_id=ASCENDING, _id=DESCENDING),
        _index(profile_id=ASCENDING),
        IndexModel(
            [("integration_id", 1), ("profile_id", 1), ("order", 1)],
            partialFilterExpression={"state": "PENDING"},
        ),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
    ],
    "integration_calls": [
        IndexModel(
            [("integration_id", ASCENDING), ("call_id", ASCENDING)], unique=True
        ),
        IndexModel(
            [("next_at", ASCENDING)],
            partialFilterExpression={"next_at": {"$exists": True}},
        ),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
    ],
    "integration_people": [
        _index(profile_id=ASCENDING),
        _index(integration_id=ASCENDING),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
    ],
    "keys": [IndexModel([("hash", ASCENDING)], unique=True)],
    "places": [IndexModel([("at", GEOSPHERE)]), _index(country=ASCENDING)],
    "event_batches": [_index(at=ASCENDING)],
    "event_indexes": [],
    "erasures": [_index(finished_at=ASCENDING)],
    "imports": [_index(status=ASCENDING, until=ASCENDING)],
    "import_blocks": [
        _index(import_id=ASCENDING, kind=ASCENDING, number=ASCENDING),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
    ],
}

VALIDATORS: dict[str, Document] = {
    "profiles": _schema(
        {"properties": _OBJECT, "created_at": _TIME, "updated_at": _TIME},
        email=_TEXT,
        phone_number=_TEXT,
        external_id=_TEXT,
        anonymous_ids=_ARRAY,
        location=_OBJECT,
        point=_OBJECT,
        consent=_OBJECT,
        lists=_ARRAY,
        pending=_ARRAY,
        left=_OBJECT,
        push_tokens=_ARRAY,
        summary=_OBJECT,
        last_event_at=_TIME,
        epoch=_TEXT,
    ),
    "events": _schema(
        {
            "profile_id": _ID,
            "metric_id": _ID,
            "timestamp": _TIME,
            "unique_id": _TEXT,
            "properties": _OBJECT,
        },
        value=_NUMBER,
        currency=_TEXT,
    ),
    "metrics": _schema({"name": _TEXT, "key": _TEXT, "created_at": _TIME}),
    "lists": _schema(
        {
            "name": _TEXT,
            "name_key": _TEXT,
            "opt_in": {"enum": ["SINGLE", "DOUBLE"]},
            "created_at": _TIME,
            "updated_at": _TIME,
        }
    ),
    "segments": _schema(
        {
            "name": _TEXT,
            "name_key": _TEXT,
            "definition": _OBJECT,
            "created_at": _TIME,
            "updated_at": _TIME,
        }
    ),
    "segment_members": _schema(
        {"segment_id": _ID, "profile_id": _ID, "entered_at": _TIME},
        staged={"enum": ["IN", "OUT"]},
        generation=_NUMBER,
        left_at=_TIME,
    ),
    "segment_changes": _schema(
        {
            "segment_id": _ID,
            "profile_id": _ID,
            "kind": {"enum": ["ENTERED", "LEFT"]},
            "cause": {"enum": ["CHANGE", "TIME", "DEFINITION", "GONE"]},
            "at": _TIME,
            "version": _NUMBER,
        },
        entered_at=_TIME,
    ),
    "consent_changes": _schema(
        {
            "profile_id": _ID,
            "channel": {"enum": ["EMAIL", "SMS", "PUSH", "WHATSAPP"]},
            "from": _TEXT,
            "to": _TEXT,
            "at": _TIME,
            "method": _TEXT,
        }
    ),
    "forms": _schema(
        {
            "name": _TEXT,
            "name_key": _TEXT,
            "short": _TEXT,
            "kind": {"enum": ["POPUP", "FLYOUT", "EMBED", "FULL_PAGE"]},
            "status": {"enum": ["DRAFT", "LIVE", "ARCHIVED"]},
            "list_id": _ID,
            "fields": _ARRAY,
            "consents": _ARRAY,
            "created_at": _TIME,
            "updated_at": _TIME,
        }
    ),
    "form_events": _schema({"form_id": _ID, "day": _TEXT}, seen=_ARRAY),
    "outbox": _schema({"kind": _TEXT, "to": _TEXT, "next_at": _TIME}),
    "erasures": _schema(
        {"at": _TIME, "method": _TEXT}, ids=_ARRAY, who=_OBJECT, anonymous_ids=_ARRAY
    ),
    "imports": _schema(
        {
            "name": _TEXT,
            "status": {
                "enum": [
                    *("QUEUED", "RUNNING", "CANCELLING"),
                    *("COMPLETED", "CANCELLED", "FAILED"),
                ]
            },
            "columns": _ARRAY,
            "created_at": _TIME,
            "until": _TIME,
        }
    ),
    "import_blocks": _schema(
        {
            "import_id": _ID,
            "kind": {"enum": ["ROWS", "REJECTED"]},
            "content": {"bsonType": "binData"},
            "expires_at": _TIME,
        }
    ),
    "integrations": _schema(
        {
            "name": _TEXT,
            "name_key": _TEXT,
            "kind": {"enum": [each.value for each in IntegrationKind]},
            "status": {"enum": ["ACTIVE", "PAUSED"]},
            "settings": _OBJECT,
            "list_ids": _ARRAY,
            "created_at": _TIME,
            "updated_at": _TIME,
            "version": _NUMBER,
        },
        key=_TEXT,
        secret={"bsonType": "binData"},
        secret_hint=_TEXT,
        segment_ids=_ARRAY,
    ),
    "deliveries": _schema(
        {
            "integration_id": _ID,
            "state": {"enum": [each.value for each in DeliveryState]},
            "kind": {"enum": ["ENTERED", "LEFT", "TEST"]},
            "order": _NUMBER,
            "attempts": _NUMBER,
            "created_at": _TIME,
        },
        segment_id=_ID,
        profile_id=_ID,
        next_at=_TIME,
        expires_at=_TIME,
    ),
    "places": _schema({"country": _TEXT}, code=_TEXT, at=_OBJECT),
    "integration_calls": _schema(
        {
            "integration_id": _ID,
            "call_id": _TEXT,
            "topic": _TEXT,
            "outcome": {
                "enum": ["WAITING", "ACCEPTED", "IGNORED", "REFUSED", "DUPLICATE"]
            },
            "attempts": _NUMBER,
            "received_at": _TIME,
            "expires_at": _TIME,
        },
        body={"bsonType": "binData"},
        next_at=_TIME,
    ),
    "integration_people": _schema(
        {"profile_id": _ID, "integration_id": _ID, "expires_at": _TIME}
    ),
    "keys": _schema(
        {
            "name": _TEXT,
            "kind": {"enum": ["PUBLIC", "SECRET"]},
            "hash": _TEXT,
            "scopes": _ARRAY,
            "created_at": _TIME,
        }
    ),
}


async def prepare(db: Database) -> None:
    """Makes the collections, indexes and validators, then runs the migrations that
    this database has not had. Safe to call at every start, from several processes."""
    database = db.client.get_database(db.name)
    existing = set(await database.list_collection_names())
    for name in COLLECTIONS:
        if name not in existing:
            # Another process may make it in the meantime.
            with contextlib.suppress(CollectionInvalid):
                await database.create_collection(name)
        if name in VALIDATORS:
            await database.command({"collMod": name, "validator": VALIDATORS[name]})
        if INDEXES.get(name):
            await getattr(db, name).create_indexes(INDEXES[name])
    await migrate(db, MIGRATIONS)
