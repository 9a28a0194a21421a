"""Offers as members see them on their phones, and as staff see what became of them."""

from typing import Any

import pytest

from server.clock import Instant
from server.definitions import service as definitions
from server.offers.evaluation import Applied
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOW, SECOND, Api, Caller, Json, changed, dump, new_key
from tests.api.offers_cases import offer_id, published
from tests.offers.using import applied, held, publish_offer, returned, used

HOUR = 3600 * SECOND
FIELDS = """
    id key language title description terms imageUrl discountText minimumQuantity needsActivation
    needsCoupon state startsAt endsAt opensAt isActivated usesLeft minimumSpend { amount }
    discount { __typename ... on PercentDiscount { rateBasisPoints maximum { amount } } }
    scope { isEverything departments products }
"""
MY_OFFERS = f"""
    query ($first: Int = 20, $after: String, $state: OfferState, $isActivated: Boolean) {{
      me {{ offers(first: $first, after: $after, state: $state, isActivated: $isActivated) {{
        nodes {{ {FIELDS} }} edges {{ cursor }} pageInfo {{ hasNextPage endCursor }} }} }} }}
"""


async def offer(key: str, *, at: Instant = NOW, **changes: Any) -> str:
    """Publish an offer; its id."""
    async with sql.transaction():
        await publish_offer(key, at=at, **changes)
    return await offer_id(key)


async def seen(api: Api, caller: Caller, *, at: Instant = NOW, **variables: Any) -> list[Json]:
    """The member's offers."""
    data = await api.data(MY_OFFERS, variables, caller, at=at)
    nodes: list[Json] = data["me"]["offers"]["nodes"]
    return nodes


async def keys(api: Api, caller: Caller, *, at: Instant = NOW, **variables: Any) -> list[str]:
    """Their keys."""
    return [one["key"] for one in await seen(api, caller, at=at, **variables)]


async def changed_offer(
    api: Api, verb: str, offer: str, caller: Caller, *, at: Instant = NOW, **whose: Any
) -> Json:
    """What activateOffer or deactivateOffer answers."""
    limited = "... on LimitReached { path limit left }" if verb == "activateOffer" else ""
    kind = f"{verb[0].upper()}{verb[1:]}Input"
    document = f"""
        mutation ($input: {kind}!) {{ answer: {verb}(input: $input) {{ __typename
          ... on OfferActivated {{ isChanged offer {{ isActivated usesLeft state title }} }}
          ... on Problem {{ code message }}
          {limited}
          ... on NotFound {{ path }} ... on NotAllowed {{ path }} ... on InvalidInput {{ path }}
        }} }}
    """
    given = {"idempotencyKey": new_key(), "offerId": offer, **whose}
    data = await api.data(document, {"input": given}, caller, at=at)
    answer: Json = data["answer"]
    return answer


# ---------------------------------------------------------------- what a member sees


async def test_a_member_sees_everything_about_an_offer(api: Api) -> None:
    anna = await api.member("anna")
    number = await offer(
        "bread",
        texts={"en": {"title": "Bread", "description": "Fresh", "terms": "Today only"}},
        image_url="https://example.org/bread.png",
        discount={"kind": "percent", "rate_bps": 1250, "maximum_minor": 300},
        scope={"departments": ["BAKERY"]},
        requires={"minimum_spend_minor": 500, "minimum_quantity": 2},
        schedule={"starts_on": "2026-03-01", "ends_on": "2026-03-04"},
        limits={"per_member": 3},
        activation="clip",
    )
    assert await seen(api, anna) == [
        {
            "id": number,
            "key": "bread",
            "language": "en",
            "title": "Bread",
            "description": "Fresh",
            "terms": "Today only",
            "imageUrl": "https://example.org/bread.png",
            "discountText": "12.5% off, $3.00 at most",
            "minimumQuantity": 2,
            "minimumSpend": {"amount": "5.00"},
            "needsActivation": True,
            "needsCoupon": False,
            "state": "AVAILABLE",
            "startsAt": "2026-03-01T05:00:00Z",
            "endsAt": "2026-03-05T05:00:00Z",
            "opensAt": None,
            "isActivated": False,
            "usesLeft": 3,
            "discount": {
                "__typename": "PercentDiscount",
                "rateBasisPoints": 1250,
                "maximum": {"amount": "3.00"},
            },
            "scope": {"isEverything": False, "departments": ["BAKERY"], "products": []},
        }
    ]


