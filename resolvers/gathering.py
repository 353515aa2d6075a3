"""Reads that requests share, and changes that they make together: what several of
them ask of one kind at the same time goes to MongoDB as one command.

A read waits for the event loop's next turn, and for a command of its kind that is
under way, but no longer than `PATIENCE`; then a few turns more, for whoever was
answered by that command may ask for the next. It always begins after it was asked for,
so nobody gets an answer from before. A command that fails is asked anew for each
request alone, so that none gets another one's error; but not when it is nobody's, as
when the database is out of reach: all get that one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, TypeVar

PATIENCE = 0.005
"""Seconds that a read waits at most for another one of its kind."""

TURNS = 4
"""Of the event loop, after a command: to answer, to receive what is asked next, to
begin with it, and to come to its reads. Without other work they pass in no time."""

MOST = 100
"""Keys of one command."""

FEW = 25
"""A request with more keys is read alone: it would have others wait for little."""

ALONE = 8
"""Requests whose command has failed are read alone so many at a time."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Read = Callable[[list[Key]], Awaitable[dict[Key, Value]]]


@dataclass(slots=True)
class Asked:
    """What one request waits for."""

    keys: Sequence[Any]
    read: Read[Any, Any]
    answer: asyncio.Future[dict[Any, Any]]


@dataclass(slots=True)
class Gathering:
    """What is asked for and under way, by kind: of one event loop.

    `on` false: every request reads alone. `nobodys`: what is raised whatever the keys
    are.
    """

    on: bool = True
    nobodys: tuple[type[Exception], ...] = ()
    waiting: dict[Hashable, list[Asked]] = field(default_factory=dict)
    running: dict[Hashable, int] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def read(
        self, kind: Hashable, keys: Sequence[Key], read: Read[Key, Value]
    ) -> dict[Key, Value]:
        """What `read` finds for `keys`, by key, and maybe for others' keys besides.

        Reads of one `kind` must mean the same, whoever asks; what they find is shared
        and must not be changed.
        """
        if len(keys) > FEW:
            return await read(list(keys))
        return await self._share(kind, keys, read)

    async def write(
        self,
        kind: Hashable,
        change: Key,
        write: Read[Key, Value],
    ) -> Value:
        """What comes of the change, which `write` makes with others of its kind.

        It waits like a read. `write` says what came of each, and raises nothing for
        the sake of one. Where it fails, each change is made anew by itself, so to make
        one again must do no harm.
        """
        return (await self._share(kind, [change], write))[change]

    async def _share(
        self, kind: Hashable, keys: Sequence[Key], read: Read[Key, Value]
    ) -> dict[Key, Value]:
        if not self.on:
            return await read(list(keys))
        loop = asyncio.get_running_loop()
        asked = Asked(keys, read, loop.create_future())
        others = self.waiting.get(kind)
        if others is not None:
            others.append(asked)
        else:
            self.waiting[kind] = [asked]
            if kind in self.running:
                loop.call_later(PATIENCE, self._send, kind, asked)
            else:
                loop.call_soon(self._send, kind, asked)
        return await asked.answer

    def _send(self, kind: Hashable, first: Asked) -> None:
        """Send what waits, unless `first` of it has been sent already."""
        waiting = self.waiting.get(kind)
        if waiting is None or waiting[0] is not first:
            return
        del self.waiting[kind]
        together: list[Asked] = []
        count = 0
        for asked in waiting:
            if asked.answer.done():  # whoever asked is gone
                continue
            if together and count + len(asked.keys) > MOST:
                self._start(kind, together)
                together, count = [], 0
            together.append(asked)
            count += len(asked.keys)
        if together:
            self._start(kind, together)

    def _send_after(self, turns: int, kind: Hashable, first: Asked) -> None:
        if turns:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._send_after, turns - 1, kind, first)
        else:
            self._send(kind, first)

    def _start(self, kind: Hashable, together: list[Asked]) -> None:
        self.running[kind] = self.running.get(kind, 0) + 1
        # Nothing of the request that happens to come first goes into the command.
        task = asyncio.create_task(self._run(kind, together), context=Context())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, kind: Hashable, together: list[Asked]) -> None:
        try:
            await _answer(together, self.nobodys)
        finally:
            for asked in together:
                asked.answer.cancel()  # only what has no answer, when this is cancelled
            self.running[kind] -= 1
            if not self.running[kind]:
                del self.running[kind]
            waiting = self.waiting.get(kind)
            if waiting is not None:
                self._send_after(TURNS, kind, waiting[0])


async def _answer(together: list[Asked], nobodys: tuple[type[Exception], ...]) -> None:
    if len(together) == 1:
        await _answer_alone(together[0])
        return
    keys = list(dict.fromkeys(key for asked in together for key in asked.keys))
    try:
        found = await together[0].read(keys)
    except nobodys as error:
        for asked in together:
            _refuse(asked, error)
        return
    except Exception:  # noqa: BLE001 - each learns by itself what is wrong
        turns = asyncio.Semaphore(ALONE)

        async def alone(asked: Asked) -> None:
            async with turns:
                await _answer_alone(asked)

        await asyncio.gather(*map(alone, together))
        return
    for asked in together:
        if not asked.answer.done():
            asked.answer.set_result(found)


async def _answer_alone(asked: Asked) -> None:
    try:
        found = await asked.read(list(asked.keys))
    except Exception as error:  # noqa: BLE001 - whoever asked gets it
        _refuse(asked, error)
        return
    if not asked.answer.done():
        asked.answer.set_result(found)


def _refuse(asked: Asked, error: Exception) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)
