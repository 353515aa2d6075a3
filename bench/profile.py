"""Where the server's time goes in a scenario: requests answered in this process, under
the profiler, their time added up by part of the program."""

import asyncio
import cProfile
import os
import pstats
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.compare import show
from bench.scenarios import Facts, Scenario, bodies
from server.app import from_environment

REQUESTS = 200
AT_ONCE = 16
WARM_UP = 20

# The first that a file's path contains names its part.
_PARTS = (
    ("/gql/execution/", "gql/execution: shaping answers"),
    ("<root>", "gql/execution: compiled plans"),
    ("<one>", "gql/execution: compiled plans"),
    ("<complete>", "gql/execution: compiled plans"),
    ("/gql/", "gql: fields"),
    ("/resolvers/", "resolvers"),
    ("/audience/", "audience: rules"),
    ("/server/", "server"),
    ("orjson", "orjson"),
    ("/bson/", "bson"),
    ("_cbson", "bson"),
    ("/pymongo/", "driver"),
    ("/motor/", "driver"),
    ("/strawberry/", "strawberry"),
    ("/graphql/", "graphql-core"),
    ("/starlette/", "starlette"),
    ("/asyncio/", "event loop and sockets"),
    ("uvloop", "event loop and sockets"),
    ("socket", "event loop and sockets"),
    ("select", "waiting"),
)


async def profile(
    scenario: Scenario, facts: Facts, *, uri: str, database: str, key: str, driver: str
) -> None:
    """Prints the table. PyMongo's async API works in the event loop; Motor's threads
    are not seen by the profiler."""
    os.environ |= {
        "MONGODB_URI": uri,
        "AUDIENCE_DATABASE": database,
        "AUDIENCE_ADMIN_KEY": key,
        "AUDIENCE_DRIVER": driver,
        "AUDIENCE_LOG_LEVEL": "warning",
        "AUDIENCE_RATE_LIMIT_SECRET": "1000000000/minute",
    }
    app = from_environment()
    asked = [body.encode() for body in bodies(scenario, facts)]
    async with app.router.lifespan_context(app):
        for _ in range(WARM_UP):
            await _request(app, asked[0], key)
        profiler = cProfile.Profile()
        waiting = list(range(REQUESTS))

        async def client() -> None:
            while waiting:
                number = waiting.pop()
                await _request(app, asked[number % len(asked)], key)

        profiler.enable()
        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
        profiler.disable()
    show(_table(scenario, pstats.Stats(profiler), driver))


async def _request(app: Any, body: bytes, key: str) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"accept", b"application/json"),
            (b"authorization", f"Bearer {key}".encode()),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
    }
    asked = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        return next(asked, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"The server answered {message['status']}.")

    await app(scope, receive, send)


def _table(scenario: Scenario, stats: Any, driver: str) -> Table:
    parts: dict[str, float] = defaultdict(float)
    hottest: dict[str, tuple[float, str]] = {}
    for (file, line, function), row in stats.stats.items():
        own = row[2]
        part = _part(file, function)
        parts[part] += own
        name = f"{Path(file).name}:{line} {function}" if line else function
        hottest[part] = max(hottest.get(part, (0.0, "")), (own, name))
    waited = parts.pop("waiting", 0.0)
    total = sum(parts.values())
    shown = Table(
        title=f"{scenario.name}, {driver}: {1000 * total / REQUESTS:.2f} ms a request "
        "under the profiler",
        caption=f"{1000 * waited / REQUESTS:.2f} ms more were spent waiting.",
    )
    shown.add_column("part")
    shown.add_column("share", justify="right")
    shown.add_column("its hottest function")
    for part, own in sorted(parts.items(), key=lambda item: -item[1]):
        if own / total >= 0.005:
            seconds, name = hottest[part]
            shown.add_row(part, f"{own / total:.1%}", f"{name} ({seconds / total:.1%})")
    return shown


def _part(file: str, function: str) -> str:
    place = function if file == "~" else file
    for mark, part in _PARTS:
        if mark in place:
            return part
    return "Python and its library"
