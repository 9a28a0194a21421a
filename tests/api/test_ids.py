"""Ids of what one may not see, or of nothing at all: answered like those of what does not exist."""

import base64
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
)

from server import clock
from server.cards import service as cards
from server.clock import Instant
from server.edge.nodes import global_id
from server.principal import Scope, StaffRole
from tests.api.baskets_cases import basket_input
from tests.api.calling import DAY, NOBODY, NOW, Api, Caller, Json, dump, uncosted
from tests.api.catalogue_cases import stocked
from tests.api.contract import contract, mutations
from tests.api.notifications_cases import DEVICE, written
from tests.api.offers_cases import published
from tests.api.plans_cases import plans_published
from tests.api.redeeming import give_points
from tests.api.test_access import ANNA, BASKET, INPUTS
from tests.api.ways import named
from tests.api.webhooks_cases import dead_letter, order_secret, webhook
from tests.payouts.paying import with_cashback

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
UNKNOWN = 17
"""What has no thing of any type."""

_AUDITED = {"STAFF_MANAGER", "STAFF_AUDITOR"}
_STAFF = {f"STAFF_{role.value}" for role in StaffRole}
_READERS = {*_STAFF, "KEY_MEMBERS_READ"}
SEEN_BY: dict[str, set[str]] = {
    "Member": {"owner", *_READERS},
    "Card": {"owner", *_READERS},
    "Voucher": {"owner", *_READERS},
    "Payment": {"owner", *_READERS},
    "Hold": {"owner", *_READERS},
    "Purchase": {"owner", *_STAFF, "KEY_PURCHASES_WRITE"},
    "Payout": {"owner", *_AUDITED, "STAFF_SUPPORT"},
    "RewardOrder": {"owner", *_READERS},
    "PlanSubscription": {"owner", "STAFF_SUPPORT", *_AUDITED},
    "Basket": {*_STAFF, "KEY_PURCHASES_WRITE"},
    "DeviceSession": {"owner"},
    "Device": {"owner"},
    "Notification": {"owner", *_STAFF},
    "ApiKey": _AUDITED,
    "Webhook": _AUDITED,
    "WebhookDelivery": _AUDITED,
    "OrderWebhookSecret": _AUDITED,
}
"""Who finds a thing of each type by its id; whoever isn't named finds nothing. A programme is
everyone's, and an offer is shown to each as it stands for them."""


async def things(api: Api, owner: Caller, till: Caller) -> dict[str, str]:
    """A thing of each type that is somebody's, by its type: the owner's, or the staff's."""
    await give_points(owner.member_id, 2000)
    card = await cards.card_of(owner.member_id)
    redeemed = await api.mutate("redeemPoints", {"points": 1000}, owner)
    paid = await api.mutate("payWithPoints", {"member": ANNA, "basket": BASKET, "points": 10}, till)
    held = await api.mutate(
        "hold", {"member": ANNA, "asset": "POINTS", "points": 10}, till, at=None
    )
    bought = await api.record(till)
    asked = await api.mutate("requestPayout", {"destination": "LT12"}, owner)
    await stocked()
    ordered = await api.mutate("orderReward", {"rewardKey": "mug"}, owner)
    await plans_published()
    joined = await api.mutate("subscribePlan", {"planKey": "plus"}, owner)
    basket = await api.mutate("reserveBasket", {"basket": basket_input()}, till)
    session = await api.data("{ sessions { nodes { id } } }", caller=owner)
    device = await api.mutate("registerDevice", DEVICE, owner)
    tomorrow = Instant(clock.now() + DAY)
    webhook_id = await webhook()
    return {
        "Member": owner.id,
        "Card": global_id("Card", card.id),
        "Voucher": redeemed["voucher"]["id"],
        "Payment": paid["payment"]["id"],
        "Hold": held["hold"]["id"],
        "Purchase": bought["purchaseId"],
        "Payout": asked["payout"]["id"],
        "RewardOrder": ordered["order"]["id"],
        "PlanSubscription": joined["planSubscription"]["id"],
        "Basket": basket["basket"]["id"],
        "DeviceSession": session["sessions"]["nodes"][0]["id"],
        "Device": device["device"]["id"],
        "Notification": await written(owner.member_id, expires_at=tomorrow),
        "ApiKey": global_id("ApiKey", till.account_id),
        "Webhook": global_id("Webhook", webhook_id),
        "WebhookDelivery": global_id("WebhookDelivery", await dead_letter(webhook_id)),
        "OrderWebhookSecret": global_id("OrderWebhookSecret", await order_secret()),
    }


def test_every_type_with_an_id_is_in_the_table() -> None:
    node = contract().type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    types = {one.name for one in contract().get_possible_types(node)}
    assert types == SEEN_BY.keys() | {"Programme", "Offer", "MemberOffer"}


async def test_what_is_anothers_is_answered_like_what_does_not_exist(api: Api) -> None:
    owner = await with_cashback(api, 5000, external_id="anna")
    till = await api.key(Scope.POINTS_REDEEM, Scope.PURCHASES_WRITE)
    found = await things(api, owner, till)
    callers = {
        "owner": owner,
        "another member": await api.member("bob"),
        "nobody": NOBODY,
        "rival": await api.key(*(set(Scope) - {Scope.MEMBERS_READ}), partner="rival"),
        **{f"STAFF_{role.value}": await api.staff(role) for role in StaffRole},
        **{f"KEY_{scope.value}": await api.key(scope) for scope in Scope},
    }
    for kind, opaque in found.items():
        for name, caller in callers.items():
            shown = [
                uncosted(await api.send(NODE, {"id": given}, caller))
                for given in (opaque, global_id(kind, UNKNOWN))
            ]
            nothing = {"data": {"node": None}}
            seen = {"data": {"node": {"__typename": kind, "id": opaque}}}
            first = seen if name in SEEN_BY[kind] else nothing
            assert shown == [first, nothing], (kind, name)


