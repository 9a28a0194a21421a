"""Payouts through the API: who sees and does what, and what is told."""

import logging

import pytest

from server import clock
from server.cards import service as cards
from server.edge.nodes import global_id
from server.principal import Scope, StaffRole
from server.programme import service as programme
from server.storage import sql
from tests.api.calling import (
    NOW,
    NOW_SHOWN,
    Api,
    Caller,
    Json,
    dump,
    purchase_input,
    usd,
)
from tests.ledger.books import check_books
from tests.payouts.paying import member_with, with_cashback
from tests.programme.demo import demo_yaml
from tests.purchases.baskets import Changes

IBAN = "LT12 1000 0111 0100 1000"
MINE = """
query ($first: Int = 20, $after: String) {
  me {
    payouts(first: $first, after: $after) {
      nodes {
        id amount { amount currencyCode } status destination note bankReference
        requestedAt decidedAt finishedAt
      }
      pageInfo { hasNextPage endCursor }
    }
    cashback {
      available { amount } pending { amount } held { amount } owed { amount }
      lifetimeAccrued { amount } lifetimeSpent { amount } lifetimeExpired { amount }
      lifetimeReversed { amount } lifetimeMoved { amount }
    }
  }
}
"""
ALL = """
query ($status: PayoutStatus, $first: Int = 20, $after: String) {
  payouts(status: $status, first: $first, after: $after) {
    nodes { id memberId destination status }
    pageInfo { hasNextPage endCursor }
  }
}
"""


async def asked(api: Api, caller: Caller, amount: int | None = 200, **more: object) -> Json:
    """What requestPayout answers."""
    wish = {"amountMinor": amount, "destination": IBAN, **more}
    return await api.mutate("requestPayout", wish, caller)


SHORT = """
mutation ($input: RequestPayoutInput!) {
  requestPayout(input: $input) {
    ... on InsufficientCashback {
      code
      availableAmount { amount currencyCode } requiredAmount { amount currencyCode }
      shortByAmount { amount currencyCode }
    }
  }
}
"""


async def short_of(api: Api, caller: Caller, amount: int) -> Json:
    """What InsufficientCashback says."""
    wish = {"idempotencyKey": "short", "amountMinor": amount, "destination": IBAN}
    told: Json = (await api.data(SHORT, {"input": wish}, caller, at=NOW))["requestPayout"]
    return told


async def done(api: Api, name: str, payout: Json, caller: Caller, **more: object) -> Json:
    """What a mutation answers about the payout."""
    return await api.mutate(name, {"payoutId": payout["id"], **more}, caller)


async def test_the_way_of_a_payout_as_the_member_sees_it(api: Api) -> None:
    anna, manager = await with_cashback(api, 500), await api.staff(StaffRole.MANAGER)
    bank = await api.key(Scope.PAYOUTS_WRITE)
    told = await asked(api, anna)
    assert told["__typename"] == "PayoutChanged"
    payout = told["payout"]
    expected = {
        "id": payout["id"],
        "memberId": anna.id,
        "amount": usd("2.00"),
        "status": "REQUESTED",
        "destination": IBAN,
        "requestedAt": NOW_SHOWN,
        "decidedAt": None,
        "finishedAt": None,
        "note": None,
        "bankReference": None,
    }
    assert payout == expected

    async def sees(**changes: object) -> None:
        expected.update(changes)
        data = await api.data(MINE, caller=anna, at=NOW)
        [shown] = data["me"]["payouts"]["nodes"]
        assert shown == {name: value for name, value in expected.items() if name != "memberId"}

    await sees()
    await done(api, "approvePayout", payout, manager)
    await sees(status="APPROVED", decidedAt=NOW_SHOWN)
    paid = await done(api, "markPayoutPaid", payout, bank, bankReference="B-1")
    assert paid["payout"]["destination"] is None  # is no business of a key
    await sees(status="PAID", finishedAt=NOW_SHOWN, bankReference="B-1")
    await done(api, "markPayoutFailed", payout, bank, note="account closed")
    await sees(status="FAILED", bankReference="B-1", note="account closed")
    await check_books()


