"""Whoever is too slow, sends too much or comes too many goes; the others don't notice."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.edge.bodies import MAXIMUM_BODY_BYTES, BodyLimit
from server.edge.connections import Bounds
from tests.serving.sockets import Client, Served, served

QUICK = Bounds(
    head_seconds=0.4,
    idle_seconds=0.4,
    body_seconds=0.4,
    discarding_seconds=0.4,
    stalled_seconds=0.4,
    end_seconds=0.3,
    surplus_seconds=0.3,
    tick_seconds=0.05,
    connections=40,
    connections_per_address=30,
)
PATIENCE_SECONDS = 5.0
"""On a busy machine a tick comes late."""
HEAD = "POST / HTTP/1.1\r\nHost: localhost\r\n"
LARGE = b"x" * 20_000_000


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers how long the body is; /large answers much, /slow when it is told to."""
    request = Request(scope, receive)
    if scope["path"] == "/large":
        await Response(LARGE)(scope, receive, send)
        return
    if scope["path"] == "/streamed":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(2_000):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
            await asyncio.sleep(0)
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(2.0)
    await Response(str(len(await request.body())))(scope, receive, send)


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served(BodyLimit(app), QUICK) as found:
        yield found


async def trickle(client: Client, text: str, *, seconds_apart: float = 0.02) -> None:
    """Byte by byte, until it is sent or the server has had enough."""
    for letter in text:
        try:
            await client.send(letter)
        except ConnectionError:
            return
        await asyncio.sleep(seconds_apart)


async def test_a_silent_client_is_dropped(server: Served) -> None:
    async with server.client() as client:
        assert 0.3 < await client.seconds_until_closed() < PATIENCE_SECONDS


@pytest.mark.parametrize(
    "text",
    [HEAD + "X-Slow: " + "x" * 2_000, "\r\n" * 1_000, "GET /" + "x" * 2_000],
    ids=["headers", "empty lines", "target"],
)
async def test_trickled_headers_are_not_waited_for(server: Served, text: str) -> None:
    async with server.client() as client:
        trickling = asyncio.create_task(trickle(client, text))
        answer = await client.answer()
        assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
        assert answer.headers["connection"] == "close"
        assert await client.seconds_until_closed() < PATIENCE_SECONDS
        trickling.cancel()


async def test_trickled_headers_of_a_second_request_are_not_waited_for(server: Served) -> None:
    async with server.client() as client:
        await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.answer()).body == b"0"
        trickling = asyncio.create_task(trickle(client, HEAD + "X-Slow: " + "x" * 2_000))
        assert (await client.answer()).status == 408
        assert await client.seconds_until_closed() < PATIENCE_SECONDS
        trickling.cancel()


@pytest.mark.parametrize("framing", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
async def test_a_trickled_body_is_not_waited_for(
    server: Served, framing: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with server.client() as client:
        await client.send(f"{HEAD}{framing}\r\n\r\n")
        body = "1\r\nx\r\n" * 500 if "chunked" in framing else "x" * 2_000
        trickling = asyncio.create_task(trickle(client, body))
        answer = await client.answer()
        assert (answer.status, answer.code) == (408, "REQUEST_TIMEOUT")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert await client.seconds_until_closed() < PATIENCE_SECONDS
        trickling.cancel()
    assert caplog.text == ""


async def test_a_body_that_comes_steadily_may_take_its_time() -> None:
    steady = Bounds(body_seconds=1.0, body_bytes_per_second=10_000, tick_seconds=0.05)
    async with served(BodyLimit(app), steady) as server, server.client() as client:
        await client.send(f"{HEAD}Content-Length: 30000\r\n\r\n")
        for _ in range(10):
            await client.send("x" * 3_000)
            await asyncio.sleep(0.15)
        answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"30000")


@pytest.mark.parametrize("path", ["/large", "/streamed"])
async def test_a_client_that_never_reads_is_dropped(server: Served, path: str) -> None:
    async with server.client(receive_bytes=4_096) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a reading one
        await client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await _until(lambda: _open_connections(server) == 0)


async def test_a_client_that_reads_slowly_but_steadily_gets_everything(server: Served) -> None:
    async with server.client() as client:
        await client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        received = 0
        while received < len(LARGE):
            received += len(await client.reader.read(500_000))
            if received % 40 == 0:
                await asyncio.sleep(0.01)
    assert received == len(LARGE)


async def test_an_idle_connection_is_closed_and_a_used_one_is_kept() -> None:
    bounds = replace(QUICK, idle_seconds=1.0)
    async with served(BodyLimit(app), bounds) as server, server.client() as client:
        for _ in range(8):
            await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await client.answer()).status == 200
            await asyncio.sleep(0.15)
        assert await client.seconds_until_closed() < PATIENCE_SECONDS


