import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tortoise.exceptions import OperationalError

from server.storage import sql
from server.storage.database import Address, CannotOpen, FileLock, opened
from server.storage.ids import new_id
from server.storage.sqlite import DurableSqliteClient

ROOT = Path(__file__).parents[2]


@pytest.fixture
def closed_file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A migrated SQLite file that nobody has opened."""
    return Path(shutil.copy(sqlite_template, tmp_path / "laurel.sqlite3"))


@pytest.fixture
async def file(closed_file: Path) -> AsyncIterator[Path]:
    """A migrated SQLite file, open in this process."""
    async with opened(Address("sqlite", str(closed_file))):
        yield closed_file


async def pragma(name: str) -> object:
    row = await sql.fetch_one(f"PRAGMA {name}")
    assert row is not None
    value: object = row[0]
    return value


async def test_the_writer_is_durable_and_minds_its_keys(file: Path) -> None:
    async with sql.transaction():
        assert await pragma("journal_mode") == "wal"
        assert await pragma("synchronous") == 2  # FULL
        assert await pragma("foreign_keys") == 1
        assert await pragma("recursive_triggers") == 1
        assert await pragma("query_only") == 0
        assert await pragma("busy_timeout") == 5_000


async def test_readers_only_read(file: Path) -> None:
    for _ in range(4):  # all of them get their turn
        assert await pragma("query_only") == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await sql.fetch("DELETE FROM members")


async def test_a_long_write_blocks_no_read(file: Path) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def write_long() -> None:
        async with sql.transaction():
            await insert("a")
            begun.set()
            await may_end.wait()

    writer = asyncio.create_task(write_long())
    await begun.wait()
    counts = await asyncio.wait_for(asyncio.gather(*(count() for _ in range(10))), 60)
    may_end.set()
    await writer

    assert counts == [0] * 10
    assert await count() == 1


async def insert(name: str) -> None:
    await sql.execute(
        sql.insert("shared_secrets", "id, name, value, created_at"), new_id(), name, "0", 1
    )


async def count() -> int:
    row = await sql.fetch_one("SELECT COUNT(*) FROM shared_secrets")
    assert row is not None
    return int(row[0])


async def test_reading_and_then_writing_never_loses_a_race(file: Path) -> None:
    async with sql.transaction():
        await insert("counter")

    async def add(client: DurableSqliteClient) -> None:
        for _ in range(25):
            async with client._in_transaction() as transaction:
                _, rows = await transaction.execute_query("SELECT value FROM shared_secrets")
                await asyncio.sleep(0)
                new = str(int(rows[0][0]) + 1)
                await transaction.execute_query("UPDATE shared_secrets SET value = ?", [new])

    # As two processes would have them, were there no lock.
    clients = [DurableSqliteClient(str(file), connection_name=name) for name in ("first", "second")]
    await asyncio.gather(*(add(client) for client in clients))
    for client in clients:
        await client.close()

    row = await sql.fetch_one("SELECT value FROM shared_secrets")
    assert row == ("50",)


async def test_a_transaction_that_cannot_start_gives_its_lock_back(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.sqlite.BUSY_TIMEOUT_MILLISECONDS", 1)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        with pytest.raises(OperationalError, match="locked"):
            async with sql.transaction():
                pytest.fail("it has begun")
    other.execute("ROLLBACK")
    other.close()

    async with sql.transaction():
        await insert("a")
    assert await count() == 1


OPEN = """
import asyncio, sys
from server.storage import sql
from server.storage.database import Address, CannotOpen, opened

async def main():
    try:
        async with opened(Address("sqlite", sys.argv[1]), writable=sys.argv[2] == "writable"):
            print(await sql.fetch("SELECT COUNT(*) FROM members"))
    except CannotOpen as error:
        print(error)

asyncio.run(main())
"""


async def said_by_another_process(file: Path, mode: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OPEN, file, mode),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode().strip()


async def test_a_second_process_is_told_who_writes_already(file: Path) -> None:
    assert await said_by_another_process(file, "writable") == (
        f"the database {file} is in use by process {os.getpid()}; stop it first,"
        " or run Laurel on PostgreSQL for more than one process"
    )
    assert await said_by_another_process(file, "read only") == "[(0,)]"


async def test_the_lock_goes_with_its_process(closed_file: Path) -> None:
    for _ in range(2):
        assert await said_by_another_process(closed_file, "writable") == "[(0,)]"


def test_a_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a"), FileLock(tmp_path / "a")
    first.acquire()
    with pytest.raises(CannotOpen, match="in use"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    second.release()
