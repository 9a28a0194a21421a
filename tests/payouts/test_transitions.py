"""What may become of a payout: every pair of statuses, and what each does to the cashback."""

import pytest

from server.clock import Instant
from server.errors import AlreadyDecided, DomainError, InvalidInput, NotAllowed, NotFound
from server.ledger import service as ledger
from server.ledger.service import HoldStatus
from server.payouts import service as payouts
from server.payouts.rules import NEXT
from server.payouts.service import PayoutStatus
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import dump
from tests.ledger.books import check_books
from tests.payouts.paying import (
    ASKER,
    MANAGER,
    NOW,
    WAYS,
    balance,
    change,
    later,
    member_with,
    payout_that_is,
    published,
    request,
)

MADE = [status for status in PayoutStatus if status is not PayoutStatus.REQUESTED]
ALLOWED = {
    "requested": {PayoutStatus.APPROVED, PayoutStatus.REJECTED, PayoutStatus.CANCELLED},
    "approved": {PayoutStatus.PAID, PayoutStatus.FAILED},
    "paid": {PayoutStatus.FAILED},
}
PAIRS = [(way, to) for way in WAYS for to in MADE]
STATUS_OF = {"sent back": "failed"}
HELD = {"requested", "approved"}


def test_the_machine_is_this_one() -> None:
    assert {status.value: set(then) for status, then in NEXT.items() if then} == ALLOWED
    assert set(NEXT) == set(PayoutStatus)


@pytest.mark.parametrize(("way", "to"), PAIRS)
async def test_each_status_becomes_what_it_may_and_nothing_else(
    database: Address, way: str, to: PayoutStatus
) -> None:
    await published()
    member = await member_with(300, 500)
    payout = await payout_that_is(way, member, 400)
    before = await dump()
    if to in ALLOWED.get(way, ()):
        changed = await change(to, member)(payout.id)
        assert changed.status is to
        assert (await payouts.find_payouts([payout.id]))[payout.id] == changed
        after = await balance(member)
        gone = 400 if to is PayoutStatus.PAID else 0
        held = 400 if to.value in HELD else 0
        assert (after.available, after.held) == (800 - gone - held, held)
        assert after.moved_total == -gone
        assert after.granted_total == 800
    else:
        with pytest.raises(DomainError) as refused:
            await change(to, member)(payout.id)
        if way == "requested":
            assert isinstance(refused.value, NotAllowed)
        else:
            assert isinstance(refused.value, AlreadyDecided)
            assert refused.value.status == STATUS_OF.get(way, way).upper()
        assert refused.value.path == ("payoutId",)
        assert await dump() == before
    await check_books()


@pytest.mark.parametrize(
    ("way", "available", "held", "resolution"),
    [
        ("requested", 400, 400, HoldStatus.OPEN),
        ("approved", 400, 400, HoldStatus.OPEN),
        ("rejected", 800, 0, HoldStatus.RELEASED),
        ("cancelled", 800, 0, HoldStatus.RELEASED),
        ("paid", 400, 0, HoldStatus.SETTLED),
        ("failed", 800, 0, HoldStatus.RELEASED),
        ("sent back", 800, 0, HoldStatus.SETTLED),
    ],
)
async def test_where_the_cashback_is(
    database: Address, way: str, available: int, held: int, resolution: HoldStatus
) -> None:
    await published()
    member = await member_with(300, 500)
    payout = await payout_that_is(way, member, 400)
    for now in (NOW, later(40_000)):  # for it is held without a limit
        has = await balance(member, now=now)
        assert (has.available, has.held, has.pending, has.owed) == (available, held, 0, 0)
    [hold] = (await ledger.find_holds([payout.hold_id])).values()
    assert (hold.status(later(40_000)), hold.purpose) == (resolution, "payout")
    lots = await sql.fetch(
        "SELECT amount, remaining FROM lots WHERE member_id = $1 ORDER BY id", member
    )
    if available == 800:
        assert [tuple(lot) for lot in lots] == [(300, 300), (500, 500)]  # the same lots again
    else:
        assert [tuple(lot) for lot in lots] == [(300, 0), (500, 400)]
    await check_books()


async def test_what_is_kept_of_each_step(database: Address) -> None:
    await published()
    member = await member_with(800)
    asked = await request(member, 400, requested_by=ASKER)
    assert (asked.requested_at, asked.decided_at, asked.decided_by) == (NOW, None, None)
    approved = await change(PayoutStatus.APPROVED, member, now=later(1))(asked.id)
    assert (approved.decided_at, approved.decided_by) == (later(1), MANAGER)
    paid = await change(PayoutStatus.PAID, member, now=later(2))(asked.id)
    assert (paid.decided_at, paid.decided_by) == (later(1), MANAGER)
    assert (paid.finished_at, paid.finished_by, paid.bank_reference) == (later(2), "key:1", "B-1")
    failed = await change(PayoutStatus.FAILED, member, now=later(3))(asked.id)
    assert (failed.requested_at, failed.finished_at, failed.note) == (
        NOW,
        later(3),
        "account closed",
    )
    assert await payouts.destinations([asked.id]) == {asked.id: "LT12 1000"}


