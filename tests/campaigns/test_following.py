"""From events to messages: each once, with exact values, few statements, on both engines."""

import pytest

from server.campaigns import following
from server.campaigns.queries import page
from server.clock import Instant
from server.merging import service as merging
from server.notifications.triggers import TRIGGERS
from server.storage import outbox, sql
from server.storage.database import Address
from tests.campaigns.occasions import (
    Told,
    due,
    follow_all,
    forget,
    publish_document,
    publish_message,
    told,
    waiting,
)
from tests.catalogue import shop as rewards
from tests.offers.using import publish_offer
from tests.purchases.baskets import Changes, at, draft, publish, recorded
from tests.referrals import friends
from tests.segments.shop import live, publish_segment

START = at("2026-03-01")
NOW = at("2026-03-04")
HOUR = 3_600_000_000
DAY = 24 * HOUR
ONE_VISIT: Changes = {("challenges", "weekly_visits", "visit_days"): 1}


async def opened(*triggers: str, changes: Changes | None = None) -> None:
    """The programme with messages for the triggers."""
    await publish(changes, at=START)
    for trigger in triggers:
        await publish_message(trigger, at=START)


def after(hours: int) -> Instant:
    """So long after NOW."""
    return Instant(NOW + hours * HOUR)


async def test_who_joins_is_welcomed_once(database: Address) -> None:
    await opened("welcome")
    (answer,) = await recorded(draft("1", NOW, 1000))
    created = next(event.id for event in await waiting() if event.kind == "member.created")
    await follow_all(NOW)
    message = Told(answer.member_id, f"welcome:{created}", "Welcome, ", "usd-demo is yours.")
    assert [one.topic for one in await told()] == [message.topic]
    assert [one.title for one in await told()] == [message.title]
    assert await waiting() == []
    assert await due() == {message.topic: (NOW, Instant(NOW + DAY))}


@pytest.mark.parametrize("batch", [500, 1])
async def test_what_one_purchase_gives_for_several_reasons_is_one_message(
    database: Address, batch: int
) -> None:
    await opened(changes=ONE_VISIT)
    await recorded(draft("0", START, 1000))
    await forget()
    await publish_message("points_earned", at=START)
    await publish_document("partner", "shop", {"name": "Corner shop", "stores": ["1"]}, at=START)
    first, second = await recorded(
        draft("1", "2026-03-10", 1000), draft("2", "2026-03-11", 2000), now=at("2026-03-11")
    )
    earned = {event.facts["reason"] for event in await waiting() if event.kind == "points.earned"}
    assert earned == {"purchase", "challenge"}
    await follow_all(at("2026-03-11"), batch=batch)
    found = {one.topic: (one.title, one.body) for one in await told()}
    assert set(found) == {
        f"points-earned:{first.purchase_id}",
        f"points-earned:{second.purchase_id}",
    }
    if batch == 500:
        # 100 for joining, 100 of March's first purchase, 50 for each week's challenge: what the
        # last two gave is pending.
        assert found[f"points-earned:{first.purchase_id}"] == (
            "150 points",
            "300 to spend; from Corner shop.",
        )
        assert found[f"points-earned:{second.purchase_id}"] == (
            "200 points",
            "300 to spend; from Corner shop.",
        )


async def test_fewer_points_than_the_message_is_for_are_not_told(database: Address) -> None:
    await opened()
    await publish_message("points_earned", at=START, trigger_minimum_points=101)
    await recorded(draft("1", NOW, 1010), draft("2", NOW, 999, household="2"))
    await follow_all(NOW)
    assert [one.title for one in await told()] == ["101 points"]


async def test_what_is_older_than_a_day_is_told_to_nobody(database: Address) -> None:
    await opened("points_earned")
    first, _second = await recorded(
        draft("1", NOW, 1000), draft("2", Instant(NOW - 1), 1000, household="2")
    )
    await follow_all(after(24))
    topics = {one.topic for one in await told() if one.member_id == first.member_id}
    assert topics
    assert topics == {one.topic for one in await told()}
    assert await waiting() == []


async def test_what_is_given_back_was_not_earned(database: Address) -> None:
    await opened("points_earned")
    await rewards.reward(now=START)
    (member,) = await rewards.members_with(1, 500)
    await forget()
    order = (await rewards.order(member)).order
    await rewards.change("cancel", order.id)
    assert "points.earned" in [event.kind for event in await waiting()]
    await follow_all(NOW)
    assert await told() == []


async def test_a_higher_tier_is_told_and_a_lower_one_is_not(database: Address) -> None:
    await opened("tier_reached")
    (answer,) = await recorded(draft("1", NOW, 400_000))
    await follow_all(NOW)
    assert [(one.title, one.body) for one in await told()] == [("Gold", "You are Gold now.")]
    later = at("2027-03-06")
    await recorded(draft("2", later, 100))
    changed = [event for event in await waiting() if event.kind == "tier.changed"]
    assert [(one.member_id, one.facts) for one in changed] == [
        (answer.member_id, {"before": "Gold", "after": "Bronze"})
    ]
    await follow_all(later)
    assert len(await told()) == 1


