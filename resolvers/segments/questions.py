"""Who is in a segment: counts, pages of members, and the filter for other reads."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from bson import json_util

from audience.conditions import Definition, parse
from audience.conditions.tree import Condition, Group
from audience.consent import Channel, Status
from audience.plan import References, plan
from audience.words import words_of
from resolvers.branches import united
from resolvers.db import Database, Document, aggregate
from resolvers.pages import (
    Order,
    Page,
    PageRequest,
    keyset_filter,
    page_of,
    sort_of,
)
from resolvers.pipelines import Question, Strategy, question
from resolvers.segments.answers import all_settled, settled
from resolvers.segments.checks import check_references
from resolvers.segments.counting import count_members
from resolvers.segments.first_members import first_page
from resolvers.segments.holding import found_page, held_page, name_of
from resolvers.segments.references import names_in, references_of
from resolvers.segments.ways import estimated_size, indexes_used

BY_ID = Order("_id")


@dataclass(frozen=True, slots=True)
class Preview:
    """A definition as a question that is ready to be asked."""

    asked: Question
    definition: Definition
    sources: tuple[tuple[str, ...], ...]
    name: str
    answers: list[asyncio.Task[Question]] = field(default_factory=list)

    async def settled(self, db: Database) -> Question:
        """With what the events tell read, once for everything that is asked of it."""
        if not self.answers:
            self.answers.append(asyncio.create_task(settled(db, self.asked)))
        return await self.answers[0]

    async def count(self, db: Database) -> int:
        """How many people there are."""
        (found,) = await count_members(db, [await self.settled(db)])
        return found

    async def page(self, db: Database, page: PageRequest) -> Page:
        """A page of profiles, in the order in which they became known."""
        held = await held_page(db, self.name, BY_ID, page, self.asked)
        if held is not None:
            return held
        if self.asked.match is None and not self.answers:
            first = await first_page(db, self.name, BY_ID, page, self.asked)
            if first is not None:
                return first
        asked = await self.settled(db)
        if asked.strategy is Strategy.MATCH:
            (found,) = await _pages(db, [asked], page)
            return found
        match = asked.match
        stages = [{"$match": match}] if match is not None else asked.stages
        return await found_page(db, self.name, BY_ID, page, stages, asked)

    async def reachable(self, db: Database) -> dict[Channel, int]:
        """How many of them can receive marketing on each channel."""
        return await _reachable(db, await self.settled(db))

    async def explain(self, db: Database) -> Document:
        """The way that was chosen, how many members were expected and how many there
        are, and the indexes used; each condition in words, with what tells it: PROFILE
        (the summary of the events included) or EVENTS."""
        asked = await self.settled(db)
        names = await names_in(db, self.definition)
        groups = [
            {
                "conditions": [
                    {"condition": words_of(condition, names), "source": source}
                    for condition, source in zip(group.any_of, sources, strict=True)
                ]
            }
            for group, sources in zip(self.definition.groups, self.sources, strict=True)
        ]
        return {
            "strategy": asked.strategy.value,
            "estimatedSize": await estimated_size(db, self.asked),
            "actualSize": await self.count(db),
            "indexes": await indexes_used(db, self.asked, asked),
            "groups": groups,
        }

    @property
    def pipeline(self) -> list[Any]:
        """The stages on the profiles, as MongoDB Extended JSON."""
        return extended_json(self.asked.stages)


async def preview(
    db: Database,
    definition: Definition,
    now: datetime,
    zone: tzinfo = UTC,
    path: tuple[str, ...] = ("definition",),
) -> Preview:
    """The definition, checked; AudienceError with each reference to something that
    does not exist."""
    metrics = await check_references(db, definition, path)
    references = await references_of(db, definition, metrics=metrics)
    (asked,) = questions_of([definition], now, zone, references)
    sources = tuple(
        tuple(_source(condition, now, zone, references) for condition in group.any_of)
        for group in definition.groups
    )
    return Preview(asked, definition, sources, name_of(definition, zone))


async def filter_stages(
    db: Database,
    definition: Definition,
    now: datetime,
    zone: tzinfo = UTC,
    path: tuple[str, ...] = ("filter",),
) -> list[Document]:
    """Stages to begin a pipeline on the profiles with: they yield the profiles that
    the definition means, whole."""
    found = await preview(db, definition, now, zone, path)
    asked = await settled(db, found.asked)
    if asked.match is not None:
        return [{"$match": asked.match}]
    there = {"$match": {"created_at": {"$ne": None}}}
    return [*asked.stages, *looked_up(), there]


async def segment_questions(
    db: Database, segments: Sequence[Document], now: datetime, zone: tzinfo = UTC
) -> list[Question]:
    """The stored segments as questions, one each."""
    definitions = [parse(segment["definition"]) for segment in segments]
    references = await references_of(db, *definitions)
    return questions_of(definitions, now, zone, references)


async def segment_members(
    db: Database,
    segments: Sequence[Document],
    page: PageRequest,
    now: datetime,
    zone: tzinfo = UTC,
    *,
    projection: Document | None = None,
) -> list[Page]:
    """A page of members for each segment, all in one command."""
    questions = await segment_questions(db, segments, now, zone)
    return await _pages(db, questions, page, projection)


async def segment_sizes(
    db: Database, segments: Sequence[Document], now: datetime, zone: tzinfo = UTC
) -> list[int]:
    """The number of members of each segment, all in one command."""
    return await count_members(db, await segment_questions(db, segments, now, zone))


def looked_up(*fields: str) -> list[Document]:
    """Stages that put a profile's fields, or all of it, in the place of its id. The id
    stays alone where somebody is just being merged into another."""
    look_up: Document = {
        "from": "profiles",
        "localField": "_id",
        "foreignField": "_id",
        "as": "profile",
    }
    if fields:
        look_up["pipeline"] = [{"$project": dict.fromkeys(fields, 1)}]
    root = {"$mergeObjects": [{"_id": "$_id"}, {"$first": "$profile"}]}
    return [{"$lookup": look_up}, {"$replaceRoot": {"newRoot": root}}]


def present(page: Page) -> Page:
    """The page without those who are just being merged into others."""
    page.rows = [row for row in page.rows if len(row) > 1]
    return page


def _source(
    condition: Condition, now: datetime, zone: tzinfo, references: References
) -> str:
    alone = Definition((Group((condition,)),))
    node = plan(alone, now=now, zone=zone, references=references)
    return "EVENTS" if question(node).match is None else "PROFILE"


def extended_json(stages: Sequence[Document]) -> list[Any]:
    """Stages as they can be pasted into MongoDB's own tools."""
    text = json_util.dumps(stages, json_options=json_util.RELAXED_JSON_OPTIONS)
    read: list[Any] = json.loads(text)
    return read


