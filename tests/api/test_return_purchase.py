"""returnPurchase and what shows purchases: who may, what is told, and who sees what."""

import asyncio
from typing import Any

import pytest

from server.edge.nodes import global_id
from server.principal import Scope, StaffRole
from server.storage import sql
from tests.api.calling import (
    NOW_SHOWN,
    Api,
    Caller,
    Json,
    changed,
    dump,
    line,
    purchase_input,
    return_input,
    usd,
)
from tests.api.refusals import invalid


async def sold(api: Api, till: Caller, **purchase: Any) -> Json:
    """Three units for 10.00 and something else for 10.00."""
    lines = [line(quantity=3), line(department="MEAT")]
    return await api.record(till, lines=lines, **purchase)


async def test_a_return_tells_all_that_it_undid(api: Api, till: Caller, anna: int) -> None:
    bought = await sold(api, till)
    before = await dump()
    wanted = return_input(
        purchase={"externalId": bought["externalId"]},
        lines=[{"number": 0, "quantity": "1"}, {"number": 1, "amountMinor": "1000"}],
    )
    told = await api.mutate("returnPurchase", {"return": wanted}, till)
    assert told == {
        "__typename": "ReturnedPurchase",
        "returnId": told["returnId"],
        "externalId": wanted["externalId"],
        "purchaseId": bought["purchaseId"],
        "memberId": global_id("Member", anna),
        "lines": [
            {"number": 0, "quantity": "1", "net": usd("3.33")},
            {"number": 1, "quantity": "0", "net": usd("10.00")},
        ],
        "refund": {
            "net": usd("13.33"),
            "points": usd("0.00"),
            "cashback": usd("0.00"),
            "voucher": usd("0.00"),
            "moneyRefund": usd("13.33"),
        },
        "reversed": [{"rule": "BASE", "points": 134, "challenge": None, "offer": None}],
        "pointsTaken": {
            "points": 134,
            "fromLot": 134,
            "lapsed": 0,
            "fromBalance": 0,
            "owed": 0,
            "notRecovered": 0,
        },
        "cashbackTaken": {
            "cashback": usd("0.20"),
            "fromLot": usd("0.20"),
            "lapsed": usd("0.00"),
            "fromBalance": usd("0.00"),
            "owed": usd("0.00"),
            "notRecovered": usd("0.00"),
        },
        "restored": {
            "points": 0,
            "pointsWithGrace": 0,
            "cashback": usd("0.00"),
            "voucher": usd("0.00"),
        },
        "tierBefore": "Bronze",
        "tierAfter": "Bronze",
        "withdrawnChallenges": [],
        "pointsAvailableAfter": 100,
        "cashbackAvailableAfter": usd("0.00"),
    }
    assert changed(before, await dump()) == {
        *("purchases", "purchase_lines", "purchase_returns", "return_lines"),
        *("ledger_accounts", "lots", "postings", "idempotency_records"),
        *("tier_states", "tier_days", "cashback_months", "challenge_progress"),
        *("versions", "outbox_events"),
    }


async def test_a_purchase_paid_with_points_gives_them_back(
    api: Api, till: Caller, anna: int
) -> None:
    wish = {
        "member": {"externalId": "anna"},
        "basket": {"netMinor": "2000", "currencyCode": "USD"},
        "points": 60,
    }
    paid = await api.mutate("payWithPoints", wish, till)
    bought = await sold(api, till, paymentIds=[paid["payment"]["id"]])
    assert bought["eligible"] == usd("19.40")
    wanted = return_input(purchase={"id": bought["purchaseId"]})
    told = await api.mutate("returnPurchase", {"return": wanted}, till)
    assert told["refund"] == {
        "net": usd("20.00"),
        "points": usd("0.60"),
        "cashback": usd("0.00"),
        "voucher": usd("0.00"),
        "moneyRefund": usd("19.40"),
    }
    assert (told["restored"]["points"], told["pointsAvailableAfter"]) == (60, 100)


