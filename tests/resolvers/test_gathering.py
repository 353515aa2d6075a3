"""Reads that requests share: who waits for whom, and who gets which answer or error."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, ExecutionTimeout

from resolvers import gathering
from resolvers.db import Collection, Database, find_by
from resolvers.gathering import ALONE, FEW, MOST, Gathering

pytestmark = pytest.mark.anyio

Read = Callable[[list[int]], Awaitable[dict[int, int]]]


class Source:
    """Answers each number's square; notes what it was asked, and waits when told to."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def read(self, keys: list[int]) -> dict[int, int]:
        self.asked.append(keys)
        await self.free.wait()
        if -1 in keys:
            raise ValueError("-1 has no square here")
        return {key: key * key for key in keys if key}


@pytest.fixture
def source() -> Source:
    return Source()


async def test_what_is_asked_at_the_same_time_is_one_read(source: Source) -> None:
    shared = Gathering()

    answers = await asyncio.gather(
        shared.read("squares", [2, 3], source.read),
        shared.read("squares", [3, 4], source.read),
        shared.read("squares", [0], source.read),
    )

    assert source.asked == [[2, 3, 4, 0]]
    assert [answer.get(3) for answer in answers] == [9, 9, 9]
    assert 0 not in answers[2]


async def test_kinds_are_read_apart(source: Source) -> None:
    shared = Gathering()

    await asyncio.gather(
        shared.read("one", [2], source.read), shared.read("other", [2], source.read)
    )

    assert source.asked == [[2], [2]]


async def test_turned_off_each_reads_alone(source: Source) -> None:
    shared = Gathering(on=False)

    await asyncio.gather(*(shared.read("squares", [2], source.read) for _ in range(2)))

    assert source.asked == [[2], [2]]


