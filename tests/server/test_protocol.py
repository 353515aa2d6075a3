"""What goes over the wire, on a server that listens for real."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from server.protocol import JoiningProtocol, JoiningTransport
from tests.server.conftest import free_port

pytestmark = [
    pytest.mark.anyio,
    # As the server runs, and as Python's own loop writes.
    pytest.mark.parametrize(
        "anyio_backend",
        [("asyncio", {"use_uvloop": it}) for it in (True, False)],
        ids=["uvloop", "asyncio"],
    ),
]

written: list[list[bytes]] = []


class Watched(JoiningProtocol):
    """Notes what is written, call by call."""

    def connection_made(self, transport: Any) -> None:
        watching: Any = _Watching(transport)
        super().connection_made(watching)


class _Watching:
    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        written.append([data])
        self._transport.write(data)

    def writelines(self, parts: Any) -> None:
        written.append(list(parts))
        self._transport.writelines(parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    """By its path: a body at once, one in parts, none, or a fault."""
    assert scope["type"] == "http"
    path = scope["path"]
    start = {"type": "http.response.start", "status": 200}
    if path == "/whole":
        await send({**start, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"whole"})
    elif path == "/parts":
        await send({**start, "headers": []})
        await gate.wait()
        for part in (b"HTTP/1.1 is no head here", b"last"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
    elif path == "/events":
        kind = (b"content-type", b"text/event-stream; charset=utf-8")
        await send({**start, "headers": [kind]})
        await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()
    elif path == "/none":
        await send({**start, "status": 204, "headers": []})
        await send({"type": "http.response.body"})
    else:
        await send({**start, "headers": [(b"content-length", b"9")]})
        raise RuntimeError("in the middle")


gate = asyncio.Event()
ended = asyncio.Event()


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    global gate, ended
    gate, ended = asyncio.Event(), asyncio.Event()
    port = free_port()
    config = uvicorn.Config(
        answering, port=port, lifespan="off", log_config=None, http=Watched
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event for it
        await asyncio.sleep(0.01)
    written.clear()
    yield server
    server.should_exit = True
    await serving


class Wire:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader = reader
        self.writer = writer

    def ask(self, *paths: str, method: str = "GET", more: str = "") -> None:
        lines = [f"{method} {it} HTTP/1.1\r\nHost: it\r\n{more}\r\n" for it in paths]
        self.writer.write("".join(lines).encode())

    async def head(self) -> str:
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
        return head.decode().split("\r\n")[0]


@pytest.fixture
async def wire(server: uvicorn.Server) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.config.port)
    yield Wire(reader, writer)
    writer.close()
    await writer.wait_closed()


async def test_head_and_body_leave_as_one(wire: Wire) -> None:
    for _ in range(2):
        written.clear()
        wire.ask("/whole")

        assert await wire.head() == "HTTP/1.1 200 OK"
        assert await wire.reader.readexactly(5) == b"whole"
        ((head, body),) = written
        assert head.endswith(b"\r\n\r\n")
        assert body == b"whole"


async def test_a_head_does_not_wait_for_a_body_that_is_late(wire: Wire) -> None:
    wire.ask("/parts")

    assert await wire.head() == "HTTP/1.1 200 OK"
    assert len(written) == 1
    gate.set()
    body = await wire.reader.readuntil(b"0\r\n\r\n")
    assert body == b"18\r\nHTTP/1.1 is no head here\r\n4\r\nlast\r\n0\r\n\r\n"


@pytest.mark.parametrize("path", ["/whole", "/none"])
async def test_an_answer_without_a_body_arrives(wire: Wire, path: str) -> None:
    wire.ask(path, method="HEAD" if path == "/whole" else "GET")

    assert (await wire.head()).startswith("HTTP/1.1 20")
    wire.ask("/whole")
    assert await wire.head() == "HTTP/1.1 200 OK"
    assert await wire.reader.readexactly(5) == b"whole"


async def test_requests_in_a_row_are_answered_in_their_order(wire: Wire) -> None:
    wire.ask("/whole", "/none", "/whole")

    assert await wire.head() == "HTTP/1.1 200 OK"
    assert await wire.reader.readexactly(5) == b"whole"
    assert await wire.head() == "HTTP/1.1 204 No Content"
    assert await wire.head() == "HTTP/1.1 200 OK"
    assert await wire.reader.readexactly(5) == b"whole"


async def test_all_is_written_before_the_connection_is_closed(wire: Wire) -> None:
    wire.ask("/whole", more="Connection: close\r\n")

    assert await wire.head() == "HTTP/1.1 200 OK"
    assert await wire.reader.read() == b"whole"


async def test_a_head_is_written_when_its_answer_breaks_off(wire: Wire) -> None:
    wire.ask("/broken")

    assert await wire.head() == "HTTP/1.1 200 OK"
    assert await wire.reader.read() == b""


async def test_a_stream_of_events_ends_with_the_server(
    server: uvicorn.Server, wire: Wire
) -> None:
    wire.ask("/events")
    assert await wire.head() == "HTTP/1.1 200 OK"
    assert await wire.reader.readuntil(b":\n\n\r\n") == b"3\r\n:\n\n\r\n"

    server.should_exit = True

    async with asyncio.timeout(20):
        assert await wire.reader.read() == b"0\r\n\r\n"
        await ended.wait()


async def test_an_answer_under_way_is_not_cut_short_by_the_servers_end(
    server: uvicorn.Server, wire: Wire
) -> None:
    wire.ask("/parts")
    assert await wire.head() == "HTTP/1.1 200 OK"

    server.should_exit = True
    async with asyncio.timeout(20):
        while any(each.is_serving() for each in server.servers):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        gate.set()

        body = await wire.reader.read()
    assert body == b"18\r\nHTTP/1.1 is no head here\r\n4\r\nlast\r\n0\r\n\r\n"


async def test_what_is_not_http_is_told_so(wire: Wire) -> None:
    wire.writer.write(b"What is this?\r\n\r\n")

    assert await wire.head() == "HTTP/1.1 400 Bad Request"
    assert await wire.reader.read() == b"Invalid HTTP request received."


async def test_a_head_is_not_written_to_what_is_closed() -> None:
    class Reset:
        def write(self, data: bytes) -> None:
            raise RuntimeError("unable to perform operation; the handler is closed")

        def is_closing(self) -> bool:
            return True

    reset: Any = Reset()
    transport = JoiningTransport(reset, asyncio.get_running_loop())

    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.flush()
    transport.flush()

    with pytest.raises(RuntimeError, match="closed"):
        transport.write(b"more")
