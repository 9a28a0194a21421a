"""Ordering rewards: what they cost, who may have them, and what becomes of orders."""

import asyncio
from typing import Any

import pytest

from server.catalogue import service as catalogue
from server.catalogue.service import NotInAudience, NotYetOpen, Ordered, OrderStatus, OutOfStock
from server.clock import NEVER
from server.errors import (
    AlreadyDecided,
    DomainError,
    InsufficientPoints,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
)
from server.programme import service as programme
from server.rewards import service as rewards
from server.rewards.service import VoucherReference
from server.storage import sql
from server.storage.database import Address
from tests.api.calling import dump
from tests.catalogue.shop import (
    NOW,
    VOUCHER,
    after,
    balance,
    change,
    members_with,
    order,
    reward,
    sold,
)
from tests.ledger.books import check_books


async def test_an_order_takes_its_points_and_its_units(shop: Address) -> None:
    await reward(stock=5, price={"points": 100, "money_minor": 250})
    [anna] = await members_with(1, 1000)
    made = await order(anna, quantity=3)
    assert made.points_available_after == 700
    assert (made.order.points, made.order.money_minor, made.order.quantity) == (300, 750, 3)
    assert (made.order.status, made.order.delivered_at) == (OrderStatus.ISSUED, None)
    assert (made.order.currency, made.order.digits, made.order.kind) == ("USD", 2, "product")
    assert (await balance(anna)).available == 700
    assert await sold() == 3
    assert (await catalogue.find_orders([made.order.id]))[made.order.id] == made.order
    await check_books()


@pytest.mark.parametrize(
    ("changes", "quantity", "expected", "facts"),
    [
        ({}, 11, InsufficientPoints, {"available": 1000, "required": 1100, "short_by": 100}),
        ({"stock": 2}, 3, OutOfStock, {"limit": 2, "left": 2}),
        ({"stock": 0}, 1, OutOfStock, {"limit": 0, "left": 0}),
        ({"per_member": 2}, 3, LimitReached, {"limit": 2, "left": 2}),
        ({}, 0, InvalidInput, {"value": "0"}),
        ({}, 101, InvalidInput, {"value": "101"}),
        ({"by_drop_only": True}, 1, NotAllowed, {"reason": "reward.by_drop_only"}),
        ({"valid_from": "2026-03-05"}, 1, NotYetOpen, {"opens_at": after(seconds=43_200)}),
        (
            {"valid_from": "2026-03-04T12:00:01Z"},
            1,
            NotYetOpen,
            {"opens_at": after(seconds=1)},
        ),
        ({"valid_to": "2026-03-03"}, 1, NotAllowed, {"reason": "reward.ended"}),
        ({"valid_to": "2026-03-04T12:00:00Z"}, 1, NotAllowed, {"reason": "reward.ended"}),
    ],
)
async def test_what_is_refused_says_why_and_changes_nothing(
    shop: Address,
    changes: dict[str, Any],
    quantity: int,
    expected: type[DomainError],
    facts: dict[str, object],
) -> None:
    await reward(**changes)
    [anna] = await members_with(1, 1000)
    before = await dump()
    with pytest.raises(expected) as refused:
        await order(anna, quantity=quantity)
    assert {name: getattr(refused.value, name) for name in facts} == facts
    assert await dump() == before


async def test_a_day_counts_as_a_whole(shop: Address) -> None:
    await reward(valid_from="2026-03-04", valid_to="2026-03-04")
    [anna] = await members_with(1, 1000)
    assert (await order(anna, now=NOW)).order.quantity == 1


async def test_what_is_for_a_tier_says_which(shop: Address) -> None:
    levels = (await programme.rulebook()).at(NOW).programme.tiers.levels
    highest = levels[-1].name
    await reward(audience={"tiers": [highest]})
    [anna] = await members_with(1, 1000)
    with pytest.raises(NotInAudience) as refused:
        await order(anna)
    assert (refused.value.tiers, refused.value.segments) == ([highest], [])


async def test_nobody_orders_what_is_not_there(shop: Address) -> None:
    [anna] = await members_with(1, 1000)
    with pytest.raises(NotFound) as refused:
        await order(anna, "nothing")
    assert refused.value.path == ("rewardKey",)