@pytest.mark.parametrize("to", [PayoutStatus.APPROVED, PayoutStatus.REJECTED])
async def test_who_asked_on_the_members_behalf_does_not_decide(
    database: Address, to: PayoutStatus
) -> None:
    await published()
    member = await member_with(800)
    payout = await request(member, 400, requested_by=ASKER)
    before = await dump()
    with pytest.raises(NotAllowed) as refused:
        await change(to, member, by=ASKER)(payout.id)
    assert (refused.value.reason, refused.value.path) == ("payout.own_request", ("payoutId",))
    assert await dump() == before
    assert (await change(to, member, by=MANAGER)(payout.id)).decided_by == MANAGER


async def test_a_member_gives_up_what_staff_asked_for_and_nobody_elses(database: Address) -> None:
    await published()
    member, other = await member_with(800), await member_with(800)
    payout = await request(member, 400, requested_by=ASKER)
    before = await dump()
    for id_, by in ((payout.id, other), (payout.id + 1, member), (17, member)):
        with pytest.raises(NotFound):
            await change(PayoutStatus.CANCELLED, by)(id_)
    assert await dump() == before
    cancelled = await change(PayoutStatus.CANCELLED, member)(payout.id)
    assert (cancelled.status, cancelled.decided_by) == (PayoutStatus.CANCELLED, None)


@pytest.mark.parametrize("to", MADE)
async def test_a_payout_that_there_is_not(database: Address, to: PayoutStatus) -> None:
    await published()
    member = await member_with(800)
    before = await dump()
    with pytest.raises(NotFound) as refused:
        await change(to, member)(17)
    assert refused.value.path == ("payoutId",)
    assert await dump() == before


@pytest.mark.parametrize("text", ["", "x" * 201, "a\nb", "\x00"])
async def test_notes_and_references_are_printable_and_short(database: Address, text: str) -> None:
    await published()
    member = await member_with(800)
    payout = await payout_that_is("approved", member)
    before = await dump()
    with pytest.raises(InvalidInput) as refused:
        async with sql.transaction():
            await payouts.mark_paid(payout.id, text, by="key:1", now=NOW)
    assert refused.value.path == ("bankReference",)
    with pytest.raises(InvalidInput) as refused:
        async with sql.transaction():
            await payouts.mark_failed(payout.id, text, by="key:1", now=NOW)
    assert refused.value.path == ("note",)
    with pytest.raises(InvalidInput):
        async with sql.transaction():
            await payouts.reject(payout.id, text, by=MANAGER, now=NOW)
    assert await dump() == before


async def test_what_comes_back_after_its_own_expiry_lives_on_for_the_days_of_grace(
    database: Address,
) -> None:
    await published({("returns",): {"grace_days": 10}})
    member = await member_with(500, expires_at=later(5))
    payout = await payout_that_is("paid", member, 400)
    await change(PayoutStatus.FAILED, member, now=later(20))(payout.id)
    # From the start of the day ten days later on, it is gone.
    start = later(30) - 43_200_000_000
    assert (await balance(member, now=later(20))).available == 400
    for now, left in ((Instant(start - 1), 400), (Instant(start), 0)):
        assert (await balance(member, now=now)).available == left
    await check_books()


async def test_what_comes_back_goes_to_whom_the_member_was_merged_into(database: Address) -> None:
    await published()
    member, survivor = await member_with(500), await member_with(100)
    payout = await payout_that_is("paid", member, 400)
    async with sql.transaction():
        await sql.execute("UPDATE members SET merged_into = $1 WHERE id = $2", survivor, member)
        await sql.execute("UPDATE payouts SET member_id = $1", survivor)
    failed = await change(PayoutStatus.FAILED, survivor)(payout.id)
    assert failed.member_id == survivor
    assert (await balance(member)).available == 100
    assert (await balance(survivor)).available == 500
    await check_books()


async def test_what_is_given_up_after_its_own_expiry_has_lapsed(database: Address) -> None:
    await published()
    member = await member_with(500, expires_at=later(5))
    payout = await request(member, 400)
    assert (await balance(member, now=later(20))).held == 400  # being held, it can't lapse
    await change(PayoutStatus.CANCELLED, member, now=later(20))(payout.id)
    after = await balance(member, now=later(20))
    assert (after.available, after.held, after.expired_total) == (0, 0, 500)
    await check_books()
