"""Paying at the till through the API: who may, what is answered, and what members see of it."""

from server.clock import Instant
from server.edge.nodes import global_id
from server.principal import Scope, StaffRole
from server.storage import sql
from tests.api.calling import NOW, NOW_SHOWN, SECOND, Api, Caller, Json, dump, shown, usd
from tests.api.redeeming import ANNA, give_points, rich
from tests.api.refusals import invalid, not_found
from tests.households.living import CONTRIBUTOR, founded

BASKET: Json = {"netMinor": 5000, "currencyCode": "USD"}
PAY: Json = {**ANNA, "basket": BASKET}
HELD: Json = {**ANNA, "asset": "POINTS", "points": 300}


async def shopper(api: Api) -> Caller:
    """Anna, with 1000 points and 7.50 of cashback."""
    anna = await rich(api, "anna", 900)
    await give_points(anna.member_id, 750, asset="USD")
    return anna


async def test_points_are_paid_with_and_given_back(api: Api, till: Caller) -> None:
    await shopper(api)
    told = await api.mutate("payWithPoints", {**PAY, "points": 250}, till)
    payment = {
        "id": told["payment"]["id"],
        "kind": "POINTS",
        "status": "OPEN",
        "value": usd("2.50"),
        "points": 250,
        "restoredValue": usd("0.00"),
        "restoredPoints": 0,
        "voucherId": None,
        "holdId": None,
        "partner": "shop",
        "paidAt": NOW_SHOWN,
        "cancelledAt": None,
    }
    assert told == {
        "__typename": "Paid",
        "payment": payment,
        "pointsAvailableAfter": 750,
        "cashbackAvailableAfter": None,
        "voucherRemainingAfter": None,
    }
    given_back = await api.mutate("cancelPayment", {"paymentId": payment["id"]}, till)
    assert given_back == {
        "__typename": "PaymentCancelled",
        "payment": {
            **payment,
            "status": "CANCELLED",
            "restoredValue": usd("2.50"),
            "restoredPoints": 250,
            "cancelledAt": NOW_SHOWN,
        },
        "pointsWithGrace": 0,
        "cashbackWithGrace": None,
    }
    before = await dump()
    again = await api.mutate("cancelPayment", {"paymentId": payment["id"]}, till)
    assert again == {
        "__typename": "AlreadyDecided",
        "code": "ALREADY_DECIDED",
        "message": "This payment was cancelled before.",
        "path": ["input", "paymentId"],
        "outcome": "CANCELLED",
    }
    assert await dump() == before


async def test_cashback_and_vouchers_are_paid_with(api: Api, till: Caller) -> None:
    anna = await shopper(api)
    cash = await api.mutate("payWithCashback", {**PAY, "amountMinor": "199"}, till)
    assert (cash["payment"]["kind"], cash["payment"]["value"]) == ("CASHBACK", usd("1.99"))
    assert (cash["payment"]["points"], cash["pointsAvailableAfter"]) == (None, None)
    assert cash["cashbackAvailableAfter"] == usd("5.51")
    voucher = (await api.mutate("redeemPoints", {"points": 1000}, anna))["voucher"]
    assert (voucher["remaining"], voucher["status"]) == (usd("10.00"), "ISSUED")
    wish = {"voucherCode": voucher["code"], "basket": {**BASKET, "netMinor": 300}}
    paid = await api.mutate("payWithVoucher", wish, till)
    assert (paid["payment"]["kind"], paid["payment"]["voucherId"]) == ("VOUCHER", voucher["id"])
    assert (paid["payment"]["value"], paid["voucherRemainingAfter"]) == (usd("3.00"), usd("7.00"))
    before = await dump()
    told = await api.mutate("cancelRedemption", {"voucherId": voucher["id"]}, till)
    assert (told["__typename"], told["message"]) == (
        "NotAllowed",
        "A part of this voucher was used: cancel that payment first.",
    )
    assert await dump() == before
    await api.mutate("cancelPayment", {"paymentId": paid["payment"]["id"]}, till)
    told = await api.mutate("cancelRedemption", {"voucherCode": voucher["code"].lower()}, till)
    assert told == {
        "__typename": "RedemptionCancelled",
        "voucher": {**voucher, "remaining": usd("0.00"), "status": "CANCELLED"},
        "pointsRestored": 1000,
        "pointsWithGrace": 0,
        "pointsAvailableAfter": 1000,
    }