async def test_the_identity_of_the_cashback(api: Api) -> None:
    anna, manager = await with_cashback(api, 500), await api.staff(StaffRole.MANAGER)
    first = (await asked(api, anna, 200))["payout"]
    await asked(api, anna, 50)
    await done(api, "approvePayout", first, manager)
    await done(api, "markPayoutPaid", first, manager, bankReference="B-1")
    shown = (await api.data(MINE, caller=anna, at=NOW))["me"]["cashback"]
    assert {name: value["amount"] for name, value in shown.items()} == {
        "available": "2.50",
        "pending": "0.00",
        "held": "0.50",
        "owed": "0.00",
        "lifetimeAccrued": "5.00",
        "lifetimeSpent": "0.00",
        "lifetimeExpired": "0.00",
        "lifetimeReversed": "0.00",
        "lifetimeMoved": "-2.00",
    }


async def test_everything_is_asked_for_by_leaving_the_amount_out(api: Api) -> None:
    anna, bob = await with_cashback(api, 500), await with_cashback(api, 70)
    told = await api.mutate("requestPayout", {"destination": IBAN}, anna)
    assert told["payout"]["amount"] == usd("5.00")
    assert (await asked(api, bob, None))["payout"]["amount"] == usd("0.70")


@pytest.mark.parametrize(
    ("currency", "per_major", "asked_for", "short"),
    [("JPY", 1, "250", "750"), ("TND", 1000, "0.250", "0.750")],
)
async def test_amounts_have_the_digits_of_the_currency(
    api: Api, currency: str, per_major: int, asked_for: str, short: str
) -> None:
    identity: Changes = {
        ("programme", "currency"): currency,
        ("programme", "minor_units_per_major"): per_major,
    }
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(demo_yaml(identity), published_by="test")
    anna = await api.signed_in(await member_with(500, currency=currency))
    told = await asked(api, anna, 250)
    assert told["payout"]["amount"] == {"amount": asked_for, "currencyCode": currency}
    told = await short_of(api, anna, 1000)
    assert told["shortByAmount"] == {"amount": short, "currencyCode": currency}
    shown = (await api.data(MINE, caller=anna, at=NOW))["me"]["cashback"]
    assert shown["held"] == shown["available"] == {"amount": asked_for}


async def test_refused_amounts_say_what_is_missing(api: Api) -> None:
    document = demo_yaml({("payouts",): {"minimum_minor": 100, "daily_limit_minor": 300}})
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(document, published_by="test")
    anna = await with_cashback(api, 500)
    before = await dump()
    small = await asked(api, anna, 99)
    assert (small["__typename"], small["path"], small["value"], small["accepted"]) == (
        "InvalidInput",
        ["input", "amountMinor"],
        "99",
        "100 minor units or more",
    )
    limited = await asked(api, anna, 301)
    assert (limited["__typename"], limited["code"], limited["path"]) == (
        "LimitReached",
        "LIMIT_REACHED",
        ["input", "amountMinor"],
    )
    assert (limited["limit"], limited["left"]) == ("300", "300")
    assert await dump() == before
    poor = await short_of(api, await with_cashback(api, 150), 250)
    assert poor["code"] == "INSUFFICIENT_CASHBACK"
    assert [poor[name] for name in ("availableAmount", "requiredAmount", "shortByAmount")] == [
        usd("1.50"),
        usd("2.50"),
        usd("1.00"),
    ]


async def test_staff_ask_on_a_members_behalf_and_another_decides(api: Api) -> None:
    anna = await with_cashback(api, 500, external_id="anna")
    manager, colleague = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    support = await api.staff(StaffRole.SUPPORT)
    number = (await cards.card_of(anna.member_id)).number
    references: list[Json] = [{"id": anna.id}, {"externalId": "anna"}, {"cardNumber": number}]
    for member in references:
        told = await asked(api, support, 10, member=member)
        assert told["payout"]["memberId"] == anna.id
    payout = (await asked(api, manager, member={"id": anna.id}))["payout"]
    before = await dump()
    for name, more in (("approvePayout", {}), ("rejectPayout", {"note": "no"})):
        told = await done(api, name, payout, manager, **more)
        assert (told["__typename"], told["code"]) == ("NotAllowed", "NOT_ALLOWED")
        assert told["path"] == ["input", "payoutId"]
    assert await dump() == before
    told = await done(api, "approvePayout", payout, colleague)
    assert told["payout"]["status"] == "APPROVED"


