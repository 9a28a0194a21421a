"""A shop's week with offers, from the first draft to the last return, as its callers live it."""

import json

from server.principal import Scope, StaffRole
from server.storage.secrets import shared_secret
from tests.api.calling import NOW, Api, Caller, Json, usd

CHEESE, MILK, ROLL, BUN, APPLES = range(5)
LINES: list[Json] = [
    {"productId": "cheese", "department": "DAIRY", "quantity": "2", "salesMinor": "1399"},
    {"productId": "milk", "department": "DAIRY", "quantity": "3", "salesMinor": "601"},
    {"productId": "roll", "brand": "Crust", "quantity": "3", "salesMinor": "300"},
    {"productId": "bun", "brand": "Crust", "quantity": "3", "salesMinor": "261"},
    {"productId": "apples", "department": "PRODUCE", "quantity": "1", "salesMinor": "380"},
]
AFTER = [1078, 463, 264, 77, 335]
"""What each line costs with all offers: 12.5 % off dairy are 1.75 and 0.75, two buns of 0.87 are
free, and the 3.00 of the code are 1.46, 0.63, 0.36, 0.10 and 0.45."""

OFFERS: dict[str, Json] = {
    "dairy": {
        "discount": {"kind": "percent", "rate_bps": 1250},
        "scope": {"departments": ["DAIRY"]},
        "requires": {"minimum_spend_minor": 2000},
        "stacking": {"priority": 3},
        "funding": [{"partner": "farm", "share_bps": 3333}],
    },
    "crust": {
        "discount": {"kind": "buy_get", "buy": 2, "get": 1},
        "scope": {"brands": ["Crust"]},
        "stacking": {"priority": 2},
    },
    "code": {
        "discount": {"kind": "amount", "amount_minor": 300},
        "needs_coupon": True,
        "limits": {"budget_minor": 300},
        "stacking": {"priority": 1},
    },
    "triple": {
        "discount": {"kind": "points_multiplier", "percent": 300},
        "scope": {"departments": ["DAIRY"]},
        "activation": "clip",
    },
    "bonus": {
        "discount": {"kind": "bonus_points", "points": 50},
        "requires": {"condition": "spend_by_department['DAIRY'] >= 2000 && tier == 'Bronze'"},
    },
    "back": {
        "discount": {"kind": "cashback", "rate_bps": 500},
        "scope": {"channels": ["web"]},
        "funding": [{"partner": "farm", "share_bps": 10_000}],
    },
    "delivery": {"discount": {"kind": "free_shipping", "maximum_minor": 400}},
    "cup": {
        "discount": {"kind": "gift", "product_id": "cup", "name": "A cup", "value_minor": 120},
        "requires": {"minimum_quantity": 12},
    },
    "fruit": {
        "discount": {"kind": "amount", "amount_minor": 100},
        "requires": {"minimum_spend_minor": 500, "of": {"departments": ["PRODUCE"]}},
    },
    "gold": {
        "discount": {"kind": "percent", "rate_bps": 5000},
        "audience": {"tiers": ["Gold"]},
    },
}
QUOTE = """query($basket: ShoppingBasketInput!) { quoteBasket(basket: $basket) {
    __typename ... on BasketQuote {
        before { amount } discount { amount } after { amount } total { amount } points
        shippingDiscount { amount } offersCashback { amount } quoteToken
        lines { number productId discount { amount } after { amount } }
        earned { rule offer points } gifts { productId quantity } refusedCoupons { place }
        applied { offer title discount { amount } points }
        notApplied { offer reason message shortfall { amount } shortfallQuantity } } } }"""
OFFER_ID = "{ offers(first: 50) { nodes { id key } } }"
SETTLEMENT = "{ settlement(year: 2026, month: 3) { csv } }"
BALANCES = """{ me { points { available pending } cashback { available { amount }
    pending { amount } } eligibleSpend { amount } } }"""


def basket(name: str, *codes: str, lines: list[Json] = LINES) -> Json:
    return {
        "member": {"externalId": name},
        "storeId": "7",
        "channel": "web",
        "currencyCode": "USD",
        "lines": lines,
        "shippingMinor": "490",
        "couponCodes": list(codes),
    }


async def quoted(api: Api, till: Caller, wanted: Json) -> Json:
    answer: Json = (await api.data(QUOTE, {"basket": wanted}, till, at=NOW))["quoteBasket"]
    return answer


