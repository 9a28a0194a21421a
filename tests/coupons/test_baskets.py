"""Coupons of baskets: reserved until an instant, redeemed, released, given back."""

import asyncio

import pytest

from server.clock import Instant
from server.coupons import service as coupons
from server.errors import DomainError
from server.ledger import service as ledger
from server.money import POINTS
from server.storage import sql
from tests.api.calling import dump
from tests.coupons.keeping import (
    MINUTE,
    NOON,
    SHARED,
    SINGLE,
    looked_up,
    open_shop,
    redeemed,
    stocked,
    usable,
)

pytestmark = pytest.mark.usefixtures("database")
UNTIL = Instant(NOON + 15 * MINUTE)
AT_ONCE = 64


async def reserve(member_id: int, code: str, basket: int, *, at: Instant = NOON) -> None:
    coupon = await looked_up(member_id, code, at=at)
    async with sql.transaction():
        await coupons.reserve(
            [coupon], member_id, basket, until=Instant(at + UNTIL - NOON), occurred_at=at, now=at
        )


@pytest.mark.parametrize("codes", [SINGLE, SHARED], ids=["single use", "shared"])
async def test_releasing_a_basket_leaves_the_database_as_it_was(codes: dict[str, object]) -> None:
    (anna,) = await open_shop(codes, "anna", terms={"per_member": 1})
    code = (await stocked(1))[0] if codes is SINGLE else "may-5"
    before = {**await dump(), "versions": []}
    await reserve(anna, code, 7)
    assert {**await dump(), "versions": []} != before
    async with sql.transaction():
        await coupons.release(7)
    assert {**await dump(), "versions": []} == before


async def test_a_reserved_code_is_nobody_elses_until_its_time_is_over_to_the_microsecond() -> None:
    anna, bob = await open_shop(SINGLE, "anna", "bob")
    (code,) = await stocked(1)
    await reserve(anna, code, 7)
    last = Instant(UNTIL - 1)
    assert await usable(bob, code, at=last) == "coupon.unknown"
    assert await usable(anna, code, at=last) == "coupon.used"
    assert await usable(anna, code, at=last, basket=7) == "usable"
    assert await usable(bob, code, at=UNTIL) == "usable"
    await reserve(bob, code, 8, at=UNTIL)
    async with sql.transaction():
        await coupons.release(7)  # what is bob's by now stays so
    assert await usable(anna, code, at=UNTIL) == "coupon.unknown"


async def test_a_reservation_counts_for_limits_until_its_time_is_over() -> None:
    anna, _ = await open_shop(SHARED, "anna", "bob", terms={"total": 1, "per_member": 1})
    await reserve(anna, "may-5", 7)
    last = Instant(UNTIL - 1)
    assert await usable(anna, "may-5", at=last) == "coupon.limit_member"
    assert await usable(anna, "may-5", at=last, basket=7) == "usable"
    assert await redeemed(("bob", "may-5"), at=last) == ["coupon.limit_total"]
    assert await redeemed(("bob", "may-5"), at=UNTIL) == ["taken"]


async def test_a_code_that_all_members_have_used_up_is_told_before_it_is_taken() -> None:
    anna, bob = await open_shop(SHARED, "anna", "bob", terms={"total": 1})
    await reserve(anna, "may-5", 7)
    last = Instant(UNTIL - 1)
    assert await usable(anna, "may-5", at=last, basket=7) == "usable"
    assert await usable(bob, "may-5", at=last) == "coupon.limit_total"
    assert await usable(bob, "spring-10", at=last) == "usable"
    assert await usable(bob, "may-5", at=UNTIL) == "usable"
    assert await redeemed(("anna", "may-5"), at=UNTIL) == ["taken"]
    assert await usable(bob, "May 5", at=UNTIL) == "coupon.limit_total"


async def test_a_reserved_coupon_is_redeemed_and_comes_back_with_the_purchase() -> None:
    anna, bob = await open_shop(SINGLE, "anna", "bob", terms={"total": 1})
    code, other = await stocked(2)
    both = [await looked_up(anna, one) for one in (code, other)]
    async with sql.transaction():
        await coupons.reserve(both, anna, 7, until=UNTIL, occurred_at=NOON, now=NOON)
    async with sql.transaction():
        await coupons.redeem(both[:1], anna, basket_id=7, purchase_id=9, occurred_at=NOON, now=NOON)
    assert await usable(anna, code) == "coupon.used"
    assert await usable(bob, other) == "usable", "what was reserved and not used is free"
    rows = await sql.fetch("SELECT status, basket_id, purchase_id FROM coupon_redemptions")
    assert [tuple(row) for row in rows] == [("redeemed", 7, 9)]
    for _ in range(2):
        async with sql.transaction():
            await coupons.give_back(9)
    assert await redeemed(("bob", code)) == ["taken"]
    rows = await sql.fetch("SELECT status FROM coupon_redemptions ORDER BY id")
    assert [row[0] for row in rows] == ["returned", "redeemed"]


@pytest.mark.parametrize("takes", ["reserve", "redeem"])
async def test_a_single_use_code_goes_to_one_of_many_at_once(takes: str) -> None:
    names = [f"m{number}" for number in range(8)]
    ids = await open_shop(SINGLE, *names)
    (code,) = await stocked(1)
    found = await looked_up(ids[0], code)

    async def attempt(number: int) -> bool:
        member_id = ids[number % len(ids)]
        try:
            async with (
                sql.transaction(),
                ledger.journal([member_id], [POINTS], recorded_at=NOON),
            ):
                if takes == "reserve":
                    await coupons.reserve(
                        [found], member_id, number + 1, until=UNTIL, occurred_at=NOON, now=NOON
                    )
                else:
                    await coupons.redeem(
                        [found],
                        member_id,
                        basket_id=None,
                        purchase_id=number + 1,
                        occurred_at=NOON,
                        now=NOON,
                    )
        except DomainError:
            return False
        return True

    taken = await asyncio.gather(*map(attempt, range(AT_ONCE)))
    assert sum(taken) == 1
    assert (await sql.fetch("SELECT COUNT(*) FROM coupon_redemptions"))[0][0] == 1


async def test_a_limit_in_total_is_reached_and_never_passed_by_many_at_once() -> None:
    names = [f"m{number}" for number in range(16)]
    await open_shop(SHARED, *names, terms={"total": 20})
    told = await asyncio.gather(
        *(redeemed((names[number % 16], "may-5")) for number in range(AT_ONCE))
    )
    assert sorted(one for each in told for one in each) == [
        *["coupon.limit_total"] * (AT_ONCE - 20),
        *["taken"] * 20,
    ]
