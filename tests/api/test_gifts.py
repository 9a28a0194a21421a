"""Gifts of points as members, tills and staff see them."""

from typing import Any

from server.cards import service as cards
from server.clock import Instant
from server.edge.nodes import global_id
from server.ledger.rules import MAXIMUM_BALANCE
from server.principal import Scope, StaffRole
from server.storage import sql
from tests.api.calling import NOW, NOW_SHOWN, Api, Caller, Json, dump, enrolled
from tests.households.living import publish
from tests.ledger.books import check_books, grant, granted

GIFTS = """
    query ($first: Int!, $after: String) { me { gifts(first: $first, after: $after) {
        nodes { id direction points message otherName givenAt } pageInfo { hasNextPage endCursor }
    } } }
"""


async def pair(api: Api, points: int = 500) -> tuple[Caller, Caller]:
    """Anna, who has points besides the 100 of the welcome, and Bob."""
    anna = await api.member("anna", name="Anna Karenina")
    bob = await api.member("bob", name="Bob Brown")
    await grant(anna.member_id, granted(points, at=NOW), now=NOW)
    return anna, bob


async def to(member: Caller) -> Json:
    """The reference by card number."""
    return {"to": {"cardNumber": (await cards.card_of(member.member_id)).number}}


async def refused(api: Api, input: Json, caller: Caller, *, at: Instant = NOW) -> Any:
    """What is answered to a gift that leaves no trace."""
    before = await dump()
    told = await api.mutate("givePoints", input, caller, at=at)
    assert await dump() == before
    return told


async def test_a_gift_as_both_see_it(api: Api) -> None:
    anna, bob = await pair(api)
    given = {**await to(bob), "points": 200, "message": "For the cinema 🎬"}
    told = await api.mutate("givePoints", given, anna)
    gift = {
        "id": told["gift"]["id"],
        "direction": "SENT",
        "points": 200,
        "message": "For the cinema 🎬",
        "otherName": "Bob",
        "givenAt": NOW_SHOWN,
    }
    assert told == {"__typename": "PointsGiven", "gift": gift, "pointsAvailableAfter": 400}
    for caller, seen in (
        (anna, gift),
        (bob, {**gift, "direction": "RECEIVED", "otherName": "Anna"}),
    ):
        data = await api.data(GIFTS, {"first": 5}, caller)
        assert data["me"]["gifts"]["nodes"] == [seen]
    statement = "{ me { points { available } activity { nodes { kind title points } } } }"
    seen_by_bob = (await api.data(statement, caller=bob, at=NOW))["me"]
    assert seen_by_bob["points"] == {"available": 300}
    assert seen_by_bob["activity"]["nodes"][0] == {
        "kind": "GIFT_RECEIVED",
        "title": "Received from another member",
        "points": 200,
    }
    await check_books()


async def test_pages_of_gifts(api: Api) -> None:
    anna, bob = await pair(api)
    for points in (1, 2, 3):
        await api.mutate("givePoints", {**await to(bob), "points": points}, anna)
    await api.mutate("givePoints", {**await to(anna), "points": 4}, bob)
    seen: list[int] = []
    after = None
    while True:
        page = (await api.data(GIFTS, {"first": 3, "after": after}, anna))["me"]["gifts"]
        seen += [gift["points"] for gift in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [4, 3, 2, 1]


async def test_members_name_each_other_by_card_number_alone(api: Api) -> None:
    anna, bob = await pair(api)
    for reference in ({"id": bob.id}, {"externalId": "bob"}, {"externalId": "nobody"}):
        told = await refused(api, {"to": reference, "points": 1}, anna)
        assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "to"])
        assert told["message"] == "Name the other member by their card's number."
    for reference in ({"externalId": "anna"}, {"id": anna.id}, {"externalId": "bob"}):
        told = await refused(api, {**await to(bob), "from": reference, "points": 1}, anna)
        assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "from"])


async def test_cards_that_lead_to_nobody(api: Api) -> None:
    anna, bob = await pair(api)
    given = {**await to(bob), "points": 1}
    async with sql.transaction():
        await cards.block(bob.member_id, NOW)
    told = await refused(api, given, anna)
    assert (told["__typename"], told["status"]) == ("CardUnusable", "BLOCKED")
    assert told["path"] == ["input", "to", "cardNumber"]
    told = await refused(api, {"to": {"cardNumber": "9000000000000001"}, "points": 1}, anna)
    assert told["path"] == ["input", "to", "cardNumber"]
    assert told["__typename"] in ("NotFound", "InvalidInput")


async def test_refusals(api: Api) -> None:
    anna, bob = await pair(api, 20_000)
    told = await refused(api, {**await to(bob), "points": 10_001}, anna)
    assert (told["__typename"], told["limit"], told["left"]) == ("LimitReached", "10000", "10000")
    await api.mutate("givePoints", {**await to(bob), "points": 9_999}, anna)
    told = await refused(api, {**await to(bob), "points": 2}, anna)
    assert (told["limit"], told["left"], told["path"]) == ("10000", "1", ["input", "points"])
    assert told["message"] == "Points that a member can give on one day: 10000. Left today: 1."
    told = await refused(api, {**await to(anna), "points": 1}, anna)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "to"])
    told = await refused(api, {**await to(bob), "points": 1, "message": "a\nb"}, anna)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "message"])
    told = await refused(api, {**await to(anna), "points": 10_100}, bob)
    assert told["__typename"] == "LimitReached"
    carl = await enrolled("carl")
    await grant(carl, granted(MAXIMUM_BALANCE - 100, at=NOW), now=NOW)
    full = await api.signed_in(carl)
    told = await refused(api, {**await to(full), "points": 1}, bob)
    assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "points"])


async def test_too_few_points(api: Api) -> None:
    anna, bob = await pair(api, 1)
    told = await refused(api, {**await to(bob), "points": 102}, anna)
    assert told["__typename"] == "InsufficientPoints"
    assert (told["available"], told["required"], told["shortBy"]) == (101, 102, 1)


async def test_a_programme_without_gifts(api: Api) -> None:
    anna, bob = await pair(api)
    await publish({("transfers",): {"daily_limit_points": 0}})
    told = await refused(api, {**await to(bob), "points": 1}, anna)
    assert (told["__typename"], told["path"]) == ("NotAllowed", ["input"])


async def test_staff_and_tills_name_both(api: Api) -> None:
    anna, bob = await pair(api)
    callers = [
        await api.key(Scope.POINTS_REDEEM),
        await api.staff(StaffRole.SUPPORT),
        await api.staff(StaffRole.MANAGER),
    ]
    for caller in callers:
        told = await api.mutate(
            "givePoints",
            {"from": {"externalId": "anna"}, "to": {"id": bob.id}, "points": 10},
            caller,
        )
        assert (told["gift"]["direction"], told["gift"]["otherName"]) == ("SENT", "Bob")
        told = await refused(api, {"to": {"id": bob.id}, "points": 10}, caller)
        assert (told["__typename"], told["path"]) == ("InvalidInput", ["input", "from"])
        for role in ("from", "to"):
            wish = {"from": {"id": anna.id}, "to": {"id": bob.id}, "points": 1}
            told = await refused(api, {**wish, role: {"id": global_id("Member", 17)}}, caller)
            assert (told["__typename"], told["path"]) == ("NotFound", ["input", role, "id"])
    seen = '{ member(by: {externalId: "bob"}) { points { available } gifts { nodes { points } } } }'
    data = await api.data(seen, caller=callers[1], at=NOW)
    assert data["member"]["points"] == {"available": 130}
    assert len(data["member"]["gifts"]["nodes"]) == 3