@pytest.mark.parametrize("payment", [global_id("Payment", 17), global_id("Card", 17), "x"])
async def test_a_payment_that_is_none(api: Api, till: Caller, anna: int, payment: str) -> None:
    before = await dump()
    told = await sold(api, till, paymentIds=[payment])
    assert told["__typename"] == "NotFound"
    assert told["path"] == ["input", "purchase", "paymentIds", "0"]
    assert await dump() == before


async def test_more_than_is_left_is_refused_and_nothing_changes(
    api: Api, till: Caller, anna: int
) -> None:
    bought = await sold(api, till)
    before = await dump()
    wanted = return_input(
        purchase={"id": bought["purchaseId"]},
        lines=[{"number": 1, "quantity": 1}, {"number": 0, "quantity": 4}],
    )
    assert await api.mutate("returnPurchase", {"return": wanted}, till) == invalid(
        ["input", "return", "lines", "1", "quantity"],
        "4",
        "1 to 3",
        "No more than what is left of the line can be returned.",
    )
    assert await dump() == before


async def test_what_no_till_sold_is_not_found(api: Api, till: Caller, anna: int) -> None:
    bought = await sold(api, till)
    other = await api.key(Scope.PURCHASES_WRITE, partner="other")
    before = await dump()
    for caller, reference, name in (
        (other, {"externalId": bought["externalId"]}, "externalId"),
        (other, {"id": bought["purchaseId"]}, "id"),
        (till, {"externalId": "unknown"}, "externalId"),
        (till, {"id": global_id("Purchase", 2**80)}, "id"),
    ):
        told = await api.mutate(
            "returnPurchase", {"return": return_input(purchase=reference)}, caller
        )
        assert (told["__typename"], told["path"][-1]) == ("NotFound", name)
        assert told["message"] == "There is no such purchase."
    assert await dump() == before


@pytest.mark.parametrize("role", [StaffRole.SUPPORT, StaffRole.MANAGER])
async def test_staff_return_any_purchase_by_its_id(
    api: Api, till: Caller, anna: int, role: StaffRole
) -> None:
    bought = await sold(api, till)
    staff = await api.staff(role)
    by_till = return_input(purchase={"externalId": bought["externalId"]})
    told = await api.mutate("returnPurchase", {"return": by_till}, staff)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "return", "purchase"])
    wanted = return_input(purchase={"id": bought["purchaseId"]})
    told = await api.mutate("returnPurchase", {"return": wanted}, staff)
    assert told["__typename"] == "ReturnedPurchase"
    assert await api.mutate("returnPurchase", {"return": wanted}, till) == told
    other = {**wanted, "occurredAt": "2026-03-04T17:00:30Z"}
    told = await api.mutate("returnPurchase", {"return": other}, till)
    assert (told["__typename"], told["externalId"]) == (
        "ExternalIdConflict",
        wanted["externalId"],
    )


async def test_a_return_sent_eight_times_at_once_under_eight_keys_happens_once(
    api: Api, till: Caller, anna: int
) -> None:
    bought = await sold(api, till)
    wanted = return_input(purchase={"id": bought["purchaseId"]})
    answers = await asyncio.gather(
        *(api.mutate("returnPurchase", {"return": wanted}, till) for _ in range(8))
    )
    assert answers[0]["__typename"] == "ReturnedPurchase"
    assert all(answer == answers[0] for answer in answers)
    assert len(await sql.fetch("SELECT id FROM purchase_returns")) == 1


# ---------------------------------------------------------------- who sees what

PURCHASE = """
  id externalId partner storeId occurredAt programmeVersion points tierBefore
  net { amount } paid { amount } returned { amount } returnedEligible { amount }
  lines { number productId department quantity net { amount } returnedQuantity
          returned { amount } }
  returns { occurredAt answer { externalId refund { moneyRefund { amount } } } }
"""


