"""What the clients send is what was meant, and what they are answered is looked at."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice, repeat
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import load, operations, shots
from bench.load import Answered
from bench.shots import Kind, People, Person
from server.clock import Instant
from server.members.keys import KeyPair, KeyRing
from server.members.tokens import read_access_token

KEY = Ed25519PrivateKey.generate()
PAIR = KeyPair("0" * 16, KEY, KEY.public_key(), Instant(0))
RING = KeyRing((PAIR,), b"secret", "https://bench.example", "laurel", Instant(0))
PEOPLE = People([Person(10 + n, f"m-{n}", 20 + n, 30 + n) for n in range(3)], RING)


def parts(shot: bytes) -> tuple[dict[str, str], Any]:
    head, _, content = shot.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /graphql HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["Content-Length"]) == len(content)
    return headers, json.loads(content)


def test_a_home_screen_is_asked_for_by_each_member_with_a_token_of_theirs() -> None:
    made = list(islice(shots.shots(Kind.HOME, PEOPLE, seed=1, ready_count=3), 4))
    assert made[3] == made[0]
    sessions = set()
    for shot in made[:3]:
        headers, content = parts(shot)
        assert content == {"query": operations.HOME}
        token = headers["Authorization"].removeprefix("Bearer ")
        sessions.add(read_access_token(RING, token).session_id)
    assert sessions == {30, 31, 32}


def test_each_purchase_is_another_one() -> None:
    made = [
        parts(shot)[1]
        for shot in islice(shots.shots(Kind.PURCHASE, PEOPLE, seed=1, ready_count=0), 20)
    ]
    inputs = [one["variables"]["input"] for one in made]
    assert {one["query"] for one in made} == {operations.PURCHASE}
    assert len({one["idempotencyKey"] for one in inputs}) == 20
    assert all(one["purchase"]["externalId"] == one["idempotencyKey"] for one in inputs)
    assert {one["purchase"]["member"]["externalId"] for one in inputs} <= {"m-0", "m-1", "m-2"}
    prices = [line["salesMinor"] for one in inputs for line in one["purchase"]["lines"]]
    assert len(prices) == 20 * operations.LINES
    assert all(199 <= price < 1999 for price in prices)


def test_a_batch_has_a_hundred_purchases_of_its_own() -> None:
    first, second = (
        parts(shot)[1]["variables"]["input"]
        for shot in islice(shots.shots(Kind.BATCH, PEOPLE, seed=1, ready_count=0), 2)
    )
    names = {one["externalId"] for batch in (first, second) for one in batch["purchases"]}
    assert len(names) == 2 * operations.BATCH
    assert first["idempotencyKey"] != second["idempotencyKey"]
    assert len(first["purchases"][0]["lines"]) == operations.LINES


def test_leaves_are_what_has_no_fields() -> None:
    assert (
        operations.leaves({"a": [{"b": 1, "c": None}, {"b": 2, "c": "x"}], "d": [], "e": {}}) == 4
    )


class _Server(asyncio.Protocol):
    """Answers whatever comes with these pieces."""

    pieces: Sequence[bytes] = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        for piece in self.pieces:  # each in a turn of its own, and so mostly in a packet
            loop.call_soon(self.transport.write, piece)


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[int]:
    """The port of a server that answers so."""
    answering_so = type("Answering", (_Server,), {"pieces": pieces})
    server = await asyncio.get_running_loop().create_server(answering_so, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\n"me"',
        b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"errors":["me"]}',
        b'HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 11\r\n\r\n{"data":{}}',
    ],
    ids=["status", "errors", "something else"],
)
async def test_an_answer_that_is_not_good_ends_the_measurement(answer: bytes) -> None:
    async with answering(answer) as port:
        with pytest.raises(Answered, match="HTTP"):
            await load.closed(
                [port],
                repeat(b"GET / HTTP/1.1\r\n\r\n"),
                expects=b'"me"',
                warm_up_seconds=0,
                seconds=60,
            )


async def test_good_answers_are_counted_wherever_they_are_cut() -> None:
    pieces = (b"HTTP/1.1 200 OK\r\nCONTENT-LE", b"NGTH: 6\r\n\r\n", b'"me', b'"ab')
    async with answering(*pieces) as port:
        tally = await load.opened(
            [port],
            repeat(b"GET / HTTP/1.1\r\n\r\n"),
            expects=b'"me"',
            per_second=20,
            warm_up_seconds=0,
            seconds=0.22,
        )
    assert len(tally.latencies_seconds) == 5
    assert tally.per_second == pytest.approx(5 / 0.22)