async def test_a_hold_is_settled_in_part(api: Api, till: Caller) -> None:
    anna = await shopper(api)
    told = await api.mutate("hold", {**HELD, "ttlSeconds": 60}, till)
    hold = {
        "id": told["hold"]["id"],
        "status": "OPEN",
        "asset": "POINTS",
        "points": 300,
        "amount": None,
        "settledPoints": 0,
        "settledAmount": None,
        "createdAt": NOW_SHOWN,
        "expiresAt": shown(Instant(NOW + 60 * SECOND)),
    }
    assert told == {
        "__typename": "Held",
        "hold": hold,
        "pointsAvailableAfter": 700,
        "cashbackAvailableAfter": None,
    }
    mine = "{ me { points { available held } holds { id status points } } }"
    data = (await api.data(mine, caller=anna, at=NOW))["me"]
    assert data["points"] == {"available": 700, "held": 300}
    assert data["holds"] == [{"id": hold["id"], "status": "OPEN", "points": 300}]
    wish = {"holdId": hold["id"], "basket": BASKET, "points": 120}
    paid = await api.mutate("settle", wish, till)
    assert (paid["payment"]["points"], paid["payment"]["holdId"]) == (120, hold["id"])
    assert paid["pointsAvailableAfter"] == 880
    assert (await api.data(mine, caller=anna, at=NOW))["me"]["holds"] == []
    before = await dump()
    for name, input in (("settle", wish), ("release", {"holdId": hold["id"]})):
        over = await api.mutate(name, input, till)
        assert over == {
            "__typename": "AlreadyDecided",
            "code": "ALREADY_DECIDED",
            "message": "This hold was settled before.",
            "path": ["input", "holdId"],
            "outcome": "SETTLED",
        }
    assert await dump() == before
    node = "query ($id: ID!) { node(id: $id) { ... on Hold { status settledPoints } } }"
    data = await api.data(node, {"id": hold["id"]}, anna, at=NOW)
    assert data["node"] == {"status": "SETTLED", "settledPoints": 120}


async def test_cashback_is_held_and_released(api: Api, till: Caller) -> None:
    await shopper(api)
    told = await api.mutate("hold", {**ANNA, "asset": "CASHBACK", "amountMinor": 500}, till)
    assert (told["hold"]["amount"], told["hold"]["points"]) == (usd("5.00"), None)
    assert told["cashbackAvailableAfter"] == usd("2.50")
    node = "query ($id: ID!) { node(id: $id) { ... on Hold { status } } }"
    over = Instant(NOW + 900 * SECOND)
    data = await api.data(node, {"id": told["hold"]["id"]}, till, at=over)
    assert data["node"] == {"status": "EXPIRED"}
    released = await api.mutate("release", {"holdId": told["hold"]["id"]}, till)
    assert (released["__typename"], released["hold"]["status"]) == ("HoldReleased", "RELEASED")
    assert released["cashbackAvailableAfter"] == usd("7.50")


async def test_what_a_hold_needs(api: Api, till: Caller) -> None:
    await shopper(api)
    cash = {**ANNA, "asset": "CASHBACK", "amountMinor": 10}
    misfit = "This does not fit what is held."
    before = await dump()
    wishes: list[tuple[Json, Json]] = [
        ({**HELD, "amountMinor": 5}, invalid(["input", "amountMinor"], "5", "nothing", misfit)),
        ({**cash, "points": 5}, invalid(["input", "points"], "5", "nothing", misfit)),
        (
            {**cash, "fromHousehold": True},
            invalid(["input", "fromHousehold"], "true", "false, for cashback", misfit),
        ),
        (
            {**HELD, "points": None},
            invalid(["input", "points"], None, "an amount", "This value is needed."),
        ),
        (
            {**ANNA, "asset": "CASHBACK"},
            invalid(["input", "amountMinor"], None, "an amount", "This value is needed."),
        ),
    ]
    for wish, expected in wishes:
        assert await api.mutate("hold", wish, till) == expected
    assert await dump() == before


async def test_ids_that_are_none(api: Api, till: Caller) -> None:
    await shopper(api)
    before = await dump()
    for number in (0, -1, 17, 2**63, 10**400):
        for name, field, kind, more in (
            ("settle", "holdId", "Hold", {"basket": BASKET}),
            ("release", "holdId", "Hold", {}),
            ("cancelPayment", "paymentId", "Payment", {}),
            ("cancelRedemption", "voucherId", "Voucher", {}),
        ):
            told = await api.mutate(name, {field: global_id(kind, number), **more}, till)
            message = told["message"]
            assert told == not_found(["input", field], message)
            wrong = await api.mutate(name, {field: global_id("Card", 1), **more}, till)
            assert wrong == told
    for given in ({}, {"voucherId": "x", "voucherCode": "y"}):
        told = await api.mutate("cancelRedemption", given, till)
        assert told["accepted"] == "exactly one of `voucherId` and `voucherCode`"
    assert await dump() == before


