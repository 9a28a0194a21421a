"""Asking for payouts: amounts, limits, currencies and lists."""

import pytest

from server.clock import Instant, local_day
from server.errors import InsufficientCashback, InvalidInput, LimitReached
from server.ledger import service as ledger
from server.messages import told
from server.payouts import service as payouts
from server.payouts.service import PayoutStatus
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import dump
from tests.ledger.books import check_books, grant, granted
from tests.payouts.paying import (
    NOW,
    balance,
    change,
    later,
    member_with,
    payout_that_is,
    published,
    request,
)
from tests.purchases.baskets import Changes, at, publish

CURRENCIES = [("USD", 100, 2), ("JPY", 1, 0), ("TND", 1000, 3)]


def of(currency: str, per_major: int) -> Changes:
    """A programme in the currency."""
    return {
        ("programme", "currency"): currency,
        ("programme", "minor_units_per_major"): per_major,
    }


@pytest.mark.parametrize(("currency", "per_major", "digits"), CURRENCIES)
async def test_a_part_and_then_everything(
    database: Address, currency: str, per_major: int, digits: int
) -> None:
    await published(of(currency, per_major))
    member = await member_with(1, 1234, 5, currency=currency)
    part = await request(member, 1000)
    assert (part.amount_minor, part.currency, part.digits) == (1000, currency, digits)
    assert part.status is PayoutStatus.REQUESTED
    rest = await request(member)
    assert rest.amount_minor == 240
    has = await balance(member, currency=currency)
    assert (has.available, has.held, has.granted_total, has.moved_total) == (0, 1240, 1240, 0)
    for payout in (part, rest):
        await change(PayoutStatus.APPROVED, member)(payout.id)
        await change(PayoutStatus.PAID, member)(payout.id)
    has = await balance(member, currency=currency)
    assert (has.available, has.held, has.granted_total, has.moved_total) == (0, 0, 1240, -1240)
    await change(PayoutStatus.FAILED, member)(part.id)
    has = await balance(member, currency=currency)
    assert (has.available, has.held, has.granted_total, has.moved_total) == (1000, 0, 1240, -240)
    await check_books()


@pytest.mark.parametrize(("currency", "per_major", "digits"), CURRENCIES)
@pytest.mark.parametrize(("amount", "required"), [(1241, 1241), (2**62, 2**62)])
async def test_more_than_there_is(
    database: Address, currency: str, per_major: int, digits: int, amount: int, required: int
) -> None:
    await published(of(currency, per_major))
    member = await member_with(1240, currency=currency)
    before = await dump()
    with pytest.raises(InsufficientCashback) as refused:
        await request(member, amount)
    error = refused.value
    assert (error.available, error.required) == (1240, required)
    assert (error.currency, error.digits, error.path) == (currency, digits, ("amountMinor",))
    assert await dump() == before


async def test_the_smallest_payout(database: Address) -> None:
    await published({("payouts",): {"minimum_minor": 500}})
    member = await member_with(499)
    before = await dump()
    for amount in (499, 0, -1, -(2**63)):
        with pytest.raises(InvalidInput) as wrong:
            await request(member, amount)
        assert (wrong.value.path, wrong.value.value) == (("amountMinor",), str(amount))
        assert told(wrong.value.accepted, "en") == "500 minor units or more"
    with pytest.raises(InsufficientCashback) as refused:
        await request(member)  # everything is less than the smallest payout
    assert (refused.value.available, refused.value.required) == (499, 500)
    assert await dump() == before
    await grant(member, granted(1, at=NOW, asset="USD"), now=NOW)
    assert (await request(member)).amount_minor == 500


async def test_nothing_is_paid_out_unless_there_is_something(database: Address) -> None:
    await published()
    member = await member_with()
    before = await dump()
    for amount in (None, 1):
        with pytest.raises(InsufficientCashback) as refused:
            await request(member, amount)
        assert (refused.value.available, refused.value.required) == (0, 1)
    assert await dump() == before


async def test_pending_owed_and_held_cashback_is_not_paid_out(database: Address) -> None:
    await published()
    member = await member_with(300)
    pending = granted(500, at=NOW, available_at=later(1), asset="USD")
    await grant(member, pending, now=NOW)
    with pytest.raises(InsufficientCashback):
        await request(member, 301)
    async with sql.transaction(), ledger.journal([member], ["USD"], recorded_at=NOW) as journal:
        await ledger.hold(
            journal, member, "USD", 100, by=member, purpose="payment", expires_at=later(2)
        )
        cause = ledger.Cause(ledger.Reason.RECALL, "test", None)
        await journal.spend(member, "USD", 200, cause=cause)
        journal.owe(member, "USD", 50, version=1, cause=cause)
    with pytest.raises(InsufficientCashback) as refused:
        await request(member)
    assert (refused.value.available, refused.value.required) == (-50, 1)
    assert (await request(member, now=later(1))).amount_minor == 450