async def test_a_request_at_work_is_waited_for(server: Served) -> None:
    answer = await server.get("/slow")  # takes longer than every deadline of the client's
    assert (answer.status, answer.body) == (200, b"0")


@pytest.mark.parametrize(
    "fields",
    [
        "X-Large: " + "x" * 40_000 + "\r\n",
        "".join(f"X-{n}: {'x' * 500}\r\n" for n in range(80)),
        "".join(f"X-{n}: x\r\n" for n in range(200)),
    ],
    ids=["one", "together", "many"],
)
async def test_large_headers_are_refused(server: Served, fields: str) -> None:
    answer = await server.get(headers=fields)
    assert (answer.status, answer.code) == (431, "HEADERS_TOO_LARGE")


@pytest.mark.parametrize("ends", [True, False])
async def test_an_address_that_is_too_long_is_told_apart(server: Served, *, ends: bool) -> None:
    async with server.client() as client:
        await client.send(
            "GET /graphql?query=" + "x" * 40_000 + (" HTTP/1.1\r\n\r\n" if ends else "")
        )
        answer = await client.answer()
    assert (answer.status, answer.code) == (414, "URI_TOO_LONG")


async def test_headers_without_an_end_are_refused_before_their_deadline() -> None:
    async with served(app, Bounds()) as server, server.client() as client:
        await client.send(HEAD + "X-Endless: " + "x" * 40_000)
        assert (await client.answer()).status == 431


