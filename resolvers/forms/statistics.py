"""How often a form was shown and sent: counters by day, and nothing about people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from resolvers.db import Database, Document, find

# How many of a day's last answers are known again when they arrive twice.
_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class Statistics:
    """The days on which anything happened, oldest first: day, views, submissions."""

    days: tuple[tuple[date, int, int], ...]

    @property
    def views(self) -> int:
        """How often the form was shown."""
        return sum(views for _, views, _ in self.days)

    @property
    def submissions(self) -> int:
        """How often it was sent."""
        return sum(submissions for _, _, submissions in self.days)


def conversion(views: int, submissions: int) -> float:
    """Submissions per view, at most 1: some views go uncounted, as when a browser
    blocks the counting."""
    return min(1.0, submissions / views) if views else 0.0


async def count_view(
    db: Database, form_id: ObjectId, now: datetime, zone: tzinfo
) -> None:
    """The form was shown once more."""
    day = {"form_id": form_id, "day": day_of(now, zone)}
    update = UpdateOne(day, {"$inc": {"views": 1}}, upsert=True)
    try:
        await db.form_events.bulk_write([update])
    except BulkWriteError:  # made by another at the same moment
        await db.form_events.bulk_write([update])


async def count_submission(
    db: Database, form_id: ObjectId, number: str, now: datetime, zone: tzinfo
) -> None:
    """The form was sent once more; an answer that is repeated counts once. `number`
    is the showing's, and says nothing about who it was."""
    day = {"form_id": form_id, "day": day_of(now, zone)}
    for _ in range(2):
        try:
            await db.form_events.update_one(
                {**day, "seen": {"$ne": number}},
                {
                    "$inc": {"submissions": 1},
                    "$push": {"seen": {"$each": [number], "$slice": -_REMEMBERED}},
                },
                upsert=True,
            )
        except DuplicateKeyError:
            # Seen before; or the day was begun by another at this very moment.
            if await db.form_events.find_one({**day, "seen": number}, {"_id": 1}):
                return
        else:
            return


async def statistics_of_forms(
    db: Database,
    form_ids: Sequence[ObjectId],
    since: datetime,
    until: datetime,
    zone: tzinfo,
) -> list[Statistics]:
    """What happened on the days from `since` to `until`, for each form, in order."""
    rows = await find(
        db.form_events,
        {
            "form_id": {"$in": list(form_ids)},
            "day": {"$gte": day_of(since, zone), "$lte": day_of(until, zone)},
        },
        {"seen": 0},
        sort={"form_id": 1, "day": 1},
    )
    by_form: dict[ObjectId, list[Document]] = {}
    for row in rows:
        by_form.setdefault(row["form_id"], []).append(row)
    return [
        Statistics(
            tuple(
                (
                    date.fromisoformat(row["day"]),
                    row.get("views", 0),
                    row.get("submissions", 0),
                )
                for row in by_form.get(each, ())
            )
        )
        for each in form_ids
    ]


def day_of(at: datetime, zone: tzinfo) -> str:
    """The day in the account's time zone."""
    return at.astimezone(zone).date().isoformat()