async def test_more_stock_is_more_units_ever_and_what_is_sold_stays_so(shop: Address) -> None:
    await reward(stock=2)
    [anna] = await members_with(1, 1000)
    await order(anna, quantity=2)
    await reward(stock=3, now=after(seconds=1))
    await order(anna, now=after(seconds=1))
    with pytest.raises(OutOfStock) as refused:
        await order(anna, now=after(seconds=1))
    assert (refused.value.limit, refused.value.left) == (3, 0)
    await reward(stock=1, now=after(seconds=2))
    with pytest.raises(OutOfStock) as refused:
        await order(anna, now=after(seconds=2))
    assert (refused.value.limit, refused.value.left) == (1, 0)
    assert await sold() == 3


async def test_64_at_once_get_exactly_what_there_is(shop: Address) -> None:
    await reward(stock=10)
    members = await members_with(64, 100)
    answers = await asyncio.gather(*map(order, members), return_exceptions=True)
    made = [one for one in answers if isinstance(one, Ordered)]
    assert (len(made), await sold()) == (10, 10)
    assert {type(one) for one in answers} == {Ordered, OutOfStock}
    lucky = {one.order.member_id for one in made}
    for member in members:
        assert (await balance(member)).available == (0 if member in lucky else 100)
    await check_books()


