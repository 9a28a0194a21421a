"""The catalogue as an app and a till see it."""

from server.catalogue import service as catalogue
from server.definitions import service as definitions
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, usd
from tests.api.catalogue_cases import stocked
from tests.api.redeeming import give_points

REWARDS = """{ me { rewards { nodes {
  reward { key title language points money { amount currencyCode } unitsLeft isOutOfStock }
  isForMember canAfford shortByPoints reachableInPurchases isFavourite unitsOrdered } } } }"""
DROPS = """{ me { drops { drop { key unitsTaken reward { title } }
  place { status position ahead isYourTurn turnEndsAt } } } }"""


async def _shop(api: Api) -> Caller:
    await stocked()
    anna = await api.member("anna")
    await give_points(anna.member_id, 400)
    return anna


async def test_what_is_missing_is_told_in_points_and_in_purchases(api: Api, till: Caller) -> None:
    anna = await _shop(api)
    told = await api.data(REWARDS, caller=anna, at=NOW)
    mug, voucher = told["me"]["rewards"]["nodes"]
    assert mug["reward"] == {
        "key": "mug",
        "title": "A mug",
        "language": "en",
        "points": 100,
        "money": usd("2.50"),
        "unitsLeft": None,
        "isOutOfStock": False,
    }
    assert (mug["canAfford"], mug["shortByPoints"], mug["reachableInPurchases"]) == (True, 0, 0)
    assert (voucher["canAfford"], voucher["shortByPoints"]) == (False, 500)
    assert voucher["reachableInPurchases"] is None
    for _ in range(2):
        await api.record(till)
    earned = [
        row[0] for row in await sql.fetch("SELECT amount FROM lots WHERE reason = 'purchase'")
    ]
    total = sum(earned) - 400
    told = await api.data(REWARDS, caller=anna, at=NOW)
    voucher = told["me"]["rewards"]["nodes"][1]
    short = voucher["shortByPoints"]
    assert voucher["reachableInPurchases"] == -(-short * 2 // total)


async def test_an_order_is_listed_with_a_code_that_scans(api: Api, till: Caller) -> None:
    anna = await _shop(api)
    told = await api.mutate("orderReward", {"rewardKey": "mug", "quantity": 2}, anna)
    order = told["order"]
    assert (order["title"], order["status"], order["money"]) == ("A mug", "ISSUED", usd("5.00"))
    assert order["barcode"]["value"] == order["code"]
    assert order["barcode"]["svg"].startswith("<svg ")
    assert told["pointsAvailableAfter"] == 300
    paid = await api.mutate("payRewardOrder", {"orderCode": order["code"].lower()}, till)
    assert paid["order"]["isPaid"] is True
    document = "{ me { rewardOrders { nodes { id isPaid } } } }"
    listed = await api.data(document, caller=anna, at=NOW)
    assert listed["me"]["rewardOrders"]["nodes"] == [{"id": order["id"], "isPaid": True}]


async def test_a_drop_shows_whose_turn_it_is(api: Api) -> None:
    anna = await _shop(api)
    await api.mutate("joinDrop", {"dropKey": "mugs"}, anna)
    told = await api.data(DROPS, caller=anna, at=NOW)
    mugs = next(one for one in told["me"]["drops"] if one["drop"]["key"] == "mugs")
    assert mugs["drop"]["reward"] == {"title": "A mug"}
    assert mugs["place"] == {
        "status": "YOUR_TURN",
        "position": None,
        "ahead": None,
        "isYourTurn": True,
        "turnEndsAt": "2026-03-04T18:00:00Z",
    }
    assert {catalogue.REWARD.name, catalogue.DROP.name} <= {
        kind.name for kind in definitions.kinds()
    }
