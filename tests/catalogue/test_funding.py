"""Who pays for what is ordered: exact parts, which come to nothing once it is cancelled."""

from typing import Any

import msgspec
import pytest

from server.catalogue.documents import RewardDocument
from server.catalogue.service import REWARD
from server.definitions.errors import InvalidDefinition
from server.errors import AlreadyDecided
from server.partners import service as partners
from server.programme import service as programme
from server.storage import sql
from server.storage.database import Address
from tests.catalogue.shop import (
    NOW,
    PRODUCT,
    VOUCHER,
    Plain,
    after,
    change,
    members_with,
    order,
    publish_document,
    reward,
    with_changes,
)

MARCH, APRIL = 202603, 202604
BAKERY, DAIRY = {"partner": "bakery", "share_bps": 2500}, {"partner": "dairy", "share_bps": 3333}


def of_bakery(**more: Any) -> Plain:
    """What something of the bakery's is."""
    return {"kind": "partner", "partner": "bakery", **more}


async def coalition(**bakery: Any) -> None:
    await publish_document("partner", "bakery", {"name": "Bakery", **bakery})
    await publish_document("partner", "dairy", {"name": "Dairy"})


async def owed(*months: int) -> dict[str, int]:
    """What each party owes for the months together."""
    total: dict[str, int] = {}
    for month in months or (MARCH,):
        for one in await partners.settlement(month):
            total[one.partner] = total.get(one.partner, 0) + one.owed_minor
    return total


async def entry_count() -> int:
    [row] = await sql.fetch("SELECT COUNT(*) FROM settlement_entries")
    return int(row[0])


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        # 2 vouchers of 5.00; the second share of 3333 is 333.3
        ({**VOUCHER, "funding": [BAKERY, DAIRY]}, {"bakery": 250, "dairy": 333, "": 417}),
        # 2 times 100 points at 10.00 the thousand
        ({**PRODUCT, "funding": [BAKERY, DAIRY]}, {"bakery": 50, "dairy": 67, "": 83}),
        ({**PRODUCT, "what": of_bakery()}, {"bakery": -200, "": 200}),
        ({**PRODUCT, "what": of_bakery(cost_minor=70)}, {"bakery": -140, "": 140}),
        ({**PRODUCT, "what": of_bakery(cost_minor=0)}, {"bakery": 0, "": 0}),
        (
            {**PRODUCT, "what": of_bakery(), "funding": [BAKERY, DAIRY]},
            {"bakery": 50 - 200, "dairy": 67, "": 83},
        ),
        (
            {**PRODUCT, "what": of_bakery(), "funding": [{**BAKERY, "share_bps": 10_000}]},
            {"bakery": 0, "": 0},
        ),
        (PRODUCT, {}),
    ],
)
async def test_each_party_bears_its_part_until_the_order_is_cancelled(
    shop: Address, plain: Plain, expected: dict[str, int]
) -> None:
    await coalition()
    await reward("it", plain)
    [anna] = await members_with(1, 2000)
    made = (await order(anna, "it", 2)).order
    assert await owed() == expected
    await change("cancel", made.id, now=after(days=40))
    assert set((await owed(MARCH, APRIL)).values()) <= {0}
    assert await owed(MARCH) == expected, "a month that is over stays as it was"
    assert {one: -minor for one, minor in (await owed(APRIL)).items() if minor} == {
        one: minor for one, minor in expected.items() if minor
    }


async def test_the_report_names_the_reward_its_points_and_their_value(shop: Address) -> None:
    await coalition()
    await reward("bread", {**PRODUCT, "what": of_bakery(cost_minor=70), "funding": [BAKERY]})
    [anna] = await members_with(1, 1000)
    await order(anna, "bread", 2)
    lines = {one.partner: one.lines for one in await partners.settlement(MARCH)}
    assert [
        (line.source, line.rule, line.rewards, line.points, line.value_minor)
        for line in lines["bakery"]
    ] == [
        ("redemption", "reward:bread", 1, -200, -140),
        ("reward", "reward:bread", 1, 50, 35),
    ]
    assert [(line.source, line.points, line.value_minor) for line in lines[""]] == [
        ("reward", 150, 105)
    ]


async def test_a_cancelled_order_is_undone_by_the_shares_that_it_was_ordered_with(
    shop: Address,
) -> None:
    await coalition()
    await reward(what=of_bakery(), funding=[DAIRY])
    [anna] = await members_with(1, 1000)
    made = (await order(anna)).order
    await reward(what={"kind": "product"}, funding=[BAKERY], now=after(seconds=1))
    await publish_document(
        "partner", "bakery", {"name": "Bakery", "is_reimbursed": False}, now=after(seconds=1)
    )
    await change("cancel", made.id, now=after(seconds=2))
    assert await owed() == {"bakery": 0, "dairy": 0, "": 0}


async def test_a_partner_that_is_not_reimbursed_is_owed_nothing(shop: Address) -> None:
    await coalition(is_reimbursed=False)
    await reward("free", {**PRODUCT, "what": of_bakery()})
    await reward("shared", {**PRODUCT, "what": of_bakery(), "funding": [DAIRY]})
    [anna] = await members_with(1, 1000)
    await order(anna, "free")
    assert await entry_count() == 0
    made = (await order(anna, "shared")).order
    assert await owed() == {"dairy": 33, "": 67}
    await change("cancel", made.id)
    assert await owed() == {"dairy": 0, "": 0}


async def test_cancelling_twice_undoes_once(shop: Address) -> None:
    await coalition()
    await reward(funding=[DAIRY])
    [anna] = await members_with(1, 1000)
    made = (await order(anna)).order
    await change("cancel", made.id)
    with pytest.raises(AlreadyDecided):
        await change("cancel", made.id)
    assert await entry_count() == 4


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"what": of_bakery() | {"partner": "nobody"}}, ("what", "partner")),
        ({"funding": [{"partner": "nobody", "share_bps": 1}]}, ("funding", 0, "partner")),
        ({"funding": [BAKERY, BAKERY]}, ("funding", 1, "partner")),
        ({"funding": [{**BAKERY, "share_bps": 6668}, DAIRY]}, ("funding",)),
    ],
)
async def test_parts_are_of_partners_that_there_are_and_of_the_whole(
    shop: Address, changes: Plain, path: tuple[str | int, ...]
) -> None:
    await coalition()
    with pytest.raises(InvalidDefinition) as refused:
        await reward(**changes)
    assert [problem.path for problem in refused.value.problems] == [path]


@pytest.mark.parametrize(
    ("what", "stock", "budget"),
    [
        # 100 points are worth 1.00 as vouchers anyway
        (of_bakery(cost_minor=130), 10, 300),
        (of_bakery(cost_minor=100), 10, 0),
        (of_bakery(), None, 0),
        (of_bakery(cost_minor=101), None, None),
    ],
)
async def test_what_a_partner_is_owed_beyond_what_points_are_worth_is_for_approval(
    shop: Address, what: Plain, stock: int | None, budget: int | None
) -> None:
    document = msgspec.convert(with_changes(PRODUCT, what=what, stock=stock), RewardDocument)
    assert REWARD.budget(document, (await programme.rulebook()).at(NOW).programme) == budget
