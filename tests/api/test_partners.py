"""What a partner's key sees and changes: its own purchases, and nobody else's."""

from server.edge.nodes import global_id
from server.principal import KEY_SCOPES, KeyKind, Scope
from tests.api.calling import Api, Caller, Json, dump, purchase_input, return_input

PURCHASE = "query ($by: PurchaseReferenceInput!) { purchase(by: $by) { id partner } }"
PURCHASES = """{ member(by: {externalId: "anna"}) { purchases(first: 2) {
    nodes { partner } pageInfo { hasNextPage endCursor } } } }"""


async def partner(api: Api, name: str) -> Caller:
    """A partner's key, as staff make them."""
    return await api.key(*KEY_SCOPES[KeyKind.PARTNER], partner=name)


async def test_a_partner_finds_its_own_purchases_alone(api: Api, anna: int) -> None:
    baker, butcher = await partner(api, "baker"), await partner(api, "butcher")
    sold = await api.record(baker, externalId="b-1")
    references: list[Json] = [{"id": sold["purchaseId"]}, {"externalId": "b-1"}]
    unknown: list[Json] = [{"id": global_id("Purchase", 17)}, {"externalId": "b-2"}]
    for by, nothing in zip(references, unknown, strict=True):
        found = {"purchase": {"id": sold["purchaseId"], "partner": "baker"}}
        assert await api.data(PURCHASE, {"by": by}, baker) == found
        assert await api.data(PURCHASE, {"by": by}, butcher) == {"purchase": None}
        assert await api.data(PURCHASE, {"by": nothing}, butcher) == {"purchase": None}


async def test_a_partner_returns_its_own_purchases_alone(api: Api, anna: int) -> None:
    baker, butcher = await partner(api, "baker"), await partner(api, "butcher")
    sold = await api.record(baker, externalId="b-1")
    before = await dump()
    for own, unknown in (
        ({"id": sold["purchaseId"]}, {"id": global_id("Purchase", 17)}),
        ({"externalId": "b-1"}, {"externalId": "b-2"}),
    ):
        told = [
            await api.mutate("returnPurchase", {"return": return_input(purchase=given)}, butcher)
            for given in (own, unknown)
        ]
        assert told[0]["__typename"] == "NotFound"
        assert told[0] == told[1]
    assert await dump() == before
    returned = return_input(purchase={"id": sold["purchaseId"]})
    told_to_owner = await api.mutate("returnPurchase", {"return": returned}, baker)
    assert told_to_owner["__typename"] == "ReturnedPurchase"


async def test_a_till_sees_of_a_members_purchases_those_of_its_partner(api: Api, anna: int) -> None:
    for name in ("baker", "butcher", "baker", "butcher", "baker"):
        await api.record(await partner(api, name))
    till = await api.key(Scope.MEMBERS_READ, partner="baker")
    page = (await api.data(PURCHASES, caller=till))["member"]["purchases"]
    assert page["nodes"] == [{"partner": "baker"}] * 2
    further = PURCHASES.replace("first: 2", f'first: 2, after: "{page["pageInfo"]["endCursor"]}"')
    rest = (await api.data(further, caller=till))["member"]["purchases"]
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([{"partner": "baker"}], False)
    member = await api.signed_in(anna)
    own = await api.data("{ me { purchases { nodes { partner } } } }", caller=member)
    assert len(own["me"]["purchases"]["nodes"]) == 5


async def test_a_partner_can_do_nothing_but_record_and_return(api: Api, anna: int) -> None:
    baker = await partner(api, "baker")
    for document in (
        '{ member(by: {externalId: "anna"}) { id } }',
        "{ members { nodes { id } } }",
        '{ pointBalances(externalIds: ["anna"]) { available } }',
        "{ payouts { nodes { id } } }",
        "{ apiKeys { nodes { id } } }",
        "{ insights { months { month } } }",
    ):
        assert await api.codes(document, caller=baker) == ["FORBIDDEN"], document


async def test_two_partners_may_use_the_same_external_ids(api: Api, anna: int) -> None:
    baker, butcher = await partner(api, "baker"), await partner(api, "butcher")
    given = purchase_input(externalId="1")
    told = [
        await api.mutate("recordPurchase", {"purchase": given}, one) for one in (baker, butcher)
    ]
    assert told[0]["purchaseId"] != told[1]["purchaseId"]
    for one, answer in zip((baker, butcher), told, strict=True):
        data = await api.data(PURCHASE, {"by": {"externalId": "1"}}, one)
        assert data["purchase"]["id"] == answer["purchaseId"]
