"""GraphQL over server-sent events, byte by byte, against a real server on a real port."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from server.edge.streams import StreamLimits
from tests.edge.streaming import PATIENCE_SECONDS, Served, member, served, until

EVENTS = {"Accept": "text/event-stream"}
NUMBERS = {"query": "subscription { numbers }"}


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served() as running:
        running.stage.tokens["ada"] = member(1)
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
        yield client


class Reading:
    """A stream that is being read."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._chunks = response.aiter_bytes()
        self._buffer = b""

    async def block(self) -> bytes:
        """The next event or comment, with the empty line that ends it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while b"\n\n" not in self._buffer:
                self._buffer += await anext(self._chunks)
        block, _, self._buffer = self._buffer.partition(b"\n\n")
        return block + b"\n\n"

    async def event(self) -> bytes:
        """The next event; comments are passed over."""
        while (block := await self.block()) == b":\n\n":
            pass
        return block

    async def result(self) -> dict[str, Any]:
        """The next result."""
        block = await self.event()
        assert block.startswith(b"event: next\ndata: {")
        assert block.count(b"\n") == 3
        result: dict[str, Any] = json.loads(block.split(b"data: ", 1)[1])
        return result

    async def rest(self) -> bytes:
        """What follows until the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for chunk in self._chunks:
                self._buffer += chunk
        return self._buffer


@asynccontextmanager
async def streaming(
    client: httpx2.AsyncClient, server: Served, body: object = NUMBERS, **headers: str
) -> AsyncIterator[Reading]:
    async with client.stream(
        "POST", server.http_url, json=body, headers={**EVENTS, **headers}
    ) as response:
        assert response.status_code == 200
        yield Reading(response)


COMPLETE = b"event: complete\ndata:\n\n"


async def test_a_query_is_one_result_and_the_completion(
    server: Served, client: httpx2.AsyncClient
) -> None:
    response = await client.post(server.http_url, json={"query": "{ hello }"}, headers=EVENTS)
    assert response.status_code == 200
    comment, result, complete, rest = response.content.split(b"\n\n")
    assert comment == b":"
    assert json.loads(result.removeprefix(b"event: next\ndata: "))["data"] == {
        "hello": "world 0 en"
    }
    assert complete + b"\n\n" == COMPLETE
    assert rest == b""


async def test_nothing_on_the_way_keeps_or_collects_a_stream(
    server: Served, client: httpx2.AsyncClient
) -> None:
    response = await client.post(server.http_url, json={"query": "{ hello }"}, headers=EVENTS)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["vary"] == "Accept, Accept-Language, Authorization"


async def test_a_subscription_is_delivered_as_it_happens(
    server: Served, client: httpx2.AsyncClient
) -> None:
    async with streaming(client, server) as reading:
        assert await reading.block() == b":\n\n"
        await server.stage.wait_for_listeners(1)
        assert server.figure("laurel_streams", transport="sse") == 1
        for number in range(3):
            server.stage.emit(number)
            assert await reading.result() == {"data": {"numbers": number}}
        server.stage.emit(None)
        assert await reading.rest() == COMPLETE
    assert server.figure("laurel_events_total", transport="sse") == 3
    await until(lambda: server.figure("laurel_streams", transport="sse") == 0)


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json, text/event-stream"])
async def test_a_subscription_comes_by_get_too(
    server: Served, client: httpx2.AsyncClient, accept: str
) -> None:
    response = await client.get(
        server.http_url,
        params={"query": "subscription($n: Int!) { count(to: $n) }", "variables": '{"n": 1}'},
        headers={"Accept": accept},
    )
    assert response.content == b':\n\nevent: next\ndata: {"data":{"count":0}}\n\n' + COMPLETE


