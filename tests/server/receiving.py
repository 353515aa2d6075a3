"""A receiver of webhooks that listens for real, and does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.server.conftest import free_port


@dataclass
class Call:
    """What has come in."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came in, and how the next calls are answered, when they are `let`: the
    first of `answers` each time, and 200 when there are none."""

    address: str
    calls: list[Call] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    delay: float = 0
    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: Request) -> Response:
        self.calls.append(Call(dict(request.headers), await request.body()))
        await asyncio.sleep(self.delay)
        await self.let.wait()
        return self.answers.pop(0) if self.answers else Response()

    async def until(self, holds: Callable[[], bool], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - of another task
                await asyncio.sleep(0.01)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    port = free_port()
    receiver = Receiver(f"http://127.0.0.1:{port}/hook")
    receiver.let.set()
    app = Starlette(
        routes=[Route("/{any:path}", receiver.take, methods=["GET", "POST"])]
    )
    config = uvicorn.Config(app, port=port, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event for it
        await asyncio.sleep(0.01)
    try:
        yield receiver
    finally:
        server.should_exit = True
        await serving
