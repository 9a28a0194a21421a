"""Baskets that were quoted and confirmed count for referrals as recorded purchases do."""

from typing import Any

import pytest

from server.baskets.service import Confirmed, SentBasket
from server.cards.service import MemberReference
from server.purchases.service import LineReturn
from server.referrals.rules import ReferralState
from tests.api.calling import NOW, instant
from tests.baskets.shopping import basket, bought, line, open_shop, percent, returned
from tests.referrals.friends import came, granted, member, points, publish_terms

pytestmark = pytest.mark.usefixtures("database")

INVITERS = [("referral:default", 500, 0), ("referral:default:cashback", 200, 0)]
FRIENDS = [("referral:default:friend", 300, 0)]


async def brought(**offers: Any) -> tuple[int, int]:
    """The inviter and their friend, both of the day of the baskets, in New York."""
    inviter = await open_shop(**offers)
    await publish_terms(now=NOW)
    return inviter, await member("friend", by=inviter, now=NOW)


def of_friend(*minor: int) -> SentBasket:
    return basket(*map(line, minor), member=MemberReference(external_id="friend"))


async def confirmed(*minor: int, external_id: str = "b-1") -> Confirmed:
    return await bought(of_friend(*minor), external_id)


async def test_a_confirmed_basket_rewards_both_once() -> None:
    inviter, friend = await brought()
    await confirmed(1_999)
    assert await granted(inviter) == await granted(friend) == []
    await confirmed(2_000, external_id="b-2")
    await confirmed(2_000, external_id="b-3")
    assert (await granted(inviter), await granted(friend)) == (INVITERS, FRIENDS)


async def test_what_an_offer_takes_off_does_not_count_towards_the_minimum() -> None:
    inviter, friend = await brought(tenth=percent(1_000))
    await confirmed(2_221)
    assert await granted(inviter) == await granted(friend) == []
    await confirmed(2_222, external_id="b-2")
    assert (await granted(inviter), await granted(friend)) == (INVITERS, FRIENDS)


async def test_the_rewards_can_be_used_from_the_local_midnight_after_the_return_period() -> None:
    inviter, friend = await brought()
    before = [(await points(one, NOW))[0] for one in (inviter, friend)]
    await confirmed(2_000)
    # Summer time has begun in between.
    opens = instant("2026-03-18T04:00:00Z")
    assert (await came(friend)).available_at == opens
    last = type(NOW)(opens - 1)
    assert await points(inviter, last) == (before[0], 500)
    assert await points(inviter, opens) == (before[0] + 500, 0)
    assert await points(inviter, last, "USD") == (0, 200)
    assert await points(inviter, opens, "USD") == (200, 0)
    gained = (await points(friend, opens))[0] - (await points(friend, last))[0]
    assert gained == 300


async def test_a_return_takes_both_rewards_back_once_too_little_is_left() -> None:
    inviter, friend = await brought()
    done = await confirmed(2_000, 500)
    purchase_id = done.purchase.purchase_id
    kept = await returned(purchase_id, LineReturn(1, quantity=1))
    assert kept.referral_taken.amount == 0
    assert (await granted(inviter), await granted(friend)) == (INVITERS, FRIENDS)
    taken = await returned(purchase_id, LineReturn(0, amount_minor=1), external_id="r-2")
    assert (taken.referral_taken.amount, taken.referral_taken.from_lot) == (1_000, 1_000)
    assert await granted(inviter) == [
        ("referral:default", 500, 500),
        ("referral:default:cashback", 200, 200),
    ]
    assert await granted(friend) == [("referral:default:friend", 300, 300)]
    assert (await came(friend)).state is ReferralState.WAITING
    rest = await returned(purchase_id, external_id="r-3")
    assert rest.referral_taken.amount == 0