async def test_only_the_same_partner_and_staff_undo(api: Api, till: Caller) -> None:
    await shopper(api)
    rival = await api.key(Scope.POINTS_REDEEM, partner="rival")
    colleague = await api.key(Scope.POINTS_REDEEM)
    support = await api.staff(StaffRole.SUPPORT)
    holds = [(await api.mutate("hold", HELD, till))["hold"]["id"] for _ in range(2)]
    payments = [
        (await api.mutate("payWithPoints", {**PAY, "points": 10}, till))["payment"]["id"]
        for _ in range(2)
    ]
    before = await dump()
    for name, input in (
        ("settle", {"holdId": holds[0], "basket": BASKET}),
        ("release", {"holdId": holds[0]}),
        ("cancelPayment", {"paymentId": payments[0]}),
    ):
        told = await api.mutate(name, input, rival)
        assert told["__typename"] == "NotFound"
    told = await api.mutate("settle", {"holdId": holds[0], "basket": BASKET}, support)
    assert told["__typename"] == "NotFound"
    assert await dump() == before
    for caller, hold, payment in zip((colleague, support), holds, payments, strict=True):
        told = await api.mutate("release", {"holdId": hold}, caller)
        assert told["__typename"] == "HoldReleased"
        told = await api.mutate("cancelPayment", {"paymentId": payment}, caller)
        assert told["__typename"] == "PaymentCancelled"


async def test_staff_pay_and_settle_what_they_held(api: Api) -> None:
    await shopper(api)
    support = await api.staff(StaffRole.SUPPORT)
    held = await api.mutate("hold", HELD, support)
    wish = {"holdId": held["hold"]["id"], "basket": BASKET}
    paid = await api.mutate("settle", wish, support)
    assert (paid["payment"]["points"], paid["payment"]["partner"]) == (300, None)


async def test_members_see_their_payments_page_by_page(api: Api, till: Caller) -> None:
    anna = await shopper(api)
    ids = [
        (await api.mutate("payWithPoints", {**PAY, "points": 10}, till))["payment"]["id"]
        for _ in range(3)
    ]
    document = (
        "query ($after: String) { me { payments(first: 2, after: $after)"
        " { nodes { id } pageInfo { hasNextPage endCursor } } } }"
    )
    page = (await api.data(document, caller=anna))["me"]["payments"]
    assert [node["id"] for node in page["nodes"]] == ids[:0:-1]
    assert page["pageInfo"]["hasNextPage"]
    after = {"after": page["pageInfo"]["endCursor"]}
    rest = (await api.data(document, after, anna))["me"]["payments"]
    assert [node["id"] for node in rest["nodes"]] == ids[:1]
    bob = await api.member("bob")
    theirs = (await api.data("{ me { payments { nodes { id } } holds { id } } }", caller=bob))["me"]
    assert theirs == {"payments": {"nodes": []}, "holds": []}


async def test_holds_of_many_members_are_read_in_one_statement(api: Api, till: Caller) -> None:
    for name in ("anna", "bob", "carl"):
        await rich(api, name, 900)
        await api.mutate("hold", {**HELD, "member": {"externalId": name}}, till)
    document = "{ members { nodes { holds { points } } } }"
    with sql.counted_statements() as statements:
        data = await api.data(document, caller=till, at=NOW)
    assert [node["holds"] for node in data["members"]["nodes"]] == [[{"points": 300}]] * 3
    assert len([one for one in statements if " FROM holds " in one]) == 1


async def test_a_refusal_is_told_in_the_members_language(api: Api, till: Caller) -> None:
    await shopper(api)
    told = await api.mutate("payWithPoints", {**PAY, "points": 5001}, till)
    assert told == invalid(
        ["input", "points"],
        "5001",
        "1 to 5000",
        "These points would take off more than may be paid with points.",
    )
    short = await api.mutate("payWithPoints", {**PAY, "points": 1001}, till)
    assert (short["__typename"], short["shortBy"]) == ("InsufficientPoints", 1)
    euros = {**PAY, "basket": {**BASKET, "currencyCode": "EUR"}}
    wrong = await api.mutate("payWithCashback", euros, till)
    assert (wrong["path"], wrong["accepted"]) == (["input", "basket", "currencyCode"], "USD")


async def test_a_household_pays_and_redeems_through_the_api(api: Api, till: Caller) -> None:
    anna, bob = await rich(api, "anna", 500), await rich(api, "bob", 800)
    await founded(anna.member_id, (bob.member_id, CONTRIBUTOR))
    told = await api.mutate("payWithPoints", {**PAY, "points": 200, "fromHousehold": True}, till)
    assert told["pointsAvailableAfter"] == 1300
    before = await dump()
    refusal = await api.mutate("redeemPoints", {"points": 1000, "fromHousehold": True}, bob)
    assert (refusal["__typename"], refusal["path"]) == ("NotAllowed", ["input", "fromHousehold"])
    assert await dump() == before
    told = await api.mutate("redeemPoints", {"points": 1000, "fromHousehold": True}, anna)
    assert (told["__typename"], told["pointsAvailableAfter"]) == ("PointsRedeemed", 300)
