"""A write that takes too long is stopped and leaves nothing: its key can be used again at once."""

import asyncio

import msgspec
import pytest

from server.edge import idempotency
from server.storage import sql
from server.storage.database import Address

pytestmark = pytest.mark.usefixtures("database")
MARK = sql.insert("attempt_limits", "name_hash, used_up_until")
SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000)"
    " SELECT count(*) FROM n",
    "postgres": "SELECT pg_sleep(1)",
}


class Done(msgspec.Struct, frozen=True):
    number: int


async def write(name: str, *, statement: str | None = None, forever: bool = False) -> Done:
    async def work() -> Done:
        await sql.execute(MARK, name, 1)
        if statement is not None:
            await sql.fetch(statement)
        if forever:
            await asyncio.Event().wait()
        return Done(1)

    return await idempotency.once(
        scope="member:1/x", key="key", content="0" * 64, work=work, result=Done
    )


async def count(table: str) -> int:
    row = await sql.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608 - our tables
    assert row is not None
    return int(row[0])


async def test_a_write_that_waits_too_long_leaves_nothing() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await write("first", forever=True)
    assert await count("attempt_limits") == await count("idempotency_records") == 0
    assert await write("second") == Done(1)
    assert await count("attempt_limits") == await count("idempotency_records") == 1


async def test_so_does_one_whose_statement_takes_too_long(database: Address) -> None:
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await write("first", statement=SLOW[database.engine])
    assert await count("attempt_limits") == await count("idempotency_records") == 0
    assert await write("second") == Done(1)
    assert await count("attempt_limits") == 1


async def test_those_who_wait_behind_it_go_on() -> None:
    async def stopped() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await write("first", forever=True)

    _, *others = await asyncio.gather(stopped(), *(write("second") for _ in range(3)))
    assert others == [Done(1)] * 3
    assert await count("attempt_limits") == await count("idempotency_records") == 1


async def test_one_stopped_while_it_waits_for_another_leaves_nothing() -> None:
    release = asyncio.Event()

    async def holding() -> None:
        async with sql.transaction():
            await sql.execute(MARK, "holder", 1)
            await release.wait()

    holder = asyncio.create_task(holding())
    await asyncio.sleep(0)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await write("holder", forever=True)
    release.set()
    await holder
    assert await count("attempt_limits") == 1
    assert await count("idempotency_records") == 0
    assert await write("second") == Done(1)
