"""What is told as it happens: to whom, in what order, and to whom no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from strawberry.types import ExecutionResult

from audience.errors import LimitReached
from gql.context import Context
from gql.schema import schema
from resolvers.following import WAITING, Hub, follow, follow_import
from resolvers.ids import object_id
from resolvers.imports import NewImport, run_waiting_imports, start_import
from tests.gql.conftest import PUBLIC, Api
from tests.gql.test_memberships import CREATE, UPSERT
from tests.membership_histories import catch_up, keeping

pytestmark = pytest.mark.anyio

CHANGES = """
subscription Changes($id: ID!, $since: DateTime) {
  segmentChanges(segmentId: $id, since: $since) { kind profile { firstName } }
}
"""
ACTIVITY = """
subscription Activity($id: ID!, $since: DateTime) {
  profileActivity(profileId: $id, since: $since) { value metric { name } }
}
"""
PROGRESS = """
subscription Progress($id: ID!) {
  importProgress(importId: $id) { status processedRows totalRows progress }
}
"""
TRACK = """
mutation Track($input: TrackEventsInput!) {
  trackEvents(input: $input) { accepted }
}
"""


async def test_who_enters_and_leaves_is_told(api: Api) -> None:
    segment = await _segment(api)
    context = _context(api)
    async with (
        keeping(api.db, lambda: api.now, ZoneInfo("UTC")) as keeper,
        _subscribed(context, CHANGES, id=segment) as told,
    ):
        await catch_up(keeper)
        await _named(api, "ada")
        await catch_up(keeper)
        ada = {"kind": "ENTERED", "profile": {"firstName": "ada"}}
        assert await anext(told) == {"segmentChanges": ada}

        await api.ask(UPSERT, input={"email": "ada@shop.example", "firstName": "eve"})
        await catch_up(keeper)
        eve = {"kind": "LEFT", "profile": {"firstName": "eve"}}
        assert await anext(told) == {"segmentChanges": eve}


async def test_what_was_missed_comes_first(api: Api) -> None:
    ada = await _named(api, "ada")
    since = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await _happen(api, 1.0, 2.0)

    async with _subscribed(_context(api), ACTIVITY, id=ada, since=since) as told:
        found = [await anext(told), await anext(told)]
        await _happen(api, 3.0)
        found.append(await anext(told))

    assert found == [
        {"profileActivity": {"value": value, "metric": {"name": "Ordered"}}}
        for value in (1.0, 2.0, 3.0)
    ]


async def test_two_followers_of_one_reader_are_told_their_own(api: Api) -> None:
    ada, bob = await _named(api, "ada"), await _named(api, "bob")
    context = _context(api)
    async with (
        _subscribed(context, ACTIVITY, id=ada) as of_ada,
        _subscribed(context, ACTIVITY, id=bob) as of_bob,
    ):
        await _happen(api, 1.0, who="bob")
        await _happen(api, 2.0, who="ada")

        assert (await anext(of_ada))["profileActivity"]["value"] == 2.0
        assert (await anext(of_bob))["profileActivity"]["value"] == 1.0
        hub = context.hub
        assert hub is not None
        assert len(hub.logs) == 1


async def test_who_does_not_keep_up_is_told_and_let_go(api: Api) -> None:
    ada = await _named(api, "ada")
    profile = (await api.db.profiles.find_one({}, {"_id": 1}) or {})["_id"]
    hub = Hub(api.db)
    rows = follow(hub, "events", profile)
    first = asyncio.ensure_future(anext(rows))
    await _happen(api, *range(WAITING + 50))
    await first
    log = hub.logs["events"]
    await _until(lambda: any(each.dropped for each in log.followers))

    taken = 1
    with pytest.raises(LimitReached):
        async for _ in rows:
            taken += 1

    assert ada
    assert WAITING <= taken < WAITING + 50
    await rows.aclose()
    assert log.followers == set()


@pytest.mark.parametrize(
    ("subscription", "id", "message"),
    [
        (CHANGES, "seg_0123456789abcdef01234567", "There is no such segment."),
        (ACTIVITY, "prf_0123456789abcdef01234567", "There is no such profile."),
        (PROGRESS, "imp_0123456789abcdef01234567", "There is no such import."),
    ],
)
async def test_who_or_what_is_not_there_cannot_be_followed(
    api: Api, subscription: str, id: str, message: str
) -> None:
    assert await _refusal(_context(api), subscription, id) == message


@pytest.mark.parametrize(
    ("subscription", "scope"),
    [
        (CHANGES, "segments:read"),
        (ACTIVITY, "events:read"),
        (PROGRESS, "imports:read"),
    ],
)
async def test_a_public_key_follows_nothing(
    api: Api, subscription: str, scope: str
) -> None:
    api.viewer = PUBLIC
    id = "seg_0123456789abcdef01234567"
    message = await _refusal(_context(api), subscription, id)

    assert message.startswith(f"This needs the scope {scope}")


async def test_an_import_is_followed_to_its_end(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audience.rows.limits.BLOCK_ROWS", 2)
    started = await _import(api, 5)
    context = _context(api)
    results: Any = await schema.subscribe(PROGRESS, {"id": started}, context)
    told = [(await anext(results)).data["importProgress"]]

    running = asyncio.create_task(run_waiting_imports(api.db, "tests"))
    told += [each.data["importProgress"] async for each in results]
    await running

    shown = [(each["status"], each["processedRows"]) for each in told]
    hub = context.hub
    assert hub is not None
    assert told[0] == {
        "status": "QUEUED",
        "processedRows": 0,
        "totalRows": 5,
        "progress": 0.0,
    }
    assert told[-1] == {
        "status": "COMPLETED",
        "processedRows": 5,
        "totalRows": 5,
        "progress": 1.0,
    }
    assert shown == sorted(set(shown), key=lambda each: (each[0] == "COMPLETED", *each))
    assert hub.logs["imports"].followers == set()


async def test_an_import_that_has_ended_is_told_once(api: Api) -> None:
    started = await _import(api, 1)
    await run_waiting_imports(api.db, "tests")

    results: Any = await schema.subscribe(PROGRESS, {"id": started}, _context(api))
    told = [each.data["importProgress"]["status"] async for each in results]

    assert told == ["COMPLETED"]


async def test_who_takes_progress_slowly_is_told_the_newest(api: Api) -> None:
    started = await _import(api, 1)
    hub, wanted = Hub(api.db), {"_id": object_id(started.removeprefix("imp_"))}
    rows = follow_import(hub, wanted["_id"])
    assert (await anext(rows))["counts"] == {}

    for number in range(1, 2 * WAITING):
        await api.db.imports.update_one(wanted, {"$set": {"counts.read": number}})
    ended = {"$set": {"status": "COMPLETED", "counts.read": 1_000}}
    await api.db.imports.update_one(wanted, ended)
    told = [(each["status"], each["counts"]["read"]) async for each in rows]

    assert told[-1] == ("COMPLETED", 1_000)
    assert len(told) < 10


@asynccontextmanager
async def _subscribed(
    context: Context, operation: str, **variables: Any
) -> AsyncIterator[AsyncIterator[Any]]:
    """The data of each message; listening when the block begins."""
    results: Any = await schema.subscribe(operation, variables, context)
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def take() -> None:
        async for result in results:
            assert result.errors is None
            await queue.put(result.data)

    async def data() -> AsyncIterator[Any]:
        while True:
            yield await asyncio.wait_for(queue.get(), 20)

    task = asyncio.create_task(take())
    hub = context.hub
    assert hub is not None
    followers = sum(len(log.followers) for log in hub.logs.values())
    await _until(
        lambda: (
            sum(len(log.followers) for log in hub.logs.values()) > followers
            and all(
                {it.key for it in log.followers} <= log.keys
                for log in hub.logs.values()
            )
        )
    )
    try:
        yield data()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await results.aclose()


async def _until(holds: Any) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.01)


async def _refusal(context: Context, operation: str, id: str) -> str:
    result: Any = await schema.subscribe(operation, {"id": id}, context)
    if not isinstance(result, ExecutionResult) and hasattr(result, "__aiter__"):
        result = await anext(aiter(result))
    (error,) = result.errors
    message: str = error.message
    return message


def _context(api: Api) -> Context:
    context = api.context()
    context.hub = Hub(api.db)
    return context


async def _named(api: Api, name: str) -> str:
    given = {"email": f"{name}@shop.example", "firstName": name}
    data = await api.ask(UPSERT, input=given)
    found: str = data["upsertProfile"]["profile"]["id"]
    return found


async def _happen(api: Api, *values: float, who: str = "ada") -> None:
    events = [
        {
            "profile": {"email": f"{who}@shop.example"},
            "metric": "Ordered",
            "value": value,
            "uniqueId": str(value),
        }
        for value in values
    ]
    await api.ask(TRACK, input={"events": events})


async def _import(api: Api, rows: int) -> str:
    text = "Email\n" + "".join(f"p{number}@shop.example\n" for number in range(rows))
    started = await start_import(
        api.db, lambda: [text.encode()], NewImport("people.csv"), now=api.now
    )
    return f"imp_{started['_id']}"


async def _segment(api: Api) -> str:
    filter = {"path": "firstName", "is": {"text": {"equals": "ada"}}}
    definition = {"groups": [{"anyOf": [{"property": {"filter": filter}}]}]}
    data = await api.ask(CREATE, input={"name": "Some", "definition": definition})
    found: str = data["createSegment"]["segment"]["id"]
    return found
