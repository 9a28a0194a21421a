import asyncio
import sqlite3

import asyncpg
import pytest

from server.clock import Instant, system_now
from server.storage import ids, sql
from server.storage.database import Address, opened
from server.storage.ids import new_id

REFUSED = (sqlite3.OperationalError, asyncpg.ReadOnlySQLTransactionError)


async def write(name: str) -> None:
    async with sql.transaction():
        await sql.execute(
            sql.insert("shared_secrets", "id, name, value, created_at"), new_id(), name, "x", 1
        )


async def names() -> list[str]:
    return [row[0] for row in await sql.fetch("SELECT name FROM shared_secrets ORDER BY name")]


async def test_a_snapshot_sees_one_moment_and_holds_up_nobody(database: object) -> None:
    await write("a")
    begun, written = asyncio.Event(), asyncio.Event()

    async def look() -> list[list[str]]:
        async with sql.snapshot():
            first = await names()
            begun.set()
            await written.wait()
            return [first, await names()]

    looking = asyncio.create_task(look())
    await begun.wait()
    await write("b")
    assert await names() == ["a", "b"]
    written.set()
    assert await looking == [["a"], ["a"]]
    async with sql.snapshot():
        assert await names() == ["a", "b"]


async def test_a_snapshot_writes_nothing(database: object) -> None:
    async with sql.snapshot():
        await names()
        with pytest.raises(REFUSED):
            await sql.execute("DELETE FROM shared_secrets")
    assert not sql.in_a_transaction()
    await write("a")
    assert await names() == ["a"]


async def test_tasks_read_from_one_snapshot_at_once(database: object) -> None:
    await write("a")
    begun = asyncio.Event()

    async def write_meanwhile() -> None:
        await begun.wait()
        await write("b")

    writing = asyncio.create_task(write_meanwhile())
    async with sql.snapshot():
        await names()
        begun.set()
        await writing
        assert await asyncio.gather(*(names() for _ in range(20))) == [["a"]] * 20
    assert await names() == ["a", "b"]


async def test_a_snapshot_inside_a_transaction_is_that_transaction(database: object) -> None:
    async with sql.transaction():
        await sql.execute(
            sql.insert("shared_secrets", "id, name, value, created_at"), new_id(), "own", "x", 1
        )
        async with sql.snapshot():
            assert await names() == ["own"]


async def test_one_is_alone_with_a_key_at_a_time(database: object, engine: str) -> None:
    async with sql.alone(1) as first, sql.alone(2) as other_key:
        assert (first, other_key) == (True, True)
        async with sql.alone(1) as second:
            assert second is (engine == "sqlite"), "SQLite has one process anyway"
    async with sql.alone(1) as again:
        assert again


async def test_a_pool_of_one_connection_never_waits_for_itself(database_address: Address) -> None:
    async with opened(database_address, pool_size=1), sql.alone(1) as is_alone:
        assert is_alone
        async with sql.snapshot():
            assert await names() == []


def test_the_time_of_an_id_is_told_to_the_millisecond() -> None:
    before = system_now()
    made = new_id()
    after = system_now()
    assert before - 1_000 < ids.instant_of(made) <= after
    assert ids.first_id_at(before) <= made
    assert ids.first_id_at(Instant(after + 1_000)) > made
    assert ids.first_id_at(Instant(0)) == 0