class Shop:
    """Whoever takes part, and what they do."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def open(self) -> None:
        for name in ("basket quotes", "basket contents"):
            await shared_secret(name)
        self.writer = await self.api.staff(StaffRole.MARKETER)
        self.manager = await self.api.staff(StaffRole.MANAGER)
        self.support = await self.api.staff(StaffRole.SUPPORT)
        self.anna = await self.api.member("anna")
        self.ben = await self.api.member("ben")
        self.till = await self.api.key(Scope.PURCHASES_WRITE)
        await self.publish("partner", "farm", {"name": "Farm", "stores": ["f1"]})
        for key, offer in OFFERS.items():
            texts = {"en": {"title": key.title()}, "lv": {"title": f"{key} lv"}}
            await self.publish("offer", key, {"default_language": "en", "texts": texts, **offer})
        await self.publish("coupon", "mail", {"offer": "code", "codes": {"kind": "single_use"}})

    async def publish(self, kind: str, key: str, document: Json) -> None:
        """One writes it; where there is no budget, or a large one, another approves it."""
        which: Json = {"kind": kind, "key": key}
        draft = {**which, "document": json.dumps(document)}
        saved = await self.api.mutate("saveDefinition", draft, self.writer)
        assert saved["definition"]["status"] == "DRAFT", saved
        version = {**which, "version": 1}
        told = await self.api.mutate("publishDefinition", version, self.writer)
        has_budget = kind != "offer" or "limits" in document
        assert told["definition"]["status"] == ("PUBLISHED" if has_budget else "WAITING")
        if not has_budget:
            told = await self.api.mutate("approveDefinition", version, self.manager)
            assert told["definition"]["status"] == "PUBLISHED"

    async def confirmed(self, wanted: Json, token: str, external_id: str, key: str) -> Json:
        wish = {"externalId": external_id, "basket": wanted, "quoteToken": token}
        return await self.api.mutate("confirmBasket", wish, self.till, key=key)

    async def returned(self, number: int, quantity: int) -> Json:
        wish = {
            "externalId": f"back-{number}-{quantity}",
            "purchase": {"externalId": "b-1"},
            "occurredAt": "2026-03-04T17:00:00Z",
            "lines": [{"number": number, "quantity": str(quantity)}],
        }
        return await self.api.mutate("returnPurchase", {"return": wish}, self.till)


async def test_a_basket_is_quoted_confirmed_and_returned_line_by_line_to_the_cent(
    api: Api,
) -> None:
    shop = Shop(api)
    await shop.open()
    made = await api.mutate("generateCoupons", {"couponKey": "mail", "number": 2}, shop.writer)
    code, other = made["codes"]
    await _anna_clips(shop)
    before = await api.data(BALANCES, caller=shop.anna, at=NOW)
    annas, bens = basket("anna", code), basket("ben", other)
    quote, bens_quote = await quoted(api, shop.till, annas), await quoted(api, shop.till, bens)
    _is_exact(quote)
    await _order_does_not_matter(shop, code, quote)

    done = await shop.confirmed(annas, quote["quoteToken"], "b-1", "once")
    assert done["__typename"] == "ConfirmedBasket", done
    assert await shop.confirmed(annas, quote["quoteToken"], "b-1", "once") == done
    purchase = done["purchase"]
    assert (purchase["net"], purchase["points"]) == (usd("22.17"), quote["points"])
    assert await _settled(shop) == [
        "2026-03,OPERATOR,cashback,offer:back,1,USD,0,USD,0",
        "2026-03,OPERATOR,discount,offer:dairy,1,USD,167,USD,167",
        "2026-03,farm,cashback,offer:back,1,USD,110,USD,110",
        "2026-03,farm,discount,offer:dairy,1,USD,83,USD,83",
    ]
    await _ben_is_told_what_changed(shop, bens, bens_quote["quoteToken"])
    assert [
        one["place"]
        for one in (await quoted(api, shop.till, basket("ben", code)))["refusedCoupons"]
    ] == [0]

    await _everything_comes_back(shop)
    assert await api.data(BALANCES, caller=shop.anna, at=NOW) == before
    assert [row.rsplit(",", 1)[1] for row in await _settled(shop)] == ["0"] * 4
    again = await quoted(api, shop.till, basket("ben", code))
    assert (again["discount"], again["refusedCoupons"]) == ({"amount": "7.24"}, [])


def _is_exact(quote: Json) -> None:
    """Every cent and point, worked out by hand."""
    assert [_cents(line["after"]) for line in quote["lines"]] == AFTER
    assert {name: quote[name]["amount"] for name in ("before", "discount", "after", "total")} == {
        "before": "29.41",
        "discount": "7.24",
        "after": "22.17",
        "total": "23.07",  # with 0.90 of the delivery, of which 4.00 are free
    }
    assert [(one["offer"], one["discount"]["amount"]) for one in quote["applied"][:3]] == [
        ("dairy", "2.50"),
        ("crust", "1.74"),
        ("code", "3.00"),
    ]
    assert (quote["shippingDiscount"], quote["offersCashback"]) == (
        {"amount": "4.00"},
        {"amount": "1.10"},  # 5 % of 22.17
    )
    assert quote["gifts"] == [{"productId": "cup", "quantity": "1"}]
    assert [(one["rule"], one["offer"], one["points"]) for one in quote["earned"]] == [
        ("BASE", None, 221),
        ("CATEGORY", None, 33),
        ("OFFER", "bonus", 50),
        ("OFFER", "triple", 308),  # twice the 154 of 15.41 of dairy
    ]
    assert quote["points"] == 612
    assert [(one["offer"], one["reason"], one["shortfall"]) for one in quote["notApplied"]] == [
        ("fruit", "SPEND_TOO_LOW", {"amount": "1.20"}),
        ("gold", "NOT_IN_AUDIENCE", None),
    ]
    assert quote["notApplied"][0]["message"] == "$1.20 more of PRODUCE is needed."


async def _order_does_not_matter(shop: Shop, code: str, quote: Json) -> None:
    turned = await quoted(shop.api, shop.till, basket("anna", code, lines=LINES[::-1]))
    assert [_cents(line["after"]) for line in turned["lines"]] == AFTER[::-1]
    for name in ("applied", "notApplied", "earned", "gifts", "total"):
        assert turned[name] == quote[name]


async def _ben_is_told_what_changed(shop: Shop, wanted: Json, token: str) -> None:
    """The budget of the code's offer is used up."""
    told = await shop.confirmed(wanted, token, "b-2", "bens")
    assert told["__typename"] == "QuoteChanged", told
    gone = [one for one in told["differences"] if one["kind"] == "OFFER_GONE"]
    assert [(one["offer"], one["reason"]) for one in gone] == [("code", "BUDGET_EXHAUSTED")]
    changed = {
        one["line"]: (one["quoted"], one["now"])
        for one in told["differences"]
        if one["kind"] == "DISCOUNT"
    }
    assert changed == {
        CHEESE: ("321", "175"),
        MILK: ("138", "75"),
        ROLL: ("36", "0"),
        BUN: ("184", "174"),
        APPLES: ("45", "0"),
    }
    missing = (await quoted(shop.api, shop.till, wanted))["notApplied"]
    assert {one["offer"]: one["reason"] for one in missing}["code"] == "BUDGET_EXHAUSTED"
    held = await shop.api.mutate("reserveBasket", {"basket": wanted}, shop.till)
    assert held["basket"]["quote"]["discount"] == usd("4.24")
    given_up = await shop.api.mutate(
        "cancelBasket", {"basketId": held["basket"]["id"]}, shop.support
    )
    assert given_up["basket"]["status"] == "CANCELLED"


