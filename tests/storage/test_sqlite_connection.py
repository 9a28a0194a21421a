"""Statements on SQLite: quick ones are done at once, and others hold up nobody."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from server.storage import sql
from server.storage.sqlite_connection import QUICK_SECONDS, Connection, Pace

SLOW = (
    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)"
    " SELECT COUNT(*) FROM numbers"
)


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    """Only on SQLite."""
    name: str = request.param
    return name


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each statement of the test ran where it was asked for."""
    seen: list[bool] = []
    note = Pace.note

    def noted(self: Pace, statement: str, seconds: float) -> None:
        seen.append(threading.current_thread() is threading.main_thread())
        note(self, statement, seconds)

    monkeypatch.setattr(Pace, "note", noted)
    return seen


async def test_a_quick_statement_is_done_at_once_when_it_is_known(
    database: object, threads: list[bool]
) -> None:
    for _ in range(3):
        assert await sql.fetch("SELECT 2") == [(2,)]
    assert threads == [False, True, True]
    async with sql.transaction():
        assert await sql.fetch("SELECT 2") == [(2,)]
    assert threads[3:] == [True]


async def test_a_slow_statement_holds_up_nobody(database: object, threads: list[bool]) -> None:
    for _ in range(3):
        assert await sql.fetch(SLOW, 100_000) == [(100_000,)]
    assert threads == [False] * 3


async def test_what_was_slow_is_not_believed_to_be_quick_at_once(
    database: object, threads: list[bool]
) -> None:
    for count in (100_000, 1, 1):
        assert await sql.fetch(SLOW, count) == [(count,)]
    assert threads == [False] * 3


def test_many_rows_are_as_slow_as_they_are_many() -> None:
    pace = Pace()
    assert not pace.is_quick("write")
    pace.note("write", QUICK_SECONDS / 10)
    assert pace.is_quick("write", 10)
    assert not pace.is_quick("write", 11)


def test_a_slow_statement_is_quick_again_after_many_times() -> None:
    pace = Pace()
    pace.note("read", QUICK_SECONDS * 1.5)
    times = 0
    while not pace.is_quick("read"):
        pace.note("read", QUICK_SECONDS / 2)
        times += 1
    assert times == 21


async def test_a_task_of_quick_statements_only_lets_others_go_on(database: object) -> None:
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    await sql.fetch("SELECT 1")
    task = asyncio.create_task(other())
    for _ in range(2_000):
        await sql.fetch("SELECT 1")
    task.cancel()
    assert others > 2


async def test_what_is_asked_while_the_thread_works_comes_after_it(tmp_path: Path) -> None:
    connection = Connection(str(tmp_path / "a"), Pace())
    await connection
    await connection.rows("SELECT 1", ())
    slow = asyncio.create_task(connection.rows(SLOW, (300_000,)))
    await asyncio.sleep(0)
    slow.cancel()
    done: list[str] = []
    connection.when_idle(lambda _connection: done.append("work"), lambda _e: done.append("then"))
    assert done == []
    assert await connection.rows("SELECT 1", ()) == [(1,)]
    assert done == ["work", "then"]
    with pytest.raises(asyncio.CancelledError):
        await slow
    await connection.close()


async def test_errors_are_told_wherever_it_runs(database: object) -> None:
    for _ in range(3):
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await sql.fetch("SELECT * FROM no_such")
