"""Work that is not left half-done when whoever waits for it goes away, and work that
nobody waits for."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog
from pymongo.errors import PyMongoError

Result = TypeVar("Result")

END_SECONDS = 10.0
PAUSES = (0.5, 2.0, 5.0)  # seconds before work is begun again

_log = structlog.get_logger("audience")
_working: set[asyncio.Task[Any]] = set()


async def to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """What comes of the work, which goes on when the caller is cancelled. It ends with
    the event loop at the latest."""
    return await asyncio.shield(_begun(work))


def in_background(work: Callable[[], Awaitable[None]]) -> None:
    """Begins the work, of which the caller does not tell how long it takes. It is
    begun again, three times at most, where the database fails; any other fault is
    logged."""
    _begun(_logged(work))


async def finish_work() -> None:
    """Waits for all work that was begun on this loop, ten seconds at most; before the
    process lets go of what it needs."""
    loop = asyncio.get_running_loop()
    working = {task for task in _working if task.get_loop() is loop}
    if working:
        await asyncio.wait(working, timeout=END_SECONDS)


def _begun(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    task = asyncio.create_task(work)
    _working.add(task)  # the loop itself would let go of it
    task.add_done_callback(_working.discard)
    return task


async def _logged(work: Callable[[], Awaitable[None]]) -> None:
    try:
        await _until_done(work)
    except Exception:  # noqa: BLE001 - nobody else would hear of it
        _log.exception("work in the background failed")


async def _until_done(work: Callable[[], Awaitable[None]]) -> None:
    for pause in PAUSES:
        try:
            return await work()
        except PyMongoError:
            await asyncio.sleep(pause)
    return await work()