async def test_a_purchase_shows_what_was_returned_of_it(api: Api, till: Caller) -> None:
    anna = await api.member("anna")
    bought = await sold(api, till)
    wanted = return_input(
        purchase={"id": bought["purchaseId"]}, lines=[{"number": 0, "quantity": 2}]
    )
    await api.mutate("returnPurchase", {"return": wanted}, till)
    expected = {
        "id": bought["purchaseId"],
        "externalId": bought["externalId"],
        "partner": "shop",
        "storeId": "7",
        "occurredAt": NOW_SHOWN,
        "programmeVersion": 1,
        "points": 200,
        "tierBefore": "Bronze",
        "net": {"amount": "20.00"},
        "paid": {"amount": "0.00"},
        "returned": {"amount": "6.66"},
        "returnedEligible": {"amount": "6.66"},
        "lines": [
            {
                "number": number,
                "productId": "1",
                "department": department,
                "quantity": quantity,
                "net": {"amount": "10.00"},
                "returnedQuantity": returned,
                "returned": {"amount": amount},
            }
            for number, department, quantity, returned, amount in (
                (0, "GROCERY", "3", "2", "6.66"),
                (1, "MEAT", "1", "0", "0.00"),
            )
        ],
        "returns": [
            {
                "occurredAt": NOW_SHOWN,
                "answer": {
                    "externalId": wanted["externalId"],
                    "refund": {"moneyRefund": {"amount": "6.66"}},
                },
            }
        ],
    }
    document = f"query ($by: PurchaseReferenceInput!) {{ purchase(by: $by) {{ {PURCHASE} }} }}"
    by_id, by_till = {"id": bought["purchaseId"]}, {"externalId": bought["externalId"]}
    staff = [await api.staff(role) for role in StaffRole]
    for caller, by in ((till, by_id), (till, by_till), *((one, by_id) for one in staff)):
        assert (await api.data(document, {"by": by}, caller))["purchase"] == expected
    other = await api.key(Scope.PURCHASES_WRITE, partner="other")
    for caller, by in (
        (other, by_id),
        (other, by_till),
        (staff[0], by_till),
        (till, {"id": "malformed"}),
        (till, {"id": global_id("Purchase", 17)}),
    ):
        assert (await api.data(document, {"by": by}, caller))["purchase"] is None
    node = f"query ($id: ID!) {{ node(id: $id) {{ ... on Purchase {{ {PURCHASE} }} }} }}"
    for caller in (till, anna, *staff):
        data = await api.data(node, {"id": bought["purchaseId"]}, caller)
        assert data["node"] == expected
    bob = await api.member("bob")
    for caller in (other, bob, await api.key(Scope.MEMBERS_READ)):
        assert (await api.data(node, {"id": bought["purchaseId"]}, caller))["node"] is None
    assert await api.codes(node, {"id": bought["purchaseId"]}) == ["UNAUTHENTICATED"]
    mine = await api.data(f"{{ me {{ purchases {{ nodes {{ {PURCHASE} }} }} }} }}", {}, anna)
    assert mine["me"]["purchases"]["nodes"] == [expected]


async def test_a_members_purchases_come_in_pages_the_newest_first(api: Api, till: Caller) -> None:
    anna = await api.member("anna")
    given = [purchase_input() for _ in range(5)]
    await api.mutate("recordPurchases", {"purchases": given}, till)
    document = (
        "query ($after: String) { me { purchases(first: 2, after: $after) {"
        " nodes { externalId lines { number } returns { occurredAt } }"
        " pageInfo { hasNextPage endCursor } } } }"
    )
    seen: list[str] = []
    after, counts = None, set()
    page: Json = {}
    for _ in range(3):
        with sql.counted_statements() as statements:
            page = (await api.data(document, {"after": after}, anna))["me"]["purchases"]
        counts.add(len(statements))
        seen += [one["externalId"] for one in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert not page["pageInfo"]["hasNextPage"]
    assert seen == [one["externalId"] for one in reversed(given)]
    assert len(counts) == 1
