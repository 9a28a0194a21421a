"""What becomes of a hold that is settled or released, where returns and clocks have their say."""

import pytest

from server.clock import NEVER
from server.ledger import service as ledger
from server.ledger.errors import HoldResolved
from server.ledger.service import Cause, Reason, ReturnPolicy, Side
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from tests.ledger.books import START, book, check_books, granted, new_members
from tests.ledger.test_undoing import after, balance, hold, lot_of, undo


async def given_up(member: int, hold_id: int, settled: int) -> None:
    """Settles so much of the hold at START, or releases it."""
    cause = Cause(Reason.PAYMENT, "payment", 7)
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as opened:
        if settled:
            await ledger.settle(opened, hold_id, settled, side=Side.REDEEMED, cause=cause)
        else:
            await ledger.release(opened, hold_id)


async def held_and_let_go(member: int) -> tuple[int, int]:
    """A hold of all 100 points of a grant, 60 of which are then undone; the hold and its lot."""
    lot = await lot_of(member, granted(100, at=START))
    hold_id = await hold(member, 100, until=NEVER)
    taken_back = await undo(member, lot, 60, policy=ReturnPolicy.WITHIN_BALANCE)
    assert (taken_back.amount, taken_back.not_recovered) == (60, 60)
    return hold_id, lot


@pytest.mark.parametrize(("settled", "withheld"), [(0, 60), (30, 60), (80, 20), (100, 0)])
async def test_what_a_return_let_go_as_held_is_taken_when_the_hold_is_given_up(
    database: Address, settled: int, withheld: int
) -> None:
    [member] = await new_members(1)
    hold_id, lot = await held_and_let_go(member)
    await given_up(member, hold_id, settled)
    found = await balance(member, START)
    assert (found.available, found.reversed_total) == (100 - settled - withheld, withheld)
    row = await sql.fetch_one("SELECT recalled, let_go FROM lots WHERE id = $1", lot)
    assert row is not None
    assert tuple(row) == (60, 60 - withheld)
    await check_books()


@pytest.mark.parametrize("settled", [0, 40])
async def test_a_hold_that_a_faster_clock_saw_expire_is_over_for_a_slower_one(
    database: Address, settled: int
) -> None:
    [member] = await new_members(1)
    await lot_of(member, granted(100, at=START))
    hold_id = await hold(member, 40, until=after(1))
    await book(member, now=after(2))
    with pytest.raises(HoldResolved) as refused:
        await given_up(member, hold_id, settled)
    assert refused.value.facts["status"] == "EXPIRED"
    assert (await ledger.find_holds([hold_id]))[hold_id].resolution is None
    assert (await balance(member, after(2))).available == 100
    await check_books()
