"""What came of a campaign: every figure of a worked example, and the log of a member."""

from collections.abc import Iterable, Sequence

import pytest

from server.campaigns import comparing, rules
from server.campaigns.results import Ending, Outcome, log_of, results
from server.campaigns.service import CampaignState
from server.clock import Instant
from server.errors import NotFound
from server.integrations.push import Outcome as Answer
from server.integrations.push import OutcomeKind, PushMessage
from server.notifications import inbox
from server.notifications.shapes import Category, Channel
from server.storage import sql
from server.storage.ids import new_id
from tests.campaigns.running import (
    campaign,
    message,
    planned,
    published,
    run_of,
    sent,
    settled,
    shop,
)
from tests.merging.pairs import join
from tests.notifications.posting import (
    DAY,
    HOUR,
    MINUTE,
    SENT,
    Provider,
    addresses,
    at,
    devices,
    members,
    outcome,
    say,
    willing,
)
from tests.segments.shop import enrolled

pytestmark = pytest.mark.usefixtures("database")
DUE = at("2026-05-13T10:07")
OFFER = {
    "default_language": "en",
    "texts": {"en": {"title": "Tea"}},
    "discount": {"kind": "percent", "rate_bps": 1000},
}
OLD = {"name": "Old", "members": {"kind": "list", "external_ids": ["both", "stays", "gone"]}}
_PURCHASE = sql.insert(
    "purchases",
    "id, member_id, partner, external_id, content_hash, store_id, occurred_at, recorded_at,"
    " local_month, currency, net_minor, eligible_minor, programme_version, outcome, paid_minor,"
    " returned_net_minor, returned_eligible_minor",
)
_USE = sql.insert(
    "offer_uses",
    "id, member_id, offer, version, local_day, status, used_at, discount_minor, shipping_minor,"
    " points, cashback_minor, budget_minor, budget_points, returned_discount_minor,"
    " returned_shipping_minor, returned_points, returned_cashback_minor, returned_budget_minor,"
    " returned_budget_points",
)
_CHANGE = sql.insert(
    "message_choice_changes",
    "id, member_id, channel, category, is_given, changed_at, source, stated_by, text_version",
)
_CONSENT_CHANGE = sql.insert(
    "consent_changes", "id, member_id, purpose, is_given, changed_at, source, stated_by"
)


async def bought(member_id: int, when: Instant, *, returned_minor: int = 0) -> None:
    """A purchase of 10.00, of which so much came back."""
    number = new_id()
    row = (number, member_id, "shop", str(number), "", "1", when, when, 202605, "USD", 1_000)
    async with sql.transaction():
        await sql.execute(_PURCHASE, *row, 0, 1, "{}", 0, returned_minor, 0)


async def used(member_id: int, when: Instant, *, offer: str = "tea", status: str = "used") -> None:
    """A use of the offer."""
    async with sql.transaction():
        await sql.execute(_USE, new_id(), member_id, offer, 1, 20_000, status, when, *([0] * 12))


async def refused(
    member_id: int, when: Instant, *, category: Category | None = Category.OFFERS
) -> None:
    """The evidence that the member wants no such push messages any more; None: no advertising."""
    said = (0, when, "member", "member:1")
    async with sql.transaction():
        if category is None:
            await sql.execute(_CONSENT_CHANGE, new_id(), member_id, "push", *said)
        else:
            await sql.execute(_CHANGE, new_id(), member_id, "push", category, *said, "1")


async def opened(member_ids: Iterable[int], when: Instant) -> None:
    """They open the message."""
    async with sql.transaction():
        await sql.execute_many(
            "UPDATE notifications SET opened_at = $1 WHERE member_id = $2",
            [(when, one) for one in member_ids],
        )


def by_turns(monkeypatch: pytest.MonkeyPatch, ids: Sequence[int]) -> None:
    """Of each ten members the first three are held out; of the others those in odd places, four,
    get `a` and those in even places, three, `b`."""

    def drawn(_secret: bytes, _campaign: str, member_id: int) -> tuple[int, int]:
        place = ids.index(member_id)
        return (0 if place % 10 < 3 else 9_999, 0 if place % 2 else 9_999)

    monkeypatch.setattr(rules, "drawn", drawn)


