"""Two writers who wait for each other on PostgreSQL: one is ended, and tries again."""

import asyncio

import pytest

from server.storage import sql
from server.storage.ids import new_id


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)  # SQLite has one writer at a time
async def test_who_is_ended_because_of_a_deadlock_tries_again(database: object) -> None:
    names = ["first", "second"]
    async with sql.transaction():
        for name in names:
            await sql.execute(
                sql.insert("shared_secrets", "id, name, value, created_at"), new_id(), name, "", 1
            )
    met, attempts = asyncio.Barrier(2), 0

    async def write(order: list[str], mark: str) -> None:
        nonlocal attempts
        attempts += 1
        async with sql.transaction():
            for name in order:
                await sql.execute(
                    "UPDATE shared_secrets SET value = value || $1 WHERE name = $2", mark, name
                )
                if name == order[0] and attempts <= len(names):
                    await met.wait()  # both have locked the row that the other wants next

    await asyncio.gather(
        sql.retried(lambda: write(names, "a")), sql.retried(lambda: write(names[::-1], "b"))
    )
    # Who tries again may take the row before who waits for it wakes, and so meet them once more.
    assert len(names) < attempts <= len(names) * sql.MAXIMUM_ATTEMPTS
    rows = await sql.fetch("SELECT value FROM shared_secrets ORDER BY name")
    assert ["".join(sorted(row[0])) for row in rows] == ["ab", "ab"]
