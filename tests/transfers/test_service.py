"""Gifts: what moves, the limits at their edges, and two gifts at once."""

import asyncio
from typing import Any

import pytest

from server.cards import service as cards
from server.clock import Instant
from server.errors import DomainError, LimitReached
from server.ledger import service as ledger
from server.ledger.rules import MAXIMUM_BALANCE
from server.ledger.service import ExpiringValue
from server.messages import told
from server.money import POINTS
from server.storage import sql
from server.storage.database import Address
from server.transfers import service
from server.transfers.service import GiftDirection, Given, MemberReference, Present
from tests.api.calling import DAY, NOW, dump, instant
from tests.households.living import available, people, publish, refused, written
from tests.ledger.books import check_books, grant, granted

SOON, LATER = Instant(NOW + DAY), Instant(NOW + 9 * DAY)


@pytest.fixture(autouse=True)
async def programme(database: Address) -> None:
    """Of these tests: a hundred points a day."""
    await publish({("transfers",): {"minimum_points": 1, "daily_limit_points": 100}})


async def give(
    giver: int, receiver: int, points: int, *, now: Instant = NOW, message: str | None = None
) -> Given:
    return await service.give(
        Present(MemberReference(id=giver), MemberReference(id=receiver), points, message), now=now
    )


async def given(giver: int, receiver: int, points: int, **how: Any) -> Given:
    return await written(lambda: give(giver, receiver, points, **how))


async def denied(giver: int, receiver: int, points: int, **how: Any) -> Any:
    """The refusal of a gift, which leaves no trace."""
    before = await dump()
    refusal = await refused(lambda: give(giver, receiver, points, **how))
    assert await dump() == before
    return refusal


async def expiring(member: int) -> tuple[ExpiringValue, ...]:
    return (await ledger.holdings([member], NOW))[member, POINTS].expiring


async def test_what_expires_first_is_given_first_and_keeps_its_expiry(database: Address) -> None:
    anna, bob = await people(50, 5)
    await grant(
        anna,
        granted(20, at=NOW, expires_at=LATER),
        granted(30, at=NOW, expires_at=SOON),
        granted(10, at=NOW, available_at=SOON, expires_at=Instant(SOON + 1)),
        now=NOW,
    )
    answer = await given(anna, bob, 45, message=" For you ")
    assert (answer.points_available_after, answer.gift.message) == (55, "For you")
    assert await available(anna, bob) == [55, 50]
    assert await expiring(bob) == (ExpiringValue(SOON, 30), ExpiringValue(LATER, 15))
    assert await expiring(anna) == (ExpiringValue(Instant(SOON + 1), 10), ExpiringValue(LATER, 5))
    [sent] = (await service.gifts([anna], before=None, limit=9))[anna]
    [received] = (await service.gifts([bob], before=None, limit=9))[bob]
    assert sent.gift == received.gift == answer.gift
    assert (sent.direction, received.direction) == (GiftDirection.SENT, GiftDirection.RECEIVED)
    reasons = await sql.fetch(
        "SELECT member_id, reason, SUM(amount) FROM postings WHERE reference = $1"
        " GROUP BY member_id, reason ORDER BY reason DESC",
        answer.gift.id,
    )
    assert [tuple(row) for row in reasons] == [(anna, "gift_sent", 45), (bob, "gift_received", 45)]
    await check_books()


async def test_only_what_is_available_can_be_given(database: Address) -> None:
    anna, bob = await people(10, 0)
    await grant(
        anna,
        granted(20, at=NOW, available_at=SOON),
        granted(30, at=NOW, expires_at=SOON),
        now=NOW,
    )
    refusal = await denied(anna, bob, 31, now=SOON)
    assert (refusal.available, refusal.required) == (30, 31)
    assert (await given(anna, bob, 30, now=SOON)).points_available_after == 0
    async with sql.transaction(), ledger.journal([bob], [POINTS], recorded_at=SOON) as journal:
        await ledger.hold(journal, bob, POINTS, 25, by=bob, purpose="x", expires_at=LATER)
    assert (await denied(bob, anna, 6, now=SOON)).available == 5


async def test_what_was_given_can_be_given_on(database: Address) -> None:
    anna, bob, carl = await people(50, 0, 0)
    await given(anna, bob, 50)
    await given(bob, carl, 30)
    await given(carl, anna, 10)
    assert await available(anna, bob, carl) == [10, 20, 20]
    await check_books()


# ---------------------------------------------------------------- limits


async def test_the_limit_of_a_local_day(database: Address) -> None:
    """8 March 2026 has 23 hours in New York: from 05:00 to 04:00 UTC."""
    anna, bob = await people(1000, 0)
    start, end = instant("2026-03-08T05:00:00Z"), instant("2026-03-09T04:00:00Z")
    await given(anna, bob, 100, now=Instant(start - 1))
    await given(anna, bob, 60, now=start)
    refusal = await denied(anna, bob, 41, now=Instant(end - 1))
    assert (type(refusal), refusal.limit, refusal.left) == (LimitReached, 100, 40)
    assert (refusal.reason, refusal.path) == ("transfer.daily_limit", ("points",))
    await given(anna, bob, 40, now=Instant(end - 1))
    assert (await denied(anna, bob, 1, now=Instant(end - 1))).left == 0
    await given(bob, anna, 100, now=Instant(end - 1))  # each giver has a limit of their own
    await given(anna, bob, 100, now=end)
    assert (await denied(anna, bob, 101, now=Instant(end + 2 * DAY))).left == 100