@pytest.mark.parametrize(
    ("language", "title", "said"),
    [
        ("en", "Maize", "10% off"),
        ("lv-LV", "Kukurūza", "10% atlaide"),
        ("lt", "Maize", "10 % nuolaida"),
        ("cs", "Maize", "Sleva 10 %"),
        ("ru", "Maize", "Скидка 10 %"),
        ("zh-Hant-TW", "玉米", "減 10%"),
    ],
)
async def test_texts_come_in_the_callers_language_or_the_next_best(
    api: Api, language: str, title: str, said: str
) -> None:
    anna = await api.member("anna")
    await offer(
        "maize",
        texts={
            "en": {"title": "Maize"},
            "lv": {"title": "Kukurūza"},
            "zh-Hant": {"title": "玉米"},
        },
        discount={"kind": "percent", "rate_bps": 1000},
    )
    document = "{ me { offers { nodes { title discountText } } } }"
    headers: dict[str, Any] = {"Accept-Language": language}
    response = await api.send(document, caller=anna, at=NOW, **headers)
    (node,) = response.json()["data"]["me"]["offers"]["nodes"]
    assert (node["title"], node["discountText"].replace("\u00a0", " ")) == (title, said)


async def test_without_a_stated_language_the_members_own_counts(api: Api) -> None:
    anna = await api.member("anna")
    async with sql.transaction():
        await sql.execute("UPDATE members SET locale = 'et-EE' WHERE id = $1", anna.member_id)
    await offer("maize", texts={"en": {"title": "Maize"}, "et": {"title": "Mais"}})
    assert [(one["language"], one["title"]) for one in await seen(api, anna)] == [("et", "Mais")]


async def test_members_see_what_is_for_them_and_has_begun(api: Api) -> None:
    anna, ben = await api.member("anna"), await api.member("ben")
    await offer("all")
    await offer("anna", audience={"members": ["anna"]})
    await offer("gold", audience={"tiers": ["Gold"]})
    start = {"starts_at": "2026-03-04T19:00:00Z", "ends_at": "2026-03-04T20:00:00Z"}
    await offer("soon", schedule=start)
    await offer("early", schedule={**start, "early_access": {"Bronze": 1, "Gold": 48}})
    await offer("night", schedule={"from_time": "22:00", "to_time": "23:00"})
    bronze = await tier_of(anna)
    assert bronze == "Bronze"
    assert await keys(api, anna) == ["anna", "all"]
    assert await keys(api, ben) == ["all"]
    assert await keys(api, ben, state="PAUSED") == ["night"]
    assert await keys(api, ben, state=None) == ["night", "all"]
    (night,) = await seen(api, ben, state="PAUSED")
    assert night["opensAt"] == "2026-03-05T03:00:00Z"
    begins = Instant(NOW + 2 * HOUR)
    assert await keys(api, ben, at=Instant(begins - HOUR - 1)) == ["all"]
    assert await keys(api, ben, at=Instant(begins - HOUR)) == ["early", "all"]
    assert await keys(api, ben, at=begins) == ["early", "soon", "all"]
    assert await keys(api, ben, at=Instant(begins + HOUR)) == ["all"]


async def tier_of(caller: Caller) -> str:
    rows = await sql.fetch("SELECT level FROM tier_states WHERE member_id = $1", caller.member_id)
    return str(rows[0][0])


async def test_segments_decide_whom_an_offer_is_for(api: Api) -> None:
    anna, ben = await api.member("anna"), await api.member("ben")
    document = {"name": "Friends", "members": {"kind": "list", "external_ids": ["anna"]}}
    await segment("friends", document)
    await offer("friends", audience={"segments": ["friends"]})
    await offer("others", audience={"excluded_segments": ["friends"]})
    assert await keys(api, anna) == ["friends"]
    assert await keys(api, ben) == ["others"]


async def segment(key: str, document: Json) -> None:
    async with sql.transaction():
        await definitions.publish_document("segment", key, document, by="command line", now=NOW)


async def test_pages_follow_one_another(api: Api) -> None:
    anna = await api.member("anna")
    for number in range(5):
        await offer(f"o{number}")
    after, found, has_next = None, [], []
    for _ in range(3):
        data = await api.data(MY_OFFERS, {"first": 2, "after": after}, anna, at=NOW)
        page = data["me"]["offers"]
        found.append([one["key"] for one in page["nodes"]])
        after = page["pageInfo"]["endCursor"]
        has_next.append(page["pageInfo"]["hasNextPage"])
    assert found == [["o4", "o3"], ["o2", "o1"], ["o0"]]
    assert has_next == [True, True, False]


async def test_limits_show_what_is_left(api: Api) -> None:
    anna, ben = await api.member("anna"), await api.member("ben")
    await offer("one", limits={"per_member": 2, "total": 3})
    assert await used(anna.member_id) == ()
    assert [one["usesLeft"] for one in await seen(api, anna)] == [1]
    assert [one["usesLeft"] for one in await seen(api, ben)] == [2]
    assert await held(ben.member_id, 5) == ()
    assert [one["usesLeft"] for one in await seen(api, ben)] == [1]
    assert await used(anna.member_id) == ()
    assert await keys(api, anna) == []
    assert await keys(api, anna, state="USED_UP") == ["one"]
    assert await keys(api, ben, state="USED_UP") == ["one"]  # by all members together