async def spring(monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[int], list[int]]:
    """A campaign to forty members, which is planned: 16 get `a`, 12 get `b`, 12 are held out."""
    await shop(channels=["push", "email"])
    await published("message", "other", message(channels=["push", "email"]))
    await published("offer", "tea", OFFER)
    variants = [
        {"name": "a", "message": "hello", "share_bps": 5_000},
        {"name": "b", "message": "other", "share_bps": 5_000},
    ]
    goal = {"kind": "offer", "offer": "tea", "within_days": 3}
    document = campaign(at="2026-05-13T10:07:00", variants=variants, hold_out_bps=3_000, goal=goal)
    await published("campaign", "spring", document)
    ids = await willing(40)
    by_turns(monkeypatch, ids)
    await devices([ids[9]], name="second")
    await planned(Instant(DUE - 30 * MINUTE))
    places = {place: place % 10 for place in range(40)}
    return (
        [ids[place] for place, one in places.items() if one in (3, 5, 7, 9)],
        [ids[place] for place, one in places.items() if one in (4, 6, 8)],
        [ids[place] for place, one in places.items() if one < 3],
    )


async def test_the_deliveries_of_a_funnel_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    a, _b, _held = await spring(monkeypatch)
    unwilling, dead, doubtful = a[:3]  # the fourth has two devices
    await say([unwilling], is_given=False)
    kinds = {
        f"token-{dead}": OutcomeKind.UNREGISTERED,
        f"token-{doubtful}": OutcomeKind.IN_DOUBT,
    }

    def deal(one: PushMessage) -> Answer:
        return outcome(kinds[one.token]) if one.token in kinds else SENT

    provider = await sent(DUE, Provider(deal))
    assert len(provider.tokens) == 15 + 1 + 12
    await opened(a[3:5], Instant(DUE + MINUTE))
    found = await results("spring", DUE)
    of_a, of_b, held = found.groups
    assert [(one.variant, one.is_held_out, one.audience) for one in found.groups] == [
        ("a", False, 16),
        ("b", False, 12),
        (None, True, 12),
    ]
    assert (found.audience, found.without_message, found.is_final) == (40, 0, False)
    assert [(one.sent, one.opened) for one in found.groups] == [(13, 2), (12, 0), (0, 0)]
    in_doubt = next(one.reason for one in of_a.outcomes if one.status == "in_doubt")
    assert of_a.outcomes == (
        _outcome("suppressed", "no_address", 16, channel="email"),
        _outcome("failed", "unregistered", 1),
        _outcome("in_doubt", in_doubt, 1),
        _outcome("sent", None, 14, members_=13),
        _outcome("suppressed", "no_consent", 1),
    )
    assert of_b.outcomes[-1] == _outcome("sent", None, 12)
    assert {(one.status, one.reason, one.members) for one in held.outcomes} == {
        ("suppressed", "held_out", 12)
    }
    # Each member once, by the best of all devices and the address: their own audience exactly.
    assert of_a.endings == (
        Ending("failed", "unregistered", 1),
        Ending("in_doubt", in_doubt or "", 1),
        Ending("sent", "", 13),
        Ending("suppressed", "no_consent", 1),
    )
    assert held.endings == (Ending("suppressed", "held_out", 12),)
    for one in found.groups:
        assert sum(ending.members for ending in one.endings) == one.audience


async def test_a_member_with_several_devices_counts_once_for_the_best_that_became_of_them() -> None:
    await shop(channels=["push", "email", "in_app"])
    await published("campaign", "spring", campaign(at="2026-05-13T10:07:00"))
    [one, unreached] = await willing(2)
    await devices([one], name="second")
    await devices([one], name="third")
    async with sql.transaction():
        await sql.execute("DELETE FROM devices WHERE member_id = $1", unreached)
    await planned(Instant(DUE - MINUTE))
    steps = (
        (["queued"] * 3, Ending("queued", "", 1)),
        (["failed", "suppressed", "failed"], Ending("failed", "gone", 1)),
        (["failed", "queued", "failed"], Ending("queued", "", 1)),
        (["claimed", "queued", "failed"], Ending("claimed", "", 1)),
        (["claimed", "attempting", "failed"], Ending("attempting", "", 1)),
        (["in_doubt", "attempting", "failed"], Ending("in_doubt", "gone", 1)),
        (["in_doubt", "attempting", "sent"], Ending("sent", "", 1)),
    )
    for statuses, ending in steps:
        numbers = await sql.fetch(
            "SELECT id FROM deliveries WHERE member_id = $1 AND channel = 'push' ORDER BY id", one
        )
        async with sql.transaction():
            await sql.execute_many(
                "UPDATE deliveries SET status = $1, reason = 'gone' WHERE id = $2",
                [(status, row[0]) for status, row in zip(statuses, numbers, strict=True)],
            )
        [group] = (await results("spring", DUE)).groups
        assert set(group.endings) == {ending, Ending("suppressed", "no_device", 1)}


