"""Versions move with what was noted, in the same transaction, and are read as they are."""

import asyncio

import pytest

from server.storage import changes, sql, versions
from server.storage.gathering import Gathering


async def test_a_committed_transaction_takes_one_step_for_everything_it_noted(
    database: object,
) -> None:
    async with sql.transaction():
        changes.note(changes.MEMBER, 7)
        changes.note(changes.MEMBER, 7)
        changes.note(changes.SESSION, 8)
        changes.note(changes.PROGRAMME, 0)
    async with sql.transaction():
        changes.note(changes.MEMBER, 7)

    read = await versions.current([8, 7, changes.PROGRAMME_VERSION_ID, 9])

    assert read == (1, 2, 1, 0)


async def test_what_is_rolled_back_takes_no_step(database: object) -> None:
    async def fail(number: int) -> None:
        async with sql.transaction():
            changes.note(changes.MEMBER, number)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail(7)
    async with sql.transaction():
        changes.note(changes.MEMBER, 8)
        with pytest.raises(RuntimeError):
            await fail(9)

    assert await versions.current([7, 8, 9]) == (0, 1, 0)


async def test_what_a_savepoint_noted_moves_with_the_whole(database: object) -> None:
    async with sql.transaction():
        async with sql.transaction():
            changes.note(changes.MEMBER, 7)
        assert await versions.current([7]) == (0,)

    assert await versions.current([7]) == (1,)


async def test_who_asks_at_the_same_time_shares_a_statement(database: object) -> None:
    with sql.counted_statements() as statements:
        answers = await asyncio.gather(*(versions.current([number]) for number in range(1, 101)))

    assert answers == [(0,)] * 100
    assert len(statements) == 1


async def test_who_asks_while_a_statement_runs_is_answered_by_a_later_one() -> None:
    begun: list[set[int]] = []
    may_end = [asyncio.Event() for _ in range(4)]

    async def load(keys: object) -> dict[int, int]:
        assert isinstance(keys, list)
        begun.append(set(keys))
        number = len(begun)
        await may_end[number - 1].wait()
        return dict.fromkeys(keys, number)

    gathered: Gathering[int, int] = Gathering(load)
    first = asyncio.ensure_future(gathered.read([1]))
    await _turns()
    second = asyncio.ensure_future(gathered.read([1]))
    await _turns()
    later = [asyncio.ensure_future(gathered.read([one])) for one in (1, 2, 3)]
    await _turns()
    assert begun == [{1}, {1}]
    for event in may_end:
        event.set()

    assert [(await one)[1] for one in (first, second)] == [1, 2]
    assert [await one for one in later] == [{1: 3, 2: 3, 3: 3}] * 3


async def test_a_failure_is_told_to_all_who_asked_and_to_nobody_later() -> None:
    failing = True

    async def load(keys: object) -> dict[int, int]:
        assert isinstance(keys, list)
        if failing:
            raise OSError("the database is gone")
        return dict.fromkeys(keys, 1)

    gathered: Gathering[int, int] = Gathering(load)
    asked = [gathered.read([one]) for one in (1, 2)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    failing = False

    assert [type(answer) for answer in answers] == [OSError, OSError]
    assert await gathered.read([1]) == {1: 1}


async def test_one_who_goes_takes_nothing_from_the_others() -> None:
    may_end = asyncio.Event()

    async def load(keys: object) -> dict[int, int]:
        assert isinstance(keys, list)
        await may_end.wait()
        return dict.fromkeys(keys, 1)

    gathered: Gathering[int, int] = Gathering(load)
    gone, other = (asyncio.ensure_future(gathered.read([one])) for one in (1, 2))
    await _turns()
    gone.cancel()
    may_end.set()

    assert (await other)[2] == 1
    with pytest.raises(asyncio.CancelledError):
        await gone


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