async def _everything_comes_back(shop: Shop) -> None:
    """A unit at a time or line by line: what was paid for the line, and nothing else."""
    refunds = dict.fromkeys(range(len(LINES)), 0)
    points = 0
    for number, quantity in ((MILK, 1), (MILK, 2), (CHEESE, 2), (APPLES, 1), (BUN, 3), (ROLL, 3)):
        back = await shop.returned(number, quantity)
        refunds[number] += _cents(back["refund"]["net"])
        points += sum(one["points"] for one in back["reversed"])
    assert list(refunds.values()) == AFTER
    assert points == 612


async def _settled(shop: Shop) -> list[str]:
    """What partners and the operator have paid of offers in the month."""
    data = await shop.api.data(SETTLEMENT, caller=shop.manager, at=NOW)
    rows: list[str] = data["settlement"]["csv"].splitlines()[1:]
    return rows


def _cents(money: Json) -> int:
    return int(money["amount"].replace(".", ""))


async def _anna_clips(shop: Shop) -> None:
    nodes = (await shop.api.data(OFFER_ID, caller=shop.writer, at=NOW))["offers"]["nodes"]
    (offer,) = [node["id"] for node in nodes if node["key"] == "triple"]
    told = await shop.api.mutate("activateOffer", {"offerId": offer}, shop.anna)
    assert (told["isChanged"], told["offer"]["isActivated"]) == (True, True)
