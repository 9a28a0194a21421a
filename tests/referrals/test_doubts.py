"""Doubts hold or block a referral; staff decide, and what they approve is rewarded."""

import pytest

from server import clock
from server.errors import AlreadyDecided, InvalidInput, NotAllowed
from server.households import service as households
from server.households.service import HouseholdRole
from server.referrals import service as referrals
from server.referrals.documents import Reaction, Review
from server.referrals.rules import Doubt, ReferralState, mailbox, state_of
from server.referrals.service import Invitation, Marks, ReferralView
from server.storage import sql
from tests.purchases.baskets import at
from tests.purchases.returns import return_draft, take_back
from tests.referrals.friends import JOINED, bought, came, granted, member, opened, points

STAFF = 7


async def decided(friend_id: int, *, is_approved: bool, when: str) -> ReferralView:
    """Decide about the referral of the friend."""
    referral = await came(friend_id)
    with clock.moved_to(at(when)):
        async with sql.transaction():
            return await referrals.decide(
                referral.id,
                is_approved=is_approved,
                note="they are two people",
                by=STAFF,
                now=at(when),
            )


async def accepted(friend_id: int, inviter_id: int, when: str = "2026-01-06") -> ReferralView:
    """Take up the inviter's code after enrolment."""
    (code,) = await referrals.codes_of([inviter_id])
    with clock.moved_to(at(when)):
        async with sql.transaction():
            return await referrals.accept(friend_id, Invitation(code), now=at(when))


async def test_a_shared_device_holds_until_staff_approve(database: object) -> None:
    inviter = await opened()
    async with sql.transaction():
        await referrals.note_marks(inviter, Marks(device="phone"), now=JOINED)
    friend = await member("friend", by=inviter, marks=Marks(device="phone"))
    assert (await came(friend)).doubts == (Doubt.SAME_DEVICE,)
    await bought("friend", "1", "2026-01-06", 2_000)
    assert (await came(friend)).state is ReferralState.HELD
    assert await granted(inviter) == await granted(friend) == []
    before = (await points(inviter, "2026-01-10"))[0]
    await decided(friend, is_approved=True, when="2026-01-10")
    assert await points(inviter, "2026-01-19T23:59:59") == (before, 500)
    assert await points(inviter, "2026-01-20T00:00:00") == (before + 500, 0)
    with pytest.raises(AlreadyDecided):
        await decided(friend, is_approved=False, when="2026-01-11")


async def test_what_is_approved_late_can_be_used_at_once(database: object) -> None:
    inviter = await opened()
    friend = await member("friend", by=inviter, email="in.viter+2@gmail.com")
    async with sql.transaction():
        for number, (one, mail) in enumerate(((inviter, "inviter@gmail.com"),)):
            await sql.execute(
                "INSERT INTO accounts (id, member_id, email, email_key, created_at)"
                " VALUES ($1, $2, $3, $3, $4)",
                number + 1,
                one,
                mail,
                JOINED,
            )
    other = await member("other", by=inviter, email="in.viter+2@gmail.com")
    assert (await came(friend)).state is ReferralState.WAITING
    assert (await came(other)).state is ReferralState.BLOCKED
    await bought("other", "1", "2026-01-06", 2_000)
    before = (await points(inviter, "2026-02-20"))[0]
    await decided(other, is_approved=True, when="2026-02-20")
    assert await points(inviter, "2026-02-20") == (before + 500, 0)


async def test_what_is_returned_while_it_is_held_is_not_rewarded(database: object) -> None:
    inviter = await opened()
    async with sql.transaction():
        await referrals.note_marks(inviter, Marks(payment="card"), now=JOINED)
    friend = await member("friend", by=inviter, marks=Marks(payment="card"))
    await bought("friend", "1", "2026-01-06", 2_000)
    await take_back(return_draft("r", "1", "2026-01-07"))
    view = await decided(friend, is_approved=True, when="2026-01-08")
    assert (view.state, view.purchase_id) == (ReferralState.WAITING, None)
    await bought("friend", "2", "2026-01-09", 2_000)
    assert await granted(friend) == [("referral:default:friend", 300, 0)]


async def test_a_rejected_referral_is_never_rewarded(database: object) -> None:
    inviter = await opened()
    async with sql.transaction():
        await referrals.note_marks(inviter, Marks(address="home"), now=JOINED)
    friend = await member("friend", by=inviter, marks=Marks(address="home"))
    await decided(friend, is_approved=False, when="2026-01-06")
    await bought("friend", "1", "2026-01-07", 9_000)
    assert await granted(friend) == []


async def test_friends_who_share_a_device_are_noticed_at_the_purchase(database: object) -> None:
    inviter = await opened()
    first = await member("first", by=inviter)
    second = await member("second", by=inviter)
    async with sql.transaction():
        for one in (first, second):
            await referrals.note_marks(one, Marks(device="farm"), now=JOINED)
    await bought("second", "1", "2026-01-06", 2_000)
    view = await came(second)
    assert (view.state, view.doubts) == (ReferralState.HELD, (Doubt.SAME_DEVICE,))
    assert view.purchase_id is not None


async def test_a_ring_is_blocked_however_long(database: object) -> None:
    first = await opened()
    second = await member("second", by=first)
    third = await member("third", by=second)
    view = await accepted(first, third)
    assert (view.state, view.doubts) == (ReferralState.BLOCKED, (Doubt.RING,))


