"""A PostgreSQL that hangs holds nobody for ever, and is used again as soon as it answers."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from server.storage import postgres, sql
from server.storage.database import Address, Patience, opened
from server.storage.postgres import Unanswered
from tests.faults.own_postgres import OwnPostgres, own_postgres
from tests.postgres import create_database, drop_database

PATIENCE = Patience(acquire_seconds=1, statement_seconds=1, idle_seconds=60)
SECONDS_TO_TELL = 8.0  # on a busy machine; without patience it is a minute and more


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPostgres]:
    """A server that only these tests use."""
    with own_postgres() as server:
        yield server


@pytest.fixture
async def hanging(own: OwnPostgres) -> AsyncIterator[OwnPostgres]:
    """The server, opened with little patience and with one connection made."""
    async with opened(Address("postgres", own.url), pool_size=2, patience=PATIENCE):
        await sql.fetch("SELECT 1")
        yield own


@contextmanager
def frozen(server: OwnPostgres) -> Iterator[None]:
    """Within the block none of the server's processes runs, though its connections stay."""
    first = server.process
    others = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    processes = [first, *map(int, others)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


async def reading() -> None:
    await sql.fetch("SELECT 1")


async def in_a_transaction() -> None:
    async with sql.transaction():
        await sql.execute("SELECT 1")


async def in_a_snapshot() -> None:
    async with sql.snapshot():
        await sql.fetch("SELECT 1")


async def all_at_once() -> None:
    answers = await asyncio.gather(*(reading() for _ in range(5)), return_exceptions=True)
    raise next(one for one in answers if isinstance(one, Exception))


@pytest.mark.parametrize("work", [reading, in_a_transaction, in_a_snapshot, all_at_once])
async def test_whoever_asks_is_told_and_it_recovers(
    hanging: OwnPostgres, work: Callable[[], Awaitable[None]]
) -> None:
    with frozen(hanging):
        for _ in range(2):  # on a connection that there was, and on one to be made
            async with asyncio.timeout(SECONDS_TO_TELL):
                with pytest.raises(Unanswered) as told:
                    await work()
            assert sql.is_unavailable(told.value)
    for _ in range(3):
        await reading()
        await in_a_transaction()


async def test_a_transaction_that_is_broken_off_ends_though_the_server_does_not_say_so(
    hanging: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ENDING_SECONDS", 0.5)
    loop = asyncio.get_running_loop()
    start = loop.time()
    with ExitStack() as thawed_at_its_end, pytest.raises(TimeoutError) as told:
        await broken_off(hanging, thawed_at_its_end)
    assert loop.time() - start < SECONDS_TO_TELL
    assert not sql.is_unavailable(told.value)  # it was the work's own limit
    await in_a_transaction()


async def broken_off(server: OwnPostgres, stack: ExitStack) -> None:
    async with asyncio.timeout(0.5), sql.transaction():
        stack.enter_context(frozen(server))
        await sql.execute("SELECT 1")


async def test_a_pool_without_a_free_connection_is_unavailable(hanging: OwnPostgres) -> None:
    async with sql.snapshot():
        await reading()
        has_begun = asyncio.Event()
        other = asyncio.create_task(in_a_long_snapshot(has_begun))
        third = asyncio.create_task(waiting_third(has_begun))
        with pytest.raises(Unanswered):
            await third
        other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    await reading()


async def in_a_long_snapshot(has_begun: asyncio.Event) -> None:
    sql._transaction.set(None)
    async with sql.snapshot():
        await sql.fetch("SELECT 1")
        has_begun.set()
        await asyncio.sleep(60)


async def waiting_third(other_has_begun: asyncio.Event) -> None:
    sql._transaction.set(None)
    await other_has_begun.wait()
    async with sql.snapshot():
        await sql.fetch("SELECT 1")


async def test_a_statement_that_takes_too_long_is_given_up(hanging: OwnPostgres) -> None:
    with pytest.raises(Unanswered):
        await sql.fetch("SELECT pg_sleep(30)")
    with pytest.raises(Unanswered):
        async with sql.transaction():
            await sql.fetch("SELECT pg_sleep(30)")
    await in_a_transaction()


async def test_commands_may_take_their_time(postgres_server: str) -> None:
    url = create_database(postgres_server)
    try:
        async with opened(Address("postgres", url)):
            assert await sql.fetch("SHOW statement_timeout") == [("0",)]
            assert await sql.fetch("SHOW idle_in_transaction_session_timeout") == [("0",)]
        async with opened(Address("postgres", url), patience=Patience()):
            assert await sql.fetch("SHOW statement_timeout") == [("20s",)]
            assert await sql.fetch("SHOW idle_in_transaction_session_timeout") == [("2min",)]
    finally:
        drop_database(url)


def test_ones_own_time_limit_is_no_fault_of_the_database() -> None:
    assert not sql.is_unavailable(TimeoutError())
    assert sql.is_unavailable(TimeoutError(110, "Connection timed out"))
    assert sql.is_unavailable(ConnectionRefusedError())