async def test_a_programme_is_everyones(api: Api) -> None:
    (version,) = (await api.data("{ programme { id version } }")).values()
    data = await api.data(NODE, {"id": version["id"]})
    assert data == {"node": {"__typename": "Programme", "id": version["id"]}}


async def test_an_offer_is_shown_to_each_as_it_stands_for_them(api: Api) -> None:
    anna, bob = await api.member("anna"), await api.member("bob")
    with clock.moved_to(NOW):
        opaque = await published(audience={"members": ["anna"]})
    callers = {
        "MemberOffer": [anna],
        "Offer": [await api.staff(role) for role in StaffRole],
        None: [bob, NOBODY, await api.key(*Scope)],
    }
    for kind, each in callers.items():
        for caller in each:
            shown = uncosted(await api.send(NODE, {"id": opaque}, caller, at=NOW))
            seen = None if kind is None else {"__typename": kind, "id": opaque}
            assert shown == {"data": {"node": seen}}, (kind, caller)


# ---------------------------------------------------------------- ids that are none


def strange(kind: str) -> list[str]:
    """Ids that can't be of a thing of the type: malformed, of another type, too large."""
    other = "Voucher" if kind == "Member" else "Member"
    return [
        "",
        "x",
        "é",
        "\x00",
        "a" * 10_000,
        *(global_id(kind, number) for number in (0, -1, 2**63, 10**400)),
        global_id(other, UNKNOWN),
        global_id("Query", 1),
        *(
            base64.urlsafe_b64encode(text).decode()
            for text in (f"{kind}:".encode(), f"{kind}:1:2".encode(), b"\xff:1", b":")
        ),
    ]


async def test_ids_that_lead_nowhere(api: Api) -> None:
    reader, manager = await api.key(*Scope), await api.staff(StaffRole.MANAGER)
    for kind in (*SEEN_BY, "Offer", "Programme"):
        for opaque in strange(kind):
            for caller in (reader, manager):
                data = await api.data(NODE, {"id": opaque}, caller)
                assert data == {"node": None}, opaque


Place = tuple[str | int, ...]


def id_places(type_: GraphQLInputObjectType, place: Place = ()) -> Iterator[Place]:
    """Where ids stand in an input; in lists, the first."""
    for name, field in type_.fields.items():
        inner = get_named_type(field.type)
        bare = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        here = (*place, name, 0) if isinstance(bare, GraphQLList) else (*place, name)
        if inner.name == "ID":
            yield here
        elif isinstance(inner, GraphQLInputObjectType):
            yield from id_places(inner, here)


_ALTERNATIVES = (
    {"id", "externalId", "cardNumber", "voucherId", "voucherCode"},
    {"basketId", "basket"},
    {"basketId", "quoteToken"},
)
"""Of each of which an input takes one."""


def with_id(given: Any, place: Place, opaque: str) -> Any:
    """The input with the id at the place, and without the alternatives to it."""
    if not place:
        return opaque
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        return [with_id(given[0] if given else {}, rest, opaque)]
    others = {
        name: value
        for name, value in (given or {}).items()
        if not any({step, name} <= these for these in _ALTERNATIVES)
    }
    return {**others, step: with_id((given or {}).get(step), rest, opaque)}


def _kind(name: str, place: Place) -> str:
    """Of what type the id at the place is."""
    *above, last = [step for step in place if isinstance(step, str)]
    if last == "id":
        return "Purchase" if above[-1] == "purchase" else "Member"
    word = last.removesuffix("Ids").removesuffix("Id")
    return {"session": "DeviceSession"}.get(word, word[0].upper() + word[1:])


PLACES = [
    (name, place)
    for name, mutation in mutations().items()
    for input_type in [get_named_type(mutation.args["input"].type)]
    if isinstance(input_type, GraphQLInputObjectType)
    for place in id_places(input_type)
]


_PASSING_OVER = "/markNotificationsRead"
"""The mutation that passes over ids of anything else: it is done, and its key remembered."""


async def _written() -> dict[str, list[str]]:
    """Every row, but for the keys of what was done without changing anything."""
    rows = await dump()
    keys = rows["idempotency_records"]
    return {**rows, "idempotency_records": [one for one in keys if _PASSING_OVER not in one]}


async def _caller_for(api: Api, name: str) -> Caller:
    who = named(mutations()[name])
    makers: list[tuple[str, Callable[[], Awaitable[Caller]]]] = [
        ("STAFF_MANAGER", lambda: api.staff(StaffRole.MANAGER)),
        ("KEY_PURCHASES_WRITE", lambda: api.key(*Scope)),
        ("MEMBER", api.member),
    ]
    return await next(make for word, make in makers if word in who)()


async def test_mutations_answer_every_id_that_is_none_like_an_unknown_one(
    api: Api, anna: int
) -> None:
    assert len(PLACES) > 20
    callers = {name: await _caller_for(api, name) for name in dict(PLACES)}
    before = await _written()
    for name, place in PLACES:
        kind = _kind(name, place)

        async def told(opaque: str, name: str = name, place: Place = place) -> Json:
            given = with_id(INPUTS[name], place, opaque)
            return await api.mutate(name, given, callers[name], at=NOW)

        expected = await told(global_id(kind, UNKNOWN))
        for opaque in (*strange(kind), global_id("Card", 1)):
            assert await told(opaque) == expected, (name, place, opaque)
    assert await _written() == before
