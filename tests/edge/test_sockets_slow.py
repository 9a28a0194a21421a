"""Clients that do not read what they asked for: held back, bounded, and dropped."""

import asyncio
import gc
import socket
import tracemalloc
from collections.abc import AsyncIterator
from typing import cast

import pytest
from starlette.websockets import WebSocket

from server.edge.connections import Bounds
from server.edge.socket_connection import Serving, Socket
from server.edge.streams import StreamLimits
from tests.edge.streaming import Client, Served, served, until

QUICK = StreamLimits(send_seconds=0.3, close_seconds=0.1)
BOUNDS = Bounds(stalled_seconds=0.5, tick_seconds=0.05)
FLOOD = "subscription { floods(size: 10000) }"
HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served(QUICK, bounds=BOUNDS) as running:
        yield running


def _frame(text: str) -> bytes:
    """A client's text frame of less than 126 bytes, masked with nothing."""
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()


async def _stuck(server: Served, *subscriptions: str) -> socket.socket:
    """A client that asks for these and never reads."""
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(stuck, ("127.0.0.1", server.port))
    await loop.sock_sendall(stuck, HANDSHAKE.encode())
    assert (await loop.sock_recv(stuck, 1000)).startswith(b"HTTP/1.1 101 ")
    sent = _frame('{"type":"connection_init"}')
    for number, query in enumerate(subscriptions):
        message = f'{{"id":"{number}","type":"subscribe","payload":{{"query":"{query}"}}}}'
        sent += _frame(message)
    await loop.sock_sendall(stuck, sent)
    return stuck


async def test_a_client_that_does_not_read_is_dropped(server: Served) -> None:
    stuck = await _stuck(server, FLOOD)
    await until(lambda: server.figure("laurel_subscriptions", transport="websocket") == 1)
    await until(lambda: server.figure("laurel_socket_ends_total", code="1013") == 1)
    assert server.figure("laurel_subscriptions", transport="websocket") == 0
    assert server.streams.open.taken == 0
    await until(lambda: not server.server.server_state.connections)
    stuck.close()


async def test_memory_does_not_grow_while_nobody_reads() -> None:
    limits = StreamLimits(send_seconds=60)
    bounds = Bounds(stalled_seconds=60)
    async with served(limits, bounds=bounds) as server:
        stuck = await _stuck(server, *[FLOOD] * 20)
        await until(lambda: server.figure("laurel_subscriptions", transport="websocket") == 20)
        before = server.figure("laurel_events_total", transport="websocket")
        gc.collect()
        tracemalloc.start()
        await asyncio.sleep(0.5)
        grown_bytes, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # The sources would have made thousands more, had anybody taken them.
        assert server.figure("laurel_events_total", transport="websocket") - before < 600
        assert grown_bytes < 5_000_000
        stuck.close()


async def test_others_are_served_while_one_does_not_read(server: Served) -> None:
    stuck = await _stuck(server, FLOOD)
    async with server.connected() as client:
        for _ in range(20):
            await client.subscribe("q", "{ hello }")
            assert [one["type"] for one in await client.results(2)] == ["next", "complete"]
    stuck.close()


async def test_what_waits_for_one_socket_is_bounded_by_its_bytes() -> None:
    limits = StreamLimits(send_seconds=60, waiting_bytes=500_000, close_seconds=0.1)
    async with served(limits, bounds=BOUNDS) as server:
        stuck = await _stuck(server, *["subscription { floods(size: 200000) }"] * 5)
        await until(lambda: server.figure("laurel_socket_ends_total", code="1013") == 1)
        stuck.close()


async def test_a_socket_sends_one_message_after_another() -> None:
    sending = most = 0
    sent: list[str] = []

    class Recorder:
        async def send_text(self, text: str) -> None:
            nonlocal sending, most
            sending += 1
            most = max(most, sending)
            await asyncio.sleep(0)
            sent.append(text)
            sending -= 1

    websocket, serving = cast(WebSocket, Recorder()), cast(Serving, None)
    sender = Socket(websocket, serving, StreamLimits())
    await asyncio.gather(*(sender.send(str(number).encode()) for number in range(10)))
    assert most == 1
    assert sent == [str(number) for number in range(10)]


async def test_a_client_that_reads_late_misses_nothing() -> None:
    async with served() as server, server.socket(max_queue=1) as connection:
        client = Client(connection)
        await client.send("connection_init")
        await client.subscribe("s", "subscription { texts(to: 300, size: 20000) }")
        await asyncio.sleep(0.2)
        assert (await client.receive())["type"] == "connection_ack"
        results = await client.results(300)
        assert [int(one["payload"]["data"]["texts"]) for one in results] == list(range(300))
        assert (await client.receive())["type"] == "complete"


async def test_an_event_stream_that_nobody_reads_is_dropped(server: Served) -> None:
    body = f'{{"query": "{FLOOD}"}}'
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(stuck, ("127.0.0.1", server.port))
    head = (
        "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    await loop.sock_sendall(stuck, (head + body).encode())
    await until(lambda: server.figure("laurel_streams", transport="sse") == 1)
    await until(lambda: server.figure("laurel_streams", transport="sse") == 0)
    assert server.figure("laurel_subscriptions", transport="sse") == 0
    stuck.close()
