"""Erases people: everything that is kept of somebody goes, and what has to stay, that
there was consent and how segments grew, does not tell any more whose it was.

The profile goes in a transaction which also writes down what is left to do; whoever is
stopped anywhere after that is followed by `finish_erasures`. A while later all of it is
done once more, for writers that were under way. Then nothing is left of the person, and
of the erasure only when it was.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from audience.errors import InvalidInput, NotFound
from audience.rows.erasing import without_person, without_values
from audience.webhooks import DeliveryState
from resolvers.db import Database, Document, Session, find, transaction
from resolvers.ids import object_id
from resolvers.imports import UNFINISHED, columns_of
from resolvers.merges import living_profile
from resolvers.profiles.matching import KNOWN
from resolvers.summaries import STALE_AFTER
from resolvers.waiting_calls import forget_waiting_calls

# Writers that began before the erasure have ended by then, or were given up.
QUIET_AFTER = 2 * STALE_AFTER

_SECOND = timedelta(seconds=1)  # ids tell no more of when they were made


async def erase_profile(
    db: Database,
    profile_id: str | ObjectId,
    now: datetime,
    *,
    method: str,
    email: str | None = None,
) -> ObjectId:
    """The id of the profile that was erased, with those merged into it. NotFound when
    there is none; InvalidInput when `email` is given and is not theirs any more."""
    wanted = object_id(profile_id)
    entry_id, pseudonym = ObjectId(), ObjectId()

    async def work(session: Session) -> Document:
        profile = await living_profile(db, wanted, session)
        if profile is None:
            raise NotFound("There is no profile with this id.", ("id",))
        if email is not None and profile.get("email") != email:
            raise InvalidInput(
                "The address has changed since: ask for a new link.", ("token",)
            )
        entry: Document = {
            "_id": entry_id,
            "at": now,
            "method": method,
            "pseudonym": pseudonym,
            "ids": [profile["_id"], *profile.get("merged_ids", ())],
            "who": {name: profile[name] for name in KNOWN if name in profile},
            "anonymous_ids": profile.get("anonymous_ids", []),
        }
        await db.erasures.insert_one(entry, session=session)
        await db.profiles.delete_one({"_id": profile["_id"]}, session=session)
        return entry

    entry = await transaction(db, work)
    await _sweep(db, entry)
    await db.erasures.update_one({"_id": entry_id}, {"$set": {"swept_at": now}})
    erased: ObjectId = entry["ids"][0]
    return erased


async def finish_erasures(
    db: Database, now: datetime, quiet_after: timedelta = QUIET_AFTER
) -> int:
    """How many erasures have come to their end. `quiet_after` must be longer than any
    writer takes that began before an erasure."""
    finished = 0
    for entry in await find(db.erasures, {"finished_at": None}):
        is_quiet = entry["at"] <= now - quiet_after
        if "who" in entry and (is_quiet or "swept_at" not in entry):
            await _sweep(db, entry)
            change: Document = {"$set": {"swept_at": now}}
            if is_quiet:
                change["$unset"] = {"who": "", "anonymous_ids": ""}
            await db.erasures.update_one({"_id": entry["_id"]}, change)
        if is_quiet and await _forget_segments(db, entry):
            done = {
                "$set": {"finished_at": now},
                "$unset": {"ids": "", "pseudonym": ""},
            }
            await db.erasures.update_one({"_id": entry["_id"]}, done)
            finished += 1
    return finished


async def _sweep(db: Database, entry: Document) -> None:
    """Removes what hangs on the profile; doing it again changes nothing."""
    ids, who = entry["ids"], entry["who"]
    # Who uses the same address later is somebody new: nothing of theirs is touched.
    earlier = {"$lt": ObjectId.from_datetime(entry["_id"].generation_time + _SECOND)}
    # An import that is done again makes the profiles of its rows under the same ids.
    await db.profiles.delete_many({"_id": {"$in": ids}})
    await db.events.delete_many({"profile_id": {"$in": ids}})
    await db.consent_changes.update_many(
        {"profile_id": {"$in": ids}}, _pseudonymised(entry["pseudonym"])
    )
    addresses = [who[name] for name in ("email", "phone_number") if name in who]
    await db.outbox.delete_many({"to": {"$in": addresses}, "_id": earlier})
    theirs = {*who.items()}
    theirs |= {("anonymous_id", each) for each in entry.get("anonymous_ids", ())}
    await forget_waiting_calls(db, theirs, ids, earlier)
    await db.integration_people.delete_many({"profile_id": {"$in": ids}})
    await db.integration_moments.delete_many({"_id": {"$in": ids}})
    if who:
        await _erase_rows(db, who, earlier)


def _pseudonymised(pseudonym: ObjectId) -> list[Document]:
    """A line of the consent trail without who, from where and with what it was; the
    source of a merge is the id of a profile."""
    merged = {"$eq": ["$method", "MERGE"]}
    return [
        {
            "$set": {
                "profile_id": pseudonym,
                "source": {"$cond": [merged, "$$REMOVE", "$source"]},
            }
        },
        {"$unset": ["ip", "user_agent"]},
    ]


async def _erase_rows(db: Database, who: Document, earlier: Document) -> None:
    """Takes the person out of the rows of files that wait to be imported, and of those
    that were rejected."""
    waiting = await find(db.imports, {"status": {"$in": UNFINISHED}, "_id": earlier})
    for document in waiting:
        columns = columns_of(document)
        async for block in db.import_blocks.find(
            {"import_id": document["_id"], "kind": "ROWS"}
        ):
            content = await asyncio.to_thread(
                without_person,
                bytes(block["content"]),
                columns,
                document["delimiter"],
                who,
                document.get("phone_region"),
            )
            await _replace(db, block, content)
    every = await find(db.imports, {"_id": earlier}, {"phone_region": 1})
    regions = {each["_id"]: each.get("phone_region") for each in every}
    async for block in db.import_blocks.find(
        {"import_id": earlier, "kind": "REJECTED"}
    ):
        content = await asyncio.to_thread(
            without_values,
            bytes(block["content"]),
            who,
            regions.get(block["import_id"]),
        )
        await _replace(db, block, content)


async def _replace(db: Database, block: Document, content: bytes | None) -> None:
    if content is None:
        return
    same = {"_id": block["_id"], "content": block["content"]}
    await db.import_blocks.update_one(same, {"$set": {"content": content}})


async def _forget_segments(db: Database, entry: Document) -> bool:
    """The history of segments keeps that somebody came and went. False while a
    membership is still there: its keeper ends it, and counts and logs that. Of what
    webhooks were told, only that waits which they have yet to be."""
    ids: list[Any] = entry["ids"]
    inside = {"profile_id": {"$in": ids}}
    if await db.segment_members.find_one(inside, {"_id": 1}) is not None:
        return False
    await db.segment_changes.update_many(
        inside, {"$set": {"profile_id": entry["pseudonym"]}}
    )
    await db.deliveries.delete_many({**inside, "state": {"$ne": DeliveryState.PENDING}})
    return True
