"""How HTTP is spoken: uvicorn's protocol over httptools, with fewer writes, and streams
that end with the server."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LAST_CHUNK = b"0\r\n\r\n"


class JoiningProtocol(HttpToolsProtocol):
    """uvicorn's, which writes the head of an answer and its body one after the other.

    Each write is a call of the system. Here the two leave as one, where the body comes
    at once.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        joining = JoiningTransport(transport, self.loop)
        super().connection_made(cast("asyncio.Transport", joining))

    def shutdown(self) -> None:
        """Lets an answer under way end; but a stream of events, which would not, ends
        here."""
        super().shutdown()
        joining = cast("JoiningTransport", self.transport)
        if joining.is_streaming and not joining.is_closing():
            joining.write(_LAST_CHUNK)
            joining.close()

    def handle_websocket_upgrade(self) -> None:
        joining = cast("JoiningTransport", self.transport)
        joining.flush()
        self.transport = joining.transport
        super().handle_websocket_upgrade()


class JoiningTransport:
    """Keeps the head of an answer until what comes next, or the event loop's next
    turn. All else is the transport's own."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.transport = transport
        self._loop = loop
        self._head = b""
        self.is_streaming = False

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self.transport.writelines((head, data))
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self.is_streaming = b"text/event-stream" in data
            self._loop.call_soon(self.flush)
        else:
            self.transport.write(data)

    def flush(self) -> None:
        """Writes the head that waits, if any."""
        head, self._head = self._head, b""
        if head and not self.transport.is_closing():
            self.transport.write(head)

    def close(self) -> None:
        self.flush()
        self.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)
