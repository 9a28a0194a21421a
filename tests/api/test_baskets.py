"""Baskets over the API: who may quote, what they are told, and in which language."""

from server import clock
from server.principal import Scope, StaffRole
from server.storage import sql
from tests.api.baskets_cases import basket_input, reserved, tills, token
from tests.api.calling import NOW, Api, Caller, Json, line, usd
from tests.baskets.shopping import amount, publish_offer

QUOTE = """query($basket: ShoppingBasketInput!) { quoteBasket(basket: $basket) {
    __typename
    ... on BasketQuote {
        memberId before { amount } discount { amount } after { amount } total { amount } points
        lines { number discount { amount } after { amount } }
        applied {
            offer title discount { amount currencyCode } lines { number discount { amount } } }
        notApplied { offer reason message shortfall { amount } shortfallOf { departments } }
        refusedCoupons { place message } tierBefore tierAfter quoteToken }
    ... on Problem { code message } ... on InvalidInput { path }
    ... on NotFound { notFoundPath: path } } }"""
BASKET = "query($id: ID!) { basket(id: $id) { id status quote { discount { amount } } } }"


async def quoted(api: Api, caller: Caller, basket: Json, language: str = "en") -> Json:
    headers = {"Accept-Language": language}
    response = await api.send(QUOTE, {"basket": basket}, caller, at=NOW, **headers)
    answer: Json = response.json()["data"]["quoteBasket"]
    return answer


async def offered(key: str, document: Json) -> None:
    with clock.moved_to(NOW):
        async with sql.transaction():
            await publish_offer(key, document)


async def test_a_member_is_quoted_their_own_basket(api: Api) -> None:
    anna = await api.member("anna")
    await offered("flat", amount(150))
    told = await quoted(api, anna, basket_input(member=None))
    assert told["memberId"] == anna.id
    assert (told["before"], told["discount"], told["total"]) == (
        {"amount": "10.00"},
        {"amount": "1.50"},
        {"amount": "8.50"},
    )
    [applied] = told["applied"]
    assert (applied["title"], applied["discount"]) == ("Flat", usd("1.50"))
    assert applied["lines"] == [{"number": 0, "discount": {"amount": "1.50"}}]


async def test_a_member_is_not_quoted_anybody_elses_basket(api: Api) -> None:
    anna = await api.member("anna")
    await api.member("ben")
    told = await quoted(api, anna, basket_input(member={"externalId": "ben"}))
    assert (told["__typename"], told["notFoundPath"]) == ("NotFound", ["basket", "member"])


async def test_a_till_has_to_say_whose_basket_it_is(api: Api) -> None:
    till, _colleague = await tills(api)
    told = await quoted(api, till, basket_input(member=None))
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["basket", "member"])


async def test_what_is_missing_is_told_in_the_callers_language(api: Api) -> None:
    anna = await api.member("anna")
    of = {"departments": ["PRODUCE"]}
    await offered("five", amount(100, requires={"minimum_spend_minor": 500, "of": of}))
    lines = [line(department="PRODUCE", salesMinor=380)]
    for language, message in (
        ("en", "$1.20 more of PRODUCE is needed."),
        ("ru", "Не хватает ещё 1,20\u00a0$ на PRODUCE."),
    ):
        told = await quoted(api, anna, basket_input(member=None, lines=lines), language)
        [missing] = told["notApplied"]
        assert missing == {
            "offer": "five",
            "reason": "SPEND_TOO_LOW",
            "message": message,
            "shortfall": {"amount": "1.20"},
            "shortfallOf": {"departments": ["PRODUCE"]},
        }


async def test_an_unknown_coupon_is_refused_without_spoiling_the_quote(api: Api) -> None:
    till, _colleague = await tills(api)
    told = await quoted(api, till, basket_input(couponCodes=["NOPE"]))
    assert [one["place"] for one in told["refusedCoupons"]] == [0]
    assert told["discount"] == {"amount": "1.00"}


async def test_each_code_of_a_basket_that_is_no_coupon_is_a_guess(api: Api) -> None:
    anna = await api.member("anna")
    guesses = [f"GUESS-{number}" for number in range(20)]
    told = await quoted(api, anna, basket_input(member=None, couponCodes=guesses))
    assert len(told["refusedCoupons"]) == 20
    once_more = {"basket": basket_input(member=None, couponCodes=["GUESS-20"])}
    assert await api.codes(QUOTE, once_more, anna, at=NOW) == ["TOO_MANY_ATTEMPTS"]
    assert (await quoted(api, anna, basket_input(member=None)))["__typename"] == "BasketQuote"


async def test_a_changed_price_is_told_with_a_quote_that_can_be_confirmed(api: Api) -> None:
    till, _colleague = await tills(api)
    dearer = basket_input(lines=[line(salesMinor=1200)])
    wish = {"externalId": "b-1", "basket": dearer, "quoteToken": await token(api, till)}
    told = await api.mutate("confirmBasket", wish, till)
    assert told["__typename"] == "QuoteChanged"
    said = {one["kind"]: one["message"] for one in told["differences"]}
    assert said["PRICE"] == "Line 1, price: $10.00 was quoted, now $12.00."
    assert said["OFFER_DISCOUNT"] == "Tenth, discount: $1.00 was quoted, now $1.20."
    wish["quoteToken"] = told["quote"]["quoteToken"]
    done = await api.mutate("confirmBasket", wish, till)
    assert done["purchase"]["net"] == usd("10.80")
    assert done["basket"]["purchaseId"] == done["purchase"]["purchaseId"]


async def test_a_basket_is_found_by_its_partner_and_by_staff(api: Api) -> None:
    till, colleague = await tills(api)
    other = await api.key(Scope.PURCHASES_WRITE, partner="other")
    auditor = await api.staff(StaffRole.AUDITOR)
    variables = {"id": await reserved(api, till)}
    for caller in (till, colleague, auditor):
        told = await api.data(BASKET, variables, caller, at=NOW)
        assert told["basket"]["status"] == "RESERVED"
        assert told["basket"]["quote"] == {"discount": {"amount": "1.00"}}
    assert (await api.data(BASKET, variables, other, at=NOW))["basket"] is None
    told = await api.mutate("cancelBasket", {"basketId": variables["id"]}, other)
    assert told["code"] == "NOT_FOUND"
