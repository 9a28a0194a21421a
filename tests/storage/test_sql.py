import asyncio
import sqlite3

import asyncpg
import pytest
from tortoise.exceptions import OperationalError

from server.storage import sql
from server.storage.ids import new_id
from server.storage.secrets import SharedSecret
from tests.storage.rows import fill

TAKEN = (sqlite3.IntegrityError, asyncpg.UniqueViolationError)


async def write(name: str, value: str = "x") -> None:
    await sql.execute(
        sql.insert("shared_secrets", "id, name, value, created_at"), new_id(), name, value, 1
    )


async def names() -> list[str]:
    return [row[0] for row in await sql.fetch("SELECT name FROM shared_secrets ORDER BY name")]


@pytest.mark.parametrize("turn", range(2))
async def test_the_orm_and_sql_see_the_same_on_each_engine_in_turn(
    database: object, turn: int
) -> None:
    await SharedSecret.create(id=new_id(), name="orm", value="x", created_at=turn)
    async with sql.transaction():
        await write("sql")
        assert await SharedSecret.all().count() == 2
    assert await names() == ["orm", "sql"]
    assert (await SharedSecret.get(name="orm")).created_at == turn
    await SharedSecret.filter(name="sql").update(value="y")
    assert await sql.fetch_one("SELECT value FROM shared_secrets WHERE name = $1", "sql") == ("y",)


async def test_rows_equal_tuples_wherever_they_are_read(database: object) -> None:
    async with sql.transaction():
        await write("a")
        assert await sql.fetch("SELECT name, value FROM shared_secrets") == [("a", "x")]
    assert await sql.fetch("SELECT name, value FROM shared_secrets") == [("a", "x")]


async def test_tasks_without_a_transaction_read_what_is_committed(database: object) -> None:
    begun, done = asyncio.Event(), asyncio.Event()

    async def writer() -> None:
        async with sql.transaction():
            await write("a")
            begun.set()
            await done.wait()

    task = asyncio.create_task(writer())
    await begun.wait()
    assert await names() == []
    done.set()
    await task
    assert await names() == ["a"]


async def test_an_exception_undoes_the_transaction(database: object) -> None:
    async def fail() -> None:
        async with sql.transaction():
            await write("a")
            assert sql.in_a_transaction()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert not sql.in_a_transaction()
    assert await names() == []


async def test_a_nested_transaction_is_undone_alone(database: object) -> None:
    async def fail() -> None:
        async with sql.transaction():
            await write("undone")
            await write("kept")

    async with sql.transaction():
        await write("kept")
        with pytest.raises(TAKEN):
            await fail()
        async with sql.transaction():
            await write("kept too")
    assert await names() == ["kept", "kept too"]


async def test_a_cancelled_transaction_is_undone_and_others_go_on(database: object) -> None:
    async def writer(name: str) -> None:
        async with sql.transaction():
            await write(name)
            await asyncio.sleep(0.005)

    # Wherever they are when it comes: waiting, beginning, writing, committing.
    for steps in range(40):
        task = asyncio.create_task(writer(f"{steps:02}"))
        for _ in range(steps):
            await asyncio.sleep(0)
        await asyncio.sleep(0.0001 * steps)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with sql.transaction():
            await write(f"after {steps:02}")
    after = [name for name in await names() if name.startswith("after")]
    assert len(after) == 40
    if sql.engine() == "postgres":
        pool = sql._client()._pool
        assert pool.get_idle_size() == pool.get_size()  # every connection was given back


async def test_a_write_outside_of_a_transaction_is_refused(database: object) -> None:
    with pytest.raises(OperationalError, match="outside of a transaction"):
        await write("a")
    with pytest.raises(OperationalError, match="outside of a transaction"):
        await sql.execute_many("DELETE FROM shared_secrets WHERE id = $1", [(1,)])


async def test_a_lost_race_is_tried_again(database: object) -> None:
    attempts: list[str] = []
    met = asyncio.Barrier(2) if sql.engine() == "postgres" else None

    async def make(value: str) -> str:
        async with sql.transaction():
            attempts.append(value)
            found = await sql.fetch_one("SELECT value FROM shared_secrets WHERE name = 'once'")
            if found is not None:
                return str(found[0])
            if met is not None:
                await met.wait()  # both have seen that it isn't there
            await write("once", value)
            return value

    answers = await asyncio.gather(
        sql.retried(lambda: make("first")), sql.retried(lambda: make("second"))
    )
    assert len(set(answers)) == 1
    assert len(attempts) == (3 if met is not None else 2)


async def test_a_refusal_that_stays_is_raised_in_the_end(database: object) -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        async with sql.transaction():
            await write("a")
            await write("a")

    with pytest.raises(TAKEN):
        await sql.retried(work)
    assert attempts == sql.MAXIMUM_ATTEMPTS
    assert await names() == []


async def test_execute_tells_the_number_of_changed_rows(database: object) -> None:
    async with sql.transaction():
        await sql.execute_many(
            sql.insert("shared_secrets", "id, name, value, created_at"),
            [(number, f"{number}", "x", 1) for number in range(5)],
        )
        await sql.execute_many("DELETE FROM shared_secrets WHERE id = $1", [])
        changed = "UPDATE shared_secrets SET value = $2 WHERE id < $1"
        assert await sql.execute(changed, 3, "y") == 3
        assert await sql.execute(changed, 0, "z") == 0
        values = sql.padded([4, 2, 0, 2])
        query = f"DELETE FROM shared_secrets WHERE id IN ({sql.placeholders(len(values))})"  # noqa: S608
        assert await sql.execute(query, *values) == 3


async def test_a_placeholder_may_be_used_twice_and_out_of_order(database: object) -> None:
    query = "SELECT CAST($2 AS BIGINT), CAST($1 AS BIGINT), CAST($2 AS BIGINT)"
    assert await sql.fetch_one(query, 1, 2) == (2, 1, 2)


async def test_statements_are_counted_in_their_own_task(database: object) -> None:
    with sql.counted_statements() as statements:
        async with sql.transaction():
            await write("a")
        await names()
    assert len(statements) == 4
    assert statements[0] == "BEGIN"
    assert statements[2] == "COMMIT"


def test_an_in_list_has_few_lengths() -> None:
    assert [len(sql.padded(range(count))) for count in (1, 2, 3, 4, 5, 9)] == [1, 2, 4, 4, 8, 16]
    assert sql.padded(["b", "a", "c", "a"]) == ["a", "b", "c", "c"]
    with pytest.raises(ValueError, match="at least one"):
        sql.padded([])


async def test_the_rows_of_the_fixture_are_valid(database: object) -> None:
    await fill()
