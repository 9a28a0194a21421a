"""What purchases, returns and everything else that moves value tell those who follow the outbox:
exactly once, with exact facts, and nothing of what was refused or rolled back."""

import pytest

from server.clock import Instant, local_day, start_of_day
from server.imports import service as imports
from server.ledger import service as ledger
from server.merging import service as merging
from server.money import POINTS
from server.storage import outbox, sql
from server.storage.database import Address
from server.storage.outbox import Event
from tests.ledger.books import grant, granted, new_members
from tests.purchases.baskets import Changes, at, draft, line, publish, recorded, send
from tests.purchases.returns import return_draft, take_back

NOW = at("2026-03-04")
DAY = 86_400_000_000
ONE_VISIT: Changes = {("challenges", "weekly_visits", "visit_days"): 1}
Said = tuple[str, int | None, dict[str, object], Instant]


async def events() -> list[Said]:
    """What is in the outbox, oldest first; and it is empty."""
    async with sql.transaction():
        found: list[Event] = await outbox.oldest(10_000)
        await outbox.remove([event.id for event in found])
    return [(one.kind, one.member_id, dict(one.facts), one.occurred_at) for one in found]


def midnight(days: int) -> Instant:
    """The start of the day so many days after NOW's."""
    return Instant(start_of_day(local_day(NOW, "UTC"), "UTC") + days * DAY)


async def test_a_purchase_tells_what_it_was_and_what_it_gave(database: Address) -> None:
    await publish(ONE_VISIT)
    (first,) = await recorded(draft("0", "2026-02-01", 100))
    await events()
    (answer,) = await recorded(draft("1", NOW, line("PRODUCE", 200_000, 50_000)))
    member, purchase = answer.member_id, answer.purchase_id
    assert member == first.member_id
    points = {"reference": purchase, "expires_at": midnight(180)}
    assert await events() == [
        (
            "purchase.recorded",
            member,
            {
                "purchase_id": purchase,
                "external_id": "1",
                "partner": "shop",
                "currency": "USD",
                "net_minor": 150_000,
                "eligible_minor": 150_000,
                "points": 30_200,
                "cashback_minor": 500,
            },
            NOW,
        ),
        ("tier.changed", member, {"before": "Bronze", "after": "Silver"}, NOW),
        (
            "challenge.completed",
            member,
            {"challenge": "weekly_visits", "points": 50, "times": 1},
            NOW,
        ),
        (
            "challenge.completed",
            member,
            {"challenge": "month_spend", "points": 150, "times": 1},
            NOW,
        ),
        (
            "points.earned",
            member,
            {"points": 30_000, "reason": "purchase", "available_at": midnight(3), **points},
            NOW,
        ),
        (
            "cashback.accrued",
            member,
            {"currency": "USD", "amount_minor": 500, "available_at": midnight(14)},
            NOW,
        ),
        (
            "points.earned",
            member,
            {"points": 200, "reason": "challenge", "available_at": NOW, **points},
            NOW,
        ),
    ]


async def test_a_small_purchase_tells_two_things(database: Address) -> None:
    await publish()
    await recorded(draft("0", NOW, 100))
    await events()
    await recorded(draft("1", NOW, 100))
    assert [one[0] for one in await events()] == ["purchase.recorded", "points.earned"]


async def test_each_purchase_of_a_batch_tells_its_own_once(database: Address) -> None:
    await publish()
    drafts = [draft(str(number), NOW, 100, household="new") for number in range(3)]
    answers = await recorded(*drafts)
    found = await events()
    kinds = [one[0] for one in found]
    assert sorted(kinds) == ["member.created"] + ["points.earned"] * 4 + ["purchase.recorded"] * 3
    assert kinds[:2] == ["member.created", "purchase.recorded"]
    told = {one[2]["purchase_id"] for one in found if one[0] == "purchase.recorded"}
    assert told == {answer.purchase_id for answer in answers}
    assert await send(*drafts) == answers
    assert await events() == []


async def test_what_is_refused_and_what_is_rolled_back_tells_nothing(database: Address) -> None:
    await publish()
    await recorded(draft("1", NOW, 100))
    await events()
    await send(draft("2", NOW, 100, currency="EUR"))
    (member,) = await new_members(1)
    with pytest.raises(RuntimeError):
        await _grant_and_fail(member)
    assert await events() == []
    async with sql.transaction():
        with pytest.raises(RuntimeError):
            await _grant_and_fail(member)
    assert await events() == []


async def _grant_and_fail(member: int) -> None:
    async with sql.transaction():
        await _grant(member)
        raise RuntimeError


