"""What a transaction notes is announced after its commit, once, and never without it."""

import asyncio
from collections.abc import Iterator

import pytest

from server.storage import changes, sql
from server.storage.changes import MEMBER, SESSION, Change
from server.storage.database import Address

Announced = list[frozenset[Change]]


@pytest.fixture
def announced() -> Iterator[Announced]:
    """What is announced during the test."""
    heard: Announced = []
    with changes.announced_to(heard.append):
        yield heard


@pytest.fixture
async def table(database: Address) -> None:
    async with sql.transaction():
        await sql.execute("CREATE TABLE noted (id BIGINT PRIMARY KEY)")


async def _write(number: int) -> None:
    await sql.execute("INSERT INTO noted (id) VALUES ($1)", number)


async def _written() -> list[int]:
    return [row[0] for row in await sql.fetch("SELECT id FROM noted ORDER BY id")]


async def _undone(number: int) -> None:
    """Note it in a transaction that is rolled back."""
    async with sql.transaction():
        changes.note(MEMBER, number)
        raise ZeroDivisionError


async def test_what_is_noted_is_announced_once_after_the_commit(
    table: None, announced: Announced
) -> None:
    async with sql.transaction():
        changes.note(MEMBER, 7)
        changes.note(MEMBER, 7)
        changes.note(SESSION, 7)
        await _write(1)
        assert announced == []
    assert announced == [{(MEMBER, 7), (SESSION, 7)}]


async def test_who_is_told_sees_what_was_committed(table: None) -> None:
    seen: list[asyncio.Task[list[int]]] = []

    def look(_changes: frozenset[Change]) -> None:
        seen.append(asyncio.create_task(_written()))

    with changes.announced_to(look):
        async with sql.transaction():
            await _write(1)
            changes.note(MEMBER, 7)
    assert [await each for each in seen] == [[1]]


async def test_nothing_is_announced_of_a_transaction_that_is_rolled_back(
    table: None, announced: Announced
) -> None:
    with pytest.raises(ZeroDivisionError):
        await _undone(7)
    assert announced == []


async def test_a_transaction_that_notes_nothing_announces_nothing(
    table: None, announced: Announced
) -> None:
    async with sql.transaction():
        await _write(1)
    assert announced == []


async def test_a_savepoint_is_announced_with_the_whole_transaction(
    table: None, announced: Announced
) -> None:
    async with sql.transaction():
        async with sql.transaction():
            changes.note(MEMBER, 1)
        with pytest.raises(ZeroDivisionError):
            await _undone(2)
        assert announced == []
        changes.note(MEMBER, 3)
    assert announced == [{(MEMBER, 1), (MEMBER, 3)}]


async def test_an_attempt_that_lost_a_race_announces_nothing(
    table: None, announced: Announced
) -> None:
    attempts = iter((1, 2))

    async def attempt() -> None:
        async with sql.transaction():
            number = next(attempts)
            changes.note(MEMBER, number)
            if number == 1:
                await _write(1)
                await _write(1)

    await sql.retried(attempt)
    assert announced == [{(MEMBER, 2)}]


async def test_what_tasks_of_the_transaction_note_is_announced(
    table: None, announced: Announced
) -> None:
    async def note(number: int) -> None:
        changes.note(MEMBER, number)

    async with sql.transaction(), asyncio.TaskGroup() as group:
        for number in (1, 2):
            group.create_task(note(number))
    assert announced == [{(MEMBER, 1), (MEMBER, 2)}]


async def test_who_is_interrupted_during_the_commit_announces_what_may_have_happened() -> None:
    def commit(*, is_complete: bool) -> None:
        with changes.announced() as noted:
            changes.note(MEMBER, 7)
            noted.is_complete = is_complete
            raise asyncio.CancelledError

    heard: Announced = []
    with changes.announced_to(heard.append):
        for is_complete in (False, True):
            assert heard == []
            with pytest.raises(asyncio.CancelledError):
                commit(is_complete=is_complete)
    assert heard == [{(MEMBER, 7)}]


async def test_a_listener_that_fails_disturbs_neither_the_writer_nor_the_others(
    table: None, announced: Announced
) -> None:
    def fail(_changes: frozenset[Change]) -> None:
        raise ZeroDivisionError

    heard: Announced = []
    with changes.announced_to(fail), changes.announced_to(heard.append):
        async with sql.transaction():
            await _write(1)
            changes.note(MEMBER, 7)
    assert await _written() == [1]
    assert announced == heard == [{(MEMBER, 7)}]


async def test_whatever_is_noted_costs_one_statement(table: None, announced: Announced) -> None:
    with sql.counted_statements() as statements:
        async with sql.transaction():
            changes.note(MEMBER, 7)
            changes.note(MEMBER, 8)
            changes.note(MEMBER, 7)
    assert [one.split()[0] for one in statements] == ["BEGIN", "INSERT", "COMMIT"]


async def test_outside_of_a_transaction_nothing_can_be_noted() -> None:
    with pytest.raises(AssertionError, match="inside the transaction"):
        changes.note(MEMBER, 7)
