"""Every command that answers something about a segment is legal on sharded
collections: previews, members, sizes, overlaps and explanations."""

from random import Random
from typing import Any

import pytest
from pymongo.monitoring import CommandListener, CommandStartedEvent

from audience.conditions import parse, to_json
from resolvers.db import Database, close, connect
from resolvers.pages import PageRequest
from resolvers.segments import (
    explain_profiles,
    filter_stages,
    preview,
    segment_members,
    segment_overlap,
    segment_sizes,
)
from tests.pipeline_rules import faults_of
from tests.segment_definitions import definition_of
from tests.segment_worlds import store, world_of

pytestmark = pytest.mark.anyio


class Recorder(CommandListener):
    """The pipelines that were sent, with the collections that they began on."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[Any]]] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == "aggregate":
            self.sent.append((event.command["aggregate"], event.command["pipeline"]))

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


async def test_every_command_about_segments_is_legal(
    db: Database, mongodb_uri: str
) -> None:
    recorder = Recorder()
    watched = connect(
        mongodb_uri, db.name, driver=db.driver, event_listeners=[recorder]
    )
    random = Random(5)
    world = world_of(random)
    await store(db, world)
    now, zone = world.now, world.zone
    await db.lists.insert_many(
        [{"_id": it["list_id"], **_named(it["list_id"], now)} for it in _lists(world)]
    )
    segments: list[dict[str, Any]] = []
    while len(segments) < 40:
        definition = parse(definition_of(random, world))
        asked = await preview(watched, definition, now, zone)
        await asked.count(watched)
        await asked.page(watched, PageRequest())
        await asked.reachable(watched)
        await filter_stages(watched, definition, now, zone)
        row = {"definition": to_json(definition), **_named(len(segments), now)}
        row["_id"] = (await db.segments.insert_one(row)).inserted_id
        segments.append(row)
        await explain_profiles(watched, row, world.profiles[:3], now, zone)
    await segment_members(watched, segments[:10], PageRequest(), now, zone)
    await segment_sizes(watched, segments[:10], now, zone)
    await segment_overlap(watched, [it["_id"] for it in segments[:5]], now, zone)
    await close(watched)

    assert {
        fault
        for collection, pipeline in recorder.sent
        for fault in faults_of(pipeline, collection)
    } == set()
    assert len(recorder.sent) > 200
    assert {collection for collection, _ in recorder.sent} == {"profiles", "events"}


def _named(name: object, now: Any) -> dict[str, Any]:
    keys = {"name": str(name), "name_key": str(name), "opt_in": "SINGLE"}
    return keys | {"created_at": now, "updated_at": now}


def _lists(world: Any) -> list[dict[str, Any]]:
    found = {it["list_id"]: it for one in world.profiles for it in one["lists"]}
    return list(found.values())
