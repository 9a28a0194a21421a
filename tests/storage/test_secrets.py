"""Shared secrets: made once for all processes, read once by each."""

import asyncio

import pytest

from server.storage import secrets, sql
from server.storage.database import Address, opened
from server.storage.secrets import claimed_secret, shared_secret


async def stored() -> list[tuple[str, str]]:
    rows = await sql.fetch("SELECT name, value FROM shared_secrets ORDER BY name")
    return [(row[0], row[1]) for row in rows]


async def test_a_secret_is_made_once_and_kept(database: Address) -> None:
    value = await shared_secret("one")
    assert len(value) == 32
    assert await stored() == [("one", value.hex())]
    with sql.counted_statements() as statements:
        assert await shared_secret("one") == value
    assert statements == []
    secrets._known.clear()
    assert await shared_secret("one") == value


async def test_each_name_is_another_secret(database: Address) -> None:
    assert await shared_secret("one") != await shared_secret("two")
    assert [name for name, _ in await stored()] == ["one", "two"]


async def test_processes_that_start_at_once_share_a_secret(database: Address) -> None:
    async def started() -> bytes:
        async with sql.transaction():  # each with its own claim, as if none had been found
            value = await claimed_secret("one")
            await asyncio.sleep(0.01)
            return value

    values = await asyncio.gather(*(started() for _ in range(4)), shared_secret("one"))
    assert len(set(values)) == 1
    assert await stored() == [("one", values[0].hex())]


async def test_a_secret_made_in_a_transaction_that_fails_is_forgotten(database: Address) -> None:
    async def fail() -> None:
        async with sql.transaction():
            await shared_secret("one")
            raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await fail()
    value = await shared_secret("one")
    assert await stored() == [("one", value.hex())]


async def test_another_database_has_other_secrets(database_address: Address) -> None:
    async with opened(database_address):
        value = await shared_secret("one")
        async with sql.transaction():
            await sql.execute("DELETE FROM shared_secrets")
    async with opened(database_address):  # as good as another one
        assert await shared_secret("one") != value
