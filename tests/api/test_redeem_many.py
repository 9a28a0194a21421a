"""redeemPointsForMembers: each redemption of a batch by itself, and the batch as one request."""

import pytest

from server.cards import service as cards
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json, dump, enrolled, new_key
from tests.api.redeeming import ANNA, STEP, give_points, rich
from tests.api.refusals import invalid, not_found, unusable


async def test_a_batch_of_redemptions_answers_each_by_itself(api: Api, till: Caller) -> None:
    anna, bob = await rich(api, "anna", 2400), await rich(api, "bob", 1000)
    blocked = await enrolled("carl")
    number = (await cards.card_of(blocked)).number
    async with sql.transaction():
        await cards.block(blocked, NOW)
    wishes = [
        {**ANNA, "points": 1000},
        {"member": {"externalId": "nobody"}, "points": 1000},
        {**ANNA, "points": 1500},
        {"member": {"id": bob.id}, "points": 1000},
        {"member": {"id": "malformed"}, "points": 1000},
        {"member": {"cardNumber": number}, "points": 1000},
        {**ANNA, "points": 2000},
        {"member": {"id": anna.id}, "points": 1000},
    ]
    told = await api.mutate("redeemPointsForMembers", {"redemptions": wishes}, till)
    at = ["input", "redemptions"]
    answers = told["answers"]
    assert [answer.get("pointsAvailableAfter") for answer in answers] == [
        1500,
        None,
        None,
        100,
        None,
        None,
        None,
        500,
    ]
    assert [answers[place] for place in (1, 2, 4, 5, 6)] == [
        not_found([*at, "1", "member", "externalId"]),
        invalid([*at, "2", "points"], "1500", "1000 or a multiple of it", STEP),
        not_found([*at, "4", "member", "id"]),
        unusable(
            [*at, "5", "member", "cardNumber"],
            "BLOCKED",
            "This card is blocked. It works again once it is unblocked.",
        ),
        {
            "__typename": "InsufficientPoints",
            "code": "INSUFFICIENT_POINTS",
            "message": "1500 points are available, 2000 are needed: 500 short.",
            "available": 1500,
            "required": 2000,
            "shortBy": 500,
        },
    ]


@pytest.mark.parametrize("count", [0, 501])
async def test_a_count_of_redemptions_that_no_batch_has(
    api: Api, till: Caller, anna: int, count: int
) -> None:
    wishes = [{"member": {"id": "malformed"}, "points": 1}] * count
    before = await dump()
    assert await api.mutate("redeemPointsForMembers", {"redemptions": wishes}, till) == invalid(
        ["input", "redemptions"],
        f"{count} redemptions",
        "1 to 500 redemptions",
        "That many redemptions can't be made in one call.",
    )
    assert await dump() == before


@pytest.mark.parametrize(
    "wish",
    [
        {**ANNA, "points": 1000},
        {**ANNA, "points": 1},
        {"member": {"externalId": "nobody"}, "points": 1000},
        {"member": {"id": "malformed"}, "points": 1000},
    ],
    ids=["short", "step", "unknown", "malformed"],
)
async def test_a_batch_that_is_refused_throughout_leaves_no_trace_and_its_key_free(
    api: Api, till: Caller, anna: int, wish: Json
) -> None:
    key = new_key()
    before = await dump()
    told = await api.mutate("redeemPointsForMembers", {"redemptions": [wish, wish]}, till, key=key)
    assert told["__typename"] == "PointsRedeemedForMembers"
    assert ["code" in answer for answer in told["answers"]] == [True, True]
    assert await dump() == before
    await give_points(anna, 1000)
    told = await api.mutate(
        "redeemPointsForMembers", {"redemptions": [{**ANNA, "points": 1000}]}, till, key=key
    )
    assert told["answers"][0]["__typename"] == "PointsRedeemed"


async def test_redemptions_for_many_members_cost_the_same_statements(
    api: Api, till: Caller
) -> None:
    counts = []
    for turn, size in enumerate((1, 1, 20)):  # the first one also fills what is kept in memory
        wishes = []
        for number in range(size):
            name = f"member-{turn}-{number}"
            await give_points(await enrolled(name), 1000)
            wishes.append({"member": {"externalId": name}, "points": 1000})
        with sql.counted_statements() as statements:
            told = await api.mutate("redeemPointsForMembers", {"redemptions": wishes}, till)
        assert {answer["__typename"] for answer in told["answers"]} == {"PointsRedeemed"}
        counts.append(len(statements))
    assert counts[1] == counts[2]