@pytest.mark.parametrize(
    "request_text",
    ["NONSENSE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nHost localhost\r\n\r\n"],
)
async def test_what_is_no_http_is_told_so(
    server: Served, request_text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with server.client() as client:
        await client.send(request_text)
        answer = await client.answer()
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert caplog.text == ""


@pytest.mark.parametrize("size", [MAXIMUM_BODY_BYTES, MAXIMUM_BODY_BYTES + 1])
@pytest.mark.parametrize("is_declared", [True, False])
async def test_a_body_may_have_a_million_bytes(
    server: Served, size: int, is_declared: bool
) -> None:
    async with server.client() as client:
        if is_declared:
            await client.send(f"{HEAD}Content-Length: {size}\r\n\r\n" + "x" * size)
        else:
            await client.send(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n")
            await client.send(f"{size:x}\r\n" + "x" * size + "\r\n0\r\n\r\n")
        answer = await client.answer()
        if size == MAXIMUM_BODY_BYTES:
            assert (answer.status, answer.body) == (200, b"1000000")
            return
        assert (answer.status, answer.code) == (413, "BODY_TOO_LARGE")
        await client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")  # the rest was thrown away
        assert (await client.answer()).status == 200


async def test_a_body_that_is_refused_is_not_waited_for_long(server: Served) -> None:
    async with server.client() as client:
        await client.send(f"{HEAD}Content-Length: 9000000000\r\n\r\n")
        assert (await client.answer()).status == 413
        trickling = asyncio.create_task(trickle(client, "x" * 1_000))
        assert await client.seconds_until_closed() < PATIENCE_SECONDS
        trickling.cancel()


async def test_a_client_that_goes_away_leaves_nothing_in_the_log(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with server.client() as client:
        await client.send(f"{HEAD}Content-Length: 100\r\n\r\nxxx")
        await asyncio.sleep(0.1)
    await _until(lambda: _open_connections(server) == 0)
    assert caplog.text == ""


async def test_connections_are_counted_and_the_rest_are_told(server: Served) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(QUICK.connections_per_address):
            client = await stack.enter_async_context(server.client())
            await client.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await server.get()
        assert (answer.status, answer.code) == (503, "OVERLOADED")
        assert answer.headers["retry-after"] == "5"
    await _until(lambda: _open_connections(server) == 0)
    assert (await server.get()).status == 200


async def test_the_proxies_own_connections_are_counted_together_only() -> None:
    async with (
        served(app, QUICK, trusted_proxies=("127.0.0.0/8",)) as server,
        AsyncExitStack() as stack,
    ):
        for _ in range(QUICK.connections_per_address + 2):
            client = await stack.enter_async_context(server.client())
            await client.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await server.get()).status == 200


async def test_requests_in_advance_are_answered_in_order_but_not_without_end(
    server: Served,
) -> None:
    one = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with server.client() as client:
        await client.send(one * 10)
        assert [(await client.answer()).status for _ in range(10)] == [200] * 10
    async with server.client() as client:
        await client.send(one * 1_000)
        assert await client.seconds_until_closed() < PATIENCE_SECONDS


async def test_an_upgrade_that_nobody_offers_is_passed_over(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
    async with server.client() as client:
        await client.send(f"{HEAD}{upgrade}Content-Length: 3\r\n\r\nxxx")
        await client.send(f"{HEAD}{upgrade}Transfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n")
        await client.send("0\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [(await client.answer()).body for _ in range(3)] == [b"3", b"2", b"0"]
        await client.send("CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.answer()).status == 400
    assert caplog.text == ""


async def test_150_slow_clients_are_dropped_within_15_seconds() -> None:
    """With the real deadlines: of each kind as many, all at once, and others meanwhile."""
    async with served(BodyLimit(app), Bounds()) as server, AsyncExitStack() as stack:
        kinds: list[Callable[[Client], Coroutine[None, None, None]]] = [
            _silent,
            _slow_head,
            _slow_body,
            _deaf,
        ]
        clients = [
            await stack.enter_async_context(server.client(receive_bytes=4_096)) for _ in range(150)
        ]
        alone = []  # how long an answer takes on this machine now
        for _ in range(9):
            before = asyncio.get_running_loop().time()
            assert (await server.get()).status == 200
            alone.append(asyncio.get_running_loop().time() - before)
        start = asyncio.get_running_loop().time() - _kept_waiting_seconds()

        def seconds_of_ours() -> float:
            return asyncio.get_running_loop().time() - _kept_waiting_seconds() - start

        tasks = [
            asyncio.create_task(kinds[number % len(kinds)](client))
            for number, client in enumerate(clients)
        ]
        times = []
        while _open_connections(server) > 0:
            before = asyncio.get_running_loop().time()
            assert (await server.get()).status == 200
            times.append(asyncio.get_running_loop().time() - before)
            await asyncio.sleep(0.05)
            assert seconds_of_ours() < 15
        for task in tasks:
            task.cancel()
        print(f"dropped after {seconds_of_ours():.1f} s,", end=" ")
        print(f"{len(times)} others took {max(times) * 1000:.0f} ms at most")
        assert median(times) < max(0.2, 10 * median(alone))


def _kept_waiting_seconds() -> float:
    """How long this process could have run and did not, for others had the processors."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1_000_000_000


async def _silent(_client: Client) -> None:
    """Says nothing."""


async def _slow_head(client: Client) -> None:
    await trickle(client, HEAD + "X-Slow: " + "x" * 2_000, seconds_apart=0.3)


async def _slow_body(client: Client) -> None:
    await client.send(f"{HEAD}Content-Length: 5000\r\n\r\n")
    await trickle(client, "x" * 2_000, seconds_apart=0.3)


async def _deaf(client: Client) -> None:
    client.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a reading one
    await client.send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what the system knows tells nobody
            await asyncio.sleep(0.02)


def _open_connections(server: Served) -> int:
    """How many the server's side of this process has open, as the system knows it."""
    port, pid = f":{server.port:04X}", os.getpid()
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(port) and line.split()[3] in ("01", "08")
    }
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except OSError:
            continue
    return sum(f"socket:[{inode}]" in links for inode in inodes)