def questions_of(
    definitions: Sequence[Definition],
    now: datetime,
    zone: tzinfo,
    references: References,
    among: Document | None = None,
) -> list[Question]:
    """Each definition as a question. `among`: a filter that the profiles have to pass,
    too."""
    return [
        question(plan(each, now=now, zone=zone, references=references), among=among)
        for each in definitions
    ]


async def _pages(
    db: Database,
    questions: Sequence[Question],
    page: PageRequest,
    projection: Document | None = None,
) -> list[Page]:
    """A `projection` has a field that every profile has beside `_id`."""
    if not questions:
        return []
    questions = await all_settled(db, questions)
    beyond = keyset_filter(BY_ID, page)
    shown = [{"$project": projection}] if projection else []
    branches: list[list[Document]] = [
        [*_page_stages(it, page, beyond), *shown, {"$addFields": {"_branch": number}}]
        for number, it in enumerate(questions)
    ]
    rows = await aggregate(db.profiles, united("profiles", branches))
    found: list[list[Document]] = [[] for _ in questions]
    for row in rows:
        found[row.pop("_branch")].append(row)
    return [
        present(page_of(each, BY_ID, page, scope=it))
        for each, it in zip(found, questions, strict=True)
    ]


def _page_stages(
    asked: Question, page: PageRequest, beyond: Document
) -> list[Document]:
    stages: list[Document]
    if asked.match is not None:
        stages = [{"$match": it} for it in (asked.match, beyond) if it]
    else:
        stages = [*asked.stages, *([{"$match": beyond}] if beyond else [])]
    stages += [{"$sort": sort_of(BY_ID, page)}, {"$limit": page.size + 1}]
    return stages if asked.match is not None else [*stages, *looked_up()]


async def _reachable(db: Database, asked: Question) -> dict[Channel, int]:
    if asked.match is not None:
        stages = [{"$match": asked.match}]
    else:
        stages = [*asked.stages, *looked_up("consent")]
    counts: Document = {"_id": None}
    for channel in Channel:
        state = f"$consent.{channel.lower()}"
        able = [
            {"$eq": [f"{state}.status", Status.SUBSCRIBED.value]},
            {"$lte": [f"{state}.suppression.reason", None]},
        ]
        counts[channel.value] = {"$sum": {"$cond": [{"$and": able}, 1, 0]}}
    rows = await aggregate(db.profiles, [*stages, {"$group": counts}])
    found = rows[0] if rows else {}
    return {channel: int(found.get(channel.value, 0)) for channel in Channel}
