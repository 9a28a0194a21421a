"""Who is told of what: by kind, by partner, each event once, in few statements."""

import msgspec

from server.principal import Scope
from server.storage import outbox, sql
from server.storage.database import Address
from server.webhooks import payloads, service
from server.webhooks.delivering import deliver_due
from server.webhooks.payloads import EventType
from tests.api.calling import NOW, PARTNER, Api, enrolled, line, return_input
from tests.api.redeeming import give_points
from tests.webhooks.living import (
    after,
    all_deliveries,
    event,
    published,
    subscribed,
    told,
)
from tests.webhooks.receiver import receiving

URL = "https://8.8.8.8/hooks"


async def test_each_is_told_of_what_it_wants_and_once(database: Address) -> None:
    await published()
    everything = (await subscribed(URL)).subscription.id
    some = (await subscribed(URL, "tier.changed", "member.created")).subscription.id
    paused = (await subscribed(URL, "tier.changed")).subscription.id
    gone = (await subscribed(URL)).subscription.id
    async with sql.transaction():
        await service.pause(paused, now=NOW)
        await service.delete(gone, now=NOW)
    events = [event("tier.changed"), event("member.updated")]
    unheard_of = msgspec.structs.replace(events[0], kind="unheard.of")
    events.append(unheard_of)
    for _ in range(2):
        await told(*events)
    assert [(one.subscription_id, one.kind) for one in await all_deliveries()] == [
        (everything, "tier.changed"),
        (some, "tier.changed"),
        (paused, "tier.changed"),
        (everything, "member.updated"),
    ]


async def test_an_event_that_can_not_be_told_keeps_no_other_waiting(database: Address) -> None:
    await published()
    await subscribed(URL)
    broken = event("tier.changed", before=None, after=None)
    nobody = event("points.earned", None)
    late = event("purchase.recorded", points=None, net_minor="x")
    await told(nobody, late, event("member.updated"), broken)
    kinds = [one.kind for one in await all_deliveries()]
    assert "member.updated" in kinds
    assert "points.earned" not in kinds


async def test_before_a_programme_is_published_events_are_told_too(database: Address) -> None:
    await subscribed(URL)
    await told(event("definition.published", None))
    assert [one.kind for one in await all_deliveries()] == ["definition.published"]


async def test_many_events_take_as_many_statements_as_one(database: Address) -> None:
    await published()
    for _ in range(3):
        await subscribed(URL)
    await subscribed(URL, partner="bakery")
    counts = []
    for number in (1, 1, 200):
        events = [event("points.earned", 1 + one, reference=500 + one) for one in range(number)]
        with sql.counted_statements() as statements:
            await told(*events)
        counts.append(len(statements))
    assert counts[1] == counts[2] <= 9


async def test_a_partner_is_told_of_its_own_alone(api: Api) -> None:
    await enrolled("anna")
    stranger = await enrolled("bob")
    till = await api.key(Scope.PURCHASES_WRITE, partner=PARTNER)
    rival = await api.key(Scope.PURCHASES_WRITE, partner="rival")
    await api.record(till)
    await api.record(rival, member={"externalId": "bob"})
    async with sql.transaction():
        await sql.execute("DELETE FROM outbox_events")
    rows = await sql.fetch("SELECT id, member_id, partner FROM purchases ORDER BY id")
    (own, anna, _), (others, *_rest) = rows
    mine = (await subscribed(URL, partner=PARTNER)).subscription.id
    all_of_them = [
        (event("purchase.recorded", anna, partner=PARTNER, purchase_id=own), True),
        (event("purchase.recorded", anna, partner="rival", purchase_id=others), False),
        (event("points.earned", anna, reference=own), True),
        (event("points.earned", anna, reference=others), False),
        (event("points.earned", anna, reference=None), True),
        (event("points.earned", stranger, reference=None), False),
        (event("tier.changed", anna), True),
        (event("tier.changed", stranger), False),
        (event("definition.published", None), False),
        (event("webhook.disabled", None), False),
    ]
    await told(*(one for one, _ in all_of_them), now=after())
    deliveries = [one for one in await all_deliveries() if one.subscription_id == mine]
    assert [one.event_id for one in deliveries] == [
        one.id for one, is_told in all_of_them if is_told
    ]


async def test_what_really_happens_is_told_as_documented_and_in_its_order(api: Api) -> None:
    """Events as the domains put them, through the outbox, to a receiver."""
    anna = await api.member("anna")
    till = await api.key(Scope.PURCHASES_WRITE, Scope.POINTS_REDEEM)
    await give_points(anna.member_id, 5_000)
    bought = await api.record(till, lines=[line(salesMinor=200_000)])
    back = return_input(
        purchase={"id": bought["purchaseId"]}, lines=[{"number": 0, "amountMinor": 50_000}]
    )
    await api.mutate("returnPurchase", {"return": back}, till)
    for name, given in (
        ("redeemPoints", {"points": 1000}),
        ("updateProfile", {"name": "Anne"}),
        ("setConsent", {"purpose": "EMAIL", "isGiven": True}),
    ):
        assert "code" not in await api.mutate(name, given, anna), name
    async with receiving() as shop:
        await subscribed(shop.url)
        events = [one for one in await outbox.oldest(500) if one.kind in set(EventType)]
        await told(*events)
        await deliver_due(after(1))
        assert [one.message_id for one in shop.requests] == [f"evt_{one.id}" for one in events]
        for request in shop.requests:
            kind = EventType(request.message["type"])
            msgspec.json.decode(request.body, type=payloads.envelope(kind), strict=True)
        kinds = {one.kind for one in events}
        assert kinds >= {
            *("member.created", "points.earned", "purchase.recorded"),
            *("tier.changed", "purchase.returned", "points.reversed", "points.redeemed"),
            *("voucher.issued", "member.updated", "consent.changed"),
        }
        [recorded] = [one for one in shop.requests if b"purchase.recorded" in one.body]
        assert recorded.message["data"]["purchaseId"] == bought["purchaseId"]
        assert recorded.message["data"]["points"] == bought["points"]
        assert recorded.message["data"]["net"] == {"amount": "2000.00", "currencyCode": "USD"}