async def test_a_limit_that_was_lowered_leaves_nothing_and_not_less(database: Address) -> None:
    anna, bob = await people(1000, 0)
    await given(anna, bob, 100)
    await publish({("transfers",): {"daily_limit_points": 50}})
    refusal = await denied(anna, bob, 1)
    assert (refusal.limit, refusal.left) == (50, 0)


async def test_a_programme_without_gifts(database: Address) -> None:
    anna, bob = await people(100, 0)
    await publish({("transfers",): {"daily_limit_points": 0}})
    assert (await denied(anna, bob, 1)).reason == "transfer.off"


async def test_the_least_that_can_be_given(database: Address) -> None:
    anna, bob = await people(100, 0)
    for points in (0, -1, -(2**31)):
        refusal = await denied(anna, bob, points)
        assert (refusal.reason, refusal.path) == ("transfer.minimum", ("points",))
    await publish({("transfers",): {"minimum_points": 10, "daily_limit_points": 100}})
    assert told((await denied(anna, bob, 9)).accepted, "en") == "at least 10"
    await given(anna, bob, 10)


async def test_a_new_member_waits_for_local_days(database: Address) -> None:
    await publish({("transfers",): {"minimum_account_age_days": 14}})
    late = instant("2026-03-05T04:59:59.999999Z")  # the last instant of 4 March in New York
    anna, bob = await people(100, 0, at=late)
    midnight = instant("2026-03-18T04:00:00Z")
    refusal = await denied(anna, bob, 1, now=Instant(midnight - 1))
    assert (refusal.reason, refusal.facts) == ("transfer.too_new", {"day": "2026-03-18"})
    await given(anna, bob, 1, now=midnight)
    [carl] = await people(0, at=midnight)
    await given(anna, carl, 1, now=midnight)  # who receives may be as new as they like


async def test_who_can_not_be_given_to(database: Address) -> None:
    anna, bob = await people(100, 0)
    assert (await denied(anna, anna, 1)).reason == "transfer.to_oneself"
    assert (await denied(anna, 17, 1)).path == ("to", "id")
    assert (await denied(17, anna, 1)).path == ("from", "id")
    number = (await cards.card_of(bob)).number
    async with sql.transaction():
        await cards.block(bob, NOW)
    present = Present(MemberReference(id=anna), MemberReference(card_number=number), 1)
    refusal = await refused(lambda: service.give(present, now=NOW))
    assert (refusal.reason, refusal.path) == ("card.blocked", ("to", "cardNumber"))


async def test_an_account_that_is_full_takes_nothing(database: Address) -> None:
    anna, bob = await people(100, MAXIMUM_BALANCE - 10)
    refusal = await denied(anna, bob, 11)
    assert (refusal.reason, refusal.path) == ("ledger.balance_limit", ("points",))
    await given(anna, bob, 10)
    assert await available(bob) == [MAXIMUM_BALANCE]


async def test_what_the_receiver_owes_is_filled_first(database: Address) -> None:
    anna, bob = await people(100, 0)
    cause = ledger.Cause(ledger.Reason.RECALL, "return", None)

    async def owe() -> None:
        async with ledger.journal([bob], [POINTS], recorded_at=NOW) as journal:
            journal.owe(bob, POINTS, 20, version=1, cause=cause)

    await written(owe)
    await given(anna, bob, 50)
    assert await available(anna, bob) == [50, 30]
    await check_books()


async def test_pages(database: Address) -> None:
    anna, bob, carl = await people(100, 100, 100)
    made = [
        (await given(giver, receiver, 1)).gift.id
        for giver, receiver in ((anna, bob), (bob, anna), (bob, carl), (carl, anna), (anna, carl))
    ]
    seen = [one.gift.id for one in (await service.gifts([anna], before=None, limit=9))[anna]]
    assert seen == [made[4], made[3], made[1], made[0]]
    page = (await service.gifts([anna], before=made[4], limit=2))[anna]
    assert [one.gift.id for one in page] == [made[3], made[1]]
    with sql.counted_statements() as statements:
        await service.gifts([anna, bob, carl], before=None, limit=9)
    assert len(statements) == 1


# ---------------------------------------------------------------- at once


async def test_gifts_at_once_do_not_exceed_the_day(database: Address) -> None:
    anna, bob, carl = await people(1000, 0, 0)

    async def attempt(receiver: int) -> bool:
        try:
            await given(anna, receiver, 40)
        except LimitReached:
            return False
        return True

    done = await asyncio.gather(*(attempt(receiver) for receiver in (bob, carl) * 6))
    assert done.count(True) == 2
    assert await available(anna) == [920]
    await check_books()


async def test_two_who_give_to_each_other_all_the_time(database: Address) -> None:
    await publish({("transfers",): {"daily_limit_points": 1_000_000}})
    anna, bob = await people(50, 50)

    async def run(giver: int, receiver: int) -> int:
        done = 0
        for turn in range(20):
            try:
                await given(giver, receiver, 1 + turn % 7)
                done += 1 + turn % 7
            except DomainError as refusal:
                assert refusal.reason == "points.insufficient"  # noqa: PT017 - of a loop
        return done

    ways = [(anna, bob), (bob, anna), (anna, bob), (bob, anna)]
    done = await asyncio.gather(*(run(*way) for way in ways))
    moved = done[1] + done[3] - done[0] - done[2]
    assert await available(anna, bob) == [50 + moved, 50 - moved]
    await check_books()