async def test_who_is_merged_before_it_is_sent_gets_one_message_and_is_counted_as_two() -> None:
    await shop()
    ids = await enrolled("both", "stays", "gone", "new", time_zone="UTC")
    await devices(ids.values())
    await say(ids.values())
    await published("segment", "old", OLD)
    audience = {"kind": "segment", "segment": "old"}
    await published("campaign", "spring", campaign(at="2026-05-13T10:07:00", audience=audience))
    await planned(Instant(DUE - 30 * MINUTE))
    await join("both", "stays", Instant(DUE - 20 * MINUTE))  # who has a message too
    await join("gone", "new", Instant(DUE - 20 * MINUTE))  # who has none
    assert (await sent(DUE)).tokens == [f"token-{ids['stays']}", f"token-{ids['gone']}"]
    [group] = (await results("spring", DUE)).groups
    assert (group.audience, group.sent) == (3, 2)
    assert group.endings == (Ending("sent", "", 2), Ending("suppressed", "merged", 1))
    [logged] = await log_of(ids["new"], before=2**63 - 1, limit=10)
    assert [one.status for one in logged.deliveries] == ["sent"]


async def test_what_is_for_the_inbox_alone_is_counted_as_well() -> None:
    await shop(channels=["in_app"])
    await published("campaign", "spring", campaign(at="2026-05-13T10:07:00"))
    [_kept, refused_, dismissed] = await members(3)
    await say([refused_], Channel.IN_APP, Category.OFFERS, is_given=False)
    await planned(Instant(DUE - MINUTE))
    async with sql.transaction():
        [[number]] = await sql.fetch("SELECT id FROM notifications WHERE member_id = $1", dismissed)
        assert await inbox.dismiss(dismissed, number, now=DUE)
    [group] = (await results("spring", DUE)).groups
    assert group.endings == (Ending("", "", 2), Ending("suppressed", "no_consent", 1))
    assert (group.audience, group.outcomes) == (3, ())