async def _grant(member: int) -> None:
    async with ledger.journal([member], [POINTS], recorded_at=NOW) as journal:
        journal.grant(member, granted(5, at=NOW))


async def test_a_return_tells_what_it_took_back(database: Address) -> None:
    await publish()
    (answer,) = await recorded(draft("1", NOW, 1_000, 3_000))
    await events()
    later = Instant(NOW + DAY)
    returned = await take_back(return_draft("r", "1", later, (0, 1)))
    member, purchase = answer.member_id, answer.purchase_id
    facts = {"points": 100, "reason": "return", "reference": returned.return_id}
    assert await events() == [
        ("points.reversed", member, facts, later),
        (
            "purchase.returned",
            member,
            {
                "purchase_id": purchase,
                "return_id": returned.return_id,
                "external_id": "r",
                "partner": "shop",
                "points": 100,
                "cashback_minor": 0,
                "refund_minor": 1_000,
            },
            later,
        ),
    ]
    assert await take_back(return_draft("r", "1", later, (0, 1))) == returned
    assert await events() == []


async def test_what_only_passes_through_or_holds_is_no_event_and_what_lapses_is_told(
    database: Address,
) -> None:
    (member,) = await new_members(1)
    await grant(member, granted(100, at=NOW, expires_at=Instant(NOW + DAY)), now=NOW)
    await events()
    async with (
        sql.transaction(),
        ledger.journal([member], [POINTS], recorded_at=NOW) as journal,
    ):
        held = await ledger.hold(
            journal,
            member,
            POINTS,
            60,
            by=member,
            purpose="basket",
            expires_at=Instant(NOW + DAY // 2),
        )
    assert await events() == []
    cause = ledger.Cause(ledger.Reason.PAYMENT, "payment", 9)
    async with (
        sql.transaction(),
        ledger.journal([member], [POINTS], recorded_at=NOW) as journal,
    ):
        await ledger.settle(journal, held.id, 40, side=ledger.Side.REDEEMED, cause=cause)
    facts = {"points": 40, "reason": "payment", "reference": 9}
    assert await events() == [("points.redeemed", member, facts, NOW)]
    async with (
        sql.transaction(),
        ledger.journal([member], [POINTS], recorded_at=Instant(NOW + 2 * DAY)),
    ):
        pass
    assert await events() == [("points.expired", member, {"points": 60}, Instant(NOW + DAY))]


async def test_a_gift_tells_both(database: Address) -> None:
    giver, receiver = await new_members(2)
    lots = [granted(30, at=NOW, expires_at=Instant(NOW + days * DAY)) for days in (9, 5)]
    await grant(giver, *lots, now=NOW)
    await events()
    async with (
        sql.transaction(),
        ledger.journal([giver, receiver], [POINTS], recorded_at=NOW) as journal,
    ):
        await ledger.give(journal, giver, receiver, POINTS, 40, reference=77)
    told = {"points": 40, "reference": 77}
    assert sorted(await events(), key=lambda one: one[0]) == [
        (
            "points.earned",
            receiver,
            {
                **told,
                "reason": "gift_received",
                "available_at": NOW,
                "expires_at": NOW + 5 * DAY,
            },
            NOW,
        ),
        ("points.redeemed", giver, {**told, "reason": "gift_sent"}, NOW),
    ]


async def test_what_was_brought_along_from_another_system_is_no_news(database: Address) -> None:
    await publish()
    async with sql.transaction():
        begun = await imports.begin("0" * 64, "old.csv", 1, now=NOW)
        lines = [imports.Line(1, "old-1", points=500, cashback_minor=300)]
        await imports.take(begun.id, lines, enrols=True, now=NOW)
    assert await events() == []


async def test_a_merge_tells_that_it_was_one_and_nothing_of_what_moves(database: Address) -> None:
    await publish()
    duplicate, survivor = await recorded(
        draft("1", NOW, 100_000), draft("2", NOW, 100_000, household="2")
    )
    await events()
    wish = merging.Wish(
        merging.MemberReference(external_id="1"), merging.MemberReference(external_id="2"), "same"
    )
    async with sql.transaction():
        merged = await merging.merge(wish, by=7, now=NOW)
    assert await events() == [
        (
            "tier.changed",
            survivor.member_id,
            {"before": "Bronze", "after": "Silver"},
            NOW,
        ),
        ("member.merged", duplicate.member_id, {"into": survivor.member_id}, NOW),
    ]
    async with sql.transaction():
        await merging.part(merged.merge.id, "two after all", by=7, now=NOW)
    assert [(kind, facts) for kind, _member, facts, _at in await events()] == [
        ("tier.changed", {"before": "Silver", "after": "Bronze"})
    ]
