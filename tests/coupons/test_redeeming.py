"""Coupons whose discount the till takes off: who may redeem which, when and how often."""

import pytest

from server.cards.service import MemberReference
from server.clock import Instant
from server.coupons import redeeming
from server.coupons import service as coupons
from server.errors import AlreadyDecided, DomainError, NotAllowed, NotFound
from server.storage import sql
from tests.coupons.keeping import (
    DAY,
    NOON,
    SHARED,
    SINGLE,
    listed,
    looked_up,
    open_shop,
    publish,
    redeemed,
    stocked,
    usable,
)

pytestmark = pytest.mark.usefixtures("database")


async def test_a_shared_code_is_the_same_whatever_its_case_and_punctuation() -> None:
    (anna,) = await open_shop(SHARED, "anna")
    for text in ("SPRING-10", "spring10", " Spring 10 ", "s.p.r.i.n.g.1.0"):
        assert (await looked_up(anna, text)).code == "SPRING10"
    assert (await looked_up(anna, "may-5")).products == frozenset({"7"})
    assert (await looked_up(anna, "spring10")).products is None
    assert await usable(anna, "SPRING-11") == "coupon.unknown"


async def test_a_code_counts_as_often_a_day_as_it_may_and_again_the_next_day() -> None:
    await open_shop(SHARED, "anna", "bob", terms={"per_member_per_day": 2})
    wishes = [("anna", "spring-10")] * 3 + [("anna", "may-5"), ("bob", "spring-10")]
    assert await redeemed(*wishes) == ["taken", "taken", "coupon.limit_day", "taken", "taken"]
    assert await redeemed(("anna", "spring-10")) == ["coupon.limit_day"]
    late = Instant(NOON + 12 * DAY // 24 - 1)  # the last microsecond of the local day
    assert await redeemed(("anna", "spring-10"), at=late) == ["coupon.limit_day"]
    assert await redeemed(("anna", "spring-10"), at=Instant(late + 1)) == ["taken"]


async def test_limits_of_a_member_and_of_different_codes() -> None:
    await open_shop(SHARED, "anna", "bob", terms={"per_member": 2, "different_per_member": 1})
    wishes = [("anna", "spring-10"), ("anna", "may-5"), ("bob", "may-5"), ("anna", "spring-10")]
    assert await redeemed(*wishes) == ["taken", "coupon.limit_different", "taken", "taken"]
    assert await redeemed(("anna", "spring-10"), at=Instant(NOON + DAY)) == ["coupon.limit_member"]


async def test_a_coupon_without_any_left_for_a_member_is_refused() -> None:
    await open_shop(SHARED, "anna", terms={"different_per_member": 0})
    assert await redeemed(("anna", "spring-10")) == ["coupon.limit_different"]


async def test_a_limit_in_total_counts_all_members_and_what_was_cancelled_not() -> None:
    await open_shop(SHARED, "anna", "bob", "carl", terms={"total": 2})
    wishes = [(name, "spring-10") for name in ("anna", "bob", "carl")]
    assert await redeemed(*wishes) == ["taken", "taken", "coupon.limit_total"]
    (row,) = await sql.fetch("SELECT MIN(id) FROM coupon_redemptions")
    async with sql.transaction():
        await redeeming.cancel(row[0], now=NOON)
    assert await redeemed(("carl", "spring-10"), ("bob", "spring-10")) == [
        "taken",
        "coupon.limit_total",
    ]


async def test_a_limit_in_total_that_comes_later_counts_what_was_redeemed_before() -> None:
    await open_shop(SHARED, "anna", "bob")
    assert await redeemed(("anna", "spring-10"), ("bob", "spring-10")) == ["taken", "taken"]
    terms = {"offer": "spring", "codes": SHARED, "total": 3}
    await publish(("coupon", "spring", terms), at=NOON)
    later = Instant(NOON + DAY)
    wishes = [("anna", "spring-10"), ("bob", "spring-10")]
    assert await redeemed(*wishes, at=later) == ["taken", "coupon.limit_total"]


async def test_a_coupon_is_valid_on_the_local_dates_of_its_offer_both_included() -> None:
    dates = {"starts_on": "2026-03-03", "ends_on": "2026-03-04"}
    (anna,) = await open_shop(SHARED, "anna", schedule=dates)
    first, end = (Instant(NOON - 36 * DAY // 24), Instant(NOON + 12 * DAY // 24))
    assert await usable(anna, "may-5", at=Instant(first - 1)) == "coupon.not_valid_then"
    assert await usable(anna, "may-5", at=first) == "usable"
    assert await usable(anna, "may-5", at=Instant(end - 1)) == "usable"
    assert await usable(anna, "may-5", at=end) == "coupon.not_valid_then"


async def test_a_coupons_own_dates_come_before_its_offers() -> None:
    dates = {"starts_on": "2026-03-01", "ends_on": "2026-03-31"}
    own = {"valid_to": "2026-03-03"}
    (anna,) = await open_shop(SHARED, "anna", schedule=dates, terms=own)
    assert await usable(anna, "may-5") == "coupon.not_valid_then"
    assert await usable(anna, "may-5", at=Instant(NOON - DAY)) == "usable"
    assert await usable(anna, "may-5", at=Instant(NOON - 4 * DAY)) == "coupon.not_valid_then"


async def test_a_code_for_others_is_told_like_one_that_does_not_exist() -> None:
    await open_shop(SHARED, "anna", "bob")
    await publish(("segment", "chosen", listed("anna")))
    audience = {"segments": ["chosen"]}
    spring = {
        "default_language": "en",
        "texts": {"en": {"title": "Spring"}},
        "discount": {"kind": "till"},
        "needs_coupon": True,
        "audience": audience,
    }
    await publish(("offer", "spring", spring), at=Instant(NOON - DAY))
    wishes = [("anna", "may-5"), ("bob", "may-5"), ("bob", "may-6")]
    assert await redeemed(*wishes) == ["taken", "coupon.unknown", "coupon.unknown"]


async def test_what_is_bought_before_now_counts_on_its_own_date_and_nothing_in_the_future() -> None:
    await open_shop(SHARED, "anna")
    given = redeeming.Wish(MemberReference(external_id="anna"), "may-5", NOON)
    async with sql.transaction():
        answer = (await redeeming.redeem_many([given], now=Instant(NOON - 1)))[0]
    assert isinstance(answer, DomainError)
    assert answer.reason == "coupon.in_the_future"


async def test_a_coupon_for_a_discount_of_ours_is_used_with_a_basket() -> None:
    await open_shop(SHARED, "anna", discount={"kind": "percent", "rate_bps": 1000})
    assert await redeemed(("anna", "may-5")) == ["coupon.needs_basket"]


async def test_a_single_use_code_works_once_and_its_next_try_tells_its_member_alone() -> None:
    anna, bob = await open_shop(SINGLE, "anna", "bob")
    (code, other) = await stocked(2)
    assert await redeemed(("anna", code), ("anna", code.lower())) == ["taken", "coupon.unknown"]
    assert await usable(anna, code) == "coupon.used"
    assert await usable(bob, code) == "coupon.unknown"
    assert await redeemed(("bob", code), ("bob", other)) == ["coupon.unknown", "taken"]


async def test_a_cancelled_redemption_gives_the_code_back_once() -> None:
    await open_shop(SINGLE, "anna", "bob")
    (code,) = await stocked(1)
    assert await redeemed(("anna", code)) == ["taken"]
    (row,) = await sql.fetch("SELECT id FROM coupon_redemptions")
    async with sql.transaction():
        await redeeming.cancel(row[0], now=NOON)
    with pytest.raises(AlreadyDecided):
        async with sql.transaction():
            await redeeming.cancel(row[0], now=NOON)
    assert await redeemed(("bob", code)) == ["taken"]
    with pytest.raises(NotFound):
        async with sql.transaction():
            await redeeming.cancel(1, now=NOON)


async def test_what_was_redeemed_with_a_basket_is_not_cancelled_by_itself() -> None:
    (anna,) = await open_shop(SHARED, "anna")
    coupon = await looked_up(anna, "may-5")
    async with sql.transaction():
        (done,) = await coupons.redeem(
            [coupon], anna, basket_id=5, purchase_id=6, occurred_at=NOON, now=NOON
        )
    with pytest.raises(NotAllowed):
        async with sql.transaction():
            await redeeming.cancel(done, now=NOON)


async def test_many_redemptions_cost_the_statements_of_one() -> None:
    names = [f"m{number}" for number in range(20)]
    await open_shop(SHARED, *names)
    counts = []
    for some in (names[:1], names[1:2], names[2:]):
        with sql.counted_statements() as statements:
            answers = await redeemed(*((name, "may-5") for name in some))
        assert set(answers) == {"taken"}
        counts.append(len(statements))
    assert counts[1] == counts[2]