# ---------------------------------------------------------------- activating


async def test_activating_is_done_once(api: Api) -> None:
    anna, ben = await api.member("anna"), await api.member("ben")
    clip = await published(limits={"per_member": 1})
    first = await changed_offer(api, "activateOffer", clip, anna)
    assert first == {
        "__typename": "OfferActivated",
        "isChanged": True,
        "offer": {"isActivated": True, "usesLeft": 1, "state": "AVAILABLE", "title": "clip"},
    }
    before = await dump()
    again = await changed_offer(api, "activateOffer", clip, anna)
    assert again == {**first, "isChanged": False}
    assert changed(before, await dump()) == {"idempotency_records"}
    assert await keys(api, anna, isActivated=True) == ["clip"]
    assert await keys(api, ben, isActivated=True) == []
    back = await changed_offer(api, "deactivateOffer", clip, anna)
    assert (back["isChanged"], back["offer"]["isActivated"]) == (True, False)
    assert (await changed_offer(api, "deactivateOffer", clip, anna))["isChanged"] is False
    assert await keys(api, anna, isActivated=True) == []


async def test_tills_and_staff_activate_for_a_member(api: Api, till: Caller) -> None:
    anna = await api.member("anna")
    clip = await published()
    whose: dict[str, Any] = {"member": {"externalId": "anna"}}
    assert (await changed_offer(api, "activateOffer", clip, till, **whose))["isChanged"] is True
    support = await api.staff(StaffRole.SUPPORT)
    assert (await changed_offer(api, "deactivateOffer", clip, support, **whose))["isChanged"]
    nobody = await changed_offer(api, "activateOffer", clip, till)
    assert (nobody["code"], nobody["path"]) == ("INVALID_INPUT", ["input", "member"])
    other = await changed_offer(api, "activateOffer", clip, anna, **whose)
    assert (other["code"], other["path"]) == ("INVALID_INPUT", ["input", "member"])


async def test_what_a_member_cannot_have_is_refused(api: Api) -> None:
    anna = await api.member("anna")
    for refused in (
        await published("gold", audience={"tiers": ["Gold"]}),
        await published("later", schedule={"starts_on": "2026-03-05"}),
        await published("over", schedule={"ends_on": "2026-03-03"}),
        "x",
    ):
        told = await changed_offer(api, "activateOffer", refused, anna)
        assert (told["code"], told["path"]) == ("NOT_FOUND", ["input", "offerId"])
    automatic = await offer("automatic")
    told = await changed_offer(api, "activateOffer", automatic, anna)
    assert (told["code"], told["path"]) == ("NOT_ALLOWED", ["input", "offerId"])
    scarce = await published("scarce", limits={"total": 1})
    assert await used(anna.member_id, applied("scarce")) == ()
    told = await changed_offer(api, "activateOffer", scarce, anna)
    assert (told["code"], told["limit"], told["left"]) == ("LIMIT_REACHED", "1", "0")


async def test_a_node_is_the_members_or_the_staffs(api: Api, till: Caller) -> None:
    anna, ben = await api.member("anna"), await api.member("ben")
    number = await offer("anna", audience={"members": ["anna"]})
    fields = {"MemberOffer": "title state", "Offer": "title status"}
    staff = await api.staff(StaffRole.AUDITOR)
    found = []
    for caller, type_ in (
        (anna, "MemberOffer"),
        (ben, "MemberOffer"),
        (staff, "Offer"),
        (till, "MemberOffer"),
    ):
        document = (
            "query ($id: ID!) { node(id: $id) { __typename"
            f" ... on {type_} {{ {fields[type_]} }} }} }}"
        )
        found.append((await api.data(document, {"id": number}, caller, at=NOW))["node"])
    assert found == [
        {"__typename": "MemberOffer", "title": "anna", "state": "AVAILABLE"},
        None,
        {"__typename": "Offer", "title": "anna", "status": "LIVE"},
        None,
    ]


# ---------------------------------------------------------------- statements


async def statements(api: Api, document: str, caller: Caller) -> int:
    """How many statements the answer takes, once what stays in memory is there."""
    await api.data(document, {}, caller, at=NOW)
    with sql.counted_statements() as counted:
        await api.data(document, {}, caller, at=NOW)
    return len(counted)


