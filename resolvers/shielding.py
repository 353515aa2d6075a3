"""Work that is not left half-done when whoever waits for it goes away, and work that
nobody waits for."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

import structlog

Result = TypeVar("Result")

END_SECONDS = 10.0

_log = structlog.get_logger("audience")
_working: set[asyncio.Task[Any]] = set()


async def to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """What comes of the work, which goes on when the caller is cancelled. It ends with
    the event loop at the latest."""
    return await asyncio.shield(_begun(work))


def in_background(work: Awaitable[None]) -> None:
    """Begins the work, of which the caller does not tell how long it takes. A fault is
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


async def _logged(work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001 - nobody else would hear of it
        _log.exception("work in the background failed")
