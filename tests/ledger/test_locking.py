"""Writers for one member wait for each other, and lock the accounts of several in one order."""

import random

import pytest

from server.errors import InsufficientPoints
from server.ledger import service as ledger
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import START, check_books, grant, granted, new_members, take
from tests.waiting import behind

# SQLite has one writer at a time.
pytestmark = pytest.mark.parametrize("engine", ["postgres"], indirect=True)


async def spend(member: int, amount: int) -> None:
    """In the present transaction."""
    async with ledger.journal([member], [POINTS], recorded_at=START) as journal:
        await take(journal, member, amount)


async def test_who_waits_reads_what_the_other_has_left_and_needs_no_second_attempt(
    database: Address,
) -> None:
    [member] = await new_members(1)
    await grant(member, granted(100, at=START), now=START)
    attempts: list[int] = []

    async def wait_and_spend(amount: int) -> None:
        attempts.append(amount)
        await spend(member, amount)

    answers = await behind(
        lambda: spend(member, 60), lambda: wait_and_spend(60), lambda: wait_and_spend(40)
    )
    assert isinstance(answers[0], InsufficientPoints)
    assert answers[0].available in (40, 0)
    assert sorted(attempts) == [40, 60]
    assert (await ledger.balances([member], START))[member, POINTS].available == 0
    await check_books()


async def test_who_waits_for_the_first_account_has_locked_no_other(database: Address) -> None:
    members = await new_members(24)
    async with sql.transaction(), ledger.journal(members, [POINTS], recorded_at=START):
        pass
    rows = await sql.fetch("SELECT member_id FROM ledger_accounts ORDER BY id")
    first, *others = [row[0] for row in rows]
    drawn = random.Random(0)

    async def open_all() -> None:
        named = drawn.sample(members, len(members))
        async with ledger.journal(named, [POINTS], recorded_at=START):
            pass

    async def free() -> None:
        async with sql.transaction():
            rows = await sql.fetch(
                "SELECT member_id FROM ledger_accounts ORDER BY id FOR UPDATE SKIP LOCKED"
            )
        assert [row[0] for row in rows] == others

    async def open_first() -> None:
        async with ledger.journal([first], [POINTS], recorded_at=START):
            pass

    for _ in range(3):
        await behind(open_first, open_all, meanwhile=free)
