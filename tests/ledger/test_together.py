"""Several writers at once: nobody spends what another has spent."""

import asyncio

from server.errors import InsufficientPoints
from server.ledger import service as ledger
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import START, check_books, grant, granted, new_members, spend, take


async def test_two_who_spend_the_same_points_at_once_do_not_both_get_them(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(member, granted(100, at=START), granted(50, at=START), now=START)

    async def attempt() -> bool:
        try:
            await spend(member, 40, now=START)
        except InsufficientPoints:
            return False
        return True

    spent = await asyncio.gather(*(attempt() for _ in range(12)))
    assert spent.count(True) == 3
    assert (await ledger.balances([member], START))[member, POINTS].available == 30
    await check_books()


async def test_writers_for_several_members_wait_for_each_other_without_a_deadlock(
    database: Address,
) -> None:
    ids = await new_members(4)
    for member in ids:
        await grant(member, granted(1000, at=START), now=START)

    async def write(turn: int) -> None:
        mine = ids[turn % 4 :] + ids[: turn % 4]  # named in another order each time
        async with sql.transaction(), ledger.journal(mine, [POINTS], recorded_at=START) as opened:
            for member in mine:
                await take(opened, member, 10)
                opened.grant(member, granted(1, at=START))

    await asyncio.gather(*(write(turn) for turn in range(16)))
    balances = await ledger.balances(ids, START)
    assert {balances[id_, POINTS].available for id_ in ids} == {1000 - 160 + 16}
    await check_books()


async def test_an_account_that_several_open_at_once_is_one_account(database: Address) -> None:
    [member] = await new_members(1)
    await asyncio.gather(*(grant(member, granted(1, at=START), now=START) for _ in range(8)))
    assert (await ledger.balances([member], START))[member, POINTS].granted_total == 8
    await check_books()
