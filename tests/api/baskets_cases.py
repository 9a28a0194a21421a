"""How the mutations of baskets are called."""

from typing import Any

from server import clock
from server.principal import Scope
from server.storage import sql
from server.storage.secrets import shared_secret
from tests.api.calling import NOW, Api, Caller, Json, line
from tests.api.cases import Case, case
from tests.baskets.shopping import publish_offer

OFFER: dict[str, Any] = {
    "discount": {"kind": "percent", "rate_bps": 1000},
    "limits": {"per_member": 5, "budget_minor": 100_000},
}
QUOTE = """query($basket: ShoppingBasketInput!) { quoteBasket(basket: $basket) {
    __typename ... on BasketQuote { quoteToken } } }"""


def basket_input(**changes: Any) -> Json:
    """A basket of 10.00 by the member with the external id "anna"."""
    return {
        "member": {"externalId": "anna"},
        "storeId": "7",
        "currencyCode": "USD",
        "lines": [{**line(), "brand": "B"}],
        **changes,
    }


async def tills(api: Api) -> tuple[Caller, Caller]:
    """Two tills of a shop that has an offer, and a member."""
    await api.member("anna")
    for name in ("basket quotes", "basket contents"):  # made by whoever is the first
        await shared_secret(name)
    with clock.moved_to(NOW):
        async with sql.transaction():
            await publish_offer("tenth", OFFER)
    return await api.key(Scope.PURCHASES_WRITE), await api.key(Scope.PURCHASES_WRITE)


async def reserved(api: Api, till: Caller) -> str:
    """A reserved basket's id."""
    told = await api.mutate("reserveBasket", {"basket": basket_input()}, till)
    return str(told["basket"]["id"])


async def token(api: Api, till: Caller, **changes: Any) -> str:
    """What a basket was quoted."""
    told = await api.data(QUOTE, {"basket": basket_input(**changes)}, till, at=NOW)
    return str(told["quoteBasket"]["quoteToken"])


@case("reserveBasket", "ReservedBasket")
async def _reserve(api: Api) -> Case:
    till, colleague = await tills(api)
    wish: Json = {"basket": basket_input(), "ttlSeconds": 60}
    return Case(till, wish, {**wish, "ttlSeconds": 61}, colleague, wish)


@case("confirmBasket", "ConfirmedBasket")
async def _confirm(api: Api) -> Case:
    till, colleague = await tills(api)
    wish: Json = {"externalId": "b-1", "basketId": await reserved(api, till)}
    colleagues: Json = {
        "externalId": "b-2",
        "basket": basket_input(),
        "quoteToken": await token(api, colleague),
    }
    return Case(till, wish, {**wish, "externalId": "b-3"}, colleague, colleagues)


@case("cancelBasket", "CancelledBasket")
async def _cancel(api: Api) -> Case:
    till, colleague = await tills(api)
    ids = [await reserved(api, till) for _ in range(3)]
    first, other, last = [{"basketId": one} for one in ids]
    return Case(till, first, other, colleague, last)