async def test_a_completed_challenge_is_told_in_the_members_language(database: Address) -> None:
    await opened("challenge_completed", changes=ONE_VISIT)
    (answer,) = await recorded(draft("1", NOW, 1000))
    async with sql.transaction():
        await sql.execute("UPDATE members SET locale = 'lt-LT' WHERE id = $1", answer.member_id)
    await follow_all(NOW)
    ((title, body),) = [(one.title, one.body) for one in await told()]
    assert (title, body) == ("Apsipirkite kelias savaitės dienas", "50 points.")


async def test_the_inviter_is_told_of_the_friend_and_the_friend_of_nothing(
    database: Address,
) -> None:
    inviter = await friends.opened()
    await publish_message("referral_paid", at=friends.JOINED)
    await friends.member("ben", by=inviter)
    await friends.bought("ben", "1", "2026-01-10", 2_000)
    await follow_all(at("2026-01-10"))
    assert [(one.member_id, one.title, one.body) for one in await told()] == [
        (inviter, "500 points", "Thanks to ben.")
    ]


async def test_orders_are_told_when_they_are_ready_and_delivered(database: Address) -> None:
    await opened("reward_ready", "order_delivered")
    await rewards.reward(now=START)
    (member,) = await rewards.members_with(1, 500)
    order = (await rewards.order(member)).order
    await rewards.change("mark_ready", order.id)
    await follow_all(NOW)
    assert [(one.title, one.body) for one in await told()] == [("A mug", "Ready.")]
    await rewards.change("mark_delivered", order.id)
    await follow_all(NOW)
    assert sorted(one.body for one in await told()) == ["Delivered.", "Ready."]


async def test_a_message_of_a_segment_goes_to_its_members(database: Address) -> None:
    await opened()
    await publish_segment("big", live("spend_30_minor >= 1500"), START)
    await publish_message("points_earned", at=START, segment="big", trigger_minimum_points=101)
    _small, big = await recorded(
        draft("1", NOW, 1400), draft("2", NOW, 1600, household="2"), now=NOW
    )
    await follow_all(after(1))
    assert {one.member_id for one in await told()} == {big.member_id}


async def test_who_was_merged_since_is_told_as_the_one_they_are(database: Address) -> None:
    await opened("tier_reached")
    duplicate, survivor = await recorded(
        draft("1", NOW, 150_000), draft("2", NOW, 100, household="2")
    )
    async with sql.transaction():
        await merging.merge(
            merging.Wish(
                merging.MemberReference(external_id="1"),
                merging.MemberReference(external_id="2"),
                "the same person",
            ),
            by=7,
            now=NOW,
        )
    kinds = [(one.kind, one.member_id) for one in await waiting()]
    assert ("member.merged", duplicate.member_id) in kinds
    await follow_all(NOW)
    # What the duplicate reached before, and what both reach together.
    assert [(one.member_id, one.title) for one in await told()] == [
        (survivor.member_id, "Silver"),
        (survivor.member_id, "Silver"),
    ]


async def test_a_published_offer_begins_a_run_for_each_version(database: Address) -> None:
    await opened("offer_published")
    for minor in (100, 200):
        async with sql.transaction():
            discount = {"kind": "amount", "amount_minor": minor}
            await publish_offer("one", at=NOW, discount=discount)
        await follow_all(NOW)
    runs = await page(before=2**63 - 1, limit=10)
    assert [(run.campaign, run.message) for run in runs] == [("offer:one", "offer-published")] * 2


async def test_without_messages_a_batch_costs_one_look(database: Address) -> None:
    await opened()
    await recorded(draft("1", NOW, 1000))
    events = await outbox.oldest(500)
    await following.follow(events, NOW)  # what is published is in memory
    with sql.counted_statements() as statements:
        await following.follow(events, NOW)
    assert len(statements) == 1


async def test_the_number_of_statements_does_not_depend_on_the_members(database: Address) -> None:
    await opened("points_earned", "welcome", "challenge_completed", changes=ONE_VISIT)
    costs: list[int] = []
    for count in (1, 2, 40):
        await recorded(
            *(
                draft(f"{count}-{one}", NOW, 1000, household=f"{count}-{one}")
                for one in range(count)
            )
        )
        async with sql.transaction():
            events = await outbox.oldest(1_000)
            with sql.counted_statements() as statements:
                await following.follow(events, NOW)
            await outbox.remove([event.id for event in events])
        costs.append(len(statements))
    assert costs[1] == costs[2]
    assert len(await told()) == 43 * 4  # two kinds of earned points: for joining, for the purchase


def test_every_trigger_that_is_no_reminder_is_followed() -> None:
    followed = {trigger for _kinds, trigger, _teller in following._TELLERS} | {"offer_published"}
    assert followed == {name for name, one in TRIGGERS.items() if not one.is_reminder}