async def test_the_friends_after_so_many_are_held(database: object) -> None:
    inviter = await opened({"review": {"velocity": {"friends": 2, "per_days": 7}}})
    friends = [await member(f"f{number}", by=inviter) for number in range(3)]
    states = [(await came(friend)).state for friend in friends]
    assert states == [ReferralState.WAITING] * 2 + [ReferralState.HELD]
    later = await member("later", by=inviter, now=at("2026-01-20"))
    assert (await came(later)).state is ReferralState.WAITING


async def test_who_is_brought_says_so_once_in_time_and_before_buying(database: object) -> None:
    inviter = await opened()
    own, late, buyer, friend = [await member(name) for name in ("own", "late", "buyer", "friend")]
    await bought("buyer", "1", "2026-01-06", 100)
    for who, whose, when, reason in (
        (own, own, "2026-01-06", "referral.self"),
        (late, inviter, "2026-01-13", "referral.too_late"),
        (buyer, inviter, "2026-01-06", "referral.bought"),
    ):
        with pytest.raises(NotAllowed) as refusal:
            await accepted(who, whose, when)
        assert refusal.value.reason == reason
    assert (await accepted(friend, inviter, "2026-01-12")).state is ReferralState.WAITING
    with pytest.raises(AlreadyDecided):
        await accepted(friend, inviter, "2026-01-12")


async def test_an_unknown_code_enrols_nobody(database: object) -> None:
    await opened()
    with pytest.raises(InvalidInput) as refusal:
        async with sql.transaction():
            await referrals.come(1, Invitation("22222-22222"), now=JOINED)
    assert refusal.value.path == ("referralCode",)


def test_one_mailbox_has_many_addresses() -> None:
    assert mailbox("a.b+c@gmail.com") == mailbox("ab@googlemail.com") == "ab@gmail.com"
    assert mailbox("a.b+c@example.com") == "a.b@example.com"
    assert mailbox("+c@example.com") == "+c@example.com"


def test_what_is_allowed_is_no_doubt_and_a_block_outweighs_a_review() -> None:
    review = Review(same_device=Reaction.ALLOW)
    assert state_of([Doubt.SAME_DEVICE], review) == (ReferralState.WAITING, ())
    assert state_of([Doubt.RING, Doubt.SAME_ADDRESS, Doubt.SAME_DEVICE], review) == (
        ReferralState.BLOCKED,
        (Doubt.SAME_ADDRESS, Doubt.RING),
    )


async def test_nobody_of_a_ring_is_rewarded_once_it_is_closed(database: object) -> None:
    first = await opened()
    second = await member("second", by=first)
    third = await member("third", by=second)
    await accepted(first, third)
    await bought("inviter", "1", "2026-01-07", 9_000)
    assert await granted(first) == await granted(third) == []
    view = await came(first)
    assert (view.state, view.purchase_id is not None) == (ReferralState.BLOCKED, True)
    await bought("third", "2", "2026-01-07", 2_000)
    assert await granted(second) == await granted(third) == []
    assert ((await came(third)).state, (await came(third)).doubts) == (
        ReferralState.BLOCKED,
        (Doubt.RING,),
    )


@pytest.mark.parametrize(
    ("review", "state"),
    [
        ({}, ReferralState.REWARDED),
        ({"same_household": "review"}, ReferralState.HELD),
        ({"same_household": "block"}, ReferralState.BLOCKED),
    ],
)
async def test_a_household_is_looked_at_when_the_friend_buys(
    database: object, review: dict[str, str], state: ReferralState
) -> None:
    inviter = await opened({"review": review})
    friend = await member("friend", by=inviter)
    async with sql.transaction():
        await households.found(inviter, "Home", now=JOINED)
        invitation = await households.invite(inviter, HouseholdRole.CONTRIBUTOR, now=JOINED)
        code = await households.invitation_code(invitation.id)
        await households.join(friend, code, now=JOINED)
    await bought("friend", "1", "2026-01-06", 2_000)
    view = await came(friend)
    assert (view.state, view.doubts) == (state, (Doubt.SAME_HOUSEHOLD,) if review else ())
    assert bool(await granted(inviter)) == bool(await granted(friend)) == (not review)


async def test_a_second_account_of_ones_own_is_doubted_for_all_that_it_shares(
    database: object,
) -> None:
    inviter = await opened()
    own = Marks(device="phone", payment="card", address="home")
    async with sql.transaction():
        await referrals.note_marks(inviter, own, now=JOINED)
    second = await member("second", by=inviter, marks=own)
    view = await came(second)
    assert (view.state, view.doubts) == (
        ReferralState.HELD,
        (Doubt.SAME_DEVICE, Doubt.SAME_PAYMENT, Doubt.SAME_ADDRESS),
    )


async def test_what_is_rejected_after_the_purchase_gives_nothing_and_stays_so(
    database: object,
) -> None:
    inviter = await opened()
    async with sql.transaction():
        await referrals.note_marks(inviter, Marks(device="phone"), now=JOINED)
    friend = await member("friend", by=inviter, marks=Marks(device="phone"))
    await bought("friend", "1", "2026-01-06", 2_000)
    view = await decided(friend, is_approved=False, when="2026-01-08")
    assert (view.state, view.decided_by, view.note) == (
        ReferralState.REJECTED,
        STAFF,
        "they are two people",
    )
    await bought("friend", "2", "2026-01-09", 2_000)
    assert await granted(inviter) == await granted(friend) == []
    with pytest.raises(AlreadyDecided):
        await decided(friend, is_approved=True, when="2026-01-10")
