"""WebSocket connections: counted, bounded, and told when the server goes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.edge.connections import Bounds
from server.edge.websocket_connections import MAXIMUM_FRAMES, MAXIMUM_MESSAGE_BYTES
from tests.serving.sockets import Served, served

QUICK = Bounds(head_seconds=0.3, idle_seconds=0.3, stalled_seconds=0.4, tick_seconds=0.05)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says how long each message is; "much" is answered with more than anybody reads."""
    if scope["type"] != "websocket":
        return
    socket = WebSocket(scope, receive, send)
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            text = await socket.receive_text()
            if text == "much":
                for _ in range(1_000):
                    await socket.send_text("x" * 100_000)
            await socket.send_text(str(len(text)))


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served(echo, QUICK) as found:
        yield found


def connected(server: Served) -> connect:
    return connect(f"ws://127.0.0.1:{server.port}/", max_size=None)


async def closed(client: ClientConnection) -> int | None:
    """The code that the server closes with."""
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await client.recv()
    return client.close_code


async def test_a_quiet_connection_outlives_the_deadlines_of_http(server: Served) -> None:
    async with connected(server) as client:
        await asyncio.sleep(0.8)
        await client.send("hello")
        assert await client.recv() == "5"
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers  # nothing is compressed


async def test_a_message_may_have_a_million_bytes(server: Served) -> None:
    async with connected(server) as client:
        await client.send("x" * MAXIMUM_MESSAGE_BYTES)
        assert await client.recv() == str(MAXIMUM_MESSAGE_BYTES)
        await client.send("x" * (MAXIMUM_MESSAGE_BYTES + 1))
        assert await closed(client) == 1009


async def test_a_message_in_pieces_without_end_is_refused(server: Served) -> None:
    async with connected(server) as client:
        with contextlib.suppress(ConnectionClosed):
            await client.send([""] * (MAXIMUM_FRAMES + 10))
        assert await closed(client) == 1009


async def test_a_client_that_does_not_read_is_dropped(server: Served) -> None:
    async with connected(server) as client:
        client.transport.pause_reading()
        await client.send("much")
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionClosed, ConnectionError):
                while True:  # until the system says that nobody is there
                    await client.send("x")
                    await asyncio.sleep(0.02)


async def test_a_server_that_stops_says_so() -> None:
    async with served(echo, QUICK) as server:
        client = await connected(server)
        await client.send("hello")
        assert await client.recv() == "5"
    assert await closed(client) == 1012


async def test_a_client_that_leaves_the_closing_unanswered_is_gone_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The protocol's own patience for it would be 10 s, after the 10 s for `connection_init`."""
    monkeypatch.setattr("server.edge.websocket_connections.CLOSING_SECONDS", 0.2)
    upgrade = (
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with served(closing, QUICK) as server, server.client() as client:
        await client.send(upgrade)
        assert (await client.answer(has_body=False)).status == 101
        assert 0.1 < await client.seconds_until_closed() < 5


async def closing(scope: Scope, receive: Receive, send: Send) -> None:
    """Closes what has just begun."""
    if scope["type"] == "websocket":
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        await socket.close(4408)