async def test_one_member_at_many_places_keeps_to_their_limit_and_their_points(
    shop: Address,
) -> None:
    await reward(per_member=3)
    [anna] = await members_with(1, 1000)
    answers = await asyncio.gather(*(order(anna) for _ in range(8)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["LimitReached"] * 5 + ["Ordered"] * 3
    assert (await balance(anna)).available == 700


# ---------------------------------------------------------------- what becomes of them


async def test_an_order_is_made_ready_and_delivered_once(shop: Address) -> None:
    await reward()
    [anna] = await members_with(1, 1000)
    made = (await order(anna)).order
    ready = await change("mark_ready", made.id, now=after(seconds=1))
    assert (ready.status, ready.ready_at) == (OrderStatus.READY, after(seconds=1))
    got = await change("mark_delivered", made.id, now=after(seconds=2))
    assert (got.status, got.delivered_at) == (OrderStatus.DELIVERED, after(seconds=2))
    for verb in ("mark_ready", "mark_delivered", "cancel"):
        with pytest.raises(AlreadyDecided) as refused:
            await change(verb, made.id)
        assert (refused.value.status, refused.value.path) == ("DELIVERED", ("rewardOrderId",))


async def test_what_costs_money_is_paid_before_it_is_handed_over(shop: Address) -> None:
    await reward(price={"points": 100, "money_minor": 250})
    [anna] = await members_with(1, 1000)
    made = (await order(anna)).order
    with pytest.raises(NotAllowed) as refused:
        await change("mark_delivered", made.id)
    assert refused.value.reason == "reward_order.unpaid"
    assert (await change("mark_paid", made.id, now=after(seconds=9))).paid_at == after(seconds=9)
    with pytest.raises(AlreadyDecided) as twice:
        await change("mark_paid", made.id)
    assert twice.value.status == "PAID"
    cancelled = await change("cancel", made.id)
    assert cancelled.refund_minor == 250
    assert made.refund_minor == 0


async def test_what_costs_no_money_can_t_be_paid_for(shop: Address) -> None:
    await reward()
    [anna] = await members_with(1, 1000)
    with pytest.raises(AlreadyDecided):
        await change("mark_paid", (await order(anna)).order.id)


async def test_cancelling_gives_the_points_back_with_their_own_expiry(shop: Address) -> None:
    await reward(stock=1)
    [anna] = await members_with(1, 150, expires_at=after(days=10))
    lots = await sql.fetch("SELECT id, remaining, expires_at FROM lots ORDER BY id")
    made = (await order(anna)).order
    cancelled = await change("cancel", made.id, of_member=anna)
    assert (cancelled.status, cancelled.cancelled_at) == (OrderStatus.CANCELLED, NOW)
    assert await sql.fetch("SELECT id, remaining, expires_at FROM lots ORDER BY id") == lots
    assert await sold() == 0
    await order(anna)  # there is one again
    await check_books()


async def test_points_that_have_lapsed_meanwhile_come_back_for_the_days_of_grace(
    shop: Address,
) -> None:
    await reward()
    [anna] = await members_with(1, 100, expires_at=after(days=1))
    made = (await order(anna)).order
    await change("cancel", made.id, now=after(days=2))
    published = (await programme.rulebook()).at(after(days=2))
    lapses = rewards.grace_expires_at(published, after(days=2))
    rows = await sql.fetch("SELECT expires_at FROM lots WHERE remaining > 0")
    assert [row[0] for row in rows] == ([lapses] if lapses > after(days=2) else [])
    await check_books()


async def test_members_cancel_their_own_orders_until_the_shop_sees_to_them(shop: Address) -> None:
    await reward()
    anna, bert = await members_with(2, 1000)
    made = (await order(anna)).order
    with pytest.raises(NotFound):
        await change("cancel", made.id, of_member=bert)
    await change("mark_ready", made.id)
    with pytest.raises(AlreadyDecided) as refused:
        await change("cancel", made.id, of_member=anna)
    assert refused.value.status == "READY"
    assert (await change("cancel", made.id)).status is OrderStatus.CANCELLED


async def test_cancelling_ends_with_the_reward_s_last_day_for_it(shop: Address) -> None:
    await reward(refund_until="2026-03-05")
    [anna] = await members_with(1, 1000)
    one, other = (await order(anna)).order, (await order(anna)).order
    assert one.refund_until == after(days=1, seconds=43_200)
    await change("cancel", one.id, now=after(days=1, seconds=43_199))
    with pytest.raises(NotAllowed) as refused:
        await change("cancel", other.id, now=after(days=1, seconds=43_200))
    assert refused.value.reason == "reward_order.refund_ended"


async def test_of_many_who_cancel_at_once_one_does(shop: Address) -> None:
    await reward(stock=1)
    [anna] = await members_with(1, 100)
    made = (await order(anna)).order
    answers = await asyncio.gather(
        *(change("cancel", made.id) for _ in range(6)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in answers) == ["AlreadyDecided"] * 5 + ["OrderView"]
    assert ((await balance(anna)).available, await sold()) == (100, 0)
    await check_books()


# ---------------------------------------------------------------- vouchers


async def test_a_voucher_is_the_member_s_at_once_and_tills_take_it(shop: Address) -> None:
    await reward("voucher", VOUCHER, stock=5, voucher_valid_days=1)
    [anna] = await members_with(1, 3000)
    made = (await order(anna, "voucher", 2)).order
    assert (made.status, made.delivered_at) == (OrderStatus.DELIVERED, NOW)
    lapses = after(days=1, seconds=43_200)  # the end of the day after that of the order
    assert made.expires_at == lapses
    async with sql.transaction():
        found = await rewards.usable_voucher(VoucherReference(code=made.code), now=NOW)
    assert (found.id, found.value_minor, found.remaining_minor) == (made.id, 1000, 1000)
    assert (found.points, found.expires_at) == (2000, lapses)
    with pytest.raises(AlreadyDecided) as refused:
        async with sql.transaction():
            await rewards.usable_voucher(VoucherReference(code=made.code), now=lapses)
    assert refused.value.status == "EXPIRED"


async def test_a_voucher_s_order_is_cancelled_while_nothing_of_it_is_used(shop: Address) -> None:
    await reward("voucher", VOUCHER)
    [anna] = await members_with(1, 3000)
    unused, used = [(await order(anna, "voucher")).order for _ in range(2)]
    assert unused.expires_at == NEVER
    with pytest.raises(NotAllowed) as own:
        await change("cancel", unused.id, of_member=anna)
    assert own.value.reason == "reward_order.instant"
    with pytest.raises(NotAllowed) as by_till:
        async with sql.transaction():
            await rewards.cancel_redemption(VoucherReference(id=unused.id), now=NOW)
    assert by_till.value.reason == "voucher.of_order"
    cancelled = await change("cancel", unused.id)
    assert cancelled.status is OrderStatus.CANCELLED
    voucher = await rewards.voucher(unused.id)
    assert voucher is not None
    assert (voucher.status, voucher.remaining_minor) == ("cancelled", 0)
    assert ((await balance(anna)).available, await sold("voucher")) == (2000, 1)
    async with sql.transaction():
        await rewards.use(await rewards.usable_voucher(VoucherReference(id=used.id), now=NOW), 1)
    with pytest.raises(NotAllowed) as partly:
        await change("cancel", used.id)
    assert (partly.value.reason, partly.value.path) == ("voucher.partly_used", ("rewardOrderId",))
    assert await sold("voucher") == 1
    await check_books()
