"""What pooling means: each keeps their own lots, and those who may spend take from all."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from server.clock import NEVER, Instant
from server.errors import DomainError, InsufficientPoints, NotAllowed
from server.households import service
from server.ledger import service as ledger
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import DAY, NOW
from tests.households.living import (
    CONTRIBUTOR,
    OWNER,
    SPENDER,
    available,
    founded,
    invited,
    people,
    publish,
    roles,
    spend_pooled,
    written,
)
from tests.ledger.books import check_books, grant, granted

SOON, LATER = Instant(NOW + DAY), Instant(NOW + 9 * DAY)


@pytest.fixture(autouse=True)
async def programme(database: Address) -> None:
    """Of these tests: nobody waits."""
    await publish({("households",): {"maximum_members": 3, "rejoin_wait_days": 0}})


async def test_what_expires_first_is_spent_first_whosever_it_is(database: Address) -> None:
    anna, bob, carl = await people(0, 0, 0)
    await grant(anna, granted(10, at=NOW, expires_at=LATER), granted(5, at=NOW), now=NOW)
    await grant(bob, granted(10, at=NOW, expires_at=SOON), now=NOW)
    await grant(carl, granted(10, at=NOW, available_at=SOON, expires_at=LATER), now=NOW)
    await founded(anna, (bob, SPENDER), (carl, CONTRIBUTOR))
    await written(lambda: spend_pooled(anna, 4))
    assert await available(anna, bob, carl) == [15, 6, 0]
    await written(lambda: spend_pooled(bob, 12))
    assert await available(anna, bob, carl) == [9, 0, 0]
    with pytest.raises(InsufficientPoints) as refusal:
        await written(lambda: spend_pooled(bob, 10))
    assert refusal.value.available == 9
    await check_books()


async def test_who_leaves_takes_exactly_what_is_left_of_theirs(database: Address) -> None:
    anna, bob = await people(100, 100)
    await grant(bob, granted(30, at=NOW, expires_at=SOON), now=NOW)
    await founded(anna, (bob, CONTRIBUTOR))
    lots = "SELECT id, member_id, amount, expires_at FROM lots ORDER BY id"
    before = await sql.fetch(lots)
    await written(lambda: spend_pooled(anna, 20))
    await written(lambda: service.leave(bob, now=NOW))
    assert await available(anna, bob) == [100, 110]
    with pytest.raises(InsufficientPoints):
        await written(lambda: spend_pooled(anna, 101))
    assert await sql.fetch(lots) == before  # no lot came or went
    await check_books()


async def test_what_is_given_back_goes_to_whom_it_came_from(database: Address) -> None:
    anna, bob = await people(50, 0)
    await grant(bob, granted(30, at=NOW, expires_at=SOON), now=NOW)
    await founded(anna, (bob, CONTRIBUTOR))
    reference = await written(lambda: spend_pooled(anna, 40))
    assert await available(anna, bob) == [40, 0]
    await written(lambda: service.leave(bob, now=NOW))

    async def give_back() -> None:
        async with ledger.journal([anna, bob], [POINTS], recorded_at=NOW) as journal:
            await ledger.restore(
                journal,
                reference,
                40,
                side=ledger.Side.REDEEMED,
                rule="return",
                restored_by=reference,
                grace_expires_at=NEVER,
            )

    await written(give_back)
    assert await available(anna, bob) == [50, 30]
    assert (await ledger.balances([bob], SOON))[bob, POINTS].available == 0
    await check_books()


async def test_what_one_owes_is_taken_off_what_all_can_spend(database: Address) -> None:
    anna, bob = await people(50, 0)
    cause = ledger.Cause(ledger.Reason.RECALL, "return", None)

    async def owe() -> None:
        async with ledger.journal([bob], [POINTS], recorded_at=NOW) as journal:
            journal.owe(bob, POINTS, 20, version=1, cause=cause)

    await written(owe)
    await founded(anna, (bob, CONTRIBUTOR))
    with pytest.raises(InsufficientPoints) as refusal:
        await written(lambda: spend_pooled(anna, 31))
    assert refusal.value.available == 30


# ---------------------------------------------------------------- at once


async def test_two_who_join_at_once_do_not_both_get_the_last_place(database: Address) -> None:
    anna, bob, *others = await people(0, 0, 0, 0, 0, 0)
    await founded(anna, (bob, SPENDER))
    codes = [await invited(anna) for _ in others]

    async def join(member: int, code: str) -> bool:
        try:
            await written(lambda: service.join(member, code, now=NOW))
        except DomainError:
            return False
        return True

    came = await asyncio.gather(*(join(*pair) for pair in zip(others, codes, strict=True)))
    assert came.count(True) == 1
    assert len(await roles(anna) or ()) == 3


async def test_a_code_that_two_use_at_once_lets_one_in(database: Address) -> None:
    anna, bob, carl = await people(0, 0, 0)
    await founded(anna)
    code = await invited(anna)

    async def join(member: int) -> bool:
        try:
            await written(lambda: service.join(member, code, now=NOW))
        except DomainError:
            return False
        return True

    assert sorted(await asyncio.gather(join(bob), join(carl))) == [False, True]


@pytest.mark.parametrize("way", ["leave", "dissolve", "hand over"])
async def test_an_owner_who_goes_while_another_joins_leaves_no_household_without_one(
    database: Address, way: str
) -> None:
    for _ in range(6):
        anna, bob, carl = await people(0, 0, 0)
        await founded(anna, (bob, OWNER))
        code = await invited(anna, SPENDER)
        ways: dict[str, Callable[[int], Awaitable[Any]]] = {
            "leave": lambda member: service.leave(member, now=NOW),
            "dissolve": lambda member: service.dissolve(member, now=NOW),
            "hand over": lambda member: service.change_role(member, SPENDER, by=member, now=NOW),
        }

        async def attempt(member: int) -> None:
            with suppress(NotAllowed):
                await written(lambda: ways[way](member))  # noqa: B023 - awaited in this turn

        async def join() -> None:
            with suppress(DomainError):
                await written(lambda: service.join(carl, code, now=NOW))  # noqa: B023

        await asyncio.gather(attempt(anna), join(), attempt(bob))
        for member in (anna, bob, carl):
            present = await roles(member)
            assert present is None or OWNER in present.values()
        rows = await sql.fetch(
            "SELECT COUNT(*) FROM household_members s JOIN households h ON h.id = s.household_id"
            " WHERE s.left_at IS NULL AND h.dissolved_at IS NOT NULL"
        )
        assert rows[0][0] == 0


async def test_nothing_of_who_leaves_at_once_is_spent_after(database: Address) -> None:
    anna, bob = await people(0, 100)
    await founded(anna, (bob, CONTRIBUTOR))
    spent: list[int] = []

    async def shop() -> None:
        for _ in range(10):
            try:
                await written(lambda: spend_pooled(anna, 10))
                spent.append(10)
            except InsufficientPoints as refusal:
                assert refusal.available == 0  # noqa: PT017 - of a loop

    async def leave() -> int:
        await asyncio.sleep(0.01)

        async def work() -> int:
            await service.leave(bob, now=NOW)
            return (await ledger.balances([bob], NOW))[bob, POINTS].available

        return await written(work)

    _, taken_along = await asyncio.gather(shop(), leave())
    assert await available(bob) == [taken_along] == [100 - sum(spent)]
    await check_books()
