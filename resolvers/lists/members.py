"""Who is in a list: a membership is an element of the profile's `lists`. When somebody
left is in its `left`, by the list's id, so that no older word of another tool puts them
back."""

from collections.abc import Sequence
from datetime import datetime

from bson import ObjectId
from pymongo import UpdateOne

from audience.errors import NotFound
from audience.lists import MembershipSource, check_people
from resolvers.branches import united
from resolvers.consent import known_by
from resolvers.db import Database, Document, aggregate
from resolvers.ids import object_id
from resolvers.lists.lookups import LIVE, live_list
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    both,
    keyset_filter,
    page_of,
    read_page,
    sort_of,
)

BY_ID = Order("_id")


async def join_list_many(
    db: Database,
    list_id: str | ObjectId,
    members: Sequence[tuple[ObjectId, datetime]],
    source: MembershipSource,
    *,
    now: datetime,
) -> int:
    """How many of `members`, profiles and since when, were not in the list before.

    Consent is not touched. NotFound when the list is deleted meanwhile.
    """
    wanted = object_id(list_id, ("listId",))
    if not members:
        return 0
    joins = [
        UpdateOne(
            {"_id": profile_id, "lists.list_id": {"$ne": wanted}},
            {
                "$push": {"lists": membership(wanted, joined_at, source)},
                "$max": {"updated_at": now},
            },
        )
        for profile_id, joined_at in members
    ]
    written = await db.profiles.bulk_write(joins, ordered=False)
    await check_still_there(db, wanted, [profile_id for profile_id, _ in members])
    return written.modified_count


async def join_unless_left(
    db: Database,
    list_id: str | ObjectId,
    profile_id: ObjectId,
    joined_at: datetime,
    source: MembershipSource,
    *,
    said_at: datetime | None,
    now: datetime,
) -> None:
    """Puts one person into the list on another tool's word, unless they left it after
    they said so. None in place of `said_at`: nobody knows when that was.

    Consent is not touched. NotFound when the list is deleted meanwhile.
    """
    wanted = object_id(list_id, ("listId",))
    left = f"left.{wanted}"
    may: list[Document] = [{left: None}]
    if said_at is not None:
        may.append({left: {"$lt": said_at}})
    await db.profiles.update_one(
        {"_id": profile_id, "lists.list_id": {"$ne": wanted}, "$or": may},
        {
            "$push": {"lists": membership(wanted, joined_at, source)},
            "$max": {"updated_at": now},
        },
    )
    await check_still_there(db, wanted, [profile_id])


async def remove_from_list(
    db: Database,
    list_id: str | ObjectId,
    profile_ids: Sequence[str | ObjectId],
    *,
    now: datetime,
) -> int:
    """How many left the list. Who was not in it is passed over; consent stays."""
    check_people(len(profile_ids), ("profileIds",))
    leaving = [
        object_id(each, ("profileIds", str(index)))
        for index, each in enumerate(profile_ids)
    ]
    wanted = (await live_list(db, list_id))["_id"]
    gone = await db.profiles.update_many(
        {**known_by(leaving), "lists.list_id": wanted},
        {
            "$pull": {"lists": {"list_id": wanted}},
            "$max": {"updated_at": now, f"left.{wanted}": now},
        },
    )
    return gone.modified_count


async def member_page(
    db: Database,
    list_id: str | ObjectId,
    page: PageRequest,
    *,
    projection: Document | None = None,
) -> Page:
    """Profiles in the list, the longest known first; `membership_in` has the rest."""
    wanted = object_id(list_id)
    return await read_page(
        db.profiles,
        {"lists.list_id": wanted},
        BY_ID,
        page,
        projection=projection,
        scope=wanted,
    )


async def member_pages(
    db: Database, list_ids: Sequence[ObjectId], page: PageRequest
) -> list[Page]:
    """One page of members for each list, in one command."""
    if not list_ids:
        return []
    branches: list[list[Document]] = [
        [
            {"$match": both({"lists.list_id": each}, keyset_filter(BY_ID, page))},
            {"$sort": sort_of(BY_ID, page)},
            {"$limit": page.size + 1},
            {"$set": {"_list": each}},
        ]
        for each in dict.fromkeys(list_ids)
    ]
    found: dict[ObjectId, list[Document]] = {each: [] for each in list_ids}
    for row in await aggregate(db.profiles, united(db.profiles.name, branches)):
        found[row.pop("_list")].append(row)
    return [page_of(found[each], BY_ID, page, each) for each in list_ids]


async def member_counts(db: Database, list_ids: Sequence[ObjectId]) -> list[int]:
    """How many profiles each list has, in order; counted in the index."""
    if not list_ids:
        return []
    branches: list[list[Document]] = [
        [
            {"$match": {"lists.list_id": each}},
            {"$group": {"_id": {"$literal": each}, "count": {"$sum": 1}}},
        ]
        for each in dict.fromkeys(list_ids)
    ]
    rows = await aggregate(db.profiles, united(db.profiles.name, branches))
    counts = {row["_id"]: row["count"] for row in rows}
    return [counts.get(each, 0) for each in list_ids]


def membership(
    list_id: ObjectId, joined_at: datetime, source: MembershipSource
) -> Document:
    """The element that makes a profile a member."""
    return {"list_id": list_id, "joined_at": joined_at, "source": source}


def membership_in(profile: Document, list_id: ObjectId) -> Document | None:
    """When and how the profile came into the list; None when it is not in it."""
    for each in profile.get("lists", ()):
        if each["list_id"] == list_id:
            found: Document = each
            return found
    return None


async def check_still_there(
    db: Database, list_id: ObjectId, joined: Sequence[ObjectId]
) -> None:
    """Takes the memberships back, and NotFound, when the list has been deleted since
    its members were about to join."""
    if await db.lists.find_one({"_id": list_id, **LIVE}, {"_id": 1}) is None:
        await end_memberships(db, list_id, joined)
        raise NotFound("There is no such list.", ("listId",))


async def end_memberships(
    db: Database, list_id: ObjectId, profile_ids: Sequence[ObjectId]
) -> None:
    """Ends memberships, and sign-ups that wait for their confirmation."""
    await db.profiles.update_many(
        {"_id": {"$in": profile_ids}},
        {
            "$pull": {"lists": {"list_id": list_id}, "pending": {"list_id": list_id}},
            "$unset": {f"left.{list_id}": ""},
        },
    )
