"""What ends with an instant ends there, and a part is a part: of a hold, a grant, a use."""

import pytest

from server.clock import Instant
from server.ledger import service as ledger
from server.ledger.errors import HoldResolved
from server.ledger.service import Cause, HoldStatus, Reason, ReturnPolicy, Side, Undone
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from server.storage.ids import new_id
from tests.ledger.books import DAY, START, book, check_books, grant, granted, new_members

END = Instant(START + DAY)


async def hold(member: int, amount: int) -> int:
    """A hold until END; its id."""
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as journal:
        made = await ledger.hold(
            journal, member, POINTS, amount, by=member, purpose="till", expires_at=END
        )
    return made.id


async def resolve(member: int, hold_id: int, amount: int, *, now: Instant) -> None:
    """Settles the amount, or releases the hold for 0."""
    cause = Cause(Reason.PAYMENT, "payment", new_id())
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=now) as journal:
        if amount:
            await ledger.settle(journal, hold_id, amount, side=Side.REDEEMED, cause=cause)
        else:
            await ledger.release(journal, hold_id)


@pytest.mark.parametrize("amount", [6, 0], ids=["settled", "released"])
async def test_a_hold_is_resolved_until_just_before_its_end(database: Address, amount: int) -> None:
    [member] = await new_members(1)
    await grant(member, granted(20, at=START), now=START)
    first, second = await hold(member, 10), await hold(member, 10)
    for now in (END, Instant(END + DAY)):
        with pytest.raises(HoldResolved) as caught:
            await resolve(member, second, amount, now=now)
        assert caught.value.status == HoldStatus.EXPIRED
        found = await ledger.find_holds([second])
        assert (found[second].resolution, found[second].settled_amount) == (None, 0)
    await resolve(member, first, amount, now=Instant(END - 1))
    after = (await ledger.balances([member], END))[member, POINTS]
    assert (after.available, after.held, after.redeemed_total) == (20 - amount, 0, amount)
    await check_books()


async def test_who_writes_at_an_instant_books_what_ends_with_it(database: Address) -> None:
    [member] = await new_members(1)
    await grant(member, granted(5, at=START), granted(3, at=START, expires_at=END), now=START)
    await hold(member, 4)  # all that lapses, and 1 of the other
    for now, booked in ((Instant(END - 1), []), (END, ["release", "release", "expiry"])):
        await book(member, now=now)
        rows = await sql.fetch(
            "SELECT reason, occurred_at FROM postings WHERE occurred_at > $1 ORDER BY sequence",
            START,
        )
        assert sorted(row[0] for row in rows) == sorted(booked)
        assert {row[1] for row in rows} <= {END}
    await check_books()


async def test_undoing_a_part_of_a_grant_leaves_the_rest(database: Address) -> None:
    [member] = await new_members(1)
    purchase = new_id()
    await grant(member, granted(10, at=START, reference=purchase), now=START)
    for so_far in (3, 6, 9):
        [before] = await ledger.granted_by([purchase])
        async with (
            sql.transaction(),
            ledger.journal([member], [POINTS], recorded_at=START) as journal,
        ):
            undone = await ledger.undo(
                journal,
                member,
                POINTS,
                before.lot_id,
                3,
                policy=ReturnPolicy.INTO_NEGATIVE,
                rule="purchase",
                reference=new_id(),
            )
        assert undone == Undone(3, from_lot=3)
        [after] = await ledger.granted_by([purchase])
        assert after.undone == so_far
        assert (await ledger.balances([member], START))[member, POINTS].available == 10 - so_far
    await check_books()


async def test_a_part_comes_back_to_the_lots_that_had_paid_last(database: Address) -> None:
    [member] = await new_members(1)
    later = Instant(END + DAY)
    await grant(
        member,
        granted(10, at=START, expires_at=END),
        granted(10, at=START, expires_at=later),
        now=START,
    )
    used = new_id()
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as journal:
        cause = Cause(Reason.PAYMENT, "payment", used)
        await journal.spend(member, POINTS, 15, cause=cause)
    async with sql.transaction(), ledger.journal([member], [POINTS], recorded_at=START) as journal:
        await ledger.restore(
            journal,
            used,
            7,
            side=Side.REDEEMED,
            rule="payment",
            restored_by=new_id(),
            grace_expires_at=later,
        )
    # 5 were taken of the second lot, which had 5 left: it is whole again, the first has 2.
    for at, available in ((START, 12), (END, 10), (later, 0)):
        assert (await ledger.balances([member], at))[member, POINTS].available == available
    await check_books()