async def test_whose_cashback_has_to_be_clear(api: Api) -> None:
    anna, bob = await with_cashback(api, 500), await with_cashback(api, 500)
    support = await api.staff(StaffRole.SUPPORT)
    before = await dump()
    told = [
        await asked(api, anna, member={"id": bob.id}),
        await asked(api, anna, member={"id": anna.id}),
        await asked(api, support),
        await asked(api, support, member={"externalId": "nobody"}),
        await asked(api, support, member={"id": "x"}),
    ]
    assert [(one["__typename"], one["path"]) for one in told] == [
        ("InvalidInput", ["input", "member"]),
        ("InvalidInput", ["input", "member"]),
        ("InvalidInput", ["input", "member"]),
        ("NotFound", ["input", "member", "externalId"]),
        ("NotFound", ["input", "member", "id"]),
    ]
    assert await dump() == before


async def test_a_second_decision_is_told_what_became_of_the_payout(api: Api) -> None:
    anna, manager = await with_cashback(api, 500), await api.staff(StaffRole.MANAGER)
    payout = (await asked(api, anna))["payout"]
    early = await done(api, "markPayoutPaid", payout, manager, bankReference="B-1")
    assert (early["__typename"], early["message"]) == (
        "NotAllowed",
        "This payout has not been approved yet.",
    )
    await done(api, "cancelPayout", payout, anna)
    before = await dump()
    for name, caller, more in (
        ("cancelPayout", anna, {}),
        ("approvePayout", manager, {}),
        ("rejectPayout", manager, {"note": "no"}),
        ("markPayoutPaid", manager, {"bankReference": "B-1"}),
        ("markPayoutFailed", manager, {"note": "no"}),
    ):
        told = await done(api, name, payout, caller, **more)
        assert (told["__typename"], told["code"], told["outcome"], told["path"]) == (
            "AlreadyDecided",
            "ALREADY_DECIDED",
            "CANCELLED",
            ["input", "payoutId"],
        )
    assert await dump() == before


async def test_anothers_payout_is_like_none(api: Api) -> None:
    anna, bob = await with_cashback(api, 500), await with_cashback(api, 500)
    payout = (await asked(api, anna))["payout"]
    before = await dump()
    refusals = [
        await api.mutate("cancelPayout", {"payoutId": id_}, bob)
        for id_ in (payout["id"], global_id("Payout", 17))
    ]
    assert refusals[0] == refusals[1]
    assert (refusals[0]["__typename"], refusals[0]["path"]) == ("NotFound", ["input", "payoutId"])
    for wrong in ("x", global_id("Voucher", 17)):
        assert await api.mutate("cancelPayout", {"payoutId": wrong}, bob) == refusals[1]
    assert await dump() == before

    document = "query ($id: ID!) { node(id: $id) { ... on Payout { id destination } } }"
    readers = [anna, *[await api.staff(role) for role in StaffRole if role != "MARKETER"]]
    for caller in readers:
        shown = await api.data(document, {"id": payout["id"]}, caller)
        assert shown == {"node": {"id": payout["id"], "destination": IBAN}}
    for caller in (bob, await api.staff(StaffRole.MARKETER), await api.key(*Scope)):
        assert await api.data(document, {"id": payout["id"]}, caller) == {"node": None}
    assert await api.codes(document, {"id": payout["id"]}) == ["UNAUTHENTICATED"]


async def test_only_the_member_and_the_staff_of_payouts_see_where_the_money_goes(
    api: Api,
) -> None:
    anna = await with_cashback(api, 500, external_id="anna")
    await asked(api, anna)
    document = '{ member(by: {externalId: "anna"}) { payouts { nodes { destination } } } }'
    callers = {role.value: await api.staff(role) for role in StaffRole}
    callers["key"] = await api.key(*Scope)
    for kind, caller in callers.items():
        shown = await api.data(document, caller=caller, at=NOW)
        [payout] = shown["member"]["payouts"]["nodes"]
        expected = None if kind in ("MARKETER", "key") else IBAN
        assert payout == {"destination": expected}, kind