async def test_the_home_screen_takes_one_statement_and_few_more_with_offers(api: Api) -> None:
    anna = await api.member("anna")
    document = "{ me { points { available } offers { nodes { title } } } }"
    without = await statements(api, "{ me { points { available } } }", anna)
    counts = []
    for size in (1, 30):
        for number in range(size):
            await offer(f"o{number}", limits={"per_member": 1, "total": 5}, activation="clip")
        counts.append(await statements(api, document, anna))
    assert counts[0] == counts[1] <= without + 6
    assert await statements(api, "{ me { points { available } } }", anna) == without


async def test_offers_of_many_members_take_as_many_statements_as_those_of_few(api: Api) -> None:
    await segment("all", {"name": "All", "members": {"kind": "live", "condition": "visits >= 0"}})
    await offer("one", limits={"per_member": 1, "total": 50}, audience={"segments": ["all"]})
    await offer("two", audience={"lapsed_after_days": 1}, activation="clip")
    manager, counts = await api.staff(StaffRole.MANAGER), []
    document = "{ members(first: 100) { nodes { offers { nodes { key usesLeft } } } } }"
    for size in (2, 20):
        for _ in range(size):
            await api.member()
        counts.append(await statements(api, document, manager))
    assert counts[0] == counts[1]
    data = await api.data(document, {}, manager, at=NOW)
    assert [one["offers"]["nodes"] for one in data["members"]["nodes"]] == [
        [{"key": "one", "usesLeft": 1}]
    ] * 22


# ---------------------------------------------------------------- staff

STAFF_OFFERS = """
    query ($status: OfferStatus, $at: DateTime) { offers(status: $status, at: $at) { nodes {
      id key version status startsAt endsAt
      tally { uses members held activations discount { amount } shipping { amount } points
        cashback { amount } budgetUsed { amount } budgetPointsUsed } } } }
"""


async def test_staff_see_what_was_used(api: Api) -> None:
    anna, ben = await api.member("anna"), await api.member("ben")
    auditor = await api.staff(StaffRole.AUDITOR)
    number = await offer("one", limits={"budget_minor": 900}, activation="clip")
    await changed_offer(api, "activateOffer", number, anna)
    assert await used(anna.member_id, applied(points=7), purchase_id=1) == ()
    assert await used(anna.member_id, purchase_id=2) == ()
    assert await held(ben.member_id, 9, until=Instant(NOW + HOUR)) == ()
    await returned(2, is_everything=True)
    (found,) = (await api.data(STAFF_OFFERS, {}, auditor, at=NOW))["offers"]["nodes"]
    assert found == {
        "id": number,
        "key": "one",
        "version": 1,
        "status": "LIVE",
        "startsAt": None,
        "endsAt": None,
        "tally": {
            "uses": "1",
            "members": "1",
            "held": "1",
            "activations": "1",
            "discount": {"amount": "1.00"},
            "shipping": {"amount": "0.00"},
            "points": "7",
            "cashback": {"amount": "0.00"},
            "budgetUsed": {"amount": "1.00"},
            "budgetPointsUsed": "7",
        },
    }


async def test_staff_find_offers_by_where_they_stand(api: Api) -> None:
    auditor = await api.staff(StaffRole.AUDITOR)
    await offer("day", schedule={"starts_on": "2026-03-05", "ends_on": "2026-03-05"})
    await offer("always")

    async def found(**variables: Any) -> list[str]:
        data = await api.data(STAFF_OFFERS, variables, auditor, at=NOW)
        return [one["key"] for one in data["offers"]["nodes"]]

    assert await found() == ["always", "day"]
    assert await found(status="LIVE") == ["always"]
    assert await found(status="SCHEDULED") == ["day"]
    assert await found(status="LIVE", at="2026-03-05T05:00:00Z") == ["always", "day"]
    assert await found(status="ENDED", at="2026-03-06T05:00:00Z") == ["day"]


async def test_results_say_how_many_of_those_it_is_for_used_an_offer(api: Api) -> None:
    members = [await api.member(f"m{number}") for number in range(3)]
    auditor = await api.staff(StaffRole.AUDITOR)
    few = await offer("few", audience={"members": ["m0", "m1"]})
    every = await offer("every")
    wish: Applied = applied("few")
    assert await used(members[0].member_id, wish) == ()
    assert await used(members[0].member_id, wish) == ()
    document = """query ($id: ID!) { offerResults(offerId: $id) { targetedMembers membersLookedAt
        isComplete conversionBasisPoints offer { tally { uses members } } } }"""

    async def results(number: str) -> Any:
        return (await api.data(document, {"id": number}, auditor, at=NOW))["offerResults"]

    assert await results(few) == {
        "targetedMembers": "2",
        "membersLookedAt": "3",
        "isComplete": True,
        "conversionBasisPoints": 5000,
        "offer": {"tally": {"uses": "2", "members": "1"}},
    }
    assert (await results(every))["conversionBasisPoints"] == 0
    assert (await results(every))["targetedMembers"] == "3"
    assert await results("x") is None
