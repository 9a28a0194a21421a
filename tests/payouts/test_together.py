"""Several at once: one of them decides, and nothing is paid or given back twice."""

import asyncio
from collections.abc import Sequence

import pytest

from server.errors import AlreadyDecided, DomainError, InsufficientCashback, LimitReached
from server.payouts import service as payouts
from server.payouts.service import PayoutStatus, PayoutView
from server.storage.database import Address
from tests.ledger.books import check_books
from tests.payouts.paying import (
    balance,
    change,
    member_with,
    payout_that_is,
    published,
    request,
)


async def at_once(
    payout: PayoutView, member: int, ways: Sequence[PayoutStatus]
) -> list[PayoutView | BaseException]:
    return list(
        await asyncio.gather(
            *(change(to, member)(payout.id) for to in ways), return_exceptions=True
        )
    )


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize(
    ("way", "ways"),
    [
        ("requested", (PayoutStatus.APPROVED, PayoutStatus.CANCELLED) * 3),
        ("requested", (PayoutStatus.CANCELLED, PayoutStatus.APPROVED, PayoutStatus.REJECTED) * 2),
        ("approved", (PayoutStatus.FAILED, PayoutStatus.FAILED, PayoutStatus.FAILED)),
        ("paid", (PayoutStatus.FAILED,) * 6),
    ],
)
async def test_one_of_those_who_decide_at_once_wins(
    database: Address, way: str, ways: tuple[PayoutStatus, ...], turn: int
) -> None:
    await published()
    member = await member_with(800)
    payout = await payout_that_is(way, member, 400)
    answers = await at_once(payout, member, ways[turn:] + ways[:turn])
    [won] = [one for one in answers if isinstance(one, PayoutView)]
    lost = [one for one in answers if one is not won]
    assert all(isinstance(one, AlreadyDecided) for one in lost), lost
    assert {one.status for one in lost if isinstance(one, AlreadyDecided)} == {won.status.name}
    assert (await payouts.find_payouts([payout.id]))[payout.id] == won
    has = await balance(member)
    held = 400 if won.status is PayoutStatus.APPROVED else 0
    assert (has.available, has.held) == (800 - held, held)
    await check_books()


async def test_paid_and_failed_at_once_end_as_one_of_the_orders_has_it(database: Address) -> None:
    await published()
    member = await member_with(800)
    payout = await payout_that_is("approved", member, 400)
    answers = await at_once(payout, member, (PayoutStatus.PAID, PayoutStatus.FAILED) * 3)
    # Paid and then sent back, or failed at once.
    done = [one.status for one in answers if isinstance(one, PayoutView)]
    assert sorted(done) in (["failed"], ["failed", "paid"])
    assert all(isinstance(one, PayoutView | DomainError) for one in answers)
    has = await balance(member)
    assert (has.available, has.held, has.moved_total) == (800, 0, 0)
    await check_books()


async def test_everything_is_asked_for_once_by_those_who_ask_at_once(database: Address) -> None:
    await published()
    member = await member_with(300, 500)
    answers = await asyncio.gather(*(request(member) for _ in range(6)), return_exceptions=True)
    made = [one for one in answers if isinstance(one, PayoutView)]
    assert [one.amount_minor for one in made] == [800]
    assert sum(isinstance(one, InsufficientCashback) for one in answers) == 5
    await check_books()


async def test_the_limit_of_a_day_holds_for_those_who_ask_at_once(database: Address) -> None:
    await published({("payouts",): {"daily_limit_minor": 1000}})
    member = await member_with(5000)
    answers = await asyncio.gather(
        *(request(member, 300) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, PayoutView) for one in answers) == 3
    assert sum(isinstance(one, LimitReached) for one in answers) == 5
    assert (await balance(member)).held == 900
    await check_books()