async def test_who_prefers_json_gets_json_for_what_has_one_answer(
    server: Served, client: httpx2.AsyncClient
) -> None:
    headers = {"Accept": "application/json, text/event-stream;q=0.5"}
    response = await client.post(server.http_url, json={"query": "{ hello }"}, headers=headers)
    assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_subscription_is_not_acceptable_as_json(
    server: Served, client: httpx2.AsyncClient
) -> None:
    response = await client.post(
        server.http_url, json=NUMBERS, headers={"Accept": "application/json"}
    )
    assert response.status_code == 406
    assert response.json()["errors"][0]["extensions"]["code"] == "SUBSCRIPTION_OVER_HTTP"


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { unknown }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "OPERATION_RESOLUTION_FAILURE"),
        ("query Q($n: Int!) { hello(name: $n) }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription Q($n: Int!) { count(to: $n) }", "BAD_USER_INPUT"),
        ("subscription { forbidden }", "FORBIDDEN"),
    ],
)
async def test_refusals_of_a_document_are_told_in_the_stream(
    server: Served, client: httpx2.AsyncClient, query: str, code: str
) -> None:
    async with streaming(client, server, {"query": query}) as reading:
        result = await reading.result()
        assert result["errors"][0]["extensions"]["code"] == code
        assert "data" not in result
        assert await reading.rest() == COMPLETE


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"null", {}, 422),
        (b'{"query": 1}', {}, 422),
        (b'{"query": "{ hello }"}', {"Content-Type": "text/plain"}, 415),
        (b'{"query": "{ hello }"}', {"Authorization": "Bearer nobody"}, 401),
    ],
    ids=["no JSON", "null", "number", "media type", "credentials"],
)
async def test_refusals_of_the_request_are_told_by_the_status(
    server: Served, client: httpx2.AsyncClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    response = await client.post(
        server.http_url,
        content=body,
        headers={"Content-Type": "application/json", **EVENTS, **headers},
    )
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/graphql-response+json")
    assert response.json()["errors"][0]["extensions"]["code"]


async def test_a_mutation_never_comes_by_get(server: Served, client: httpx2.AsyncClient) -> None:
    query = {"query": "mutation { double(number: 1) }"}
    response = await client.get(server.http_url, params=query, headers=EVENTS)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_a_source_that_breaks_is_told_masked(
    server: Served, client: httpx2.AsyncClient
) -> None:
    async with streaming(client, server, {"query": "subscription { breaks }"}) as reading:
        assert await reading.result() == {"data": {"breaks": 1}}
        [error] = (await reading.result())["errors"]
        assert error["extensions"]["code"] == "INTERNAL"
        assert error["extensions"]["errorId"]
        assert "secret" not in json.dumps(error)
        assert await reading.rest() == COMPLETE


async def test_a_caller_has_so_many_streams_open(client: httpx2.AsyncClient) -> None:
    async with served(StreamLimits(streams_per_caller=1)) as server:
        async with streaming(client, server):
            response = await client.post(server.http_url, json=NUMBERS, headers=EVENTS)
            assert response.status_code == 429
            assert response.headers["retry-after"] == "5"
            assert response.json()["errors"][0]["extensions"] == {
                "code": "TOO_MANY_STREAMS",
                "allowed": 1,
            }
            await server.stage.wait_for_listeners(1)
        await until(lambda: server.streams.open.taken == 0)


# ---------------------------------------------------------------- ends


async def test_comments_keep_a_quiet_stream_open(client: httpx2.AsyncClient) -> None:
    async with (
        served(StreamLimits(comment_seconds=0.05)) as server,
        streaming(client, server) as reading,
    ):
        assert [await reading.block() for _ in range(4)] == [b":\n\n"] * 4
    assert StreamLimits().comment_seconds == 12


async def test_when_the_client_goes_its_source_is_closed(
    server: Served, client: httpx2.AsyncClient
) -> None:
    async with streaming(client, server):
        await server.stage.wait_for_listeners(1)
    await server.stage.wait_for_listeners(0)
    await until(lambda: server.figure("laurel_subscriptions", transport="sse") == 0)


async def test_delivery_ends_when_the_token_expires(
    server: Served, client: httpx2.AsyncClient
) -> None:
    server.stage.tokens["short"] = member(1, seconds_left=0.5)
    async with streaming(client, server, Authorization="Bearer short") as reading:
        [error] = (await reading.result())["errors"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED"}
        assert error["message"].startswith("Prieigos rakto")  # in the member's language
        assert await reading.rest() == COMPLETE
    await server.stage.wait_for_listeners(0)


@pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "found"])
async def test_nothing_is_delivered_to_a_session_that_has_ended(
    server: Served, client: httpx2.AsyncClient, is_announced: bool
) -> None:
    async with streaming(client, server, Authorization="Bearer ada") as reading:
        await server.stage.wait_for_listeners(1)
        await until(lambda: len(server.stage.hints) == 1)
        del server.stage.tokens["ada"]
        if is_announced:
            server.stage.hint()
        else:
            server.stage.emit(1)
        [error] = (await reading.result())["errors"]
        assert error["extensions"] == {"code": "UNAUTHENTICATED"}
        assert await reading.rest() == COMPLETE
    await until(lambda: server.stage.hints == set())


async def test_a_stopping_server_ends_streams_without_completing_them(
    client: httpx2.AsyncClient,
) -> None:
    async with served() as server, streaming(client, server) as reading:
        await server.stage.wait_for_listeners(1)
        server.streams.stop()
        assert await reading.rest() == b":\n\n"  # so that clients subscribe again
        await server.stage.wait_for_listeners(0)
