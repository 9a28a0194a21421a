"""WebSocket connections within bounds: counted like the others, dropped when they read nothing."""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

from server.edge.connections import CountedTransport, Guard, Reader

MAXIMUM_MESSAGE_BYTES = 1_000_000
MAXIMUM_FRAMES = 1_000
"""Of one message: each costs memory, empty ones too."""
MAXIMUM_PONG_BYTES = 256 * 1024
"""Waiting for a client that asks and does not read."""

CLOSING_SECONDS = 4
"""For the client's end of the closing, once it is told why: who never says who they are is gone
within 15 seconds, whatever they answer."""


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's protocol, with the bounds of `guard`; see `within`."""

    guard: ClassVar[Guard]

    @classmethod
    def within(cls, guard: Guard) -> type["BoundedWebSocket"]:
        """The protocol whose connections the guard looks after."""
        return type(cls.__name__, (cls,), {"guard": guard})

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over from HTTP, where it was counted before."""
        counted = CountedTransport.around(transport)
        super().connection_made(counted)
        self._reader = Reader(counted, self.guard.bounds)
        self.close_timeout = CLOSING_SECONDS
        self.guard.admit(self, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.guard.release(self)
        super().connection_lost(exc)

    def look(self, now: float) -> None:
        """Drop a client that does not read."""
        if self._reader.is_stalled(now):
            self.transport.abort()

    def handle_ping(self) -> None:
        """Answer a ping, unless its sender leaves the answers lying."""
        if self.transport.get_write_buffer_size() > MAXIMUM_PONG_BYTES:
            self.transport.abort()
        else:
            super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        """Take one more frame of a message."""
        if len(self.frames) >= MAXIMUM_FRAMES:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many frames")
            self.handle_parser_exception()
            return
        super().handle_cont(event)


def websocket_options(guard: Guard) -> dict[str, Any]:
    """What uvicorn is told about WebSockets.

    No compression: a small message may be of any size when it is unpacked, and each connection's
    compressor takes memory.
    """
    return {
        "ws": BoundedWebSocket.within(guard),
        "ws_max_size": MAXIMUM_MESSAGE_BYTES,
        "ws_per_message_deflate": False,
        # The protocol's own pings, which wait longer: a slow client has much to read before each.
        "ws_ping_interval": None,
    }
