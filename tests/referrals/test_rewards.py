"""Both are rewarded for the friend's first purchase that counts, within the caps."""

import pytest

from server.referrals.rules import ReferralState
from tests.purchases.baskets import at
from tests.purchases.returns import return_draft, take_back
from tests.referrals.friends import bought, came, granted, member, opened, points

pytestmark = pytest.mark.usefixtures("database")


async def test_both_are_rewarded_for_the_first_purchase_that_reaches_the_minimum() -> None:
    inviter = await opened()
    friend = await member("friend", by=inviter)
    await bought("friend", "1", "2026-01-06", 1_999)
    assert await granted(inviter) == await granted(friend) == []
    await bought("friend", "2", "2026-01-07", 2_000)
    await bought("friend", "3", "2026-01-08", 9_000)
    assert await granted(inviter) == [
        ("referral:default", 500, 0),
        ("referral:default:cashback", 200, 0),
    ]
    assert await granted(friend) == [("referral:default:friend", 300, 0)]


async def test_rewards_are_pending_until_the_return_period_has_passed() -> None:
    inviter = await opened()
    before = (await points(inviter, "2026-01-06"))[0]
    await member("friend", by=inviter)
    await bought("friend", "1", "2026-01-06", 2_000)
    assert await points(inviter, "2026-01-19T23:59:59") == (before, 500)
    assert await points(inviter, "2026-01-20T00:00:00") == (before + 500, 0)
    assert await points(inviter, "2026-01-19T23:59:59", "USD") == (0, 200)


async def test_a_purchase_after_the_last_day_counts_for_nothing() -> None:
    inviter = await opened()
    friend = await member("friend", by=inviter)
    await bought("friend", "1", "2026-02-05", 5_000)
    assert await granted(inviter) == []
    assert (await came(friend)).state is ReferralState.WAITING


async def test_a_return_that_leaves_less_than_the_minimum_takes_everything_back() -> None:
    inviter = await opened()
    friend = await member("friend", by=inviter)
    await bought("friend", "1", "2026-01-06", 2_000, 500)
    await take_back(return_draft("r1", "1", "2026-01-07", (1, 1)))
    assert (await granted(friend))[0][2] == 0
    await take_back(return_draft("r2", "1", "2026-01-08", (0, 1, "minor")))
    assert await granted(friend) == [("referral:default:friend", 300, 300)]
    assert await granted(inviter) == [
        ("referral:default", 500, 500),
        ("referral:default:cashback", 200, 200),
    ]
    assert (await came(friend)).state is ReferralState.WAITING


async def test_after_all_was_taken_back_the_next_purchase_counts() -> None:
    inviter = await opened()
    friend = await member("friend", by=inviter)
    await bought("friend", "1", "2026-01-06", 2_000)
    await take_back(return_draft("r1", "1", "2026-01-07"))
    await bought("friend", "2", "2026-01-08", 2_000)
    assert (await came(friend)).state is ReferralState.REWARDED
    assert await granted(friend) == [
        ("referral:default:friend", 300, 0),
        ("referral:default:friend", 300, 300),
    ]


async def test_above_a_cap_the_friend_alone_is_rewarded() -> None:
    inviter = await opened({"caps": {"per_month": 1, "per_year": 2}})
    friends = [await member(f"f{number}", by=inviter) for number in range(4)]
    for number, day in enumerate(["01-06", "01-07", "02-02", "02-03"]):
        await bought(f"f{number}", str(number), f"2026-{day}", 2_000)
    views = [await came(friend) for friend in friends]
    assert [view.is_capped for view in views] == [False, True, False, True]
    assert [view.friend_points for view in views] == [300] * 4
    assert [view.inviter_points for view in views] == [500, 0, 500, 0]


async def test_a_milestone_is_given_once_and_taken_back_with_the_friend_who_made_it_up() -> None:
    inviter = await opened({"milestones": [{"friends": 2, "points": 1_000}]})
    for number in range(3):
        await member(f"f{number}", by=inviter)
        await bought(f"f{number}", str(number), "2026-01-06", 2_000)
    milestone = [one for one in await granted(inviter) if one[0] == "referral:default:2"]
    assert milestone == [("referral:default:2", 1_000, 0)]
    await take_back(return_draft("r0", "0", "2026-01-07"))
    assert ("referral:default:2", 1_000, 0) in await granted(inviter)
    await take_back(return_draft("r1", "1", "2026-01-07"))
    assert ("referral:default:2", 1_000, 1_000) in await granted(inviter)


async def test_a_return_makes_room_below_a_cap_for_the_next_friend() -> None:
    inviter = await opened({"caps": {"total": 1}})
    friends = [await member(f"f{number}", by=inviter) for number in range(3)]
    await bought("f0", "0", "2026-01-06", 2_000)
    await bought("f1", "1", "2026-01-06", 2_000)
    await take_back(return_draft("r", "0", "2026-01-07"))
    await bought("f2", "2", "2026-01-08", 2_000)
    assert [(await came(friend)).is_capped for friend in friends] == [False, True, False]
    given = [one for one in await granted(inviter) if one[0] == "referral:default"]
    assert given == [("referral:default", 500, 0), ("referral:default", 500, 500)]


async def test_a_capped_friend_brings_no_nearer_to_a_milestone() -> None:
    inviter = await opened(
        {"caps": {"per_month": 1}, "milestones": [{"friends": 2, "points": 1_000}]}
    )
    for number, day in enumerate(("01-31", "01-31", "02-01")):
        await member(f"f{number}", by=inviter, now=at("2026-01-20"))
        await bought(f"f{number}", str(number), f"2026-{day}", 2_000)
        reached = [one for one in await granted(inviter) if one[0] == "referral:default:2"]
        assert reached == ([("referral:default:2", 1_000, 0)] if number == 2 else [])
