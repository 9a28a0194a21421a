"""Two processes on one PostgreSQL: what one commits, who follows in the other sees at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from server import clock
from server.integrations.live import hub
from server.integrations.live_postgres import connecting, relaying
from server.principal import Scope
from server.storage.database import Address
from tests.api.calling import Api, Caller, enrolled, purchase_input, shown
from tests.api.following import PATIENCE_SECONDS, followed
from tests.conftest import _postgres_database, run_apart
from tests.faults.apps import app, prepared
from tests.serving.servers import Server, ask, options_of, started

RECORD = """
mutation ($input: RecordPurchaseInput!) {
  recordPurchase(input: $input) { ... on RecordedPurchase { purchaseId } }
}
"""
SHOWN = "purchases { nodes { id } }"
ATTEMPTS = 5


@pytest.fixture
def address(postgres_server: str, postgres_template: str) -> Iterator[Address]:
    """A migrated PostgreSQL database."""
    with _postgres_database(postgres_server, template=postgres_template) as url:
        yield Address("postgres", url)


def _publish(address: Address) -> None:
    async def publish() -> None:
        async with app(address) as api:
            await prepared(api, "signOut")

    run_apart(publish())


@asynccontextmanager
async def _following(address: Address) -> AsyncIterator[tuple[Api, asyncio.Event]]:
    """This process as a server: the database, and announcements from and to the others."""
    async with app(address) as api, relaying(connecting(address), hub) as relay:
        await asyncio.wait_for(relay.connected.wait(), PATIENCE_SECONDS)
        yield api, relay.connected


async def _record(server: Server, till: Caller) -> tuple[str, float]:
    """A purchase in the other process: its id, and when it was answered."""
    purchase = purchase_input(occurredAt=shown(clock.now()))
    given = {"input": {"idempotencyKey": purchase["externalId"], "purchase": purchase}}
    told = await asyncio.to_thread(ask, server.url, RECORD, given, token=till.token)
    return told["recordPurchase"]["purchaseId"], time.monotonic()


async def test_a_commit_in_another_process_is_seen_within_a_second(
    address: Address, tmp_path: Path
) -> None:
    _publish(address)
    with started("--port", "0", *options_of(address), cwd=tmp_path) as server:
        delays = []
        async with _following(address) as (api, _connected):
            till = await api.key(*Scope)
            anna = await enrolled("anna", at=clock.now())
            async with followed(anna, SHOWN) as events:
                await events.next()
                for _ in range(ATTEMPTS):
                    recorded, answered_at = await _record(server, till)
                    seen = (await events.next())["purchases"]["nodes"]
                    delays.append(time.monotonic() - answered_at)
                    assert seen[0]["id"] == recorded
        assert server.stop() == 0
    # The machine may be busy with other things for a moment.
    assert sorted(delays)[ATTEMPTS // 2] < 1


async def test_what_was_committed_while_nobody_listened_is_seen_afterwards(
    address: Address, tmp_path: Path
) -> None:
    _publish(address)
    with started("--port", "0", *options_of(address), cwd=tmp_path) as server:
        assert server.url
        async with _following(address) as (api, connected):
            till = await api.key(*Scope)
            anna = await enrolled("anna", at=clock.now())
            async with followed(anna, SHOWN) as events:
                await events.next()
                await _all_listen(address)
                connected.clear()
                await _end_listeners(address)
                recorded, _answered_at = await _record(server, till)
                await asyncio.wait_for(connected.wait(), PATIENCE_SECONDS)
                assert (await events.next())["purchases"]["nodes"] == [{"id": recorded}]
        assert server.stop() == 0


_LISTENERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND application_name = 'laurel live'"
)


async def _all_listen(address: Address) -> None:
    """The other process listens too: it serves before it does."""
    connection = await asyncpg.connect(address.location)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            # The database tells nobody who is connected.
            while await connection.fetchval(f"SELECT COUNT(*) {_LISTENERS}") < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


async def _end_listeners(address: Address) -> None:
    """The database ends the connections that nothing but announcements go through."""
    connection = await asyncpg.connect(address.location)
    try:
        rows = await connection.fetch(f"SELECT pg_terminate_backend(pid) {_LISTENERS}")
        assert len(rows) == 2  # this process's and the other's
    finally:
        await connection.close()
