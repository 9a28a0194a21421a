"""Holds: settled in full or in part, released, or over by the clock; each exactly once."""

import pytest

from server.clock import Instant
from server.errors import (
    AlreadyDecided,
    InsufficientCashback,
    InsufficientPoints,
    InvalidInput,
    NotFound,
)
from server.ledger import service as ledger
from server.messages import told
from server.money import POINTS
from server.payments import service
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import NOW
from tests.households.living import SPENDER, founded
from tests.ledger.books import check_books
from tests.payments.tills import (
    RIVAL,
    SECOND,
    SHOP,
    STAFF,
    available,
    balance,
    basket,
    cancel,
    expiring,
    hold,
    later,
    member_with,
    pay_with_points,
    publish,
    refused,
    release,
    settle,
    written,
)


async def test_what_is_held_is_nobody_elses_until_it_is_released(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    held = await written(hold(anna, 70))
    assert held.available_after == 30
    assert (held.hold.asset, held.hold.amount, held.hold.partner) == (POINTS, 70, SHOP)
    assert held.hold.expires_at == NOW + 900 * SECOND
    short = await refused(pay_with_points(anna, 31))
    assert isinstance(short, InsufficientPoints)
    assert short.available == 30
    assert await service.open_holds([anna], NOW) == {anna: [held.hold]}
    released = await written(release(held.hold.id))
    assert (released.available_after, released.hold.settled_amount) == (100, 0)
    assert await service.open_holds([anna], NOW) == {}
    assert (await balance(anna)).held == 0


@pytest.mark.parametrize("kind", ["points", "cashback"])
async def test_a_hold_is_settled_in_part_and_the_rest_is_free(database: Address, kind: str) -> None:
    await publish()
    anna = await member_with(1000, cashback=1000)
    held = await written(hold(anna, 600, kind))
    points, cash = (250, None) if kind == "points" else (None, 250)
    paid = await written(settle(held.hold.id, points=points, amount_minor=cash))
    assert (paid.payment.kind, paid.payment.amount, paid.payment.value_minor) == (kind, 250, 250)
    assert (paid.payment.hold_id, paid.payment.member_id) == (held.hold.id, anna)
    assert paid.available_after == 750
    now = await balance(anna, paid.payment.asset)
    assert (now.available, now.held, now.redeemed_total) == (750, 0, 250)
    await written(cancel(paid.payment.id))
    assert (await balance(anna, paid.payment.asset)).available == 1000


async def test_all_of_a_hold_as_far_as_the_basket_takes_it(database: Address) -> None:
    await publish({("paying_with_points",): {"maximum_share_basis_points": 2500}})
    anna = await member_with(1000, cashback=1000)
    points, cashback = await written(hold(anna, 600)), await written(hold(anna, 600, "cashback"))
    over = await refused(settle(points.hold.id, basket(999), points=250))
    assert isinstance(over, InvalidInput)
    assert (over.path, told(over.accepted, "en")) == (("points",), "1 to 249")
    paid = await written(settle(points.hold.id, basket(999)))
    assert (paid.payment.amount, paid.available_after) == (249, 751)
    paid = await written(settle(cashback.hold.id, basket(599)))
    assert (paid.payment.amount, paid.available_after) == (599, 401)


async def test_more_than_is_held(database: Address) -> None:
    await publish()
    anna = await member_with(1000, cashback=1000)
    points, cashback = await written(hold(anna, 600)), await written(hold(anna, 600, "cashback"))
    short = await refused(settle(points.hold.id, points=601))
    assert isinstance(short, InsufficientPoints)
    assert (short.available, short.required) == (600, 601)
    less = await refused(settle(cashback.hold.id, amount_minor=601))
    assert isinstance(less, InsufficientCashback)
    assert (less.available, less.required) == (600, 601)


async def test_the_amount_fits_the_hold(database: Address) -> None:
    await publish({("paying_with_points",): {"minimum_points": 10}})
    anna = await member_with(1000, cashback=1000)
    points, cashback = await written(hold(anna, 600)), await written(hold(anna, 600, "cashback"))
    for work, path, accepted in (
        (settle(points.hold.id, amount_minor=1), ("amountMinor",), "nothing, for points"),
        (settle(cashback.hold.id, points=1), ("points",), "nothing, for cashback"),
        (settle(points.hold.id, points=9), ("points",), "10 to 10000"),
        (settle(cashback.hold.id, amount_minor=0), ("amountMinor",), "1 to 10000"),
        (settle(points.hold.id, basket(9)), ("basket", "netMinor"), "10 or more"),
        (settle(points.hold.id, basket(currency="EUR")), ("basket", "currencyCode"), "USD"),
        (hold(anna, 9), ("points",), "10 to 2147483647"),
        (hold(anna, 2**31), ("points",), "10 to 2147483647"),
        (hold(anna, 0, "cashback"), ("amountMinor",), "1 to 2147483647"),
        (hold(anna, 10, ttl=0), ("ttlSeconds",), "1 to 86400"),
        (hold(anna, 10, ttl=86_401), ("ttlSeconds",), "1 to 86400"),
    ):
        wrong = await refused(work)
        assert isinstance(wrong, InvalidInput)
        assert (wrong.path, told(wrong.accepted, "en")) == (path, accepted)
    short = await refused(hold(anna, 401))
    assert isinstance(short, InsufficientPoints)
    less = await refused(hold(anna, 401, "cashback"))
    assert isinstance(less, InsufficientCashback)


async def test_a_hold_is_over_by_the_clock_alone(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    held = await written(hold(anna, 70, ttl=60))
    end = later(seconds=60)
    assert (await balance(anna, at=Instant(end - 1))).held == 70
    assert (await balance(anna, at=end)).available == 100
    assert await service.open_holds([anna], end) == {}
    for work in (settle(held.hold.id, now=end), release(held.hold.id, now=end)):
        over = await refused(work)
        assert isinstance(over, AlreadyDecided)
        assert over.status == "EXPIRED"
    paid = await written(pay_with_points(anna, 100, now=end))
    assert paid.available_after == 0


async def test_a_hold_can_be_settled_until_just_before_its_end(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    held = await written(hold(anna, 70, ttl=60))
    paid = await written(settle(held.hold.id, now=Instant(later(seconds=60) - 1)))
    assert paid.payment.amount == 70


async def test_held_points_pay_though_they_lapse_meanwhile(database: Address) -> None:
    await publish()
    anna = await member_with(100, expires_at=later(seconds=30))
    held = await written(hold(anna, 70, ttl=60))
    paid = await written(settle(held.hold.id, points=40, now=later(seconds=50)))
    assert (paid.payment.amount, paid.available_after) == (40, 0)
    after = await balance(anna, at=later(seconds=50))
    assert (after.redeemed_total, after.expired_total) == (40, 60)


async def test_what_was_resolved_stays_so(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    settled, released = await written(hold(anna, 10)), await written(hold(anna, 10))
    await written(settle(settled.hold.id))
    await written(release(released.hold.id))
    for held, status in ((settled, "SETTLED"), (released, "RELEASED")):
        for work in (
            settle(held.hold.id),
            release(held.hold.id),
            release(held.hold.id, partner=None),
        ):
            over = await refused(work)
            assert isinstance(over, AlreadyDecided)
            assert over.status == status
        # Its end changes nothing of that.
        over = await refused(settle(held.hold.id, now=later(days=1)))
        assert isinstance(over, AlreadyDecided)
        assert over.status == status


async def test_another_tills_hold_looks_like_none(database: Address) -> None:
    await publish()
    anna = await member_with(100)
    held = await written(hold(anna, 10))
    for work in (
        settle(held.hold.id, partner=RIVAL),
        settle(held.hold.id, partner=STAFF),
        release(held.hold.id, partner=RIVAL),
        settle(0),
        release(held.hold.id + 1),
    ):
        nothing = await refused(work)
        assert isinstance(nothing, NotFound)
        assert (nothing.reason, nothing.path) == ("hold.not_found", ("holdId",))
    await written(release(held.hold.id, partner=None))  # but staff may give it up


async def test_holds_for_something_else_are_none_of_the_tills(database: Address) -> None:
    await publish()
    anna = await member_with(cashback=100)
    async with (
        sql.transaction(),
        ledger.journal([anna], ["USD"], recorded_at=NOW) as journal,
    ):
        payout = await ledger.hold(
            journal, anna, "USD", 50, by=anna, purpose="payout", expires_at=later(days=9)
        )
    assert payout.partner == STAFF
    for work in (
        settle(payout.id, partner=STAFF),
        release(payout.id, partner=STAFF),
        release(payout.id, partner=None),
    ):
        assert isinstance(await refused(work), NotFound)
    assert await service.open_holds([anna], NOW) == {}
    assert await service.till_hold(payout.id) is None
    await check_books()


async def test_a_households_hold(database: Address) -> None:
    await publish()
    anna = await member_with(300, expires_at=later(days=5))
    bob = await member_with(500, expires_at=later(days=2))
    await founded(anna, (bob, SPENDER))
    held = await written(hold(anna, 600, from_household=True))
    assert held.available_after == 200
    assert (await available(anna), await available(bob)) == (200, 0)
    # What was held first is taken first; the rest goes back to whom it came from.
    paid = await written(settle(held.hold.id, points=550))
    assert paid.available_after == 250
    assert (await available(anna), await available(bob)) == (250, 0)
    await written(cancel(paid.payment.id))
    assert await expiring(anna, at=NOW) == {later(days=5): 300}
    assert await expiring(bob, at=NOW) == {later(days=2): 500}
