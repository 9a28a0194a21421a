"""Announcements between processes on PostgreSQL: batched, healed, and never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.integrations import live_postgres
from server.integrations.live import Heard, Hub
from server.integrations.live_postgres import (
    MAXIMUM_PAYLOAD_BYTES,
    Relay,
    announced_in,
    announcing,
    carried,
    connecting,
    payloads,
    relaying,
)
from server.storage import changes, sql
from server.storage.changes import MEMBER, SESSION
from server.storage.database import Address, opened
from tests.conftest import _postgres_database

PATIENCE_SECONDS = 20
CHANGES = st.tuples(st.sampled_from(["member", "session"]), st.integers(1, 2**63 - 1))


@pytest.fixture
def address(postgres_server: str) -> Iterator[Address]:
    """An empty PostgreSQL database."""
    with _postgres_database(postgres_server) as url:
        yield Address("postgres", url)


@asynccontextmanager
async def _relays(address: Address, count: int) -> AsyncIterator[list[tuple[Relay, Hub]]]:
    """As many processes as one has to be, each with ears of its own."""
    async with AsyncExitStack() as stack:
        pairs = []
        for _ in range(count):
            hub = Hub(hears_this_process=False)
            relay = await stack.enter_async_context(
                relaying(connecting(address), hub, keepalive_seconds=0.2)
            )
            await asyncio.wait_for(relay.connected.wait(), PATIENCE_SECONDS)
            pairs.append((relay, hub))
        yield pairs


async def _end_listeners(address: Address) -> int:
    connection = await asyncpg.connect(address.location)
    try:
        rows = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return len(rows)
    finally:
        await connection.close()


async def _heard(waiting: Any) -> Heard:
    async with asyncio.timeout(PATIENCE_SECONDS):
        heard: Heard = await waiting.wait()
    return heard


async def test_what_one_process_announces_the_others_hear_and_not_itself(address: Address) -> None:
    async with (
        _relays(address, 2) as [(one, own), (_other, others)],
        own.subscribed((MEMBER, 7)) as here,
        others.subscribed((MEMBER, 7)) as there,
    ):
        one.announce({(MEMBER, 7), (MEMBER, 8)})
        assert await _heard(there) == Heard(frozenset({(MEMBER, 7)}))
        here_waits = asyncio.create_task(here.wait())
        await asyncio.sleep(0)
        assert not here_waits.done()
        here_waits.cancel()


async def test_a_commit_in_one_process_arrives_in_another(database_address: Address) -> None:
    if database_address.engine == "sqlite":
        pytest.skip("one process")
    async with (
        opened(database_address, pool_size=2),
        _relays(database_address, 2) as [_one, (_other, hub)],
        hub.subscribed((MEMBER, 7)) as there,
    ):
        async with sql.transaction():
            changes.note(MEMBER, 7)
        assert await _heard(there) == Heard(frozenset({(MEMBER, 7)}))


async def test_many_commits_are_one_notification(address: Address) -> None:
    topics = [(MEMBER, number) for number in range(200)]
    async with (
        _relays(address, 2) as [(one, _own), (_other, hub)],
        hub.subscribed(*topics) as there,
    ):
        for topic in topics:
            one.announce({topic})
        assert await _heard(there) == Heard(frozenset(topics))
        assert one.sent_count == 1


async def test_an_ended_connection_is_made_again_and_everybody_is_told_of_the_gap(
    address: Address,
) -> None:
    async with (
        _relays(address, 2) as [(one, _own), (other, hub)],
        hub.subscribed((MEMBER, 7), (MEMBER, 9)) as there,
    ):
        assert await _end_listeners(address) == 2
        assert await _heard(there) == Heard(may_lack=True)
        for relay in (one, other):
            await asyncio.wait_for(relay.connected.wait(), PATIENCE_SECONDS)
        one.announce({(MEMBER, 7)})
        assert (MEMBER, 7) in (await _heard(there)).changes


async def test_what_is_announced_while_the_connection_is_down_is_sent_when_it_is_back(
    address: Address,
) -> None:
    may_connect, tried = asyncio.Event(), asyncio.Event()
    connect = connecting(address)

    async def refusing() -> Any:
        if not may_connect.is_set():
            tried.set()
            raise ConnectionRefusedError
        return await connect()

    async with (
        _relays(address, 1) as [(_relay, hub)],
        hub.subscribed((MEMBER, 7)) as there,
        relaying(refusing, Hub(hears_this_process=False)) as cut_off,
    ):
        await asyncio.wait_for(tried.wait(), PATIENCE_SECONDS)
        cut_off.announce({(MEMBER, 7)})
        may_connect.set()
        assert await _heard(there) == Heard(frozenset({(MEMBER, 7)}))


async def test_of_very_much_nothing_is_kept_but_that_it_was(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_postgres, "MAXIMUM_PENDING", 100)
    async with _relays(address, 1) as [(_relay, hub)]:
        relay = Relay(connecting(address), Hub())
        relay.announce({(MEMBER, number) for number in range(101)})
        assert not relay._pending
        async with hub.subscribed((MEMBER, 5000)) as there:
            await relay.flush()
            assert await _heard(there) == Heard(may_lack=True)


async def test_a_frozen_database_is_given_up(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first connection answers nothing any more, without ending."""
    monkeypatch.setattr(live_postgres, "PATIENCE_SECONDS", 0.05)
    connect, connections = connecting(address), []

    class Frozen:
        """A connection whose statements are never answered."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        async def execute(self, *_arguments: Any) -> None:
            await asyncio.Event().wait()

    async def first_frozen() -> Any:
        connection = await connect()
        connections.append(connection)
        return Frozen(connection) if len(connections) == 1 else connection

    hub = Hub(hears_this_process=False)
    async with (
        hub.subscribed((MEMBER, 7)) as there,
        relaying(first_frozen, hub, keepalive_seconds=0.01),
    ):
        for _connection in range(2):
            assert await _heard(there) == Heard(may_lack=True)
    assert len(connections) >= 2
    assert connections[0].is_closed()


async def test_at_the_end_of_a_process_what_is_left_is_sent(address: Address) -> None:
    async with _relays(address, 1) as [(_relay, hub)], hub.subscribed((MEMBER, 7)) as there:
        async with relaying(connecting(address), Hub(), batch_seconds=PATIENCE_SECONDS) as other:
            await asyncio.wait_for(other.connected.wait(), PATIENCE_SECONDS)
            other.announce({(MEMBER, 7)})
        assert await _heard(there) == Heard(frozenset({(MEMBER, 7)}))


async def test_a_command_announces_what_it_changed(database_address: Address) -> None:
    async with AsyncExitStack() as stack:
        hub = Hub(hears_this_process=database_address.engine == "sqlite")
        if database_address.engine == "postgres":
            [(_relay, hub)] = await stack.enter_async_context(_relays(database_address, 1))
        there = await stack.enter_async_context(hub.subscribed((SESSION, 3)))
        await stack.enter_async_context(opened(database_address, pool_size=2))
        async with announcing(database_address), sql.transaction():
            changes.note(SESSION, 3)
        assert await _heard(there) == Heard(frozenset({(SESSION, 3)}))


async def test_without_a_database_to_reach_the_process_goes_on() -> None:
    nowhere = Address("postgres", "postgres://nobody@127.0.0.1:1/none")
    hub = Hub()
    async with carried(nowhere, hub), hub.subscribed((MEMBER, 7)) as there:
        hub.announce({(MEMBER, 7)})
        assert await _heard(there) == Heard(frozenset({(MEMBER, 7)}))


@given(st.sets(CHANGES, max_size=600))
def test_payloads_say_what_was_announced_and_are_short(announced: set[tuple[str, int]]) -> None:
    texts = payloads(announced)
    assert all(len(text.encode()) <= MAXIMUM_PAYLOAD_BYTES for text in texts)
    assert {change for text in texts for change in announced_in(text) or ()} == announced


def test_very_many_are_several_payloads() -> None:
    announced = {(MEMBER, 2**62 + number) for number in range(2000)}
    texts = payloads(announced)
    assert len(texts) > 1
    assert {change for text in texts for change in announced_in(text) or ()} == announced


@pytest.mark.parametrize("payload", ["*", "", "member", "member:", "member:x", "member:1;;"])
def test_a_payload_that_says_nothing_known_is_a_gap(payload: str) -> None:
    assert announced_in(payload) is None