async def test_lists_in_pages_and_by_status(api: Api) -> None:
    anna, bob = await with_cashback(api, 500), await with_cashback(api, 500)
    support = await api.staff(StaffRole.SUPPORT)
    ids = [(await asked(api, caller, 10))["payout"]["id"] for caller in (anna, bob, anna)]
    await done(api, "cancelPayout", {"id": ids[0]}, anna)

    async def shown(document: str, caller: Caller, **given: object) -> tuple[list[str], Json]:
        data = await api.data(document, given, caller, at=NOW)
        page = (data.get("me") or data)["payouts"]
        return [one["id"] for one in page["nodes"]], page["pageInfo"]

    mine, info = await shown(MINE, anna, first=1)
    assert (mine, info["hasNextPage"]) == (ids[2:], True)
    assert (await shown(MINE, anna, first=1, after=info["endCursor"]))[0] == ids[:1]
    assert (await shown(ALL, support))[0] == ids[::-1]
    assert (await shown(ALL, support, status="REQUESTED"))[0] == [ids[2], ids[1]]
    assert (await shown(ALL, support, status="CANCELLED"))[0] == ids[:1]
    first, info = await shown(ALL, support, status="REQUESTED", first=1)
    assert (first, info["hasNextPage"]) == (ids[2:], True)
    rest = await shown(ALL, support, status="REQUESTED", first=1, after=info["endCursor"])
    assert (rest[0], rest[1]["hasNextPage"]) == (ids[1:2], False)


async def test_a_page_takes_as_many_statements_as_one_payout(api: Api) -> None:
    anna, support = await with_cashback(api, 500), await api.staff(StaffRole.SUPPORT)
    counts = []
    for size in (1, 10):
        for _ in range(size):
            await asked(api, anna, 1)
        await api.data(ALL, caller=support, at=NOW)
        with sql.counted_statements() as statements:
            await api.data(ALL, caller=support, at=NOW)
        counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_a_destination_stands_in_one_place_alone(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    anna, manager = await with_cashback(api, 500), await api.staff(StaffRole.MANAGER)
    payout = (await asked(api, anna))["payout"]
    await done(api, "approvePayout", payout, manager)
    refused = await api.mutate("requestPayout", {"destination": f"{IBAN}\n"}, anna)
    assert (refused["__typename"], refused["value"]) == ("InvalidInput", None)
    places = {table for table, rows in (await dump()).items() for row in rows if IBAN in row}
    assert places == {"payouts"}
    ours = [one for one in caplog.records if not one.name.startswith(("aiosqlite", "asyncpg"))]
    assert not [one for one in ours if IBAN in one.getMessage() and "tortoise" not in one.name]


async def test_what_is_owed_to_members_is_less_by_what_was_paid_out(api: Api) -> None:
    anna, manager = await with_cashback(api, 500), await api.staff(StaffRole.MANAGER)
    till = await api.key(*Scope)
    # A month is shown once it has a purchase.
    purchase = {"idempotencyKey": "k", "purchase": purchase_input(member={"id": anna.id})}
    document = "mutation ($i: RecordPurchaseInput!) { recordPurchase(input: $i) { __typename } }"
    told = await api.data(document, {"i": purchase}, till, at=NOW)
    assert told["recordPurchase"]["__typename"] == "RecordedPurchase"

    async def outstanding() -> str:
        document = "{ insights { months { cashbackOutstandingMinor } } }"
        [month] = (await api.data(document, caller=manager, at=NOW))["insights"]["months"]
        return str(month["cashbackOutstandingMinor"])

    payout = (await asked(api, anna, 200))["payout"]
    assert await outstanding() == "500"  # being held, it is still the member's
    await done(api, "approvePayout", payout, manager)
    assert await outstanding() == "500"
    await done(api, "markPayoutPaid", payout, manager, bankReference="B-1")
    assert await outstanding() == "300"
    await done(api, "markPayoutFailed", payout, manager, note="sent back")
    assert await outstanding() == "500"
