"""Why a purchase earned what it did, and what a balance is made of, as members are told."""

from server.edge.nodes import number_of
from server.principal import Scope
from server.storage import sql
from tests.api.calling import NOW, Api, Json, instant, line, shown

FUEL = line(productId="fuel", department="MISCELLANEOUS", productType="GASOLINE-REG UNLEADED")
LINES = [
    line(productId="bread"),
    line(productId="apples", department="PRODUCE", salesMinor=455),
    FUEL,
    line(productId="coupon", department="UNKNOWN", salesMinor=0, couponMinor=100),
]
EXPLAIN = """
query ($id: ID!) {
  purchase(by: {id: $id}) {
    explain {
      programmeVersion tier multiplierPercent eligible { amount } cutByCaps { amount }
      lines { number productId counted { amount } earned { rule amount reason text } }
      challenges { challenge points progress target reason text }
    }
  }
}
"""


async def explained(api: Api, caller: object, purchase_id: str, **headers: str) -> Json:
    response = await api.send(EXPLAIN, {"id": purchase_id}, caller, **headers)  # type: ignore[arg-type]
    body = response.json()
    assert "errors" not in body, body
    explanation: Json = body["data"]["purchase"]["explain"]
    return explanation


def shares(explanation: Json) -> dict[str, list[tuple[int, str]]]:
    """Of each product: what BASE, TIER, CATEGORY and CASHBACK gave it, and why."""
    return {
        one["productId"]: [(share["amount"], share["reason"]) for share in one["earned"]]
        for one in explanation["lines"]
    }


async def test_every_line_says_what_it_earned_and_why_not(api: Api) -> None:
    await api.member("anna")
    till = await api.key(Scope.PURCHASES_WRITE)
    recorded = await api.record(till, lines=LINES)
    explanation = await explained(api, till, recorded["purchaseId"])
    excluded = [(0, "EXCLUDED")] * 4
    assert shares(explanation) == {
        "bread": [
            (93, "EARNED"),
            (0, "RULE_GIVES_NOTHING"),
            (0, "OTHER_DEPARTMENT"),
            (0, "OTHER_DEPARTMENT"),
        ],
        "apples": [(42, "EARNED"), (0, "RULE_GIVES_NOTHING"), (45, "EARNED"), (9, "EARNED")],
        "fuel": excluded,
        "coupon": [(0, "NO_SPEND")] * 4,
    }
    assert recorded["points"] == 93 + 42 + 45
    assert (explanation["tier"], explanation["multiplierPercent"]) == ("Bronze", 100)
    assert explanation["eligible"] == {"amount": "13.55"}
    texts = [share["text"] for share in explanation["lines"][1]["earned"]]
    assert texts == [
        "Base points: 42 points.",
        "Tier points: nothing extra in this tier.",
        "Department points: 45 points.",
        "Cashback: $0.09.",
    ]
    assert [
        (one["challenge"], one["reason"], one["points"], one["progress"], one["target"])
        for one in explanation["challenges"]
    ] == [
        ("weekly_visits", "IN_PROGRESS", 0, 1, 3),
        ("departments", "IN_PROGRESS", 0, 2, 5),
        ("month_spend", "IN_PROGRESS", 0, 1355, 10000),
    ]


async def test_a_return_is_seen_in_the_explanation(api: Api) -> None:
    await api.member("anna")
    till = await api.key(Scope.PURCHASES_WRITE)
    recorded = await api.record(till, lines=LINES)
    await api.mutate(
        "returnPurchase",
        {
            "return": {
                "externalId": "return-1",
                "purchase": {"id": recorded["purchaseId"]},
                "occurredAt": shown(NOW),
                "lines": [{"number": 1, "quantity": 1}],
            }
        },
        till,
    )
    explanation = await explained(api, till, recorded["purchaseId"])
    assert shares(explanation)["apples"] == [(0, "RETURNED")] * 4
    assert shares(explanation)["bread"][0] == (90, "EARNED")
    assert explanation["eligible"] == {"amount": "9.00"}


async def test_members_are_told_in_their_language(api: Api) -> None:
    anna = await api.member("anna")
    async with sql.transaction():
        await sql.execute("UPDATE members SET locale = 'lt-LT' WHERE id = $1", anna.member_id)
    till = await api.key(Scope.PURCHASES_WRITE, Scope.MEMBERS_READ)
    recorded = await api.record(till, lines=[line(salesMinor=210)])
    told = await explained(api, till, recorded["purchaseId"])
    assert told["lines"][0]["earned"][0]["text"] == "Baziniai taškai: 21 taškas."
    told = await explained(api, till, recorded["purchaseId"], **{"Accept-Language": "ru"})
    assert told["lines"][0]["earned"][0]["text"] == "Базовые баллы: 21 балл."


BALANCE = """
query ($at: DateTime) {
  me {
    explainBalance(at: $at) {
      available pending text
      lots { nodes {
        amount remaining state kind rule programmeVersion purchaseId text
        movements { amount kind text }
      } }
    }
  }
}
"""


async def test_a_balance_is_explained_by_its_lots_at_any_instant(api: Api) -> None:
    anna = await api.member("anna")
    till = await api.key(Scope.PURCHASES_WRITE)
    recorded = await api.record(till, lines=[line()])
    data = await api.data(BALANCE, {"at": shown(NOW)}, anna, at=NOW)
    explanation = data["me"]["explainBalance"]
    assert (explanation["available"], explanation["pending"]) == (100, 100)
    assert explanation["text"] == "Can be used: 100 points. Can be used later: 100 points."
    purchase, welcome = explanation["lots"]["nodes"]
    assert purchase["text"] == (
        "Points for a purchase: 100 points on Mar 4, 2026 (rule purchase, programme version 1)."
        " Can be used from Mar 7, 2026. Expires on Aug 31, 2026 if not used before."
    )
    assert number_of(purchase["purchaseId"], "Purchase") == number_of(
        recorded["purchaseId"], "Purchase"
    )
    assert (welcome["kind"], welcome["purchaseId"]) == ("WELCOME", None)
    later = await api.data(BALANCE, {"at": "2026-12-01T00:00:00Z"}, anna, at=NOW)
    assert {lot["state"] for lot in later["me"]["explainBalance"]["lots"]["nodes"]} == {"EXPIRED"}
    before = await api.data(BALANCE, {"at": shown(instant("2026-03-01T00:00:00Z"))}, anna, at=NOW)
    assert before["me"]["explainBalance"]["lots"]["nodes"] == []
