"""A lively database for tests of the audit: some of everything that moves value."""

from collections.abc import Awaitable
from typing import TypeVar

from server import clock
from server.adjustments import service as adjustments
from server.cards.service import MemberReference
from server.clock import Instant
from server.imports import service as imports
from server.imports.rules import Line as ImportLine
from server.merging import service as merging
from server.payments import service as payments
from server.payments.service import Basket
from server.payouts import service as payouts
from server.purchases import service as purchases
from server.purchases.service import Draft
from server.rewards import service as rewards
from server.rewards.service import Redemption
from server.storage import sql
from server.transfers import service as transfers
from server.transfers.service import Present
from tests.catalogue.shop import VOUCHER, change, order, reward
from tests.purchases.baskets import PARTNER, at, draft, line, publish, recorded
from tests.purchases.returns import return_draft

STAFF, SECOND_PERSON = 7, 8
ANNA, BOB, CLARA, DORA, EMIL = "1", "2", "3", "4", "5"
DAYS_OF_VISITS = ("05", "06", "07", "12", "13", "14", "19", "20", "21", "26", "27", "28")
"""Three days in each of four weeks of January 2026: a streak."""
_Answer = TypeVar("_Answer")


def known_as(external_id: str) -> MemberReference:
    """A member by the external id."""
    return MemberReference(external_id=external_id)


async def acted(work: Awaitable[_Answer], now: Instant) -> _Answer:
    """The act, in a transaction of its own."""
    with clock.moved_to(now):
        async with sql.transaction():
            return await work


async def lively() -> None:
    """Three months of five members."""
    await publish(
        {
            ("cashback", "caps"): [{"period": "calendar_week", "minor": 450}],
            ("transfers",): {"minimum_points": 1, "daily_limit_points": 10_000},
        }
    )
    await _visits()
    await _uses()
    await _orders()
    await _returns()
    await _among_members()
    await _of_staff()
    # Much later: what has expired is booked, a hold's end too, and the tier is evaluated anew.
    await recorded(draft("late", "2026-11-20", 5_000, household=ANNA))


async def _visits() -> None:
    await recorded(
        *(
            draft(
                f"visit-{day}",
                f"2026-01-{day}",
                line("PRODUCE", 4_000),
                line("MEAT", 6_000, 500),
                line("GROCERY", 2_000),
                household=ANNA,
            )
            for day in DAYS_OF_VISITS
        )
    )
    many = ("GROCERY", "PRODUCE", "MEAT", "DRUG GM", "SEAFOOD", "PASTRY")
    for household in (BOB, CLARA, DORA, EMIL):
        await recorded(
            draft(f"big-{household}", "2026-01-10", *(line(each, 5_000) for each in many),
                  household=household),
            draft(f"coupon-{household}", "2026-01-11T10:00:00", line("COUPON", 0, 300),
                  line("PRODUCE", 900), household=household),
        )  # fmt: skip


async def _uses() -> None:
    now = at("2026-02-02")
    voucher = (await acted(rewards.redeem(Redemption(known_as(ANNA), 1_000), now=now), now)).voucher
    cancelled = await acted(rewards.redeem(Redemption(known_as(ANNA), 1_000), now=now), now)
    await acted(
        rewards.cancel_redemption(rewards.VoucherReference(id=cancelled.voucher.id), now=now), now
    )
    basket = Basket(3_000, "USD")
    by_points = await acted(
        payments.pay_with_points(known_as(BOB), basket, points=200, partner=PARTNER, now=now), now
    )
    by_cashback = await acted(
        payments.pay_with_cashback(
            known_as(BOB), basket, amount_minor=150, partner=PARTNER, now=now
        ),
        now,
    )
    await _paid("paid", BOB, now, by_points.payment.id, by_cashback.payment.id)
    by_voucher = await acted(
        payments.pay_with_voucher(voucher.code, basket, amount_minor=200, partner=PARTNER, now=now),
        now,
    )
    await _paid("by-voucher", ANNA, now, by_voucher.payment.id)
    await _holds(basket, now)


async def _orders() -> None:
    """Of what the catalogue has: an order that stands, a voucher's, and one that was cancelled."""
    now = at("2026-02-02")
    await reward(now=now)
    await reward("voucher", VOUCHER, price={"points": 150}, now=now)
    clara = await member_id(CLARA)
    await order(clara, now=now)
    await order(clara, "voucher", now=now)
    cancelled = (await order(clara, now=now)).order
    await change("cancel", cancelled.id, now=now)


async def _holds(basket: Basket, now: Instant) -> None:
    held = [
        await acted(
            payments.hold(known_as(BOB), "points", 100, ttl_seconds=600, partner=PARTNER, now=now),
            now,
        )
        for _ in range(3)
    ]
    settled = payments.settle(held[0].hold.id, basket, points=50, partner=PARTNER, now=now)
    await acted(settled, now)
    await acted(payments.release(held[1].hold.id, partner=PARTNER, now=now), now)


async def _paid(external_id: str, household: str, now: Instant, *payment_ids: int) -> None:
    """A basket of 40.00 that payments pay for in part."""
    basket = draft(external_id, now, line("PRODUCE", 3_000), line("GROCERY", 1_000),
                   household=household)  # fmt: skip
    with_payments = Draft(
        basket.external_id, basket.member, basket.occurred_at, basket.store_id, basket.currency,
        basket.lines, payment_ids,
    )  # fmt: skip
    await recorded(with_payments)


async def _returns() -> None:
    for number, purchase, day, wishes in (
        ("r1", "visit-05", "2026-02-03", ((0, 1),)),
        ("r2", "big-3", "2026-02-04", ((1, 2_000, "minor"), (2, 1))),
        ("r3", "paid", "2026-02-05", ((0, 1),)),
        ("r4", "big-2", "2026-02-06", ()),
    ):
        returned = return_draft(number, purchase, day, *wishes)
        await acted(
            purchases.take_back(returned, partner=PARTNER, now=returned.occurred_at),
            returned.occurred_at,
        )


async def _among_members() -> None:
    now = at("2026-02-10")
    await acted(transfers.give(Present(known_as(ANNA), known_as(CLARA), 300), now=now), now)
    anna = await member_id(ANNA)
    paid, failed, open_one = [
        await acted(payouts.request(anna, amount, "an account", now=now), now)
        for amount in (100, 60, 40)
    ]
    assert open_one.id
    for payout in (paid, failed):
        await acted(payouts.approve(payout.id, by=STAFF, now=now), now)
        await acted(payouts.mark_paid(payout.id, "reference", by="bank", now=now), now)
    await acted(payouts.mark_failed(failed.id, "no such account", by="bank", now=now), now)
    wish = merging.Wish(known_as(DORA), known_as(EMIL), "the same person")
    await acted(merging.merge(wish, by=STAFF, now=now), now)


async def _of_staff() -> None:
    now = at("2026-02-12")
    for points in (250, -50):
        wish = adjustments.Wish(known_as(CLARA), True, points, "a long enough reason")
        await acted(adjustments.adjust(wish, by=STAFF, now=now), now)
    brought = ImportLine(1, CLARA, points=70, cashback_minor=30)
    await acted(imports.take_call([brought], now=now), now)


async def member_id(external_id: str) -> int:
    """A member's own id."""
    [row] = await sql.fetch("SELECT id FROM members WHERE external_id = $1", external_id)
    return int(row[0])
