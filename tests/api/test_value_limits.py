"""Limits that hold however a till goes about it: shares of a basket, and the time of a return."""

import pytest

from server import clock
from server.principal import Scope
from server.programme import service as programme
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json, dump, line
from tests.api.redeeming import rich
from tests.programme.demo import DEMO_FILE

BASKET = {"netMinor": "1000", "currencyCode": "USD"}


@pytest.fixture
async def till(api: Api) -> Caller:
    await rich(api, "anna", 5000)
    return await api.key(Scope.PURCHASES_WRITE, Scope.POINTS_REDEEM)


async def paid(api: Api, till: Caller, points: int) -> str:
    wish = {"member": {"externalId": "anna"}, "basket": BASKET, "points": points}
    answer = await api.mutate("payWithPoints", wish, till)
    payment: str = answer["payment"]["id"]
    return payment


async def test_points_pay_for_no_more_than_their_share_in_however_many_payments(
    api: Api, till: Caller
) -> None:
    document = DEMO_FILE.read_text(encoding="utf-8")
    with clock.moved_to(NOW):
        async with sql.transaction():
            await programme.publish(
                document + "\npaying_with_points: {maximum_share_basis_points: 5000}\n",
                published_by="test",
            )
    halves = [await paid(api, till, 500), await paid(api, till, 500)]
    before = await dump()
    refused = await api.record(till, lines=[line()], paymentIds=halves)
    assert (refused["__typename"], refused["path"]) == (
        "InvalidInput",
        ["input", "purchase", "paymentIds"],
    )
    assert refused["accepted"] == (
        "payments whose points take at most 500 minor units off the basket"
    )
    assert await dump() == before
    recorded = await api.record(till, lines=[line()], paymentIds=halves[:1])
    assert recorded["__typename"] == "RecordedPurchase"


def giving_back(external_id: str, purchase: Json, at: str) -> Json:
    return {
        "return": {
            "externalId": external_id,
            "purchase": {"id": purchase["purchaseId"]},
            "occurredAt": at,
        }
    }


async def test_a_return_lies_after_its_purchase(api: Api, till: Caller) -> None:
    recorded = await api.record(till, lines=[line()])
    before = await dump()
    wish = giving_back("r", recorded, "2026-03-03T17:00:00Z")
    refused = await api.mutate("returnPurchase", wish, till)
    assert (refused["__typename"], refused["path"]) == (
        "InvalidInput",
        ["input", "return", "occurredAt"],
    )
    assert await dump() == before