async def test_who_reaches_the_goal_or_opts_out_is_counted_to_the_microsecond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b, held = await spring(monkeypatch)
    await say(a[:1], is_given=False)
    await sent(DUE)
    for member_id, when, status, offer in (
        (a[0], Instant(DUE + HOUR), "used", "tea"),  # to whom it was not sent
        (a[1], DUE, "used", "tea"),
        (a[1], Instant(DUE + 1), "used", "tea"),  # a member counts once
        (a[2], Instant(DUE + 3 * DAY - 1), "used", "tea"),
        (held[0], Instant(DUE + HOUR), "used", "tea"),
        (b[0], Instant(DUE + 3 * DAY), "used", "tea"),  # too late
        (b[1], Instant(DUE - 1), "used", "tea"),  # too early
        (b[2], Instant(DUE + 1), "returned", "tea"),  # given back
        (b[3], Instant(DUE + 1), "used", "milk"),  # another
    ):
        await used(member_id, when, status=status, offer=offer)
    await refused(a[1], Instant(DUE + DAY))
    await refused(a[1], Instant(DUE + DAY), category=None)  # a member counts once
    await refused(b[0], Instant(DUE + DAY), category=None)
    await refused(b[1], Instant(DUE + DAY), category=Category.POINTS)  # of other messages
    await refused(b[2], Instant(DUE + 3 * DAY))  # too late
    await refused(held[0], Instant(DUE + DAY))  # to whom nothing was sent

    found = await results("spring", Instant(DUE + 3 * DAY - 1))
    assert [(one.reached, one.reached_of_sent) for one in found.groups] == [(3, 2), (0, 0), (1, 0)]
    assert [one.opted_out_of_sent for one in found.groups] == [1, 1, 0]
    assert [one.opt_out_bps for one in found.groups] == [10_000 // 15, 10_000 // 12, None]
    assert [one.uplift for one in found.groups] == [
        comparing.uplift(reached=3, members=16, held_reached=1, held_out=12),
        comparing.uplift(reached=0, members=12, held_reached=1, held_out=12),
        None,
    ]
    together = comparing.uplift(reached=3, members=28, held_reached=1, held_out=12)
    assert found.uplift == together
    assert together is not None
    assert together.bps == 238  # 3/28 - 1/12
    assert not found.is_final
    await settled(DUE)
    done = await results("spring", Instant(DUE + 3 * DAY))
    assert done.is_final
    assert done.standing.state is CampaignState.DONE


def _outcome(
    status: str,
    reason: str | None,
    deliveries: int,
    *,
    members_: int | None = None,
    channel: str = "push",
) -> Outcome:
    return Outcome(
        channel=channel,
        status=status,
        reason=reason,
        deliveries=deliveries,
        members=deliveries if members_ is None else members_,
    )


async def test_a_purchase_counts_unless_all_of_it_came_back() -> None:
    await shop()
    goal = {"kind": "purchase", "within_days": 1}
    await published("campaign", "spring", campaign(at="2026-05-13T10:07:00", goal=goal))
    ids = await willing(5)
    await planned(Instant(DUE - MINUTE))
    for place, (offset, returned_minor) in enumerate(
        [(0, 0), (DAY - 1, 999), (HOUR, 1_000), (DAY, 0), (-1, 0)]
    ):
        await bought(ids[place], Instant(DUE + offset), returned_minor=returned_minor)
    [group] = (await results("spring", DUE)).groups
    assert (group.audience, group.reached, group.reached_of_sent) == (5, 2, 0)
    await sent(DUE)
    [group] = (await results("spring", DUE)).groups
    assert (group.sent, group.reached_of_sent, group.uplift) == (5, 2, None)


async def test_results_of_what_has_not_begun_and_of_nothing() -> None:
    await shop()
    await published("campaign", "spring", campaign())
    found = await results("spring", DUE)
    assert (found.groups, found.audience, found.is_final, found.goal) == ((), 0, False, None)
    with pytest.raises(NotFound):
        await results("summer", DUE)


async def test_who_had_the_campaign_before_is_told_of() -> None:
    await shop()
    await members(2)
    await published("campaign", "spring", campaign())
    await planned(Instant(DUE - 15 * MINUTE))
    await published("campaign", "spring", campaign(name="Again"), Instant(DUE - 14 * MINUTE))
    await members(1)
    await planned(Instant(DUE - 14 * MINUTE))
    found = await results("spring", DUE)
    assert (found.audience, found.without_message) == (5, 2)
    assert [group.audience for group in found.groups] == [3]


async def test_the_log_of_a_member_has_each_message_with_its_deliveries() -> None:
    await shop(channels=["push", "email"])
    await published("campaign", "spring", campaign(at="2026-05-13T10:07:00"))
    [one, other] = await willing(2)
    await addresses([one])
    await say([one], Channel.EMAIL)
    await planned(Instant(DUE - MINUTE))
    await sent(DUE)
    await opened([one], Instant(DUE + MINUTE))
    [logged] = await log_of(one, before=2**63 - 1, limit=10)
    assert (logged.topic, logged.title, logged.message) == ("spring", "Hello, ", "hello")
    assert (logged.run_id, logged.shown_from) == ((await run_of()).id, DUE)
    assert (logged.opened_at, logged.is_held_out) == (DUE + MINUTE, False)
    assert [(each.channel, each.status, each.reason) for each in logged.deliveries] == [
        ("push", "sent", None),
        ("email", "sent", None),
    ]
    assert all(DUE <= (each.settled_at or 0) < DUE + MINUTE for each in logged.deliveries)
    [logged] = await log_of(other, before=2**63 - 1, limit=10)
    assert [(each.status, each.reason, each.attempts) for each in logged.deliveries] == [
        ("sent", None, 1),
        ("suppressed", "no_address", 0),
    ]
    assert await log_of(other, before=logged.id, limit=10) == []