async def test_a_read_begins_after_it_was_asked_for(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes while a read is under way does not get its answer."""
    monkeypatch.setattr(gathering, "PATIENCE", 60)
    shared = Gathering()
    source.free.clear()
    first = asyncio.create_task(shared.read("squares", [2], source.read))
    await _until(lambda: source.asked == [[2]])

    later = [
        asyncio.create_task(shared.read("squares", [key], source.read))
        for key in (2, 3)
    ]
    await asyncio.sleep(0.01)
    assert source.asked == [[2]]
    source.free.set()

    assert (await first)[2] == 4
    assert [await task for task in later] == [{2: 4, 3: 9}, {2: 4, 3: 9}]
    assert source.asked == [[2], [2, 3]]


async def test_who_was_answered_and_asks_again_goes_with_those_who_waited(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "PATIENCE", 60)
    shared = Gathering()
    source.free.clear()

    async def ask_twice() -> list[dict[int, int]]:
        return [await shared.read("squares", [key], source.read) for key in (2, 3)]

    asking = asyncio.create_task(ask_twice())
    await _until(lambda: source.asked == [[2]])
    waiting = asyncio.create_task(shared.read("squares", [4], source.read))
    await asyncio.sleep(0)
    source.free.set()

    assert await asking == [{2: 4}, {3: 9, 4: 16}]
    assert await waiting == {3: 9, 4: 16}
    assert source.asked == [[2], [4, 3]]


async def test_nobody_waits_long_for_a_slow_read(source: Source) -> None:
    shared = Gathering()
    source.free.clear()
    first = asyncio.create_task(shared.read("squares", [2], source.read))
    await _until(lambda: source.asked == [[2]])

    second = asyncio.create_task(shared.read("squares", [3], source.read))
    await _until(lambda: source.asked == [[2], [3]])

    assert not first.done()
    source.free.set()
    assert await second == {3: 9}
    assert await first == {2: 4}


async def test_an_error_is_only_of_the_request_that_has_it(source: Source) -> None:
    shared = Gathering()

    answers = await asyncio.gather(
        shared.read("squares", [2], source.read),
        shared.read("squares", [-1], source.read),
        shared.read("squares", [3], source.read),
        return_exceptions=True,
    )

    assert answers[0] == {2: 4}
    assert repr(answers[1]) == "ValueError('-1 has no square here')"
    assert answers[2] == {3: 9}
    assert source.asked == [[2, -1, 3], [2], [-1], [3]]


async def test_what_has_failed_together_is_read_alone_by_few_at_a_time() -> None:
    shared = Gathering()
    under_way: list[int] = []
    most = 0

    async def read(keys: list[int]) -> dict[int, int]:
        nonlocal most
        if len(keys) > 1:
            raise ValueError("too many squares")
        under_way.append(keys[0])
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        under_way.remove(keys[0])
        return {keys[0]: keys[0] ** 2}

    asked = [shared.read("squares", [key], read) for key in range(3 * ALONE)]
    answers = await asyncio.gather(*asked)

    assert answers == [{key: key**2} for key in range(3 * ALONE)]
    assert most == ALONE


async def test_an_error_that_is_nobodys_is_everybodys(source: Source) -> None:
    shared = Gathering(nobodys=(ArithmeticError,))

    async def failing(keys: list[int]) -> dict[int, int]:
        source.asked.append(keys)
        raise OverflowError("out of numbers")

    answers = await asyncio.gather(
        *(shared.read("squares", [key], failing) for key in (2, 3)),
        return_exceptions=True,
    )

    assert [repr(it) for it in answers] == ["OverflowError('out of numbers')"] * 2
    assert source.asked == [[2, 3]]


@pytest.mark.parametrize("error", [AutoReconnect("gone"), ExecutionTimeout("late")])
async def test_what_the_database_fails_in_is_asked_once(
    db: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    asked: list[list[object]] = []

    async def failing(_: Collection, match: Mapping[str, Any], *__: Any) -> Any:
        asked.append(match["_id"]["$in"])
        raise error

    monkeypatch.setattr("resolvers.db.find", failing)
    answers = await asyncio.gather(
        *(find_by(db, db.profiles, "_id", [key]) for key in "ab"),
        return_exceptions=True,
    )

    assert answers == [error, error]
    assert asked == [["a", "b"]]


async def test_who_is_gone_is_not_read_for_and_takes_nobody_along(
    source: Source,
) -> None:
    shared = Gathering()
    source.free.clear()
    under_way = asyncio.create_task(shared.read("squares", [2], source.read))
    await _until(lambda: source.asked == [[2]])
    gone = asyncio.create_task(shared.read("squares", [3], source.read))
    stays = asyncio.create_task(shared.read("squares", [4], source.read))
    await asyncio.sleep(0)

    under_way.cancel()
    gone.cancel()
    source.free.set()

    assert await stays == {4: 16}
    assert source.asked == [[2], [4]]
    with pytest.raises(asyncio.CancelledError):
        await under_way
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_one_of_two_that_share_a_read_goes(source: Source) -> None:
    shared = Gathering()
    source.free.clear()
    gone = asyncio.create_task(shared.read("squares", [2], source.read))
    stays = asyncio.create_task(shared.read("squares", [3], source.read))
    await _until(lambda: source.asked == [[2, 3]])

    gone.cancel()
    source.free.set()

    assert await stays == {2: 4, 3: 9}
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_commands_are_bounded(source: Source) -> None:
    shared = Gathering()
    large = list(range(1, FEW + 2))

    await asyncio.gather(
        *(
            shared.read(
                "squares", [number * FEW + it for it in range(FEW)], source.read
            )
            for number in range(1, 6)
        ),
        shared.read("squares", large, source.read),
    )

    assert source.asked[0] == large
    assert [len(keys) for keys in source.asked[1:]] == [MOST, FEW]


async def test_nothing_is_left_behind(source: Source) -> None:
    shared = Gathering()

    await shared.read("squares", [2], source.read)
    await _until(lambda: not shared.tasks)

    assert (shared.waiting, shared.running) == ({}, {})


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.001)


async def test_changes_are_made_together_and_each_learns_of_its_own() -> None:
    shared = Gathering()
    made: list[list[str]] = []

    async def write(changes: list[str]) -> dict[str, str]:
        made.append(changes)
        return {each: each.upper() for each in changes}

    came = await asyncio.gather(
        *(shared.write("words", each, write) for each in ("a", "b"))
    )

    assert came == ["A", "B"]
    assert made == [["a", "b"]]
    assert await Gathering(on=False).write("words", "c", write) == "C"