async def test_the_limit_of_a_day_counts_what_has_not_come_back(database: Address) -> None:
    await published({("payouts",): {"daily_limit_minor": 1000}})
    member, other = await member_with(5000), await member_with(5000)
    for way in ("requested", "approved", "paid"):
        await payout_that_is(way, member, 200)
    for way in ("rejected", "cancelled", "failed", "sent back"):
        await payout_that_is(way, member, 300)
    before = await dump()
    for amount in (401, None):
        with pytest.raises(LimitReached) as refused:
            await request(member, amount)
        assert (refused.value.limit, refused.value.left) == (1000, 400)
        assert refused.value.path == ("amountMinor",)
    assert await dump() == before
    await request(member, 400)
    with pytest.raises(LimitReached) as refused:
        await request(member, 1)
    assert refused.value.left == 0
    await request(other, 1000)
    await request(member, 1000, now=later(1))


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("America/New_York", "2026-03-08T05:00"),  # the day on which summer time begins
        ("America/New_York", "2026-03-09T04:00"),
        ("America/New_York", "2026-11-02T05:00"),  # the day after it ended, which had 25 hours
        ("Europe/Vilnius", "2026-12-31T22:00"),
        ("Asia/Tokyo", "2028-02-28T15:00"),  # the leap day begins
        ("UTC", "2028-03-01T00:00"),
    ],
)
async def test_the_limit_starts_anew_at_the_programmes_midnight(
    database: Address, zone: str, midnight: str
) -> None:
    await published({("programme", "timezone"): zone, ("payouts",): {"daily_limit_minor": 1000}})
    member = await member_with(5000)
    start = at(midnight)
    eve = Instant(start - 1)
    assert local_day(start, zone) == local_day(eve, zone) + 1
    assert (await request(member, 1000, now=eve)).local_day == local_day(eve, zone)
    with pytest.raises(LimitReached):
        await request(member, 1, now=eve)
    await request(member, 1000, now=start)
    with pytest.raises(LimitReached):
        await request(member, 1, now=start)


async def test_a_limit_that_was_lowered_leaves_nothing(database: Address) -> None:
    await published()
    member = await member_with(5000)
    await request(member, 900)
    await publish({("payouts",): {"daily_limit_minor": 500}}, at=NOW)
    with pytest.raises(LimitReached) as refused:
        await request(member, 1)
    assert (refused.value.limit, refused.value.left) == (500, 0)


@pytest.mark.parametrize("text", ["", "x" * 201, "a\nb", "\x00"])
async def test_a_destination_is_printable_and_never_repeated(database: Address, text: str) -> None:
    await published()
    member = await member_with(500)
    before = await dump()
    with pytest.raises(InvalidInput) as refused:
        async with sql.transaction():
            await payouts.request(member, 100, text, now=NOW)
    assert (refused.value.path, refused.value.value) == (("destination",), None)
    assert text == "" or text not in str(refused.value)
    assert await dump() == before


async def test_lists_are_the_newest_first_in_pages(database: Address) -> None:
    await published()
    member, other = await member_with(5000), await member_with(5000)
    made = [await request(member, amount) for amount in (1, 2, 3)]
    theirs = await payout_that_is("paid", other, 4)
    mine = (await payouts.payouts_of_members([member], before=None, limit=2))[member]
    assert mine == made[:0:-1]
    rest = await payouts.payouts_of_members([member], before=mine[-1].id, limit=2)
    assert rest == {member: made[:1]}
    assert await payouts.payouts(None, before=None, limit=9) == [theirs, *made[::-1]]
    assert await payouts.payouts(None, before=made[1].id, limit=9) == made[:1]
    assert await payouts.payouts(PayoutStatus.PAID, before=None, limit=9) == [theirs]
    requested = await payouts.payouts(PayoutStatus.REQUESTED, before=None, limit=1)
    assert requested == made[2:]
    assert await payouts.find_payouts([]) == {}


async def test_a_request_costs_few_statements_however_many_there_were(database: Address) -> None:
    await published()
    member = await member_with(5000)
    counts = []
    for _ in range(3):
        with sql.counted_statements() as statements:
            await request(member, 10)
        counts.append(len(statements))
    assert counts[1] == counts[2] <= 13
