"""Merging members who brought each other, or were brought: what was given stays and can be taken
back, and nobody is rewarded for having brought themselves."""

import pytest

from server import clock
from server.errors import NotAllowed
from server.referrals import service as referrals
from server.referrals.service import Doubt, Marks, ReferralState, ReferralView
from server.storage import sql
from tests.audit.auditing import problems
from tests.merging.pairs import join, part
from tests.purchases.baskets import at
from tests.purchases.returns import return_draft, take_back
from tests.referrals.friends import JOINED, bought, came, member, opened, points

pytestmark = pytest.mark.usefixtures("database")

LATER = "2026-03-01"


async def worth(*members: int) -> list[tuple[int, int]]:
    """Points and cashback of each, later."""
    return [
        ((await points(one, LATER))[0], (await points(one, LATER, "USD"))[0]) for one in members
    ]


async def rewarded() -> tuple[int, int, int]:
    """An inviter and a friend, both rewarded, and somebody else."""
    inviter = await opened()
    friend = await member("friend", by=inviter)
    other = await member("other")
    await bought("friend", "1", "2026-01-06", 2_000)
    return inviter, friend, other


async def approved(friend_id: int, when: str = "2026-01-10") -> ReferralView:
    referral = await came(friend_id)
    with clock.moved_to(at(when)):
        async with sql.transaction():
            return await referrals.decide(
                referral.id, is_approved=True, note="two people", by=7, now=at(when)
            )


@pytest.mark.parametrize(
    ("duplicate", "survivor"),
    [("friend", "other"), ("inviter", "other"), ("friend", "inviter"), ("inviter", "friend")],
)
async def test_a_return_takes_from_the_survivors_what_was_given_to_the_duplicates(
    duplicate: str, survivor: str
) -> None:
    ids = dict(zip(("inviter", "friend", "other"), await rewarded(), strict=True))
    welcome = (await worth(ids["other"]))[0]
    await join(duplicate, survivor, "2026-01-08")
    answer = await take_back(return_draft("r", "1", "2026-01-09"))
    taken = answer.referral_taken
    assert (taken.amount, taken.from_lot, taken.not_recovered) == (1_000, 1_000, 0)
    left = {name: (await worth(one))[0] for name, one in ids.items()}
    assert left.pop(duplicate) == (0, 0)
    assert left.pop(survivor) == (2 * welcome[0], 0)
    assert list(left.values()) == [welcome]
    assert await problems() == []


async def test_merged_and_parted_a_return_takes_from_those_who_got_it() -> None:
    inviter, friend, other = await rewarded()
    [welcome] = await worth(other)
    await part(await join("inviter", "friend", "2026-01-08"), "2026-01-08")
    assert (await came(friend)).inviter_id == inviter
    await take_back(return_draft("r", "1", "2026-01-09"))
    assert await worth(inviter, friend, other) == [welcome] * 3
    assert await problems() == []


async def test_what_is_approved_goes_to_whom_the_friend_was_merged_into() -> None:
    inviter = await opened()
    async with sql.transaction():
        await referrals.note_marks(inviter, Marks(device="phone"), now=JOINED)
    friend = await member("friend", by=inviter, marks=Marks(device="phone"))
    other = await member("other")
    await bought("friend", "1", "2026-01-06", 2_000)
    await join("friend", "other", "2026-01-08")
    before = await worth(inviter, friend, other)
    assert (await approved(friend)).state is ReferralState.REWARDED
    after = await worth(inviter, friend, other)
    assert [(one[0] - was[0], one[1] - was[1]) for one, was in zip(after, before, strict=True)] == [
        (500, 200),
        (0, 0),
        (300, 0),
    ]
    assert await problems() == []
    answer = await take_back(return_draft("r", "1", "2026-01-11"))
    assert (answer.referral_taken.amount, answer.referral_taken.not_recovered) == (1_000, 0)
    assert await problems() == []


@pytest.mark.parametrize(("duplicate", "survivor"), [("friend", "inviter"), ("inviter", "friend")])
async def test_who_turn_out_to_be_one_are_not_rewarded_even_if_staff_approve(
    duplicate: str, survivor: str
) -> None:
    inviter = await opened()
    async with sql.transaction():
        await referrals.note_marks(inviter, Marks(device="phone"), now=JOINED)
    friend = await member("friend", by=inviter, marks=Marks(device="phone"))
    await bought("friend", "1", "2026-01-06", 2_000)
    await join(duplicate, survivor, "2026-01-08")
    with pytest.raises(NotAllowed) as refusal:
        await approved(friend)
    assert (refusal.value.reason, refusal.value.path) == ("referral.self", ("referralId",))
    assert (await came(friend)).state is ReferralState.HELD


@pytest.mark.parametrize(("duplicate", "survivor"), [("friend", "inviter"), ("inviter", "friend")])
async def test_a_purchase_of_who_turned_out_to_be_one_is_not_rewarded(
    duplicate: str, survivor: str
) -> None:
    inviter = await opened()
    friend = await member("friend", by=inviter)
    await join(duplicate, survivor, "2026-01-06")
    await bought("friend", "1", "2026-01-07", 2_000)
    assert await sql.fetch("SELECT id FROM lots WHERE reason = 'referral'") == []
    referral = await came(friend)
    assert referral.state is not ReferralState.REWARDED
    if survivor == "friend":
        assert (referral.state, referral.doubts) == (ReferralState.BLOCKED, (Doubt.SAME_PERSON,))
