"""Work that is not left half-done when whoever waits for it goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_working: set[asyncio.Task[Any]] = set()


async def to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """What comes of the work, which goes on when the caller is cancelled. It ends with
    the event loop at the latest."""
    task = asyncio.create_task(work)
    _working.add(task)  # the loop itself would let go of it
    task.add_done_callback(_working.discard)
    return await asyncio.shield(task)
